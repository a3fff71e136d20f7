//! Values and gradients against the published equations, written down once more in double precision for a linear classifier
//! `f(x) = x W` of three classes.

use burn::backend::{Autodiff, Flex};
use burn::tensor::TensorData;
use experiment::seed::Seed;
use inner_outer::Problem;
use inner_outer::tensors::{Tensors, to_f64};

use super::*;
use crate::data::ImageShape;
use crate::game::{AdversarialGame, Batch};
use crate::network::{Network, NetworkChoice};

type A = Autodiff<Flex>;
type Row = [f64; 3];

const SAMPLES: usize = 4;
/// `x_j`, `x'_j` and `y_j`.
const CLEAN: [[f64; 2]; SAMPLES] = [[0.2, 0.9], [0.8, 0.1], [0.5, 0.6], [0.1, 0.3]];
const MOVED: [[f64; 2]; SAMPLES] = [[0.5, 0.6], [0.6, 0.4], [0.2, 0.9], [0.4, 0.1]];
const LABELS: [usize; SAMPLES] = [1, 2, 0, 2];
/// `W`, `[2, 3]`.
const WEIGHTS: [f64; 6] = [1.2, -0.7, 0.4, -0.3, 0.9, 0.6];
/// Numbers of samples of each class, for the calibration.
const COUNTS: Row = [7.0, 1.0, 3.0];

fn scores(weights: &[f64], x: &[f64; 2]) -> Row {
    [0, 1, 2].map(|class| x[0] * weights[class] + x[1] * weights[3 + class])
}

fn softmax(z: Row) -> Row {
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.map(|z| z.exp() / total)
}

fn kl(p: Row, q: Row) -> f64 {
    p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The mean over samples of a function of `x`, `x'` and `y`.
fn mean(of: impl Fn(&[f64; 2], &[f64; 2], usize) -> f64) -> f64 {
    (0..SAMPLES).map(|j| of(&CLEAN[j], &MOVED[j], LABELS[j])).sum::<f64>() / SAMPLES as f64
}

/// Zhang et al. 2019, equation 5: `CE(f(x), y) + beta KL(p(x), p(x'))`.
fn trades(weights: &[f64], beta: f64) -> f64 {
    mean(|x, moved, y| {
        let [p, q] = [x, moved].map(|x| softmax(scores(weights, x)));
        -p[y].ln() + beta * kl(p, q)
    })
}

/// Wang et al. 2020, equations 9 and 11, with the constant of the authors' code:
/// `-log p_y(x') - log(1.0001 - max_{k != y} p_k(x')) + beta KL(p(x), p(x')) (1 - p_y(x))`.
fn mart(weights: &[f64], beta: f64) -> f64 {
    mean(|x, moved, y| {
        let [p, q] = [x, moved].map(|x| softmax(scores(weights, x)));
        let rival = (0..3).filter(|k| *k != y).map(|k| q[k]).fold(0.0, f64::max);
        -q[y].ln() - (1.0001 - rival).ln() + beta * kl(p, q) * (1.0 - p[y])
    })
}

/// Chen et al. 2022: scores calibrated by class counts, `z + weight log n`.
fn calibrated(weights: &[f64], x: &[f64; 2], weight: f64) -> Row {
    let z = scores(weights, x);
    [0, 1, 2].map(|class| z[class] + weight * COUNTS[class].ln())
}

fn with(weight: f64, scale: f64, scaled: Scope) -> LossChoice {
    LossChoice::Calibrated { weight, scale, scaled, absent: 1.0 }
}

fn calfat(weights: &[f64], (weight, scale): (f64, f64)) -> f64 {
    mean(|_, moved, y| -softmax(calibrated(weights, moved, weight).map(|z| z * scale))[y].ln())
}

fn tensor(values: &[f64], columns: usize) -> Tensor<A, 2> {
    let data = TensorData::new(values.to_vec(), [values.len() / columns, columns]);
    Tensor::from_data(data.convert::<f32>(), &Default::default())
}

fn labels() -> Tensor<A, 1, Int> {
    Tensor::from_data(LABELS.map(|label| label as i32), &Default::default())
}

/// Calibrated scores as the game makes them.
fn of(choice: LossChoice, weights: &Tensor<A, 2>, x: &Tensor<A, 2>) -> Tensor<A, 2> {
    let counts = Tensor::from_data(COUNTS.map(|count| count.ln() as f32), &Default::default());
    choice.calibrate(x.clone().matmul(weights.clone()), &counts)
}

/// The client's loss and its gradient in `W`.
fn of_client(choice: LossChoice) -> (f64, Vec<f64>) {
    let weights = tensor(&WEIGHTS, 3).require_grad();
    let [clean, moved] = [CLEAN, MOVED].map(|x| tensor(x.as_flattened(), 2));
    let clean = || of(choice, &weights, &clean);
    let loss = choice.of_client(of(choice, &weights, &moved), labels(), clean);
    (to_f64(&loss)[0], to_f64(&weights.grad(&loss.backward()).unwrap()))
}

/// The adversary's loss and its gradient in `x'`.
fn of_adversary(choice: LossChoice) -> (f64, Vec<f64>) {
    let moved = tensor(MOVED.as_flattened(), 2).require_grad();
    let weights = tensor(&WEIGHTS, 3);
    let clean = of(choice, &weights, &tensor(CLEAN.as_flattened(), 2));
    let clean = choice.climbs_divergence().then_some(clean);
    let loss = choice.of_adversary(of(choice, &weights, &moved), labels(), clean);
    (to_f64(&loss)[0], to_f64(&moved.grad(&loss.backward()).unwrap()))
}

/// Central differences of `function` at `point`.
fn slopes(function: impl Fn(&[f64]) -> f64, point: &[f64]) -> Vec<f64> {
    let step = 1e-5;
    let at = |index: usize, change: f64| {
        let mut moved = point.to_vec();
        moved[index] += change;
        function(&moved)
    };
    let slope = |index| (at(index, step) - at(index, -step)) / (2.0 * step);
    (0..point.len()).map(slope).collect()
}

#[track_caller]
fn assert_agree((value, gradient): (f64, Vec<f64>), expected: f64, slopes: &[f64]) {
    assert!((value - expected).abs() <= 1e-5 * expected.abs(), "{value} is not {expected}");
    let size = slopes.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    assert_eq!(gradient.len(), slopes.len());
    for (found, slope) in gradient.iter().zip(slopes) {
        assert!((found - slope).abs() <= 1e-4 * size, "{gradient:?} is not {slopes:?}");
    }
}

#[test]
fn trades_is_that_of_its_paper() {
    for beta in [0.0, 1.0, 6.0] {
        let of_paper = |weights: &[f64]| trades(weights, beta);
        let found = of_client(LossChoice::Trades { beta });
        assert_agree(found, of_paper(&WEIGHTS), &slopes(of_paper, &WEIGHTS));
    }
    assert!(trades(&WEIGHTS, 6.0) > 1.05 * trades(&WEIGHTS, 0.0), "the divergence counts");
}

#[test]
fn mart_is_that_of_its_paper() {
    for beta in [0.0, 5.0] {
        let of_paper = |weights: &[f64]| mart(weights, beta);
        let found = of_client(LossChoice::Mart { beta });
        assert_agree(found, of_paper(&WEIGHTS), &slopes(of_paper, &WEIGHTS));
    }
    assert!(mart(&WEIGHTS, 5.0) > 1.02 * mart(&WEIGHTS, 0.0), "the divergence counts");
}

#[test]
fn calibrated_scores_are_those_of_calfat() {
    for (weight, scale) in [(0.0, 1.0), (0.1, 10.0), (0.5, 2.0)] {
        let of_paper = |weights: &[f64]| calfat(weights, (weight, scale));
        let found = of_client(with(weight, scale, Scope::Client));
        assert_agree(found, of_paper(&WEIGHTS), &slopes(of_paper, &WEIGHTS));
    }
}

/// `sqrt(1 + r^2) - 1` or `r` for the distance `r` between the scores and 1 at the label, 0 elsewhere.
fn regressed(weights: &[f64], moved: &[f64; 2], y: usize, shape: RegressionLoss) -> f64 {
    let mut error = scores(weights, moved);
    error[y] -= 1.0;
    let square: f64 = error.iter().map(|x| x * x).sum();
    match shape {
        RegressionLoss::PseudoHuber => (1.0 + square).sqrt() - 1.0,
        RegressionLoss::Absolute => square.sqrt(),
    }
}

#[test]
fn regression_is_of_the_distance_to_the_label() {
    for shape in [RegressionLoss::PseudoHuber, RegressionLoss::Absolute] {
        let by_hand = |weights: &[f64]| mean(|_, moved, y| regressed(weights, moved, y, shape));
        let found = of_client(LossChoice::Regression { shape });
        assert_agree(found, by_hand(&WEIGHTS), &slopes(by_hand, &WEIGHTS));
    }
}

#[test]
fn regression_is_zero_and_flat_at_the_label_itself() {
    for shape in [RegressionLoss::PseudoHuber, RegressionLoss::Absolute] {
        let scores = tensor(&[0.0, 1.0, 0.0], 3).require_grad();
        let label = Tensor::from_data([1], &Default::default());
        let loss = LossChoice::Regression { shape }.of_adversary(scores.clone(), label, None);
        assert!(to_f64(&loss)[0] < 1e-14, "{shape:?}");
        assert_eq!(to_f64(&scores.grad(&loss.backward()).unwrap()), [0.0; 3], "{shape:?}");
    }
}

/// `KL(p(x), p(x'))` for TRADES and, of calibrated scores without the factor, for CalFAT, or with it; the cross entropy
/// of `x'` for the others.
#[test]
fn adversaries_climb_what_their_papers_say() {
    let (weight, scale) = (0.1, 10.0);
    let moved = MOVED.as_flattened();
    type OfSample<'f> = &'f dyn Fn(&[f64; 2], &[f64; 2], usize) -> f64;
    let each = |moved: &[f64], of: OfSample<'_>| {
        let (rows, _) = moved.as_chunks::<2>();
        (0..SAMPLES).map(|j| of(&CLEAN[j], &rows[j], LABELS[j])).sum::<f64>() / SAMPLES as f64
    };
    let of_trades = |x: &[f64; 2], moved: &[f64; 2], _: usize| {
        kl(softmax(scores(&WEIGHTS, x)), softmax(scores(&WEIGHTS, moved)))
    };
    let of_calfat = |x: &[f64; 2], moved: &[f64; 2], _: usize| {
        let [p, q] = [x, moved].map(|x| softmax(calibrated(&WEIGHTS, x, weight)));
        kl(p, q)
    };
    let of_scaled = |x: &[f64; 2], moved: &[f64; 2], _: usize| {
        let scaled = |x| calibrated(&WEIGHTS, x, weight).map(|z| z * scale);
        kl(softmax(scaled(x)), softmax(scaled(moved)))
    };
    let cross_entropy =
        |_: &[f64; 2], moved: &[f64; 2], y: usize| -softmax(scores(&WEIGHTS, moved))[y].ln();
    let regressed = |_: &[f64; 2], moved: &[f64; 2], y: usize| {
        regressed(&WEIGHTS, moved, y, RegressionLoss::PseudoHuber)
    };
    let shape = RegressionLoss::PseudoHuber;
    let cases: [(LossChoice, OfSample<'_>); 6] = [
        (LossChoice::Regression { shape }, &regressed),
        (LossChoice::Trades { beta: 6.0 }, &of_trades),
        (with(weight, scale, Scope::Client), &of_calfat),
        (with(weight, scale, Scope::Both), &of_scaled),
        (LossChoice::Mart { beta: 5.0 }, &cross_entropy),
        (LossChoice::CrossEntropy, &cross_entropy),
    ];
    for (choice, of_sample) in cases {
        let of_paper = |moved: &[f64]| each(moved, of_sample);
        assert_agree(of_adversary(choice), of_paper(moved), &slopes(of_paper, moved));
    }
}

/// The same by way of the game that clients play: which images are clean, and whose counts calibrate.
#[test]
fn the_game_plays_these_losses() {
    let device = Default::default();
    let values = |values: &[f64]| TensorData::new(values.to_vec(), [values.len()]).convert::<f32>();
    let shape = ImageShape { channels: 1, height: 1, width: 2 };
    let linear = NetworkChoice::Mlp { hidden: Vec::new() };
    let drawn = Network::<Flex>::new(&linear, shape, 3, &Seed::new(0), &device).unwrap();
    let parameters = [&WEIGHTS[..], &[0.0; 3]];
    let parameters = parameters.map(|parameter| Tensor::from_data(values(parameter), &device));
    let network = Tensors(parameters.to_vec()).write(drawn);
    let images =
        |x: &[f64]| Tensor::<Flex, 1>::from_data(values(x), &device).reshape([SAMPLES, 1, 1, 2]);
    let [clean, moved] = [CLEAN, MOVED].map(|x| images(x.as_flattened()));
    let batch = Batch {
        start: moved - clean.clone(),
        images: clean,
        labels: Tensor::from_data(LABELS.map(|label| label as i32), &device),
        class_counts: Tensor::from_data(values(&COUNTS.map(f64::ln)), &device),
        clean: None,
    };
    let calibration = (0.1, 10.0);
    let cases = [
        (LossChoice::Trades { beta: 6.0 }, trades(&WEIGHTS, 6.0)),
        (LossChoice::Mart { beta: 5.0 }, mart(&WEIGHTS, 5.0)),
        (LossChoice::calfat(), calfat(&WEIGHTS, calibration)),
    ];
    for (loss, expected) in cases {
        let game = AdversarialGame { loss };
        let batch = game.with_clean_scores(&network, batch.clone());
        let perturbation = game.init(&network, &batch);
        let found = to_f64(&game.outer_loss(&perturbation, &network, &batch))[0];
        assert!((found - expected).abs() <= 1e-5 * expected, "{loss:?}: {found}, not {expected}");
        let climbed = -to_f64(&game.inner_loss(&perturbation, &network, &batch, 0))[0];
        let expected = of_adversary(loss).0;
        assert!((climbed - expected).abs() <= 1e-5 * expected, "{loss:?}: {climbed}");
    }
}
