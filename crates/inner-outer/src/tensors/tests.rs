use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::Flex;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::DType;

use super::*;

#[derive(Module, Debug)]
struct Network<B: Backend> {
    norm: LayerNorm<B>,
    layers: Vec<Linear<B>>,
}

fn network() -> Network<Flex> {
    let device = Default::default();
    let layer = || LinearConfig::new(3, 2).with_bias(false).init(&device);
    Network { norm: LayerNormConfig::new(2).init(&device), layers: vec![layer(), layer()] }
}

fn values(numbers: &[f64]) -> Tensor<Flex, 1> {
    Tensor::from_data(numbers, (&Default::default(), DType::F64))
}

#[test]
fn paths_and_shapes_are_those_of_the_module() {
    let expected = [
        ("norm.gamma", vec![2]),
        ("norm.beta", vec![2]),
        ("layers.0.weight", vec![3, 2]),
        ("layers.1.weight", vec![3, 2]),
    ];
    let shapes = parameter_shapes(&network());
    assert!(shapes.iter().map(|(path, shape)| (path.as_str(), shape.clone())).eq(expected.clone()));
    assert_eq!(parameter_paths(&network()), expected.map(|(path, _)| path));
}

#[test]
fn values_written_are_read_again_and_ids_stay() {
    let module = network();
    let changed =
        Tensors(Tensors::of(&module).0.iter().map(|tensor| tensor.clone() + 1.0).collect());
    let written = changed.write(module.clone());
    assert_eq!(Tensors::of(&written).to_f64(), changed.to_f64());
    assert_eq!(written.layers[1].weight.id, module.layers[1].weight.id);
    assert_eq!(written.layers[1].weight.dims(), [3, 2]);
    assert_eq!((changed.len(), changed.elements(), changed.is_empty()), (4, 16, false));
}

#[test]
fn masks_select_replace_spread_and_keep() {
    let list = Tensors(vec![values(&[1.0]), values(&[2.0, 3.0]), values(&[4.0])]);
    let mask = [true, false, true];
    assert_eq!(list.select(&mask).to_f64(), [1.0, 4.0]);
    let replaced = list.replace(&mask, &Tensors(vec![values(&[5.0]), values(&[6.0])]));
    assert_eq!(replaced.to_f64(), [5.0, 2.0, 3.0, 6.0]);
    let cotangents = list.clone().into_cotangents();
    let spread = cotangents.select(&mask).spread(&mask);
    assert_eq!(spread.or_zeros(&list).to_f64(), [1.0, 0.0, 0.0, 4.0]);
    assert_eq!(cotangents.keep(&mask).or_zeros(&list).to_f64(), [1.0, 0.0, 0.0, 4.0]);
}

#[test]
fn absent_entries_are_zeros() {
    let list = Tensors(vec![values(&[3.0]), values(&[4.0])]);
    let (full, none) = (list.clone().into_cotangents(), Cotangents::<Flex>::zeros(2));
    let half = full.clone().keep(&[true, false]);
    assert_eq!((full.norm(), half.norm(), none.norm()), (5.0, 3.0, 0.0));
    assert_eq!(full.dot(&half), 9.0);
    assert!(none.is_zero() && !half.is_zero());
    assert!(list.pair(&none).is_none());
    assert_eq!(to_f64(&list.pair(&half).expect("one entry is there")), [9.0]);
    assert_eq!((half.clone() + full.clone()).or_zeros(&list).to_f64(), [6.0, 4.0]);
    assert_eq!(list.add_scaled(2.0, &half).to_f64(), [9.0, 4.0]);
    assert_eq!(list.minus(&list).norm(), 0.0);
}

#[test]
fn norms_do_not_leave_the_range_that_squares_have() {
    let list = |numbers: &[f64], dtype| {
        let tensor = |number: &f64| Tensor::full([1], *number, (&Default::default(), dtype));
        Cotangents::<Flex>(numbers.iter().map(|number| Some(tensor(number))).collect())
    };
    for scale in [1e-38, 1e-30, 1e-12, 1.0, 1e19, 1e20, 7e37] {
        let found = list(&[3.0 * scale, 4.0 * scale], DType::F32).norm() / scale;
        assert!((found - 5.0).abs() < 1e-6, "{found} at {scale:e}");
    }
    for scale in [1e-200, 1e-30, 1.0, 1e200] {
        let found = list(&[3.0 * scale, 4.0 * scale], DType::F64).norm() / scale;
        assert!((found - 5.0).abs() < 1e-14, "{found} at {scale:e}");
    }
    let uneven = list(&[1e20, 0.0, 1e-30], DType::F32).norm();
    assert!((uneven / 1e20 - 1.0).abs() < 1e-6, "{uneven}");
    assert_eq!(list(&[0.0], DType::F32).norm(), 0.0);
    assert_eq!(list(&[f64::INFINITY, 1.0], DType::F32).norm(), f64::INFINITY);
    assert!(list(&[f64::NAN, 1e20], DType::F32).norm().is_nan());
}

/// What a panic says.
fn panic_of<T>(operation: impl FnOnce() -> T) -> String {
    let caught = catch_unwind(AssertUnwindSafe(operation)).err().expect("a panic");
    *caught.downcast::<String>().expect("a formatted message")
}

#[test]
fn lists_of_other_lengths_are_not_cut_short() {
    let list = Tensors(vec![values(&[1.0]), values(&[2.0])]);
    let one = list.select(&[true, false]);
    let cotangents = || list.clone().into_cotangents();
    let cases = [
        panic_of(|| list.select(&[true])),
        panic_of(|| list.track_where(&[true; 3])),
        panic_of(|| list.replace(&[true], &one)),
        panic_of(|| list.replace(&[true, false], &list)),
        panic_of(|| list.replace(&[true, true], &one)),
        panic_of(|| list.minus(&one)),
        panic_of(|| list.add_scaled(1.0, &one.clone().into_cotangents())),
        panic_of(|| list.pair(&one.clone().into_cotangents())),
        panic_of(|| list.write(network())),
        panic_of(|| {
            Tensors([list.0.clone(), list.0.clone(), list.0.clone()].concat()).write(network())
        }),
        panic_of(|| cotangents().select(&[true; 3])),
        panic_of(|| cotangents().keep(&[true])),
        panic_of(|| cotangents().spread(&[true, false, false])),
        panic_of(|| cotangents().spread(&[true; 3])),
        panic_of(|| cotangents().or_zeros(&one)),
        panic_of(|| cotangents().dot(&one.clone().into_cotangents())),
        panic_of(|| cotangents() + one.clone().into_cotangents()),
    ];
    for message in cases {
        assert!(message.contains("a list of"), "{message}");
    }
}

#[test]
fn gradients_of_an_untracked_loss_are_zero() {
    let leaves = Tensors(vec![values(&[1.0])]).track_where(&[false]);
    let constant = leaves.0[0].clone() * 2.0;
    let [gradient] = gradients(constant, [&leaves]);
    assert!(gradient.is_zero());
    assert_eq!(leaves.tracked(), [false]);
    let leaves = leaves.detach().track();
    let [gradient] = gradients(leaves.0[0].clone().powi_scalar(2), [&leaves]);
    assert_eq!(gradient.norm(), 2.0);
    assert_eq!(leaves.tracked(), [true]);
}

#[test]
fn gradients_are_registered_for_the_optimisers_of_burn() {
    let module = network();
    let mut entries = Tensors::of(&module).into_cotangents();
    entries.0[0] = None;
    let lifted: Network<Autodiff<Flex>> = burn::module::AutodiffModule::from_inner(module);
    let registered = entries.gradients(&lifted);
    assert!(registered.get::<Flex, 1>(lifted.norm.gamma.id).is_none());
    let weight = registered.get::<Flex, 2>(lifted.layers[1].weight.id).expect("is registered");
    assert_eq!(weight.dims(), [3, 2]);
    assert_eq!(registered.len(), 3);
}

#[test]
fn a_gradient_of_a_parameter_that_is_there_twice_is_refused() {
    let mut module = network();
    module.layers[1] = module.layers[0].clone();
    let lifted: Network<Autodiff<Flex>> = burn::module::AutodiffModule::from_inner(module.clone());
    let mut entries = Tensors::of(&module).into_cotangents();
    let message = panic_of(|| entries.gradients(&lifted));
    assert!(
        message.contains("`layers.0.weight` and `layers.1.weight` have the same id"),
        "{message}"
    );
    for (entry, path) in entries.0.iter_mut().zip(parameter_paths(&module)) {
        if path.starts_with("layers") {
            *entry = None;
        }
    }
    entries.gradients(&lifted);
}
