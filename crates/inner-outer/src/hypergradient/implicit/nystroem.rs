//! The Nystroem approximation.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{LinearSolver, Operator, add_scaled, dot, precision, scaled};
use crate::settings::{require_positive, require_some};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// A low-rank approximation of the operator from a random sketch, inverted in closed form
/// (Hataya and Yamada 2023): `rank` curvature products, no iteration, no step size to tune.
///
/// With `C = A S` for a random sign sketch `S` and `W = S^T C`, `A` is taken as `C W^{-1} C^T`, so by Woodbury
/// `(A + damping)^{-1} b = (b - C (damping W + C^T C)^{-1} C^T b) / damping`. Exact when `rank` reaches the number
/// of adapted elements and the damping is small.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nystroem {
    /// Columns of the sketch, at least 1.
    pub rank: usize,
    /// Added to the diagonal, above 0.
    pub damping: f64,
    /// Seed of the sketch.
    pub seed: u64,
}

impl Default for Nystroem {
    fn default() -> Self {
        Self { rank: 10, damping: 1e-2, seed: 0 }
    }
}

impl LinearSolver for Nystroem {
    fn solve<B: Backend>(&self, apply: &mut Operator<B>, right: &Tensors<B>) -> Result<Tensors<B>> {
        require_some("Nystroem::rank", self.rank)?;
        require_positive("Nystroem::damping", self.damping)?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let sketch: Vec<_> = (0..self.rank).map(|_| random_signs(right, &mut random)).collect();
        let columns = sketch.iter().map(apply).collect::<Result<Vec<_>>>()?;
        let entry = |i: usize, j: usize| {
            self.damping * dot(&sketch[i], &columns[j]) + dot(&columns[i], &columns[j])
        };
        let system = DMatrix::from_fn(self.rank, self.rank, entry);
        // Rounding leaves the sketched matrix slightly unsymmetric.
        let system = (&system + system.transpose()) * 0.5;
        let projected = DVector::from_fn(self.rank, |i, _| dot(&columns[i], right));
        // The decomposition would look for the singular values of such numbers for ever.
        if !system.iter().chain(&projected).all(|entry| entry.is_finite()) {
            return Err(Error::LinearSolver {
                solver: "Nystroem",
                iteration: 0,
                reason: "a curvature product is not finite".into(),
                remedy: "lower the inner rate",
            });
        }
        let smallest = system.amax() * precision(right) * self.rank as f64;
        let weights = system.svd(true, true).solve(&projected, smallest).map_err(|reason| {
            Error::LinearSolver {
                solver: "Nystroem",
                iteration: 0,
                reason: reason.into(),
                remedy: "raise the damping",
            }
        })?;
        let correct = |sum: Tensors<B>, (column, weight): (&Tensors<B>, &f64)| {
            add_scaled(&sum, -weight, column)
        };
        let remainder = columns.iter().zip(weights.iter()).fold(right.clone(), correct);
        Ok(scaled(&remainder, 1.0 / self.damping))
    }
}

/// Entries +1 or -1 with equal probability, shaped like `like`.
fn random_signs<B: Backend>(like: &Tensors<B>, random: &mut ChaCha8Rng) -> Tensors<B> {
    let signs = |tensor: &Tensor<B, 1>| {
        let elements = tensor.dims()[0];
        let values = (0..elements).map(|_| if random.random() { 1.0 } else { -1.0 }).collect();
        let data = TensorData::new::<f64, _>(values, [elements]);
        Tensor::from_data(data, (&tensor.device(), tensor.dtype()))
    };
    Tensors(like.0.iter().map(signs).collect())
}
