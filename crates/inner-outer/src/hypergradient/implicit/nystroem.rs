//! The Nystroem approximation.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{LinearSolver, Operator, add_scaled, dot, precision, scaled, squared_norm};
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
    /// Seed of the sketch. It is the same in every solve, so that what it misses is missed at every outer step and in every task:
    /// choose the rank for that, for it does not average out.
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
        squared_norm("Nystroem", right)?;
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
        let weights = solve_where_not_zero(system, &projected, smallest);
        let correct = |sum: Tensors<B>, (column, weight): (&Tensors<B>, &f64)| {
            add_scaled(&sum, -weight, column)
        };
        let remainder = columns.iter().zip(weights.iter()).fold(right.clone(), correct);
        Ok(scaled(&remainder, 1.0 / self.damping))
    }
}

/// The shortest of the solutions of a symmetric system, whose eigenvalues up to `smallest` count as zero.
///
/// Not by singular values: with those of nalgebra 0.35 some systems of deficient rank keep a quarter of their right side.
fn solve_where_not_zero(system: DMatrix<f64>, right: &DVector<f64>, smallest: f64) -> DVector<f64> {
    let eigen = system.symmetric_eigen();
    let inverse =
        eigen.eigenvalues.map(|value| if value.abs() > smallest { value.recip() } else { 0.0 });
    let along = eigen.eigenvectors.tr_mul(right);
    eigen.eigenvectors * along.component_mul(&inverse)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// As they are where a sketch has more columns than the operator has directions.
        #[test]
        fn systems_of_deficient_rank_are_solved(
            rank in 1..12_usize,
            root in prop::collection::vec(-1.0_f64..1.0, 12 * 11),
            weights in prop::array::uniform12(-1.0_f64..1.0),
        ) {
            let root = DMatrix::from_column_slice(12, rank, &root[..12 * rank]);
            let system = &root * root.transpose();
            let right = &system * DVector::from_row_slice(&weights);
            let found = solve_where_not_zero(system.clone(), &right, system.amax() * 1e-12);
            let left = (&system * &found - &right).norm();
            prop_assert!(left <= 1e-9 * right.norm(), "{left:e} of {} is left", right.norm());
            // What the system takes to zero is not in the shortest solution.
            prop_assert!(found.norm() <= DVector::from_row_slice(&weights).norm() * (1.0 + 1e-6));
        }
    }
}
