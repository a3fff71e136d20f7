//! The outer loop: it learns, stops and goes on, and does what its settings say.

mod common;

use std::sync::{Arc, Mutex};

use burn::backend::Flex;
use burn::module::Param;
use burn::optim::{AdamWConfig, SgdConfig};
use burn::tensor::DType;
use common::methods::unrolled;
use common::numbers::assert_close;
use common::points::{Fit, Points, Sizes, learned_in, points_in};
use inner_outer::tensors::Tensors;
use inner_outer::{
    Decay, Error, InnerLoop, MetaLearner, MetaLearnerConfig, MetaStep, RateScope, Schedule, Sgd,
    Threads, Unrolled,
};

type Learner = MetaLearner<Fit, Sgd, Unrolled, Flex>;

const SINGLE: DType = DType::F32;

fn tasks(seeds: std::ops::Range<u64>) -> Vec<Points<Flex>> {
    seeds.map(|seed| points_in(SINGLE, Sizes::default(), seed)).collect()
}

fn config() -> MetaLearnerConfig {
    MetaLearnerConfig {
        outer_rate: Schedule::constant(0.03),
        rates_rate: Some(Schedule::constant(0.01)),
        ..MetaLearnerConfig::default()
    }
}

fn learner(config: MetaLearnerConfig, sizes: Sizes) -> Learner {
    let (problem, outer) = (Fit::default(), learned_in(SINGLE, sizes, 1));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let task = points_in(SINGLE, sizes, 1);
    let rates =
        inner_loop.rates(&problem, RateScope::PerTensorPerStep, 0.1, &outer, &task).unwrap();
    let optimizers = (AdamWConfig::new().init(), AdamWConfig::new().init());
    let method = unrolled();
    MetaLearner::new(problem, inner_loop, method, config, outer, rates, optimizers.0, optimizers.1)
        .with_threads(Threads::new(2))
}

/// A learner whose optimisers take plain steps, so that what they are given can be read off.
fn plain(config: MetaLearnerConfig) -> Learner {
    let sizes = Sizes::default();
    let (problem, outer) = (Fit::default(), learned_in(SINGLE, sizes, 1));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let rates =
        inner_loop.rates(&problem, RateScope::PerTensor, 0.1, &outer, &tasks(1..2)[0]).unwrap();
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let method = unrolled();
    MetaLearner::new(problem, inner_loop, method, config, outer, rates, optimizers.0, optimizers.1)
}

fn values(learner: &Learner) -> (Vec<f64>, Vec<f64>) {
    (Tensors::of(learner.outer()).to_f64(), Tensors::of(learner.rates()).to_f64())
}

#[test]
fn the_outer_loss_falls() {
    let mut learner = learner(config(), Sizes::default());
    let tasks = tasks(0..4);
    let losses: Vec<f64> = (0..60).map(|_| learner.step(&tasks).unwrap().outer_loss).collect();
    assert!(losses[59] < 0.6 * losses[0], "from {} to {}", losses[0], losses[59]);
    assert_eq!(learner.steps_taken(), 60);
}

#[test]
fn a_resumed_run_goes_on_bit_for_bit() {
    let sizes = Sizes::default();
    let batch = |step: u64| tasks(step..step + 3);
    let mut uninterrupted = learner(config(), sizes);
    (0..9).for_each(|step| drop(uninterrupted.step(&batch(step)).unwrap()));

    let mut first = learner(config(), sizes);
    (0..4).for_each(|step| drop(first.step(&batch(step)).unwrap()));
    let state = first.state().unwrap();
    drop(first);
    let mut second = learner(config(), sizes).with_state(&state, &Default::default()).unwrap();
    assert_eq!(second.steps_taken(), 4);
    (4..9).for_each(|step| drop(second.step(&batch(step)).unwrap()));

    assert_eq!(values(&second), values(&uninterrupted));
    assert_eq!(second.state().unwrap().len(), uninterrupted.state().unwrap().len());
}

#[test]
fn state_of_other_modules_is_refused() {
    let mut small = learner(config(), Sizes::default());
    small.step(&tasks(0..1)).unwrap();
    let state = small.state().unwrap();
    let large = learner(config(), Sizes { hidden: 5, ..Sizes::default() });
    let refused = large.with_state(&state, &Default::default()).err().expect("other shapes");
    assert!(matches!(refused, Error::State { action: "read", .. }));
    assert!(refused.to_string().contains("network.hidden"), "{refused}");

    // As many elements in another shape: 2 x 3 and 3 x 2.
    let turned = learner(config(), Sizes { inputs: 3, hidden: 2, ..Sizes::default() });
    assert!(turned.with_state(&state, &Default::default()).is_err());
    let cut = learner(config(), Sizes::default())
        .with_state(&state[..state.len() / 2], &Default::default());
    assert!(matches!(cut.err(), Some(Error::State { action: "read", .. })));
}

#[test]
fn state_of_another_optimiser_is_refused() {
    let (mut adam, task) = (learner(config(), Sizes::default()), tasks(0..1));
    (0..2).for_each(|_| drop(adam.step(&task).unwrap()));
    let state = adam.state().unwrap();
    let refused = plain(config()).with_state(&state, &Default::default());
    // Its rates are for every tensor and step, those of `plain` for every tensor.
    assert!(matches!(refused.err(), Some(Error::State { action: "read", .. })));
    let text = String::from_utf8_lossy(&state);
    assert!(text.contains("AdamW") && !text.contains("Learned"), "the rule alone is named");

    let mut sgd = plain(config());
    sgd.step(&task).unwrap();
    let mut other = sgd.state().unwrap();
    let at = other.windows(5).position(|bytes| bytes == b"::Sgd").expect("the rule is named");
    other[at + 2..at + 5].copy_from_slice(b"Adm");
    let refused = plain(config()).with_state(&other, &Default::default()).err().unwrap();
    assert!(refused.to_string().contains("of the optimiser"), "{refused}");
}

#[test]
fn damaged_records_are_refused() {
    let (mut learner, task) = (plain(config()), tasks(0..1));
    learner.step(&task).unwrap();
    let state = learner.state().unwrap();
    for byte in (0..state.len()).step_by(7) {
        let mut damaged = state.clone();
        damaged[byte] ^= 0xff;
        // Some bytes are numbers of a tensor, which any other number can be; no other change may panic.
        let read = plain(config()).with_state(&damaged, &Default::default());
        assert!(matches!(read.err(), None | Some(Error::State { action: "read", .. })), "{byte}");
    }
}

/// Clones of one layer, which have its ids.
#[test]
fn parameters_of_one_id_are_refused() {
    let (problem, inner_loop) = (Fit::default(), InnerLoop { optimizer: Sgd, steps: 2 });
    let mut outer = learned_in(SINGLE, Sizes::default(), 1);
    let value = outer.penalty.val();
    outer.penalty = Param::initialized(outer.network.bias.id, value);
    let rates =
        inner_loop.rates(&problem, RateScope::Global, 0.1, &outer, &tasks(1..2)[0]).unwrap();
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let method = unrolled();
    let mut learner = MetaLearner::new(
        problem,
        inner_loop,
        method,
        config(),
        outer,
        rates,
        optimizers.0,
        optimizers.1,
    );
    let refused = learner.step(&tasks(0..1)).unwrap_err();
    assert!(
        matches!(&refused, Error::RepeatedParameter { first, second } if first == "network.bias" && second == "penalty"),
        "{refused}"
    );
}

#[test]
fn clipping_bounds_the_whole_meta_gradient() {
    let tasks = tasks(0..2);
    let limit = 0.01;
    let unit = Schedule::constant(1.0);
    let unclipped =
        MetaLearnerConfig { outer_rate: unit, rates_rate: Some(unit), clip: None, ..config() };
    let moved = |config: MetaLearnerConfig| {
        let mut learner = plain(config);
        let before = values(&learner);
        let report = learner.step(&tasks).unwrap();
        let after = values(&learner);
        let differences = before.0.iter().zip(&after.0).chain(before.1.iter().zip(&after.1));
        (report, differences.map(|(before, after)| before - after).collect::<Vec<_>>())
    };
    let norm = |step: &[f64]| step.iter().map(|x| x * x).sum::<f64>().sqrt();
    let (report, free) = moved(unclipped);
    assert_close("norm", &[report.gradient_norm], &[norm(&free)], 1e-5);
    assert!(report.gradient_norm > 10.0 * limit);

    let (clipped_report, clipped) = moved(MetaLearnerConfig { clip: Some(limit), ..unclipped });
    assert_eq!(
        clipped_report.gradient_norm, report.gradient_norm,
        "the norm before clipping is reported"
    );
    let expected: Vec<f64> = free.iter().map(|x| x * limit / report.gradient_norm).collect();
    assert_close("clipped", &clipped, &expected, 1e-4);
    let (_, unbounded) = moved(MetaLearnerConfig { clip: Some(1e6), ..unclipped });
    assert_eq!(unbounded, free, "below the limit nothing changes");
}

#[test]
fn fixed_rates_stay() {
    let mut learner = plain(MetaLearnerConfig { rates_rate: None, clip: None, ..config() });
    let before = values(&learner);
    let tasks = tasks(0..2);
    let batch = learner.meta_gradient(&tasks).unwrap();
    let report = learner.step(&tasks).unwrap();
    let after = values(&learner);
    assert_ne!(before.0, after.0);
    assert_eq!(before.1, after.1);
    assert_eq!(report.gradient_norm, batch.outer.norm(), "gradients of fixed rates do not count");
}

#[test]
fn the_schedule_sets_the_rate_of_every_step() {
    let schedule = Schedule { rate: 0.4, warm_up: 2, steps: 6, decay: Decay::Linear };
    let mut learner =
        learner(MetaLearnerConfig { outer_rate: schedule, ..config() }, Sizes::default());
    let rates: Vec<f64> = (0..6).map(|_| learner.step(&tasks(0..1)).unwrap().rate).collect();
    assert_eq!(rates, (0..6).map(|step| schedule.at(step)).collect::<Vec<_>>());
    assert_eq!(rates[0], 0.2);
}

#[test]
fn observers_see_every_step() {
    let seen = Arc::new(Mutex::new(Vec::<MetaStep>::new()));
    let sink = Arc::clone(&seen);
    let mut learner = learner(config(), Sizes::default())
        .observe(move |step| sink.lock().unwrap().push(step.clone()));
    let reports: Vec<_> = (0..3).map(|_| learner.step(&tasks(0..2)).unwrap()).collect();
    assert_eq!(*seen.lock().unwrap(), reports);
    assert_eq!(reports.iter().map(|report| report.step).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(reports[0].inner_losses.len(), 2);
}

#[test]
fn evaluation_keeps_the_order_of_the_tasks() {
    let learner = learner(config(), Sizes::default());
    let tasks = tasks(0..9);
    let evaluated = |threads: usize| {
        let learner = learner_on(threads);
        let measure = |index: usize, _: &_, adapted: inner_outer::inner::Adapted<Fit, Flex>| {
            (index, adapted.inner_losses, Tensors::of(&adapted.inner).to_f64())
        };
        learner.evaluate(&tasks, measure).unwrap()
    };
    let (one, several) = (evaluated(1), evaluated(3));
    assert_eq!(one, several);
    for (index, (position, losses, end)) in several.into_iter().enumerate() {
        assert_eq!(position, index);
        let inner_loop = learner.inner_loop();
        let alone = inner_loop
            .adapt(learner.problem(), learner.outer(), learner.rates(), &tasks[index])
            .unwrap();
        assert_eq!(losses, alone.inner_losses);
        assert_eq!(end, Tensors::of(&alone.inner).to_f64());
    }
}

fn learner_on(threads: usize) -> Learner {
    learner(config(), Sizes::default()).with_threads(Threads::new(threads))
}

#[test]
fn evaluation_names_the_task_that_fails() {
    let mut tasks = tasks(0..4);
    tasks[3].y = tasks[3].y.clone() * f64::NAN;
    let refused = learner_on(2).evaluate(&tasks, |_, _, _| ()).expect_err("NaN");
    assert!(matches!(refused, Error::InTask { task: 3, .. }));
}
