//! For the tests of this folder: both derivatives of a loss, by every exact engine, against differences.

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use forward_mode::{Dual, dual, tangent};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Autodiff;
use crate::tensors::to_f64;

/// A loss of a vector, `[elements]` to `[1]`, on every backend.
pub trait Loss {
    fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1>;
}

/// A tensor in double precision.
pub fn double<B: Backend, const D: usize>(values: &[f64], sides: [usize; D]) -> Tensor<B, D> {
    let data = TensorData::new(values.to_vec(), sides);
    Tensor::from_data(data, (&Default::default(), DType::F64))
}

pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

/// Tensors of numbers from -1 to 1. In every run the same, so that rounding never fails a test by chance.
pub fn draws<B: Backend, const D: usize>() -> impl FnMut([usize; D]) -> Tensor<B, D> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    move |sides| {
        let values = (0..sides.iter().product()).map(|_| random.random_range(-1.0..1.0));
        Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), sides), &Default::default())
    }
}

/// So many numbers from -1 to 1.
pub fn numbers(count: usize, shift: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + shift) % 101) as f32 / 50.0 - 1.0).collect()
}

/// The gradient, and the slope along a direction by the forward mode alone, against differences of the loss without a graph;
/// the second derivative along the direction, nested and forward over reverse, against differences of the gradient.
pub fn assert_derivatives(loss: &impl Loss, x: &[f64]) {
    let n = x.len();
    let value = |x: &[f64]| to_f64(&loss.on(double::<Flex, 1>(x, [n])));
    let gradient = |x: &[f64]| {
        let x = double::<Autodiff<Flex>, 1>(x, [n]).require_grad();
        to_f64(&x.grad(&loss.on(x.clone()).backward()).expect("x is a leaf"))
    };
    let direction: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).cos()).collect();
    let unit = |i: usize| -> Vec<f64> { (0..n).map(|j| f64::from(i == j)).collect() };
    let expected: Vec<f64> = (0..n).map(|i| difference(value, x, &unit(i))[0]).collect();
    assert_close(&gradient(x), &expected, 1e-9);

    let varying = dual(double::<Flex, 1>(x, [n]), double(&direction, [n]));
    let along = to_f64(&tangent(loss.on(varying)).expect("the loss varies"));
    let expected: f64 = expected.iter().zip(&direction).map(|(slope, d)| slope * d).sum();
    assert_close(&along, &[expected], 1e-8);

    let expected = difference(gradient, x, &direction);
    assert_close(&forward_over_reverse(loss, x, &direction), &expected, 1e-9);
    assert_close(&nested(loss, x, &direction), &expected, 1e-9);
}

/// The derivative of `function` at `x` along `direction`, to fourth order in the step.
fn difference(function: impl Fn(&[f64]) -> Vec<f64>, x: &[f64], direction: &[f64]) -> Vec<f64> {
    let h = 1e-3;
    let at = |steps: f64| {
        let moved: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + steps * h * d).collect();
        function(&moved)
    };
    let (near, far) = ((at(1.0), at(-1.0)), (at(2.0), at(-2.0)));
    let slope = |i: usize| (8.0 * (near.0[i] - near.1[i]) - (far.0[i] - far.1[i])) / (12.0 * h);
    (0..near.0.len()).map(slope).collect()
}

fn forward_over_reverse(loss: &impl Loss, x: &[f64], direction: &[f64]) -> Vec<f64> {
    let varying = dual(double::<Flex, 1>(x, [x.len()]), double(direction, [x.len()]));
    let x = Tensor::<Autodiff<Dual<Flex>>, 1>::from_inner(varying).require_grad();
    let gradient = x.grad(&loss.on(x.clone()).backward()).expect("x is a leaf");
    to_f64(&tangent(gradient).expect("the gradient varies"))
}

fn nested(loss: &impl Loss, x: &[f64], direction: &[f64]) -> Vec<f64> {
    let below = double::<Autodiff<Flex>, 1>(x, [x.len()]).require_grad();
    let x = Tensor::<Autodiff<Autodiff<Flex>>, 1>::from_inner(below.clone()).require_grad();
    let gradient = x.grad(&loss.on(x.clone()).backward()).expect("x is a leaf");
    let along = (gradient * double(direction, [direction.len()])).sum();
    to_f64(&below.grad(&along.backward()).expect("the gradient varies"))
}
