//! The Neumann series.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{LinearSolver, Operator, add_scaled, dot, scaled, squared_norm};
use crate::settings::{require_positive, require_some};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// The truncated series `step * sum_{j < terms} (I - step A)^j b` (Lorraine et al. 2020); one curvature product for every
/// term but the first. Converges to `A^{-1} b` when `0 < step < 2 / largest eigenvalue`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neumann {
    /// Terms of the series, at least 1.
    pub terms: usize,
    /// Scale of the operator, above 0.
    pub step: f64,
}

impl LinearSolver for Neumann {
    fn solve<B: Backend>(&self, apply: &mut Operator<B>, right: &Tensors<B>) -> Result<Tensors<B>> {
        require_some("Neumann::terms", self.terms)?;
        require_positive("Neumann::step", self.step)?;
        let size = squared_norm("Neumann", right)?;
        let mut term = right.clone();
        let mut sum = right.clone();
        for iteration in 1..self.terms {
            term = add_scaled(&term, -self.step, &apply(&term)?);
            let square = dot(&term, &term);
            // Terms of a convergent series never outgrow the right-hand side.
            if square.is_nan() || square > size * (1.0 + 1e-6) {
                let ratio = (square / size).sqrt();
                let reason = format!(
                    "a term is {ratio:.3} times the right-hand side: the series diverges at step {}",
                    self.step
                );
                return Err(Error::LinearSolver {
                    solver: "Neumann",
                    iteration,
                    reason,
                    remedy: "take a smaller `Neumann::step`",
                });
            }
            sum = add_scaled(&sum, 1.0, &term);
        }
        Ok(scaled(&sum, self.step))
    }
}
