//! Results do not depend on the number of threads, and nothing hangs.

mod common;

use std::time::Duration;

use burn::optim::SgdConfig;
use common::convolution::{Filtering, filter, images};
use common::methods::unrolled;
use common::numbers::bits;
use common::points::{Fit, Sizes, learned, points};
use common::scalar::{Scalar, number, parabola};
use common::watchdog::within;
use inner_outer::{
    Hypergradient, InnerLoop, MetaLearner, MetaLearnerConfig, Momentum, Nested, RateScope, Rates,
    Sgd, Threads, Unrolled, meta_batch,
};

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let sizes = Sizes::default();
    let (problem, outer) = (Fit { along_the_way: true, ..Fit::default() }, learned(sizes, 1));
    let tasks: Vec<_> = (0..13).map(|seed| points(sizes, seed)).collect();
    let inner_loop = InnerLoop { optimizer: Momentum::default(), steps: 3 };
    let rates = inner_loop.rates(&problem, RateScope::PerElement, 0.1, &outer, &tasks[0]).unwrap();
    let batch = |threads| {
        let threads = Threads::new(threads);
        meta_batch(&unrolled(), &problem, &inner_loop, &outer, &rates, &tasks, threads).unwrap()
    };
    let one = batch(1);
    for threads in [2, 8] {
        let several = batch(threads);
        assert_eq!(one.outer_losses, several.outer_losses);
        assert_eq!(one.outer_loss.to_bits(), several.outer_loss.to_bits());
        assert_eq!(one.inner_losses, several.inner_losses);
        assert_eq!(bits(&one.outer), bits(&several.outer));
        assert_eq!(bits(&one.rates), bits(&several.rates));
    }
}

#[test]
fn a_meta_batch_is_the_mean_of_its_tasks() {
    let sizes = Sizes::default();
    let (problem, outer) = (Fit::default(), learned(sizes, 1));
    let tasks = [points(sizes, 1), points(sizes, 2)];
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.1, &outer, &tasks[0]).unwrap();
    let batch =
        meta_batch(&unrolled(), &problem, &inner_loop, &outer, &rates, &tasks, Threads::new(2))
            .unwrap();
    let each = tasks
        .each_ref()
        .map(|task| unrolled().meta_gradient(&problem, &inner_loop, &outer, &rates, task).unwrap());
    let [first, second] = each;
    assert_eq!(batch.outer_losses, [first.outer_loss, second.outer_loss]);
    assert_eq!(batch.outer_loss, (first.outer_loss + second.outer_loss) / 2.0);
    assert_eq!(bits(&batch.outer), bits(&(first.outer + second.outer).scale(0.5)));
    assert_eq!(bits(&batch.rates), bits(&(first.rates + second.rates).scale(0.5)));
}

#[test]
fn ten_thousand_meta_steps_do_not_hang() {
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
    let tasks = [parabola(1.0, 0.5, 0.5), parabola(0.7, -0.5, -0.5), parabola(1.2, 0.1, 0.1)];
    let rates = inner_loop.rates(&Scalar, RateScope::Global, 0.1, &number(1.0), &tasks[0]).unwrap();
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let config = MetaLearnerConfig { rates_rate: None, ..MetaLearnerConfig::default() };
    let mut learner = MetaLearner::new(
        Scalar,
        inner_loop,
        unrolled(),
        config,
        number(1.0),
        rates,
        optimizers.0,
        optimizers.1,
    )
    .with_threads(Threads::new(3));
    within(Duration::from_secs(300), "10,000 meta-steps of a scalar", || {
        for _ in 0..10_000 {
            learner.step(&tasks).unwrap();
        }
    });
    assert_eq!(learner.steps_taken(), 10_000);
}

#[test]
fn convolutions_do_not_hang() {
    convolutions("forward over reverse", &unrolled(), 100);
}

/// Two levels of Burn's autodiff at once, whose threads have waited for each other before.
#[test]
fn convolutions_under_nested_autodiff_do_not_hang() {
    convolutions("nested", &Unrolled { curvature: Nested }, 100);
}

/// The same bits from every one of `rounds` batches of eight tasks on four threads.
fn convolutions(name: &str, hypergradient: &impl Hypergradient, rounds: usize) {
    let outer = filter(1);
    let tasks: Vec<_> = (0..8).map(images).collect();
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let rates = inner_loop.rates(&Filtering, RateScope::PerTensor, 0.1, &outer, &tasks[0]).unwrap();
    let batch = || {
        meta_batch(hypergradient, &Filtering, &inner_loop, &outer, &rates, &tasks, Threads::new(4))
            .unwrap()
    };
    within(Duration::from_secs(300), &format!("convolutions on 4 threads, {name}"), || {
        let first = bits(&batch().outer);
        for _ in 0..rounds {
            assert_eq!(bits(&batch().outer), first);
        }
    });
}

/// One untracked model, shared by reference; every thread lifts its own copy inside.
#[test]
fn a_shared_model_does_not_hang() {
    let sizes = Sizes::default();
    let (problem, outer, task) = (Fit::default(), learned(sizes, 1), points(sizes, 1));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let rates: Rates<_> =
        inner_loop.rates(&problem, RateScope::PerTensor, 0.1, &outer, &task).unwrap();
    let gradient = || {
        bits(&unrolled().meta_gradient(&problem, &inner_loop, &outer, &rates, &task).unwrap().outer)
    };
    let expected = gradient();
    within(Duration::from_secs(300), "one model on 4 threads", || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..150).for_each(|_| assert_eq!(gradient(), expected)));
            }
        });
    });
}
