//! Steps of a fixed length: the ascent rules of adversarial inner loops.
//!
//! The inner loss is what the loop descends, so a loop that climbs a loss has its negative as inner loss; one step
//! against the gradient of the negative is a step of ascent.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::length::{largest, unit};
use super::{InnerOptimizer, Iterate, IterateCotangents, Pullback};
use crate::Result;
use crate::settings::{refuse_half_precision, require_even_rows};
use crate::tensors::{Cotangents, Tensors};

/// `theta - rate * sign(gradient)`: the steepest step in the maximum norm (FGSM, PGD of Madry et al. 2018).
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedAscent;

/// Why [`Implicit`](crate::Implicit) does not go with these rules.
const FIXED_LENGTH: &str = "a rule whose steps have a fixed length";

impl InnerOptimizer for SignedAscent {
    fn rests_elsewhere(&self) -> Option<&'static str> {
        Some(FIXED_LENGTH)
    }

    fn state<B: Backend>(&self, _theta: &Tensors<B>) -> Tensors<B> {
        Tensors(Vec::new())
    }

    fn step<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let signs = Tensors(gradient.0.iter().map(|g| g.clone().sign()).collect());
        Iterate { theta: super::sgd::descend(at.theta, rates, &signs), ..at }
    }

    /// The sign is flat: nothing reaches the gradient.
    fn pullback<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        _at: &Iterate<B>,
        gradient: &Tensors<B>,
        cotangent: &IterateCotangents<B>,
    ) -> Pullback<B> {
        let signs = Tensors(gradient.0.iter().map(|g| g.clone().sign()).collect());
        Pullback {
            at: cotangent.clone(),
            gradient: Cotangents::zeros(gradient.len()),
            rates: super::sgd::pull_rates(&cotangent.theta, rates, &signs),
        }
    }
}

/// `theta - rate * gradient / |gradient|_2`, with one norm for each of the `rows` equal blocks of a tensor.
///
/// A block whose gradient is zero stays where it is. The norm has no derivative there; that of the direction is taken as zero.
#[derive(Clone, Copy, Debug)]
pub struct NormalizedAscent {
    /// Blocks of consecutive elements with a norm of their own, such as the samples of a perturbation
    /// `[samples, features]`; every tensor's size must be a multiple of it.
    pub rows: usize,
}

impl InnerOptimizer for NormalizedAscent {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        refuse_half_precision("NormalizedAscent", theta)?;
        require_even_rows("NormalizedAscent::rows", self.rows, theta)
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        Some(FIXED_LENGTH)
    }

    fn state<B: Backend>(&self, _theta: &Tensors<B>) -> Tensors<B> {
        Tensors(Vec::new())
    }

    fn step<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let normalize = |g: &Tensor<B, 1>| {
            let elements = g.dims()[0];
            let blocks = g.clone().reshape([self.rows, elements / self.rows]);
            let blocks = blocks.clone() * unit(largest(&blocks));
            let squares = blocks.clone().powi_scalar(2).sum_dim(1);
            let zero = squares.clone().equal_elem(0.0);
            // Where nothing can be divided by, the quotient and its derivative are to be zero.
            let norms = squares.mask_fill(zero, f64::INFINITY).sqrt();
            (blocks / norms).reshape([elements])
        };
        let directions = Tensors(gradient.0.iter().map(normalize).collect());
        Iterate { theta: super::sgd::descend(at.theta, rates, &directions), ..at }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, TensorData};

    use super::*;
    use crate::Autodiff;

    fn list<B: Backend>(values: &[f64], dtype: DType) -> Tensors<B> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Tensors(vec![Tensor::from_data(data, (&Default::default(), dtype))])
    }

    /// Minus the direction of a step with blocks of two elements.
    fn direction<B: Backend>(gradient: &[f64], dtype: DType) -> Vec<f64> {
        let theta: Tensors<B> = list(&vec![0.0; gradient.len()], dtype);
        let at = Iterate { theta, state: Tensors(Vec::new()), steps_taken: 0 };
        let rule = NormalizedAscent { rows: gradient.len() / 2 };
        rule.step(0, &list(&[-1.0], dtype), at, &list(gradient, dtype)).theta.to_f64()
    }

    #[test]
    fn steps_have_their_length_however_long_the_gradient() {
        for dtype in [DType::F32, DType::F64] {
            for scale in [1e-38, 1e-30, 1e-13, 1e-12, 1.0, 1e12, 1e13, 1e30, 7e37] {
                let gradient = [3.0 * scale, -4.0 * scale, 0.6, 0.8, 0.0, 0.0];
                let expected = [0.6, -0.8, 0.6, 0.8, 0.0, 0.0];
                for found in [
                    direction::<Flex>(&gradient, dtype),
                    direction::<Autodiff<Autodiff<Flex>>>(&gradient, dtype),
                    direction::<forward_mode::Dual<Flex>>(&gradient, dtype),
                ] {
                    for (found, expected) in found.iter().zip(expected) {
                        assert!((found - expected).abs() < 1e-6, "{scale}: {found}, {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_not_hidden() {
        let found = direction::<Flex>(&[f64::NAN, 1.0, 0.6, 0.8], DType::F64);
        assert!(found[0].is_nan() && found[2..] == [0.6, 0.8], "{found:?}");
        assert!(direction::<Flex>(&[f64::INFINITY, 1.0], DType::F32)[0].is_nan());
        assert!(direction::<Flex>(&[f64::NAN, 0.0], DType::F32)[0].is_nan());
    }

    /// What is pulled back to a gradient of two blocks.
    fn pulled(gradient: [f64; 4], dtype: DType) -> Vec<f64> {
        let theta: Tensors<Flex> = list(&[0.0; 4], dtype);
        let at = Iterate { theta, state: Tensors(Vec::new()), steps_taken: 0 };
        let cotangent = IterateCotangents {
            theta: list(&[1.0, 0.0, 1.0, 0.0], dtype).into_cotangents(),
            state: Cotangents::zeros(0),
        };
        let gradient = list(&gradient, dtype);
        let rates = list(&[-1.0], dtype);
        let pulled = NormalizedAscent { rows: 2 }.pullback(0, &rates, &at, &gradient, &cotangent);
        pulled.gradient.or_zeros(&gradient).to_f64()
    }

    #[test]
    fn nothing_reaches_a_gradient_of_zero() {
        let found = pulled([0.0, 0.0, 3.0, 4.0], DType::F64);
        assert_eq!(found[..2], [0.0, 0.0]);
        assert!((found[2] - 0.128).abs() < 1e-12 && (found[3] + 0.096).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn long_and_short_gradients_are_differentiated() {
        let found = pulled([3e20, 4e20, 3e-20, 4e-20], DType::F32);
        let expected = [0.128e-20, -0.096e-20, 0.128e20, -0.096e20];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-5, "{found:e} is not {expected:e}");
        }
    }
}
