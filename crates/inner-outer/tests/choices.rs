//! Choices made at run time do what the types that they name do.

mod common;

use common::finite_difference::Case;
use common::numbers::bits;
use common::points::{Fit, Sizes, learned, points};
use inner_outer::{
    Adam, CentralDifference, CurvatureChoice, FirstOrder, ForwardOverReverse, Hypergradient,
    HypergradientChoice, InnerLoop, InnerOptimizer, Momentum, Nested, RateScope, Reptile,
    RuleChoice, Selection, Sgd, Truncated, Unrolled,
};
use serde::{Serialize, de::DeserializeOwned};

fn case<O: InnerOptimizer>(optimizer: O) -> Case<Fit, O> {
    let (sizes, inner_loop) = (Sizes::default(), InnerLoop { optimizer, steps: 3 });
    let problem = Fit { learned: Selection::below(["network", "shift"]), ..Fit::default() };
    Case::new(
        problem,
        inner_loop,
        (RateScope::PerTensorPerStep, 0.1),
        learned(sizes, 1),
        points(sizes, 1),
    )
}

fn gradient<O: InnerOptimizer>(optimizer: O, method: &impl Hypergradient) -> [Vec<u64>; 2] {
    let found = case(optimizer).gradient(method).unwrap();
    [bits(&found.outer), bits(&found.rates)]
}

#[test]
fn rules() {
    let exact = Unrolled { curvature: Nested };
    assert_eq!(gradient(RuleChoice::Sgd, &exact), gradient(Sgd, &exact));
    assert_eq!(gradient(RuleChoice::Momentum, &exact), gradient(Momentum::default(), &exact));
    assert_eq!(gradient(RuleChoice::Adam, &exact), gradient(Adam::default(), &exact));
    assert_eq!(gradient(RuleChoice::Adamw, &exact), gradient(Adam::with_weight_decay(), &exact));
}

#[test]
fn engines() {
    let by = |curvature| gradient(Sgd, &HypergradientChoice::Unrolled { curvature });
    let central = CentralDifference::default();
    assert_eq!(by(CurvatureChoice::Nested), gradient(Sgd, &Unrolled { curvature: Nested }));
    assert_eq!(
        by(CurvatureChoice::CentralDifference),
        gradient(Sgd, &Unrolled { curvature: central })
    );
    let forward = Unrolled { curvature: ForwardOverReverse };
    assert_eq!(by(CurvatureChoice::ForwardOverReverse), gradient(Sgd, &forward));
}

#[test]
fn hypergradients() {
    let truncated =
        HypergradientChoice::Truncated { exact_steps: 1, curvature: CurvatureChoice::Nested };
    let named = Truncated { exact_steps: 1, curvature: Nested };
    assert_eq!(gradient(Sgd, &truncated), gradient(Sgd, &named));
    assert_eq!(gradient(Sgd, &HypergradientChoice::FirstOrder {}), gradient(Sgd, &FirstOrder));
    assert_eq!(gradient(Sgd, &HypergradientChoice::Reptile {}), gradient(Sgd, &Reptile));
    assert_eq!(
        gradient(Sgd, &HypergradientChoice::default()),
        gradient(Sgd, &common::methods::unrolled())
    );
}

#[test]
fn choices_are_written_and_read_again() {
    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(choice: T) {
        let bytes = rmp_serde::to_vec_named(&choice).unwrap();
        assert_eq!(rmp_serde::from_slice::<T>(&bytes).unwrap(), choice);
    }
    [RuleChoice::Sgd, RuleChoice::Momentum, RuleChoice::Adam, RuleChoice::Adamw]
        .into_iter()
        .for_each(check);
    for curvature in [
        CurvatureChoice::ForwardOverReverse,
        CurvatureChoice::Nested,
        CurvatureChoice::CentralDifference,
    ] {
        check(HypergradientChoice::Unrolled { curvature });
        check(HypergradientChoice::Truncated { exact_steps: 2, curvature });
    }
    [HypergradientChoice::FirstOrder {}, HypergradientChoice::Reptile {}]
        .into_iter()
        .for_each(check);
}
