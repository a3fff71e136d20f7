//! Test harness: the tangents of an operation against central differences of its values, in f64.

use burn::backend::Flex;
use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::tensor::{BoolTensor, IntTensor};
use burn_backend::{DType, Shape, TensorData, TensorMetadata, read_sync};

use crate::{Dual, DualTensor};

/// The backend under test.
pub(crate) type D = Dual<Flex>;
/// Its float tensors, of any rank.
pub(crate) type T = DualTensor<Flex>;

/// Largest tolerated error of a tangent, relative to the norm of the expected one.
const TOLERANCE: f64 = 1e-7;
/// Fourth-order differences at this step are accurate to about 1e-11 for functions of scale one.
const STEP: f64 = 1e-4;

/// Checks `f` at a random point of the given shapes, once for every choice of which arguments vary:
///
/// - its tangent equals the derivative along a random direction;
/// - its value does not depend on whether arguments vary;
/// - it has no tangent at all where no argument varies.
///
/// The elements of an argument are distinct, within (-1, 1) and apart from zero, so `f` may have
/// kinks there.
pub(crate) fn assert_tangents<const N: usize>(shapes: [&[usize]; N], f: impl Fn([T; N]) -> T) {
    let mut samples = Samples::new(shapes.iter().map(|shape| shape.len() as u64 + 17).product());
    let point = shapes.map(|shape| samples.distinct(shape));
    let direction = shapes.map(|shape| samples.distinct(shape));
    let value = f(std::array::from_fn(|i| constant(&point[i], shapes[i])));
    assert!(value.tangent.is_none(), "constant arguments gave a tangent");

    for varying in 1..1_usize << N {
        let varies = |i: usize| varying >> i & 1 == 1;
        let arguments = std::array::from_fn(|i| match varies(i) {
            true => varying_tensor(&point[i], &direction[i], shapes[i]),
            false => constant(&point[i], shapes[i]),
        });
        let output = f(arguments);
        assert_eq!(output.shape(), value.shape(), "shape of the value with {varying:b} varying");
        let change = relative_error(&values(&output.primal), &values(&value.primal));
        assert!(change < 1e-12, "the value changed by {change:e} with {varying:b} varying");

        let moved = |step: f64| {
            let argument = |i: usize| {
                let step = if varies(i) { step } else { 0.0 };
                let moved = point[i].iter().zip(&direction[i]).map(|(x, dx)| x + step * dx);
                constant(&moved.collect::<Vec<_>>(), shapes[i])
            };
            values(&f(std::array::from_fn(argument)).primal)
        };
        let expected = central_difference(moved);
        let Some(tangent) = output.tangent else {
            assert!(expected.iter().all(|dx| dx.abs() < 1e-9), "no tangent, {varying:b} varying");
            continue;
        };
        assert_eq!(tangent.shape(), output.primal.shape(), "shape of the tangent");
        assert_eq!(tangent.dtype(), output.primal.dtype(), "element type of the tangent");
        let error = relative_error(&values(&tangent), &expected);
        assert!(error < TOLERANCE, "tangent off by {error:e} with {varying:b} varying");
    }
}

/// Checks an operation that is constant around almost every point: it must not carry a tangent.
pub(crate) fn assert_constant(shape: &[usize], f: impl Fn(T) -> T) {
    let mut samples = Samples::new(5);
    let (point, direction) = (samples.distinct(shape), samples.distinct(shape));
    assert!(f(varying_tensor(&point, &direction, shape)).tangent.is_none());
}

/// The derivative at 0 of a vector-valued function of one number.
pub(crate) fn central_difference(f: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let difference = |step: f64| -> Vec<f64> {
        f(step).iter().zip(f(-step)).map(|(above, below)| above - below).collect()
    };
    let (near, far) = (difference(STEP), difference(2.0 * STEP));
    near.iter().zip(far).map(|(near, far)| (8.0 * near - far) / (12.0 * STEP)).collect()
}

/// The norm of the difference over the norm of `expected`, or over one if that is smaller than a
/// thousandth.
pub(crate) fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let scale = norm(&mut expected.iter().copied());
    let error = norm(&mut actual.iter().zip(expected).map(|(actual, expected)| actual - expected));
    error / if scale < 1e-3 { 1.0 } else { scale }
}

/// A tensor that does not vary.
pub(crate) fn constant(values: &[f64], shape: &[usize]) -> T {
    D::float_from_data(TensorData::new(values.to_vec(), Shape::from(shape.to_vec())), &device())
}

/// A tensor that varies along `direction`.
pub(crate) fn varying_tensor(values: &[f64], direction: &[f64], shape: &[usize]) -> T {
    T::new(constant(values, shape).primal, Some(constant(direction, shape).primal))
}

/// Indices as a tensor.
pub(crate) fn indices(values: &[i64], shape: &[usize]) -> IntTensor<Flex> {
    D::int_from_data(TensorData::new(values.to_vec(), Shape::from(shape.to_vec())), &device())
}

/// A mask that is set at every third element.
pub(crate) fn every_third(shape: &[usize]) -> BoolTensor<Flex> {
    let count: usize = shape.iter().product();
    let mask: Vec<bool> = (0..count).map(|i| i % 3 == 0).collect();
    let data = TensorData::new(mask, Shape::from(shape.to_vec()));
    <D as burn_backend::ops::BoolTensorOps<D>>::bool_from_data(data, &device())
}

/// The elements in row-major order.
pub(crate) fn values(tensor: &burn_backend::tensor::FloatTensor<Flex>) -> Vec<f64> {
    let data = read_sync(Flex::float_into_data(tensor.clone())).expect("readable tensor");
    assert_eq!(data.dtype, DType::F64, "the checks run in f64");
    data.to_vec().expect("f64 data")
}

fn device() -> <Flex as burn_backend::BackendTypes>::Device {
    Default::default()
}

/// A small generator of test points, the same in every run.
pub(crate) struct Samples {
    state: u64,
}

impl Samples {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A shuffled even grid over (-1, 1), slightly off centre: no two elements are close to each
    /// other, none to zero.
    pub(crate) fn distinct(&mut self, shape: &[usize]) -> Vec<f64> {
        let count: usize = shape.iter().product();
        let mut grid: Vec<f64> =
            (0..count).map(|i| 2.0 * (i as f64 + 0.37) / count as f64 - 1.0).collect();
        for last in (1..count).rev() {
            let other = (self.next() % (last as u64 + 1)) as usize;
            grid.swap(last, other);
        }
        grid
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.state >> 33
    }
}
