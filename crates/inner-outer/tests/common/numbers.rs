//! Reproducible random tensors in a chosen precision, and relative errors.

use burn::backend::Flex;
use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Device, Tensor, TensorData};
use inner_outer::tensors::{Cotangents, Tensors, to_f64};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A tensor of `values` in the precision `dtype`.
pub fn tensor<B: Backend, const D: usize>(
    values: Vec<f64>,
    shape: [usize; D],
    dtype: DType,
) -> Tensor<B, D> {
    let device = Device::<B>::default();
    Tensor::from_data(TensorData::new(values, shape), (&device, dtype))
}

/// A tensor of doubles.
pub fn doubles<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<Flex, D> {
    tensor(values.to_vec(), shape, DType::F64)
}

/// A generator of uniform tensors.
pub struct Random {
    generator: ChaCha8Rng,
    dtype: DType,
}

impl Random {
    /// Doubles from `seed`.
    pub fn doubles(seed: u64) -> Self {
        Self::new(seed, DType::F64)
    }

    /// Numbers in the precision `dtype` from `seed`; the same ones in every precision, up to rounding.
    pub fn new(seed: u64, dtype: DType) -> Self {
        Self { generator: ChaCha8Rng::seed_from_u64(seed), dtype }
    }

    /// Entries in `[-size, size]`.
    pub fn tensor<const D: usize>(&mut self, shape: [usize; D], size: f64) -> Tensor<Flex, D> {
        let elements = shape.iter().product();
        let values = (0..elements).map(|_| self.generator.random_range(-size..size)).collect();
        tensor(values, shape, self.dtype)
    }

    /// A parameter with entries in `[-size, size]`.
    pub fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        size: f64,
    ) -> Param<Tensor<Flex, D>> {
        Param::from_tensor(self.tensor(shape, size))
    }

    /// Scatters every entry of `values` by up to `share` of itself.
    pub fn scatter(&mut self, values: &Tensors<Flex>, share: f64) -> Tensors<Flex> {
        let scattered =
            |value: &Tensor<Flex, 1>| value.clone() * (self.tensor(value.dims(), share) + 1.0);
        Tensors(values.0.iter().map(scattered).collect())
    }
}

/// `|found - expected| / |expected|` in the Euclidean norm; the absolute error where `expected` is zero.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "as many numbers as expected");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let size = norm(&mut expected.iter().copied());
    if size > 0.0 { error / size } else { error }
}

/// Panics unless the relative error is at most `tolerance` (NaN counts as too much).
#[track_caller]
pub fn assert_close(label: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let error = relative_error(found, expected);
    assert!(
        error <= tolerance,
        "{label}: relative error {error:.2e} above {tolerance:.0e}\nfound    {found:?}\nexpected {expected:?}"
    );
}

/// The entries of each derivative; `sizes` gives the number of zeros where one is absent.
pub fn entries<B: Backend>(
    cotangents: &Cotangents<B>,
    sizes: impl IntoIterator<Item = usize>,
) -> Vec<Vec<f64>> {
    let values = |(entry, size): (&Option<Tensor<B, 1>>, usize)| match entry {
        Some(tensor) => to_f64(&tensor.clone()),
        None => vec![0.0; size],
    };
    cotangents.0.iter().zip(sizes).map(values).collect()
}

/// All entries of all derivatives, absent ones left out.
pub fn flat<B: Backend>(cotangents: &Cotangents<B>) -> Vec<f64> {
    cotangents.0.iter().flatten().flat_map(to_f64).collect()
}

/// The bits of all entries, absent ones left out.
pub fn bits<B: Backend>(cotangents: &Cotangents<B>) -> Vec<u64> {
    flat(cotangents).into_iter().map(f64::to_bits).collect()
}
