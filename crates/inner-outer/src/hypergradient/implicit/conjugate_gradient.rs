//! The conjugate gradient method.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{LinearSolver, Operator, add_scaled, dot, scaled};
use crate::settings::{require_not_negative, require_share, require_some};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// Conjugate gradients (Hestenes and Stiefel 1952) from zero; one curvature product an iteration.
///
/// Needs `A + damping` positive definite: negative curvature along a search direction is an error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConjugateGradient {
    /// Most iterations, at least 1.
    pub iterations: usize,
    /// Stop when the residual is this small relative to the right-hand side, in `[0, 1)`.
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
        let mut square = dot(&residual, &residual);
        let target = self.tolerance * self.tolerance * square;
        for iteration in 0..self.iterations {
            if square <= target || square == 0.0 {
                break;
            }
            let image = add_scaled(&apply(&direction)?, self.damping, &direction);
            let curvature = dot(&direction, &image);
            if curvature.is_nan() || curvature <= 0.0 {
                let reason = format!("the curvature along the search direction is {curvature:.3e}");
                return Err(Error::LinearSolver {
                    solver: "conjugate gradient",
                    iteration,
                    reason,
                });
            }
            let length = square / curvature;
            x = add_scaled(&x, length, &direction);
            residual = add_scaled(&residual, -length, &image);
            let next = dot(&residual, &residual);
            direction = add_scaled(&residual, next / square, &direction);
            square = next;
        }
        Ok(x)
    }
}
