//! Fourier transforms: linear maps between a real signal and the two parts of its spectrum.

use burn_backend::Backend;

use crate::DualTensor;
use crate::dual::tangent_or_zeros;

pub(crate) fn rfft<B: Backend>(
    signal: DualTensor<B>,
    dim: usize,
    n: Option<usize>,
) -> (DualTensor<B>, DualTensor<B>) {
    let (real, imaginary) = B::rfft(signal.primal, dim, n);
    let (real_tangent, imaginary_tangent) =
        signal.tangent.map(|tangent| B::rfft(tangent, dim, n)).unzip();
    (DualTensor::new(real, real_tangent), DualTensor::new(imaginary, imaginary_tangent))
}

pub(crate) fn irfft<B: Backend>(
    real: DualTensor<B>,
    imaginary: DualTensor<B>,
    dim: usize,
    n: Option<usize>,
) -> DualTensor<B> {
    let varies = real.tangent.is_some() || imaginary.tangent.is_some();
    let tangent = varies.then(|| {
        let real = tangent_or_zeros::<B>(real.tangent, &real.primal);
        let imaginary = tangent_or_zeros::<B>(imaginary.tangent, &imaginary.primal);
        B::irfft(real, imaginary, dim, n)
    });
    DualTensor::new(B::irfft(real.primal, imaginary.primal, dim, n), tangent)
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::ModuleOps;

    use crate::check::{D, assert_tangents, constant, values, varying_tensor};

    #[test]
    fn spectra_of_signals() {
        assert_tangents([&[2, 8]], |[x]| D::rfft(x, 1, None).0);
        assert_tangents([&[2, 8]], |[x]| D::rfft(x, 1, None).1);
    }

    /// Flex computes the inverse in single precision, too coarse for differences, so the tangent
    /// is compared with the transform of the tangents.
    #[test]
    fn signals_of_spectra() {
        let (shape, ones, zeros) = (&[1, 3], [1.0, 2.0, 3.0], [0.0; 3]);
        let inverse = |real, imaginary| D::irfft(real, imaginary, 1, None);
        let expected = values(&inverse(constant(&ones, shape), constant(&zeros, shape)).primal);

        let varying = || varying_tensor(&[3.0, 1.0, 4.0], &ones, shape);
        let only_real = inverse(varying(), constant(&ones, shape)).tangent.unwrap();
        assert_eq!(values(&only_real), expected);

        let both = inverse(varying(), varying_tensor(&ones, &zeros, shape)).tangent.unwrap();
        assert_eq!(values(&both), expected);

        assert!(inverse(constant(&ones, shape), constant(&ones, shape)).tangent.is_none());
    }
}
