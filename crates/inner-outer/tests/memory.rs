//! Memory does not grow with the outer steps, and with the inner steps only by what must be kept.

mod common;

use burn::optim::AdamWConfig;
use common::methods::unrolled;
use common::points::{Fit, Sizes, learned, points};
use inner_outer::{
    Hypergradient, InnerLoop, MetaLearner, MetaLearnerConfig, RateScope, Sgd, Threads,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most of the bytes are parameters: the hidden layer has 128 * 512 of them, the four points hardly any.
const SIZES: Sizes = Sizes { inputs: 128, hidden: 512, points: 4 };

/// Bytes of the adapted tensors: hidden layer, bias and output, in double precision.
const THETA: usize = (SIZES.inputs * SIZES.hidden + 2 * SIZES.hidden) * 8;

/// The counts are those of the whole process, so one test makes them one after the other.
#[test]
fn memory_is_what_must_be_kept() {
    outer_steps_leave_nothing_behind();
    inner_steps_cost_a_gradient_each_and_a_checkpoint_now_and_then();
}

fn outer_steps_leave_nothing_behind() {
    let tasks = [points(SIZES, 1), points(SIZES, 2)];
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let outer = learned(SIZES, 1);
    let rates =
        inner_loop.rates(&Fit::default(), RateScope::PerTensor, 0.01, &outer, &tasks[0]).unwrap();
    let mut learner = MetaLearner::new(
        Fit::default(),
        inner_loop,
        unrolled(),
        MetaLearnerConfig::default(),
        outer,
        rates,
        AdamWConfig::new().init(),
        AdamWConfig::new().init(),
    )
    .with_threads(Threads::new(1));
    let mut live = |steps: usize| {
        (0..steps).for_each(|_| drop(learner.step(&tasks).unwrap()));
        MEMORY.current_usage()
    };
    // The tables of the autodiff graph take their final size in the first steps.
    let counts = [30, 50, 50, 50].map(&mut live);
    // The test runner's own threads allocate now and then; what outer steps leave behind is there in every window.
    let growth =
        counts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min().unwrap_or_default();
    assert!(growth < 1024, "{growth} bytes more are alive after 50 outer steps than before");
}

/// From 2 to 16 steps, 14 more gradients are stored, and 3 more checkpoints: every `ceil(sqrt(K))` steps there is
/// one, which makes 1 and 4. The slack, a quarter of a gradient, is for activations and scalars.
fn inner_steps_cost_a_gradient_each_and_a_checkpoint_now_and_then() {
    let (outer, task) = (learned(SIZES, 1), points(SIZES, 1));
    let peak = |steps: usize| {
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let rates =
            inner_loop.rates(&Fit::default(), RateScope::PerTensor, 0.01, &outer, &task).unwrap();
        let gradient = || {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            drop(
                unrolled()
                    .meta_gradient(&Fit::default(), &inner_loop, &outer, &rates, &task)
                    .unwrap(),
            );
            MEMORY.peak_usage() - before
        };
        // The first run also fills caches that stay.
        gradient();
        gradient()
    };
    let growth = peak(16).saturating_sub(peak(2));
    let bound = (14 + 3) * THETA + THETA / 4;
    assert!(
        growth <= bound,
        "the peak grows by {:.2} times the adapted tensors, not by at most {:.2}",
        growth as f64 / THETA as f64,
        bound as f64 / THETA as f64
    );
    assert!(
        growth > 10 * THETA,
        "the gradients of the steps are stored, so that the count is about something"
    );
}
