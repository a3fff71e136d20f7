//! Hypergradients that can be written down.

mod common;

use burn::module::Param;
use common::methods::{truncated, unrolled};
use common::numbers::{assert_close, doubles, flat};
use common::scalar::{Scalar, number, parabola};
use common::weighted_mean::{Values, WeightedMean};
use inner_outer::hypergradient::LinearSolver;
use inner_outer::{
    ConjugateGradient, Hypergradient, Implicit, InnerLoop, Nested, Neumann, Nystroem, Rates, Sgd,
};

const EXACT: f64 = 1e-12;

/// `w_{k+1} - t = (1 - r_k a) (w_k - t)`, so `dF/dw_0 = (w_K - u) prod_k (1 - r_k a)` and
/// `dF/dr_k = -(w_K - u) a (w_k - t) prod_{j > k} (1 - r_j a)`.
#[test]
fn maml_on_a_parabola() {
    let (a, t, u, start) = (1.7, 0.4, -0.3, 2.0);
    for steps in 0..=5 {
        let rates: Vec<f64> = (0..steps).map(|k| 0.1 + 0.05 * k as f64).collect();
        let per_step = Rates { tensors: vec![Param::from_tensor(doubles(&rates, [steps, 1]))] };
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let found = unrolled()
            .meta_gradient(&Scalar, &inner_loop, &number(start), &per_step, &parabola(a, t, u))
            .unwrap();

        let shrink = |from: usize| rates[from..].iter().map(|rate| 1.0 - rate * a).product::<f64>();
        let iterates = (0..=steps).map(|k| {
            let factor: f64 = rates[..k].iter().map(|rate| 1.0 - rate * a).product();
            t + factor * (start - t)
        });
        let iterates: Vec<f64> = iterates.collect();
        let pull = iterates[steps] - u;
        assert_close("outer loss", &[found.outer_loss], &[pull * pull / 2.0], EXACT);
        assert_close("end", &found.adapted.to_f64(), &iterates[steps..], EXACT);
        let losses: Vec<f64> =
            iterates[..steps].iter().map(|w| a * (w - t) * (w - t) / 2.0).collect();
        assert_close("inner losses", &found.inner_losses, &losses, EXACT);
        assert_close("dF/dw", &flat(&found.outer), &[pull * shrink(0)], EXACT);
        let of_rates: Vec<f64> =
            (0..steps).map(|k| -pull * a * (iterates[k] - t) * shrink(k + 1)).collect();
        assert_close("dF/dr", &flat(&found.rates), &of_rates, EXACT);
    }
}

/// With one rate for all steps `dF/dr = -(w_K - u) K a (1 - r a)^(K-1) (w_0 - t)`.
#[test]
fn maml_with_a_global_rate() {
    let (a, t, u, start, rate) = (0.8, -1.0, 0.5, 3.0, 0.6);
    for steps in 1..=5 {
        let rates = Rates { tensors: vec![Param::from_tensor(doubles(&[rate], [1, 1]))] };
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let found = unrolled()
            .meta_gradient(&Scalar, &inner_loop, &number(start), &rates, &parabola(a, t, u))
            .unwrap();
        let kept = 1.0 - rate * a;
        let pull = t + kept.powi(steps as i32) * (start - t) - u;
        let expected = -pull * steps as f64 * a * kept.powi(steps as i32 - 1) * (start - t);
        assert_close("dF/dr", &flat(&found.rates), &[expected], EXACT);
    }
}

#[test]
fn weights_and_a_penalty_that_only_the_inner_loss_reads() {
    let values = Values::some();
    for steps in 1..=5 {
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let gradient = |exact_steps| {
            let found = truncated(exact_steps).meta_gradient(
                &WeightedMean,
                &inner_loop,
                &values.outer(),
                &values.rates(),
                &values.task(),
            );
            flat(&found.unwrap().outer)
        };
        for exact_steps in 1..=steps {
            let expected = values.unrolled(steps, steps - exact_steps);
            assert_close(
                &format!("{exact_steps} of {steps}"),
                &gradient(exact_steps),
                &expected,
                EXACT,
            );
        }
        assert_eq!(gradient(usize::MAX), gradient(steps), "more than all steps are all steps");
    }
}

#[test]
fn unrolling_converges_to_the_implicit_gradient() {
    let values = Values::some();
    let far = values.unrolled(200, 0);
    assert_close("two closed forms", &far, &values.implicit(0.0), EXACT);
    implicit(ConjugateGradient::default(), values.implicit(0.0));
    implicit(Neumann { terms: 100, step: 0.5 }, values.implicit(0.0));
    implicit(Nystroem { rank: 1, damping: 0.01, seed: 3 }, values.implicit(0.01));
    assert!(implicit(ConjugateGradient::default(), values.implicit(0.0)) < 1e-12);
    let damped = ConjugateGradient { damping: 0.2, ..ConjugateGradient::default() };
    // One direction, whose curvature is the weights' and the penalty's: the damping's share of the sum is left.
    let curvature = values.weights.iter().sum::<f64>() + values.penalty;
    assert_close(
        "what damping leaves",
        &[implicit(damped, values.implicit(0.2))],
        &[0.2 / (curvature + 0.2)],
        1e-12,
    );
}

/// Checks the gradient and returns what is left of the system.
fn implicit<S: LinearSolver + std::fmt::Debug>(solver: S, expected: [f64; 4]) -> f64 {
    let values = Values::some();
    let label = format!("{solver:?}");
    let method = Implicit { solver, curvature: Nested };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 100 };
    let found = method.meta_gradient(
        &WeightedMean,
        &inner_loop,
        &values.outer(),
        &values.rates(),
        &values.task(),
    );
    let found = found.unwrap();
    assert_close(&label, &flat(&found.outer), &expected, 1e-10);
    found.residual.expect("a system was solved")
}

/// At a minimum of the outer loss the implicit gradient is zero, which is no error.
#[test]
fn the_implicit_gradient_at_a_minimum_of_the_outer_loss() {
    let values =
        Values { weights: [1.0, 0.0, 0.0], penalty: 0.0, rate: 1.0, target: 1.0, ..Values::some() };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
    for_each_engine!(|name, curvature| {
        let method = Implicit { solver: ConjugateGradient::default(), curvature };
        let found = method.meta_gradient(
            &WeightedMean,
            &inner_loop,
            &values.outer(),
            &values.rates(),
            &values.task(),
        );
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.outer.norm() == 0.0, "{name}");
    });
}
