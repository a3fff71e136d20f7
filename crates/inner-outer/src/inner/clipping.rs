//! Bounding the inner gradient.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::length::{largest, shrinkage};
use super::{InnerOptimizer, Iterate};
use crate::Result;
use crate::settings::{refuse_half_precision, require_positive};
use crate::tensors::Tensors;

/// An update rule whose gradient is first scaled down to a norm of at most `limit`, over all tensors together.
///
/// The scaling is part of the update and is differentiated with it.
#[derive(Clone, Copy, Debug)]
pub struct Clipped<O> {
    /// The rule.
    pub rule: O,
    /// The largest Euclidean norm, above 0.
    pub limit: f64,
}

impl<O: InnerOptimizer> InnerOptimizer for Clipped<O> {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        require_positive("Clipped::limit", self.limit)?;
        refuse_half_precision("Clipped", theta)?;
        self.rule.check(theta)
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        self.rule.rests_elsewhere()
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        self.rule.state(theta)
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let rows = || gradient.0.iter().map(|g| g.clone().reshape([1, g.dims()[0]]));
        let Some(largest) = rows().map(|row| largest(&row)).reduce(Tensor::max_pair) else {
            return self.rule.step(step, rates, at, gradient);
        };
        let square = |unit: &Tensor<B, 2>| {
            let squares = rows().map(|row| (row * unit.clone()).powi_scalar(2).sum_dim(1));
            squares.reduce(|a, b| a + b).expect("there is a largest entry")
        };
        let factor: Tensor<B, 1> = shrinkage(self.limit, largest, square).reshape([1]);
        let scale = |g: &Tensor<B, 1>| g.clone() * factor.clone();
        let clipped = Tensors(gradient.0.iter().map(scale).collect());
        self.rule.step(step, rates, at, &clipped)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, TensorData};
    use proptest::prelude::*;

    use super::super::{IterateCotangents, NormalizedAscent, Sgd};
    use super::*;
    use crate::Error;
    use crate::tensors::Cotangents;

    fn tensors(values: &[f64], dtype: DType) -> Tensors<Flex> {
        let tensor = |value: &f64| {
            Tensor::from_data(TensorData::new(vec![*value], [1]), (&Default::default(), dtype))
        };
        Tensors(values.iter().map(tensor).collect())
    }

    /// The gradient that the rule gets.
    fn clipped(limit: f64, gradient: &[f64], dtype: DType) -> Vec<f64> {
        let [theta, rates] = [0.0, -1.0].map(|value| tensors(&vec![value; gradient.len()], dtype));
        let at = Iterate { theta, state: Tensors(Vec::new()), steps_taken: 0 };
        let rule = Clipped { rule: Sgd, limit };
        rule.step(0, &rates, at, &tensors(gradient, dtype)).theta.to_f64()
    }

    #[test]
    fn the_norm_is_that_of_all_tensors_together() {
        assert_eq!(clipped(1.0, &[3.0, 4.0], DType::F64), [0.6000000000000001, 0.8]);
        assert_eq!(clipped(1.0, &[0.0, 0.0], DType::F64), [0.0, 0.0]);
        assert!(clipped(1.0, &[], DType::F64).is_empty());
    }

    #[test]
    fn limits_that_are_no_positive_numbers_are_refused() {
        let theta = tensors(&[1.0], DType::F64);
        Clipped { rule: Sgd, limit: 1e-3 }.check(&theta).unwrap();
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = Clipped { rule: Sgd, limit }.check(&theta).unwrap_err();
            assert!(matches!(refused, Error::OutOfRange { setting: "Clipped::limit", .. }));
            assert!(refused.to_string().contains("must be a finite number above 0"), "{refused}");
        }
    }

    #[test]
    fn the_rule_is_checked_too() {
        let uneven = Clipped { rule: NormalizedAscent { rows: 2 }, limit: 1.0 };
        let refused = uneven.check(&tensors(&[1.0], DType::F64)).unwrap_err();
        assert!(matches!(refused, Error::UnevenRows { rows: 2, elements: 1, .. }));
    }

    #[test]
    fn gradients_whose_square_is_infinite_keep_their_direction() {
        let close = |found: Vec<f64>, expected: [f64; 2]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found}, {expected}");
            }
        };
        for dtype in [DType::F32, DType::F64] {
            close(clipped(1.0, &[3e20, -4e20], dtype), [0.6, -0.8]);
            close(clipped(2.0, &[3e38, 0.0], dtype), [2.0, 0.0]);
            close(clipped(1e21, &[3e20, -4e20], dtype), [3e20, -4e20]);
            close(clipped(1e20, &[3e20, -4e20], dtype), [0.6e20, -0.8e20]);
            close(clipped(1e-6, &[3e12, -4e12], dtype), [0.6e-6, -0.8e-6]);
        }
    }

    #[test]
    fn what_is_not_finite_is_not_hidden() {
        let found = clipped(1.0, &[f64::NAN, 2.0], DType::F32);
        assert!(found[0].is_nan(), "{found:?}");
        let found = clipped(1.0, &[f64::INFINITY, 2.0], DType::F32);
        assert!(found[0].is_nan(), "{found:?}");
    }

    /// The derivative of the direction `(cos, sin)` along `(1, 0)` is `sin (sin, -cos) / length`.
    #[test]
    fn the_scaling_of_what_is_large_is_differentiated() {
        let [theta, rates] = [0.0, -1.0].map(|value| tensors(&[value; 2], DType::F32));
        let at = Iterate { theta, state: Tensors(Vec::new()), steps_taken: 0 };
        let cotangent = IterateCotangents {
            theta: tensors(&[1.0, 0.0], DType::F32).into_cotangents(),
            state: Cotangents::zeros(0),
        };
        let gradient = tensors(&[3e20, 4e20], DType::F32);
        let rule = Clipped { rule: Sgd, limit: 1.0 };
        let pulled = rule.pullback(0, &rates, &at, &gradient, &cotangent).gradient;
        let found = pulled.or_zeros(&gradient).to_f64();
        let expected = [0.8 * 0.8 / 5e20, -0.8 * 0.6 / 5e20];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-5, "{found:e} is not {expected:e}");
        }
    }

    proptest! {
        #[test]
        fn nothing_changes_below_the_limit(limit in 0.01_f64..100.0, share in 0.0_f64..0.999) {
            for dtype in [DType::F32, DType::F64] {
                let gradient = [0.6 * share * limit, 0.8 * share * limit];
                prop_assert_eq!(clipped(limit, &gradient, dtype), tensors(&gradient, dtype).to_f64());
            }
        }

        #[test]
        fn the_limit_is_kept_above_it(limit in 0.01_f64..100.0, excess in 1.001_f64..1e6) {
            let found = clipped(limit, &[0.6 * excess * limit, -0.8 * excess * limit], DType::F64);
            prop_assert!((found[0] / limit - 0.6).abs() < 1e-12 && (found[1] / limit + 0.8).abs() < 1e-12);
        }
    }
}
