use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use inner_outer::RateScope;
use inner_outer::tensors::to_f64;
use proptest::prelude::*;

use super::*;
use crate::data::ImageShape;
use crate::game::{AdversarialGame, Batch};
use crate::network::{Network, NetworkChoice};

/// Two samples of four pixels.
const SAMPLES: usize = 2;
const ELEMENTS: usize = 4;

fn length(change: &[f64]) -> f64 {
    change.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn size(norm: Norm, change: &[f64]) -> f64 {
    match norm {
        Norm::Linf => change.iter().fold(0.0, |size, x| size.max(x.abs())),
        Norm::L2 => length(change),
    }
}

/// Every sample in its ball, every pixel from 0 to 1, up to the rounding of single precision.
fn check_allowed(adversary: &AdversaryConfig, pixels: &[f32], change: &[f64]) {
    let rows = pixels.chunks(ELEMENTS).zip(change.chunks(ELEMENTS));
    for (pixels, change) in rows {
        let found = size(adversary.norm, change);
        assert!(found <= adversary.radius + 1e-6, "{found} is beyond {}", adversary.radius);
        for (pixel, change) in pixels.iter().zip(change) {
            let moved = f64::from(*pixel) + change;
            assert!((-1e-6..=1.0 + 1e-6).contains(&moved), "{moved} is no pixel");
        }
    }
}

fn flat(values: &[f32]) -> Tensor<Flex, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &Default::default())
}

fn any_adversary() -> impl Strategy<Value = AdversaryConfig> {
    let norm = prop_oneof![Just(Norm::Linf), Just(Norm::L2)];
    let start = prop_oneof![Just(Start::Uniform), Just(Start::Sample)];
    (norm, start, 0.01..1.5_f64, 0.01..1.0_f64).prop_map(|(norm, start, radius, step)| {
        AdversaryConfig { norm, start, radius, step, ..AdversaryConfig::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// From its start and along whatever gradients there are.
    #[test]
    fn the_ascent_stays_in_the_ball_and_among_pixels(
        adversary in any_adversary(),
        pixels in prop::collection::vec(0.0..=1.0_f32, SAMPLES * ELEMENTS),
        gradients in prop::collection::vec(prop::collection::vec(-1.0..1.0_f32, SAMPLES * ELEMENTS), 1..6),
        number: u64,
    ) {
        let start = adversary.start(&pixels, SAMPLES, &Seed::new(number));
        let theta = Tensors(vec![flat(&start)]);
        check_allowed(&adversary, &pixels, &theta.to_f64());
        let ascent = adversary.inner_loop(&pixels, SAMPLES).unwrap().optimizer;
        ascent.check(&theta).unwrap();
        let rates = Tensors(vec![flat(&[adversary.step as f32])]);
        let mut at = Iterate { state: ascent.state(&theta), theta, steps_taken: 0 };
        for (step, gradient) in gradients.iter().enumerate() {
            at = ascent.step(step, &rates, at, &Tensors(vec![flat(gradient)]));
            check_allowed(&adversary, &pixels, &at.theta.to_f64());
        }
    }

    #[test]
    fn random_starts_differ_by_seed_and_are_those_of_their_seed(
        radius in 0.05..0.5_f64, is_l2: bool, number in 0..u64::MAX,
    ) {
        let norm = if is_l2 { Norm::L2 } else { Norm::Linf };
        let adversary = AdversaryConfig { norm, radius, ..AdversaryConfig::default() };
        let pixels = [0.5; SAMPLES * ELEMENTS];
        let start = |number| adversary.start(&pixels, SAMPLES, &Seed::new(number));
        prop_assert_eq!(start(number), start(number));
        prop_assert_ne!(start(number), start(number + 1));
        let (first, second) = (&start(number)[..ELEMENTS], &start(number)[ELEMENTS..]);
        prop_assert_ne!(first, second, "each sample has its own");
    }
}

/// For L2 the length is uniform up to the radius, for Linf every pixel is: means of a half, and nothing missing at the rim.
#[test]
fn random_starts_fill_the_ball() {
    let pixels = [0.5; ELEMENTS];
    for norm in [Norm::L2, Norm::Linf] {
        let adversary = AdversaryConfig { norm, radius: 0.4, ..AdversaryConfig::default() };
        let sizes = (0..400).map(|number| {
            let start = adversary.start(&pixels, 1, &Seed::new(number));
            let start: Vec<f64> = start.into_iter().map(f64::from).collect();
            match norm {
                Norm::L2 => length(&start) / 0.4,
                Norm::Linf => start[0].abs() / 0.4,
            }
        });
        let sizes: Vec<f64> = sizes.collect();
        let mean = sizes.iter().sum::<f64>() / 400.0;
        // The standard error of the mean of 400 is 0.0144.
        assert!((mean - 0.5).abs() < 0.06, "{norm:?}: {mean}");
        assert!(sizes.iter().any(|size| *size > 0.97), "{norm:?}");
    }
}

/// A linear classifier of two classes, whose cross entropy has the gradient `(p - y) W` in the sample.
#[test]
fn a_step_of_l2_is_the_step_of_the_textbook() {
    let device = Default::default();
    let shape = ImageShape { channels: 1, height: 1, width: 2 };
    let choice = NetworkChoice::Mlp { hidden: Vec::new() };
    let drawn = Network::<Flex>::new(&choice, shape, 2, &Seed::new(0), &device).unwrap();
    // `[inputs, classes]`, then the biases.
    let network = Tensors(vec![flat(&[2.0, -1.0, 0.5, 1.5]), flat(&[0.1, -0.2])]).write(drawn);
    let pixels = [0.6, 0.3];
    let adversary = AdversaryConfig {
        norm: Norm::L2,
        radius: 0.5,
        steps: 1,
        step: 0.2,
        start: Start::Sample,
        warm_up: 0.0,
    };
    let images = Tensor::<Flex, 4>::from_data([[[pixels]]], &device);
    let batch = Batch {
        start: images.zeros_like(),
        images,
        labels: Tensor::from_data([0], &device),
        class_counts: Tensor::zeros([2], &device),
        clean: None,
    };
    let (game, ascent) = (AdversarialGame::default(), adversary.inner_loop(&pixels, 1).unwrap());
    let rates = ascent.rates(&game, RateScope::Global, adversary.step, &network, &batch).unwrap();
    let adapted = ascent.adapt(&game, &network, &rates, &batch).unwrap();
    let found = to_f64(&adapted.inner.change.val());

    let scores = [0.6 * 2.0 + 0.3 * 0.5 + 0.1, -0.6 + 0.3 * 1.5 - 0.2_f64];
    let other = scores[1].exp() / (scores[0].exp() + scores[1].exp());
    // The label is class 0, so the gradient goes from its weights to the other's.
    let gradient = [(-1.0 - 2.0) * other, (1.5 - 0.5) * other];
    let expected = gradient.map(|x| 0.2 * x / length(&gradient));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}
