//! Central difference of gradients.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};

use super::{Curvature, Point, Product};
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, gradients, to_f64};
use crate::{Autodiff, Result};

/// `(grad L(theta + e c) - grad L(theta - e c)) / 2e`, with `e` chosen from norms: two first-order gradients a
/// product, any layer, approximate.
///
/// The shift has the length `e |c| = relative_step (1 + |theta|)`: the truncation error grows with the square of
/// the length and the rounding error with its inverse, which balance near the cube root of the machine precision.
#[derive(Clone, Copy, Debug, Default)]
pub struct CentralDifference {
    /// Length of the shift relative to `1 + |theta|`; by default the cube root of the machine precision.
    pub relative_step: Option<f64>,
}

impl CentralDifference {
    fn relative_step<B: Backend>(&self, like: &Tensor<B, 1>) -> f64 {
        let precision = match like.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        self.relative_step.unwrap_or_else(|| precision.cbrt())
    }
}

impl Curvature for CentralDifference {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        let norm = direction.norm();
        if norm == 0.0 {
            let zeros = Cotangents::zeros;
            return Ok(Product { theta: zeros(point.theta.len()), phi: zeros(point.phi.len()) });
        }
        let moving: Vec<bool> = direction.0.iter().map(Option::is_some).collect();
        let moved = point.theta.select(&moving);
        let squares: f64 = moved.0.iter().map(|t| to_f64(&t.clone().powi_scalar(2).sum())[0]).sum();
        let shift = self.relative_step(&point.theta.0[0]) * (1.0 + squares.sqrt()) / norm;
        let lifted = instance.lift::<Autodiff<B>>();
        let gradient = |shift: f64| {
            let theta = point.theta.add_scaled(shift, direction).track_where(point.wanted_theta);
            let phi = point.phi.track_where(point.wanted_phi);
            gradients(lifted.inner_loss(&theta, &phi, point.step), [&theta, &phi])
        };
        let ([theta_above, phi_above], [theta_below, phi_below]) = (gradient(shift), gradient(-shift));
        let difference = |above: Cotangents<B>, below: Cotangents<B>| {
            above.add(below.scale(-1.0)).scale(0.5 / shift)
        };
        Ok(Product { theta: difference(theta_above, theta_below), phi: difference(phi_above, phi_below) })
    }
}
