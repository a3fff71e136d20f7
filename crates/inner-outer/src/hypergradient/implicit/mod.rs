//! Implicit differentiation at the minimum of the inner loss.
//!
//! Where `grad_theta L(theta*, phi) = 0` defines `theta*(phi)`, the implicit function theorem gives
//!
//! $$\frac{d F}{d \phi} = \frac{\partial F}{\partial \phi} -
//! \frac{\partial^2 L}{\partial \phi\, \partial \theta}\, v, \qquad
//! \frac{\partial^2 L}{\partial \theta^2}\, v = \frac{\partial F}{\partial \theta}.$$
//!
//! The inner steps are not differentiated, so memory and time of the derivative do not depend on their number, and
//! the initial value of the adapted parameters gets no gradient. Losses along the way
//! ([`Problem::trajectory_loss`]) do not exist at a minimum and take no part.

mod conjugate_gradient;
mod neumann;
mod nystroem;

pub use conjugate_gradient::ConjugateGradient;
pub use neumann::Neumann;
pub use nystroem::Nystroem;

use burn::tensor::backend::Backend;

use super::adjoint::{OuterLoss, Walk};
use super::{Hypergradient, MetaGradient};
use crate::curvature::{Curvature, ForwardOverReverse};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Keep, Rates};
use crate::problem::Problem;
use crate::settings::require_some;
use crate::tensors::{Cotangents, Tensors};
use crate::{Error, On, Result};

/// A symmetric linear operator on vectors shaped like the adapted tensors.
pub type Operator<'a, B> = dyn FnMut(&Tensors<B>) -> Result<Tensors<B>> + 'a;

/// A way to solve `(A + damping) x = b` that only applies `A`.
pub trait LinearSolver: Clone + Send + Sync + 'static {
    /// The (approximate) solution.
    ///
    /// # Errors
    /// If the operator cannot be applied, or the iteration breaks down or diverges.
    fn solve<B: Backend>(&self, apply: &mut Operator<B>, right: &Tensors<B>) -> Result<Tensors<B>>;
}

/// The implicit hypergradient (Lorraine et al. 2020; Rajeswaran et al. 2019): where `grad_theta L(theta*, phi) = 0`,
/// `dF/dphi = F_phi - L_phi,theta v` with `L_theta,theta v = F_theta`.
///
/// It is that of the minimum, so it is only as right as the inner loop comes near it, which is not measured, and as the system is
/// solved, which [`MetaGradient::residual`] tells: a solver that has used up its iterations returns what it has. The steps are not
/// differentiated: memory and time do not depend on their number, which is at least 1, the initial adapted parameters and the rates
/// get no gradient, and trajectory losses take no part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Implicit<S = ConjugateGradient, C = ForwardOverReverse> {
    /// How the linear system is solved.
    pub solver: S,
    /// How second derivatives are computed.
    pub curvature: C,
}

impl<S: LinearSolver, C: Curvature> Hypergradient for Implicit<S, C> {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        require_some("InnerLoop::steps", inner_loop.steps)?;
        if let Some(cause) = inner_loop.optimizer.rests_elsewhere() {
            return Err(Error::ImplicitRestsElsewhere { cause });
        }
        let walk = Walk::new(problem, inner_loop, outer, task, from)?;
        let adapted = &walk.roles.adapted;
        let begin = walk.begin.clone();
        let trajectory =
            inner_loop.run(&walk.instance, &walk.roles, &walk.phi, rates, begin, Keep::Nothing)?;
        let end = walk.theta(&trajectory.end.theta);
        let OuterLoss { value, theta: of_theta, phi: of_phi } =
            walk.outer_loss(&end, &walk.relevant, inner_loop.steps)?;

        let last = inner_loop.steps - 1;
        let point = walk.point(&end, last);
        let product = |direction: &Tensors<B>| {
            let direction = Cotangents::from(direction.clone()).spread(adapted);
            self.curvature.product(&walk.instance, point, &direction)
        };
        let mut hessian = |direction: &Tensors<B>| -> Result<Tensors<B>> {
            Ok(product(direction)?.theta.select(adapted).or_zeros(direction))
        };
        let right = of_theta.select(adapted).or_zeros(&trajectory.end.theta);
        let solution = self.solver.solve(&mut hessian, &right)?;

        let through = product(&solution)?;
        let image = through.theta.select(adapted).or_zeros(&right);
        let frozen: Vec<bool> = adapted.iter().map(|adapted| !adapted).collect();
        let through_init = through.theta.keep(&frozen);
        // At a minimum of the outer loss nothing has to go through, whatever the inner loss depends on.
        let at_minimum = dot(&right, &right) == 0.0;
        if through.phi.is_zero() && through_init.is_zero() && !at_minimum {
            return Err(Error::ImplicitGradientIsZero);
        }
        let lambda = of_theta.keep(&frozen) + through_init.scale(-1.0);
        let outer = of_phi + through.phi.scale(-1.0) + walk.pull_init(&lambda);
        Ok(MetaGradient {
            outer_loss: value,
            inner_losses: trajectory.losses,
            residual: Some(relative_distance(&image, &right)),
            outer,
            rates: Cotangents::zeros(rates.tensors.len()),
            adapted: end,
            end: trajectory.end,
            roles: walk.roles,
        })
    }
}

/// `|a - b| / |b|`, zero where there is no `b`: then `a` is none either.
fn relative_distance<B: Backend>(a: &Tensors<B>, b: &Tensors<B>) -> f64 {
    let (left, whole) = (add_scaled(a, -1.0, b), dot(b, b));
    if whole == 0.0 { 0.0 } else { (dot(&left, &left) / whole).sqrt() }
}

/// The distance of 1 to the next number of the precision that `tensors` have.
fn precision<B: Backend>(tensors: &Tensors<B>) -> f64 {
    tensors
        .0
        .iter()
        .filter_map(|tensor| tensor.dtype().finfo())
        .map(|info| info.epsilon)
        .fold(0.0, f64::max)
}

/// `<a, b>`: products and sums over a tensor in its own precision, the sum over tensors in `f64`.
fn dot<B: Backend>(a: &Tensors<B>, b: &Tensors<B>) -> f64 {
    Cotangents::from(a.clone()).dot(&Cotangents::from(b.clone()))
}

/// `a + scale * b`.
fn add_scaled<B: Backend>(a: &Tensors<B>, scale: f64, b: &Tensors<B>) -> Tensors<B> {
    a.add_scaled(scale, &Cotangents::from(b.clone()))
}

/// `<right, right>`, by which the `solver` measures what is left.
///
/// # Errors
/// [`Error::LinearSolver`] if it is not finite.
fn squared_norm<B: Backend>(solver: &'static str, right: &Tensors<B>) -> Result<f64> {
    let square = dot(right, right);
    match square.is_finite() {
        true => Ok(square),
        false => Err(Error::LinearSolver {
            solver,
            iteration: 0,
            reason: format!(
                "the squared norm of the outer loss's derivative by the adapted parameters is {square}"
            ),
            remedy: "scale the outer loss down",
        }),
    }
}

/// `scale * a`.
fn scaled<B: Backend>(a: &Tensors<B>, scale: f64) -> Tensors<B> {
    Tensors(a.0.iter().map(|tensor| tensor.clone() * scale).collect())
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor, TensorData};
    use nalgebra::{DMatrix, DVector};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::tensors::to_f64;

    /// The numbers as tensors of one and of two elements.
    fn split(values: &[f64]) -> Tensors<Flex> {
        let tensor = |part: &[f64]| Tensor::from_data(part, (&Default::default(), DType::F64));
        Tensors(vec![tensor(&values[..1]), tensor(&values[1..])])
    }

    fn apply(matrix: &DMatrix<f64>) -> impl FnMut(&Tensors<Flex>) -> Result<Tensors<Flex>> {
        move |x| Ok(split((matrix * DVector::from_vec(x.to_f64())).as_slice()))
    }

    fn solve<S: LinearSolver>(solver: S, matrix: &DMatrix<f64>, right: &[f64; 3]) -> Vec<f64> {
        solver.solve(&mut apply(matrix), &split(right)).unwrap().to_f64()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn solvers_agree_with_a_direct_solution(
            root in prop::array::uniform9(-1.0_f64..1.0),
            right in prop::array::uniform3(-2.0_f64..2.0),
        ) {
            let root = DMatrix::from_row_slice(3, 3, &root);
            let matrix = &root * root.transpose() + DMatrix::identity(3, 3) * 0.5;
            let direct = |damping: f64| {
                let damped = &matrix + DMatrix::identity(3, 3) * damping;
                damped.lu().solve(&DVector::from_row_slice(&right)).unwrap()
            };
            let close = |found: Vec<f64>, expected: DVector<f64>, tolerance: f64| {
                let distance = (DVector::from_vec(found) - &expected).norm();
                prop_assert!(distance <= tolerance * (1.0 + expected.norm()), "off by {distance:e}");
                Ok(())
            };
            let conjugate = ConjugateGradient { damping: 0.3, ..ConjugateGradient::default() };
            close(solve(conjugate, &matrix, &right), direct(0.3), 1e-8)?;
            let step = 1.0 / matrix.norm();
            close(solve(Neumann { terms: 3000, step }, &matrix, &right), direct(0.0), 1e-8)?;
            // More columns than dimensions, so that the sketch spans all of them whatever its signs.
            let nystroem = Nystroem { rank: 12, damping: 0.1, seed: 1 };
            close(solve(nystroem, &matrix, &right), direct(0.1), 1e-6)?;
        }
    }

    /// With more columns than the operator has directions, the rest of the sketched matrix is rounding, which must not be inverted.
    #[test]
    fn a_sketch_wider_than_the_operator_does_not_invert_rounding() {
        let (count, mut random) = (200, ChaCha8Rng::seed_from_u64(5));
        let mut draw = || -> Tensor<Flex, 1> {
            let values: Vec<f32> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
            Tensor::from_data(TensorData::new(values, [count]), &Default::default())
        };
        let axis = draw();
        let axis = axis.clone() / axis.powi_scalar(2).sum().sqrt();
        let along = |x: &Tensor<Flex, 1>| axis.clone() * (x.clone() * axis.clone()).sum();
        let mut apply = |x: &Tensors<Flex>| Ok(Tensors(vec![along(&x.0[0]) * 100.0]));
        for seed in 0..20 {
            let right = along(&draw());
            let solver = Nystroem { seed, ..Nystroem::default() };
            let found = solver.solve(&mut apply, &Tensors(vec![right.clone()])).unwrap();
            let expected = right / (100.0 + solver.damping);
            let error = along(&(found.0[0].clone() - expected.clone())).powi_scalar(2).sum().sqrt();
            let relative = to_f64(&(error / expected.powi_scalar(2).sum().sqrt()))[0];
            assert!(relative < 1e-2, "seed {seed}: off by {relative:e}");
        }
    }

    #[test]
    fn a_right_hand_side_of_zero_has_the_solution_zero() {
        let matrix = DMatrix::identity(3, 3);
        let zero = [0.0; 3];
        assert_eq!(solve(ConjugateGradient::default(), &matrix, &zero), zero);
        assert_eq!(solve(Neumann { terms: 5, step: 0.5 }, &matrix, &zero), zero);
        assert_eq!(solve(Nystroem::default(), &matrix, &zero), zero);
    }

    #[test]
    fn a_sketch_that_is_not_finite_is_refused() {
        let mut apply = |x: &Tensors<Flex>| Ok(scaled(x, f64::NAN));
        let refused = Nystroem::default().solve(&mut apply, &split(&[1.0; 3])).unwrap_err();
        assert!(refused.to_string().contains("not finite"), "{refused}");
    }

    /// A norm whose square single precision does not hold says nothing of what is left of it.
    #[test]
    fn right_hand_sides_without_a_finite_square_are_refused() {
        fn refused(solver: impl LinearSolver, entry: f32) {
            let mut apply = |x: &Tensors<Flex>| Ok(scaled(x, 0.5));
            let right = Tensors(vec![Tensor::full([2], entry, &Default::default())]);
            let refused = solver.solve(&mut apply, &right).unwrap_err();
            assert!(matches!(refused, Error::LinearSolver { iteration: 0, .. }), "{refused}");
            assert!(refused.to_string().contains("scale the outer loss down"), "{refused}");
        }
        for entry in [1e20, f32::INFINITY, f32::NAN] {
            refused(ConjugateGradient::default(), entry);
            refused(Neumann { terms: 1, step: 0.5 }, entry);
            refused(Nystroem { rank: 1, ..Nystroem::default() }, entry);
        }
    }

    #[test]
    fn products_that_are_not_finite_are_refused() {
        let right = Tensors(vec![Tensor::<Flex, 1>::ones([2], &Default::default())]);
        for scale in [1e30, f64::INFINITY, f64::NAN] {
            let mut apply = |x: &Tensors<Flex>| Ok(scaled(x, scale));
            ConjugateGradient::default().solve(&mut apply, &right).unwrap_err();
            Neumann { terms: 5, step: 0.5 }.solve(&mut apply, &right).unwrap_err();
        }
    }

    #[test]
    fn settings_without_meaning_are_refused() {
        fn refused(solver: impl LinearSolver, named: &str) {
            let matrix = DMatrix::identity(3, 3);
            let mut apply = apply(&matrix);
            let refused = solver.solve(&mut apply, &split(&[1.0; 3])).unwrap_err();
            assert!(matches!(refused, Error::OutOfRange { setting, .. } if setting == named));
        }
        refused(Neumann { terms: 0, step: 0.5 }, "Neumann::terms");
        refused(Neumann { terms: 1, step: 0.0 }, "Neumann::step");
        refused(Nystroem { rank: 0, ..Nystroem::default() }, "Nystroem::rank");
        refused(Nystroem { damping: 0.0, ..Nystroem::default() }, "Nystroem::damping");
    }

    #[test]
    fn a_few_terms_are_a_truncated_series() {
        let matrix = DMatrix::from_diagonal_element(3, 3, 0.5);
        let found = solve(Neumann { terms: 2, step: 1.0 }, &matrix, &[1.0, 2.0, 4.0]);
        assert_eq!(found, [1.5, 3.0, 6.0]);
        let one = solve(Neumann { terms: 1, step: 0.25 }, &matrix, &[1.0, 2.0, 4.0]);
        assert_eq!(one, [0.25, 0.5, 1.0]);
    }
}
