//! Inner loops that go on from where an earlier one ended, and are differentiated from there.

mod common;

use burn::backend::Flex;
use burn::optim::SgdConfig;
use burn::tensor::Tensor;
use common::methods::{truncated, unrolled};
use common::numbers::{assert_close, flat};
use common::points::{Fit, Points, Sizes, learned, points};
use inner_outer::inner::Iterate;
use inner_outer::tensors::{Tensors, to_f64};
use inner_outer::{
    Adam, ConjugateGradient, Envelope, Error, Hypergradient, Implicit, InnerLoop, InnerOptimizer,
    MetaLearner, MetaLearnerConfig, Momentum, RateScope, Rates, Schedule, Selection, Sgd, Threads,
    Unrolled,
};

/// Every step descends the same loss, so that a loop in two parts is the loop in one.
fn fit() -> Fit {
    Fit { resting: true, ..Fit::default() }
}

fn rates(optimizer: impl InnerOptimizer) -> Rates<Flex> {
    let (outer, task) = (learned(Sizes::default(), 1), points(Sizes::default(), 1));
    let inner_loop = InnerLoop { optimizer, steps: 1 };
    inner_loop.rates(&fit(), RateScope::Global, 0.1, &outer, &task).unwrap()
}

/// Where `steps` steps on the task of `seed` end.
fn end_of<O: InnerOptimizer>(optimizer: O, steps: usize, seed: u64) -> Iterate<Flex> {
    let (outer, task) = (learned(Sizes::default(), 1), points(Sizes::default(), seed));
    let rates = rates(optimizer.clone());
    InnerLoop { optimizer, steps }.adapt(&fit(), &outer, &rates, &task).unwrap().end
}

/// What only the inner losses read has the gradient of the whole loop whose first steps are constants; what `init` makes of the
/// outer parameters has none.
fn assert_is_the_truncated_gradient<O: InnerOptimizer>(optimizer: O) {
    let (problem, outer, task) = (fit(), learned(Sizes::default(), 1), points(Sizes::default(), 1));
    let rates = rates(optimizer.clone());
    let loop_of = |steps| InnerLoop { optimizer: optimizer.clone(), steps };
    let whole = truncated(2).meta_gradient(&problem, &loop_of(5), &outer, &rates, &task).unwrap();
    let begin = end_of(optimizer.clone(), 3, 1);
    let warm = unrolled()
        .meta_gradient_from(&problem, &loop_of(2), &outer, &rates, &task, Some(&begin))
        .unwrap();
    assert_close("outer loss", &[warm.outer_loss], &[whole.outer_loss], 1e-12);
    assert_eq!(warm.inner_losses, whole.inner_losses[3..]);
    assert_eq!(warm.end.steps_taken, 5);
    assert_eq!(warm.end.theta.to_f64(), whole.end.theta.to_f64());
    let penalty = |gradient: &Option<Tensor<Flex, 1>>| to_f64(gradient.as_ref().unwrap());
    assert_close("penalty", &penalty(&warm.outer.0[4]), &penalty(&whole.outer.0[4]), 1e-12);
    // The outer loss itself reads the hidden layer.
    let read = outer.network.hidden.val().flatten::<1>(0, 1) * 0.1;
    assert_close("hidden", &to_f64(&warm.outer.0[0].clone().unwrap()), &to_f64(&read), 1e-12);
    assert!(warm.outer.0[3].is_none(), "the shift makes the start alone");
}

#[test]
fn a_warm_start_is_the_truncated_gradient_of_the_whole_loop() {
    assert_is_the_truncated_gradient(Sgd);
    assert_is_the_truncated_gradient(Momentum::default());
    assert_is_the_truncated_gradient(Adam::default());
}

#[test]
fn parts_that_are_not_adapted_keep_the_gradient_of_init() {
    let problem = Fit { adapted: Selection::below(["output"]), ..fit() };
    let (outer, task) = (learned(Sizes::default(), 1), points(Sizes::default(), 1));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.1, &outer, &task).unwrap();
    let begin = inner_loop.adapt(&problem, &outer, &rates, &task).unwrap().end;
    let gradient = unrolled()
        .meta_gradient_from(&problem, &inner_loop, &outer, &rates, &task, Some(&begin))
        .unwrap();
    assert!(gradient.outer.0[3].is_some(), "the shift makes the bias, which rests");
    assert!(gradient.outer.0[2].is_none(), "the output layer goes on");
}

/// A convex inner problem, which both methods differentiate at its minimum.
#[test]
fn other_methods_begin_there_too() {
    let problem = Fit {
        adapted: Selection::below(["output"]),
        learned: Selection::below(["network.hidden", "penalty"]),
        ..fit()
    };
    let (outer, task) = (learned(Sizes::default(), 1), points(Sizes::default(), 1));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 400 };
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.3, &outer, &task).unwrap();
    let begin = inner_loop.adapt(&problem, &outer, &rates, &task).unwrap().end;
    let from = Some(&begin);
    let of_all =
        unrolled().meta_gradient_from(&problem, &inner_loop, &outer, &rates, &task, from).unwrap();
    let implicit = Implicit::<ConjugateGradient>::default()
        .meta_gradient_from(
            &problem,
            &InnerLoop { steps: 1, ..inner_loop },
            &outer,
            &rates,
            &task,
            from,
        )
        .unwrap();
    assert_close("implicit", &flat(&implicit.outer), &flat(&of_all.outer), 1e-6);
    let hidden = Fit { learned: Selection::below(["network.hidden"]), ..problem };
    let envelope =
        Envelope.meta_gradient_from(&hidden, &inner_loop, &outer, &rates, &task, from).unwrap();
    assert_close("envelope", &[envelope.outer_loss], &[of_all.outer_loss], 1e-12);
    assert_eq!(envelope.end.steps_taken, 800);
}

type Learner = MetaLearner<Fit, Adam, Unrolled, Flex>;

/// Learns the penalty alone.
fn learner(threads: usize, outer_rate: f64) -> Learner {
    let problem = Fit { learned: Selection::below(["penalty"]), ..fit() };
    let inner_loop = InnerLoop { optimizer: Adam::default(), steps: 2 };
    let config = MetaLearnerConfig {
        outer_rate: Schedule::constant(outer_rate),
        rates_rate: None,
        ..MetaLearnerConfig::default()
    };
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let (method, outer) = (unrolled(), learned(Sizes::default(), 1));
    let rates = rates(Adam::default());
    MetaLearner::new(problem, inner_loop, method, config, outer, rates, optimizers.0, optimizers.1)
        .with_threads(Threads::new(threads))
}

fn tasks() -> Vec<Points<Flex>> {
    (0..3).map(|seed| points(Sizes::default(), seed)).collect()
}

#[test]
fn inner_and_outer_loop_take_turns_and_the_threads_do_not_matter() {
    let run = |threads: usize, outer_rate: f64| {
        let (mut learner, tasks) = (learner(threads, outer_rate), tasks());
        let mut starts = vec![None; 3];
        let mut losses = Vec::new();
        for _ in 0..40 {
            let (step, ends) = learner.step_from(&tasks, &starts).unwrap();
            starts = ends.into_iter().map(Some).collect();
            losses.push(step.outer_loss);
        }
        let taken: Vec<usize> = starts.iter().flatten().map(|end| end.steps_taken).collect();
        assert_eq!(taken, [80; 3]);
        (losses, Tensors::of(learner.outer()).to_f64())
    };
    let (losses, outer) = run(1, 0.5);
    assert_eq!((losses.clone(), outer), run(3, 0.5));
    // The inner loops alone fit the support ever more closely.
    let (unlearned, _) = run(2, 1e-12);
    assert!(losses[39] < 0.9 * unlearned[39], "{} with and {} without", losses[39], unlearned[39]);
}

#[test]
fn starts_that_do_not_fit_are_refused() {
    let mut learner = learner(1, 0.1);
    let few = learner.step_from(&tasks(), &[None]).unwrap_err();
    assert!(matches!(few, Error::StartCount { starts: 1, tasks: 3 }), "{few}");
    let other = vec![Some(end_of(Sgd, 1, 0)); 3];
    let refused = learner.step_from(&tasks(), &other).unwrap_err();
    assert!(refused.to_string().contains("optimiser's state"), "{refused}");
    assert_eq!(learner.steps_taken(), 0);
}
