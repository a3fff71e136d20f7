//! The unrolled hypergradient against fourth-order finite differences of the whole meta-loss, in double precision.

mod common;

use common::finite_difference::Case;
use common::low_rank::{LowRank, changed};
use common::methods::unrolled;
use common::points::{Fit, Sizes, learned, points};
use inner_outer::{
    Adam, BoxConstraint, Clipped, InnerLoop, InnerOptimizer, Intervals, L2Ball, LinfBall, Momentum,
    NormalizedAscent, Projected, RateScope, Selection, Sgd, SignedAscent, Successive,
};
use proptest::prelude::*;

const STEPS: usize = 3;

fn case<O: InnerOptimizer>(
    optimizer: O,
    rate: (RateScope, f64),
    problem: Fit,
    seed: u64,
) -> Case<Fit, O> {
    let inner_loop = InnerLoop { optimizer, steps: STEPS };
    let sizes = Sizes::default();
    Case::new(problem, inner_loop, rate, learned(sizes, seed), points(sizes, seed))
}

#[track_caller]
fn check_optimizer<O: InnerOptimizer>(label: &str, optimizer: O, rate: f64) {
    for seed in 0..2 {
        let rate = (RateScope::PerTensorPerStep, rate);
        let case = case(optimizer.clone(), rate, Fit::default(), seed);
        case.check(&format!("{label}, seed {seed}"), &unrolled());
    }
}

#[test]
fn every_inner_optimizer() {
    check_optimizer("gradient descent", Sgd, 0.3);
    check_optimizer("momentum", Momentum::default(), 0.2);
    check_optimizer("Adam", Adam::default(), 0.1);
    check_optimizer("AdamW", Adam { weight_decay: 0.3, ..Adam::default() }, 0.1);
    // Smooth almost everywhere: no gradient changes its sign within the finite difference.
    check_optimizer("signed ascent", SignedAscent, 0.1);
    check_optimizer("normalised ascent", NormalizedAscent { rows: 1 }, 0.2);
    check_optimizer("normalised ascent by rows", NormalizedAscent { rows: 3 }, 0.2);
}

#[test]
fn clipping() {
    check_optimizer("clipped", Clipped { rule: Sgd, limit: 0.3 }, 0.5);
    check_optimizer("clipped momentum", Clipped { rule: Momentum::default(), limit: 0.3 }, 0.5);
    check_optimizer("not clipped", Clipped { rule: Sgd, limit: 100.0 }, 0.5);
}

#[test]
fn projections() {
    check_optimizer("L2 ball", Projected { rule: Sgd, onto: L2Ball { radius: 0.7, rows: 1 } }, 0.3);
    check_optimizer(
        "L2 balls of rows",
        Projected { rule: Sgd, onto: L2Ball { radius: 0.4, rows: 3 } },
        0.3,
    );
    check_optimizer(
        "Linf ball",
        Projected { rule: Momentum::default(), onto: LinfBall { radius: 0.5 } },
        0.3,
    );
    let inside = BoxConstraint { lower: -0.6, upper: 0.4 };
    check_optimizer("box", Projected { rule: Adam::default(), onto: inside }, 0.1);
    let signed = Projected { rule: SignedAscent, onto: LinfBall { radius: 0.5 } };
    check_optimizer("signed ascent in the Linf ball", signed, 0.1);
    let both = Successive { first: L2Ball { radius: 0.7, rows: 1 }, then: inside };
    check_optimizer("a ball and then a box", Projected { rule: Sgd, onto: both }, 0.3);
}

/// Bounds of each element's own, of which some are met and some are not.
#[test]
fn intervals() {
    let onto = Intervals::new(vec![-0.1, -9.0, 0.2], vec![0.1, 9.0, 0.4]).unwrap();
    let bias = Fit { adapted: Selection::below(["bias"]), ..Fit::default() };
    let rule = Projected { rule: Sgd, onto };
    let free = case(Sgd, (RateScope::PerTensorPerStep, 0.3), bias.clone(), 9);
    let bounded = case(rule, (RateScope::PerTensorPerStep, 0.3), bias, 9);
    let losses = [
        free.meta_loss(&free.outer, &free.rates),
        bounded.meta_loss(&bounded.outer, &bounded.rates),
    ];
    assert_ne!(losses[0], losses[1], "no bound is met");
    bounded.check("intervals", &unrolled());
}

#[test]
fn every_rate_scope() {
    for scope in [
        RateScope::Global,
        RateScope::PerTensor,
        RateScope::PerTensorPerStep,
        RateScope::PerElement,
    ] {
        case(Sgd, (scope, 0.3), Fit::default(), 3).check(&format!("{scope:?}"), &unrolled());
        let last = Fit { adapted: Selection::below(["output"]), ..Fit::default() };
        case(Adam::default(), (scope, 0.1), last, 4)
            .check(&format!("{scope:?}, one tensor"), &unrolled());
    }
}

#[test]
fn losses_along_the_way() {
    let problem = Fit { along_the_way: true, ..Fit::default() };
    case(Sgd, (RateScope::PerTensor, 0.3), problem.clone(), 5)
        .check("gradient descent", &unrolled());
    case(Momentum::default(), (RateScope::PerTensor, 0.2), problem.clone(), 6)
        .check("momentum", &unrolled());
    case(Adam::default(), (RateScope::PerTensor, 0.1), problem, 6).check("Adam", &unrolled());
}

#[test]
fn a_frozen_part_that_is_learned() {
    for adapted in [Selection::below(["output"]), Selection::below(["bias"])] {
        let problem = Fit { adapted, along_the_way: true, ..Fit::default() };
        case(Sgd, (RateScope::PerTensor, 0.3), problem, 7).check("a part is adapted", &unrolled());
    }
}

#[test]
fn a_low_rank_change_only() {
    let sizes = Sizes::default();
    let inner_loop = InnerLoop { optimizer: Sgd, steps: STEPS };
    let rate = (RateScope::PerTensorPerStep, 0.3);
    let case = Case::new(LowRank, inner_loop, rate, changed(sizes, 8), points(sizes, 8));
    case.check("LoRA", &unrolled());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sizes_and_steps(inputs in 1_usize..4, hidden in 1_usize..4, points in 1_usize..5, steps in 0_usize..5, seed in 0_u64..1000) {
        let sizes = Sizes { inputs, hidden, points };
        let inner_loop = InnerLoop { optimizer: Momentum::default(), steps };
        let problem = Fit { along_the_way: true, ..Fit::default() };
        let task = common::points::points(sizes, seed);
        let case = Case::new(problem, inner_loop, (RateScope::PerTensorPerStep, 0.2), learned(sizes, seed), task);
        case.check(&format!("{sizes:?}, {steps} steps, seed {seed}"), &unrolled());
    }
}
