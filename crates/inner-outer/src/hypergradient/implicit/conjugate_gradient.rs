//! The conjugate gradient method.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{LinearSolver, Operator, add_scaled, dot, precision, scaled, squared_norm};
use crate::settings::{require_not_negative, require_share, require_some};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// Roundings of a product's largest term that its sum may be off by.
const ROUNDED: f64 = 10.0;

/// Conjugate gradients (Hestenes and Stiefel 1952) from zero; one curvature product an iteration.
///
/// Needs `A + damping` positive semi-definite and, where it is singular, a right-hand side in its range. Along a search direction
/// without curvature the solution that was found is returned if its residual is within the square root of the precision, relative
/// to the right-hand side: what is left is rounding. Else no or negative curvature is an error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConjugateGradient {
    /// Most iterations, at least 1.
    pub iterations: usize,
    /// Stop when the residual is this small relative to the right-hand side, in `[0, 1)`; never smaller than the precision of the
    /// numbers.
    pub tolerance: f64,
    /// Added to the diagonal, at least 0.
    pub damping: f64,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { iterations: 20, tolerance: 1e-10, damping: 0.0 }
    }
}

impl LinearSolver for ConjugateGradient {
    fn solve<B: Backend>(&self, apply: &mut Operator<B>, right: &Tensors<B>) -> Result<Tensors<B>> {
        require_some("ConjugateGradient::iterations", self.iterations)?;
        require_share("ConjugateGradient::tolerance", self.tolerance)?;
        require_not_negative("ConjugateGradient::damping", self.damping)?;
        let mut x = scaled(right, 0.0);
        let mut residual = right.clone();
        let mut direction = right.clone();
        let (right_norm2, precision) =
            (squared_norm("conjugate gradient", right)?, precision(right));
        let mut residual_norm2 = right_norm2;
        let target = self.tolerance.max(precision).powi(2) * right_norm2;
        for iteration in 0..self.iterations {
            if residual_norm2 <= target || residual_norm2 == 0.0 {
                break;
            }
            let image = add_scaled(&apply(&direction)?, self.damping, &direction);
            let curvature = dot(&direction, &image);
            // <d, A d> that is no more than rounding of |d| |A d|.
            let lengths = (dot(&direction, &direction) * dot(&image, &image)).sqrt();
            if !curvature.is_finite() || curvature <= ROUNDED * precision * lengths {
                if residual_norm2 <= precision * right_norm2 {
                    break;
                }
                let reason = format!("the curvature along the search direction is {curvature:.3e}");
                return Err(Error::LinearSolver {
                    solver: "conjugate gradient",
                    iteration,
                    reason,
                    remedy: "raise the damping",
                });
            }
            let length = residual_norm2 / curvature;
            x = add_scaled(&x, length, &direction);
            residual = add_scaled(&residual, -length, &image);
            let next_norm2 = dot(&residual, &residual);
            direction = add_scaled(&residual, next_norm2 / residual_norm2, &direction);
            residual_norm2 = next_norm2;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor, TensorData};

    use super::*;

    /// The curvature of softmax regression by its scores, `diag(p) - p p^T`: singular, for shares do not change where all
    /// scores rise alike.
    fn softmax_curvature(shares: &[f64], dtype: DType) -> Tensor<Flex, 2> {
        let count = shares.len();
        let entry = |at: usize| {
            let (row, column) = (at / count, at % count);
            let own = if row == column { shares[row] } else { 0.0 };
            own - shares[row] * shares[column]
        };
        let entries: Vec<f64> = (0..count * count).map(entry).collect();
        Tensor::from_data(TensorData::new(entries, [count, count]), (&Default::default(), dtype))
    }

    fn residual(shares: &[f64], dtype: DType) -> f64 {
        let curvature = softmax_curvature(shares, dtype);
        let mut apply = |x: &Tensors<Flex>| -> Result<Tensors<Flex>> {
            Ok(Tensors(vec![
                curvature.clone().matmul(x.0[0].clone().unsqueeze_dim(1)).squeeze_dim(1),
            ]))
        };
        let scores: Vec<f64> = (0..shares.len()).map(|at| (at as f64 - 1.3).powi(2)).collect();
        let scores = Tensor::from_data(
            TensorData::new(scores, [shares.len()]),
            (&Default::default(), dtype),
        );
        let right = apply(&Tensors(vec![scores])).unwrap();
        let x = ConjugateGradient::default().solve(&mut apply, &right).unwrap();
        let left = add_scaled(&apply(&x).unwrap(), -1.0, &right);
        (dot(&left, &left) / dot(&right, &right)).sqrt()
    }

    #[test]
    fn singular_systems_that_have_a_solution_are_solved_to_the_precision() {
        for shares in [&[0.2, 0.3, 0.5][..], &[0.1, 0.2, 0.3, 0.4], &[0.25, 0.25, 0.2, 0.15, 0.15]]
        {
            assert!(residual(shares, DType::F32) < 1e-4, "{shares:?}");
            assert!(residual(shares, DType::F64) < 1e-8, "{shares:?}");
        }
    }

    #[test]
    fn a_right_side_that_curvature_does_not_reach_is_refused() {
        let mut flat = |x: &Tensors<Flex>| Ok(scaled(x, 0.0));
        let right = Tensors(vec![Tensor::<Flex, 1>::ones([2], &Default::default())]);
        let refused = ConjugateGradient::default().solve(&mut flat, &right).unwrap_err();
        assert!(refused.to_string().contains("raise the damping"), "{refused}");
    }
}
