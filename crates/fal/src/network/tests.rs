//! What holds for every network.

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use burn::tensor::{DType, TensorData};
use inner_outer::tensors::{Tensors, parameter_paths, to_f64};

use super::*;

const DIGIT: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };
const MNIST: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };
const CIFAR: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

fn resnet() -> NetworkChoice {
    NetworkChoice::Resnet { width: 8, blocks: 1, groups: 4 }
}

fn cnn() -> NetworkChoice {
    NetworkChoice::Cnn { channels: vec![16, 32], hidden: 100 }
}

fn make(choice: &NetworkChoice, shape: ImageShape) -> Network<Flex> {
    Network::new(choice, shape, 10, &Seed::new(5), &Default::default()).unwrap()
}

fn images(batch: usize, shape: ImageShape) -> TensorData {
    let count = batch * shape.pixels();
    let pixels: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32) / 101.0).collect();
    TensorData::new(pixels, [batch, shape.channels, shape.height, shape.width])
}

/// Counts by hand: LeNet-5 has 61,706 parameters, the network of Wong and Kolter 166,406, and "2NN" 199,210.
#[test]
fn networks_have_the_sizes_of_their_papers() {
    let count = |choice: &NetworkChoice, shape| make(choice, shape).num_params();
    assert_eq!(count(&NetworkChoice::Lenet, MNIST), 61_706);
    assert_eq!(count(&cnn(), MNIST), 166_406);
    assert_eq!(count(&NetworkChoice::default(), MNIST), 199_210);
    assert_eq!(count(&NetworkChoice::Mlp { hidden: vec![] }, MNIST), 7_850);
}

#[test]
fn scores_have_one_column_a_class() {
    for (choice, shape) in [
        (NetworkChoice::default(), DIGIT),
        (cnn(), DIGIT),
        (resnet(), DIGIT),
        (NetworkChoice::Lenet, MNIST),
        (NetworkChoice::Lenet, CIFAR),
        (NetworkChoice::Lenet, ImageShape { height: 12, width: 13, ..DIGIT }),
        (cnn(), ImageShape { height: 9, width: 11, ..CIFAR }),
        (resnet(), ImageShape { height: 1, width: 3, ..CIFAR }),
    ] {
        let images = Tensor::<Flex, 4>::from_data(images(3, shape), &Default::default());
        let scores = make(&choice, shape).logits(images);
        assert_eq!(scores.dims(), [3, 10], "{choice:?}");
        assert!(to_f64(&scores).iter().all(|score| score.is_finite()));
    }
}

/// What one image gets does not depend on its neighbours: no network has batch statistics.
#[test]
fn images_are_judged_one_by_one() {
    let device = Default::default();
    for choice in [NetworkChoice::default(), cnn(), resnet(), NetworkChoice::Lenet] {
        let network = make(&choice, MNIST);
        let all = Tensor::<Flex, 4>::from_data(images(3, MNIST), &device);
        let alone = network.logits(all.clone().narrow(0, 1, 1));
        let together = network.logits(all).narrow(0, 1, 1);
        for (left, right) in to_f64(&alone).iter().zip(to_f64(&together)) {
            assert!((left - right).abs() < 1e-5, "{choice:?}");
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_network() {
    let device = Default::default();
    for choice in [NetworkChoice::default(), cnn(), resnet()] {
        let draw = |number| -> Vec<f64> {
            let seed = Seed::new(number);
            Tensors::of(&Network::<Flex>::new(&choice, DIGIT, 10, &seed, &device).unwrap()).to_f64()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

#[test]
fn parameters_have_paths() {
    let paths = parameter_paths(&make(&NetworkChoice::Lenet, MNIST));
    assert_eq!(paths[0], "Lenet.first.weight");
    assert_eq!(paths.last().unwrap(), "Lenet.layers.2.bias");
}

#[test]
fn a_network_that_does_not_fit_is_refused() {
    let device = Default::default();
    let refused = Network::<Flex>::new(&NetworkChoice::Lenet, DIGIT, 10, &Seed::new(0), &device);
    assert!(matches!(refused, Err(NetworkError::TooSmall { .. })));
}

type Once = Autodiff<Flex>;
type Twice = Autodiff<Once>;

/// `|d loss / d images|^2` and its derivative with respect to the images, at `pixels` in double precision.
fn slope_of_the_gradient(network: &Network<Flex>, pixels: TensorData) -> (f64, Vec<f64>) {
    let device = Default::default();
    let network: Network<Twice> =
        AutodiffModule::from_inner(AutodiffModule::<Once>::from_inner(network.clone()));
    let inner = Tensor::<Once, 4>::from_data(pixels, (&device, DType::F64)).require_grad();
    let images = Tensor::<Twice, 4>::from_inner(inner.clone()).require_grad();
    let loss = network.logits(images.clone()).powi_scalar(2).sum();
    let gradient = images.grad(&loss.backward()).expect("the images are a leaf");
    let square = gradient.powi_scalar(2).sum();
    let value = to_f64(&square.clone().inner())[0];
    let slope = inner.grad(&square.backward()).expect("the images are a leaf");
    (value, to_f64(&slope))
}

/// The second derivative of each network in a direction, against a difference of first ones.
#[test]
fn networks_can_be_differentiated_twice() {
    let shape = ImageShape { channels: 1, height: 12, width: 12 };
    for choice in [NetworkChoice::default(), cnn(), resnet(), NetworkChoice::Lenet] {
        let network = make(&choice, shape);
        let doubles = Tensors::of(&network).0.into_iter().map(|values| values.cast(DType::F64));
        let network = Tensors(doubles.collect()).write(network);
        let pixels: Vec<f64> = images(1, shape).convert::<f64>().into_vec().unwrap();
        let at = |step: f64| {
            let moved: Vec<f64> =
                pixels.iter().enumerate().map(|(i, x)| x + step * (i as f64).sin()).collect();
            slope_of_the_gradient(&network, TensorData::new(moved, [1, 1, 12, 12]))
        };
        let h = 1e-6;
        let expected = (at(h).0 - at(-h).0) / (2.0 * h);
        let found: f64 =
            at(0.0).1.iter().enumerate().map(|(i, slope)| slope * (i as f64).sin()).sum();
        let error = (found - expected).abs() / expected.abs().max(1e-6);
        assert!(error < 1e-3, "{choice:?}: {found} is not {expected}");
    }
}
