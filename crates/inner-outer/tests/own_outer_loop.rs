//! An outer loop written by hand, as a user would: the meta-gradient of a batch, and a step of one of Burn's optimisers.

mod common;

use burn::backend::Flex;
use burn::module::AutodiffModule;
use burn::optim::{AdamConfig, Optimizer, SgdConfig};
use common::points::{Fit, Learners, Sizes, learned, points};
use inner_outer::tensors::Tensors;
use inner_outer::{
    Autodiff, Family, ForwardOverReverse, InnerLoop, MetaLearner, MetaLearnerConfig, RateScope,
    Schedule, Sgd, Threads, Unrolled, meta_batch,
};

const RATE: f64 = 0.01;

/// The steps of a learner are those of such a loop, bit for bit.
#[test]
fn it_goes_where_the_meta_learner_goes() {
    let (problem, inner_loop) = (Fit::default(), InnerLoop { optimizer: Sgd, steps: 2 });
    let (exact, threads) = (Unrolled::<ForwardOverReverse>::default(), Threads::new(2));
    let tasks = [1, 2].map(|seed| points(Sizes::default(), seed));
    let mut outer = learned(Sizes::default(), 1);
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.1, &outer, &tasks[0]).unwrap();

    let config = MetaLearnerConfig {
        outer_rate: Schedule::constant(RATE),
        rates_rate: None,
        clip: None,
        ..MetaLearnerConfig::default()
    };
    let (rule, unused) = (AdamConfig::new().init(), SgdConfig::new().init());
    let mut learner = MetaLearner::new(
        problem.clone(),
        inner_loop,
        exact,
        config,
        outer.clone(),
        rates.clone(),
        rule,
        unused,
    );

    let mut optimizer = AdamConfig::new().init();
    for _ in 0..3 {
        let batch =
            meta_batch(&exact, &problem, &inner_loop, &outer, &rates, &tasks, threads).unwrap();
        let lifted = <Learners as Family>::lift::<Autodiff<Flex>>(outer);
        let gradients = batch.outer.gradients(&lifted);
        outer = optimizer.step(RATE, lifted, gradients).valid();
        learner.step(&tasks).unwrap();
        assert_eq!(Tensors::of(&outer).to_f64(), Tensors::of(learner.outer()).to_f64());
    }
}
