//! Hypergradients that leave something out, by their formulas.

mod common;

use burn::backend::Flex;
use burn::tensor::Tensor;
use common::finite_difference::Case;
use common::methods::{truncated, unrolled};
use common::numbers::{assert_close, bits, entries, relative_error};
use common::points::{Fit, Sizes, learned, points};
use inner_outer::hypergradient::MetaGradient;
use inner_outer::tensors::to_f64;
use inner_outer::{
    ConjugateGradient, Envelope, FirstOrder, ForwardOverReverse, Implicit, InnerLoop, Instance,
    RateScope, Reptile, Selection, Sgd,
};

const STEPS: usize = 4;

/// Elements of the learned tensors: hidden layer, bias, output, shift and penalty.
const SIZES: [usize; 5] = [6, 3, 3, 6, 1];

fn case(problem: Fit) -> Case<Fit, Sgd> {
    let sizes = Sizes::default();
    let inner_loop = InnerLoop { optimizer: Sgd, steps: STEPS };
    Case::new(
        problem,
        inner_loop,
        (RateScope::PerTensorPerStep, 0.3),
        learned(sizes, 1),
        points(sizes, 1),
    )
}

/// The penalty is read by the inner loss only, so only second order can reach it: it is left out of what is learned.
fn within_reach() -> Fit {
    Fit { learned: Selection::below(["network", "shift"]), ..Fit::default() }
}

#[test]
fn truncation_at_all_steps_is_no_truncation() {
    let case = case(Fit { along_the_way: true, ..Fit::default() });
    let (all, exact) =
        (case.gradient(&truncated(STEPS)).unwrap(), case.gradient(&unrolled()).unwrap());
    assert_eq!(bits(&all.outer), bits(&exact.outer));
    assert_eq!(bits(&all.rates), bits(&exact.rates));
}

#[test]
fn truncation_at_no_step_is_first_order() {
    let case = case(within_reach());
    let (none, first) =
        (case.gradient(&truncated(0)).unwrap(), case.gradient(&FirstOrder).unwrap());
    assert_eq!(bits(&none.outer), bits(&first.outer));
    assert_eq!(bits(&none.rates), bits(&first.rates));
    let exact = case.gradient(&unrolled()).unwrap();
    let flat = |found: &MetaGradient<_>| entries(&found.outer, SIZES).concat();
    assert!(relative_error(&flat(&first), &flat(&exact)) > 0.05, "second order differs from first");
}

/// Reptile is `theta_0 - theta_K`, pulled through `init`: the shift gets it times the mean input.
#[test]
fn reptile_points_back_to_the_start() {
    let case = case(within_reach());
    let found = case.gradient(&Reptile).unwrap();
    let instance = Instance::<_, Flex>::new(&case.problem, &case.outer, &case.task);
    let way = instance.start().minus(&found.adapted);
    let [hidden, bias, output]: [Vec<f64>; 3] =
        entries(&way, [6, 3, 3]).try_into().expect("the network has three tensors");
    let mean = to_f64(&case.task.x.clone().mean_dim(0));
    let shift = mean.iter().flat_map(|mean| bias.iter().map(move |bias| mean * bias)).collect();
    let expected = [hidden, bias.clone(), output, shift, vec![0.0]];
    for (found, expected) in entries(&found.outer, SIZES).iter().zip(&expected) {
        assert_close("Reptile", found, expected, 1e-12);
    }
    assert!(found.rates.is_zero());
    let exact = case.gradient(&unrolled()).unwrap();
    assert_eq!(found.outer_loss, exact.outer_loss);
}

/// The envelope theorem keeps only what the outer losses read directly: 0.05 |hidden|^2 at the end and
/// 0.1 |shift|^2 at three of the four steps before.
#[test]
fn the_envelope_stops_at_the_adapted_parameters() {
    for along_the_way in [false, true] {
        let case = case(Fit { along_the_way, ..within_reach() });
        let found = case.gradient(&Envelope).unwrap();
        let scaled = |tensor: &Tensor<Flex, 2>, scale: f64| {
            to_f64(tensor).into_iter().map(|x| scale * x).collect::<Vec<_>>()
        };
        let of_shift = if along_the_way { 3.0 * 0.2 } else { 0.0 };
        let expected = [
            scaled(&case.outer.network.hidden.val(), 0.1),
            vec![0.0; 3],
            vec![0.0; 3],
            scaled(&case.outer.shift.val(), of_shift),
            vec![0.0],
        ];
        for (found, expected) in entries(&found.outer, SIZES).iter().zip(&expected) {
            assert_close("envelope", found, expected, 1e-12);
        }
        assert!(found.rates.is_zero());
        assert_close(
            "loss",
            &[found.outer_loss],
            &[case.meta_loss(&case.outer, &case.rates)],
            1e-12,
        );
    }
}

/// What `init` makes and no step adapts is not stopped: there the envelope is the first order.
#[test]
fn the_envelope_goes_through_what_is_not_adapted() {
    let output = Selection::below(["output"]);
    let case = case(Fit { adapted: output, along_the_way: true, ..within_reach() });
    let envelope = entries(&case.gradient(&Envelope).unwrap().outer, SIZES);
    let first = entries(&case.gradient(&FirstOrder).unwrap().outer, SIZES);
    for (index, name) in ["hidden", "bias", "output", "shift"].into_iter().enumerate() {
        let stopped = vec![0.0; SIZES[index]];
        let expected = if name == "output" { &stopped } else { &first[index] };
        assert_close(name, &envelope[index], expected, 1e-12);
        assert!(first[index].iter().any(|entry| *entry != 0.0), "{name} says nothing");
    }
}

/// Where only the output layer is adapted, the minimum hangs on the layers before it as `init` made them.
#[test]
fn the_implicit_gradient_goes_through_what_is_not_adapted() {
    let adapted = Selection::below(["output"]);
    let problem = Fit { adapted, resting: true, ..Fit::default() };
    let (sizes, rate) = (Sizes::default(), (RateScope::Global, 0.3));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2_000 };
    let case = Case::new(problem, inner_loop, rate, learned(sizes, 1), points(sizes, 1));
    let implicit = Implicit { solver: ConjugateGradient::default(), curvature: ForwardOverReverse };
    let implicit = entries(&case.gradient(&implicit).unwrap().outer, SIZES);
    let exact = entries(&case.gradient(&unrolled()).unwrap().outer, SIZES);
    for (index, name) in ["hidden", "bias", "output", "shift", "penalty"].into_iter().enumerate() {
        match name {
            "output" => {
                assert!(
                    exact[index].iter().all(|entry| entry.abs() < 1e-9),
                    "the start is forgotten"
                )
            }
            _ => assert_close(name, &implicit[index], &exact[index], 1e-6),
        }
    }
}
