//! Central difference of gradients.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Curvature, Point, Product};
use crate::problem::{Instance, Problem};
use crate::settings::require_positive;
use crate::tensors::{Cotangents, gradients};
use crate::{Autodiff, Result};

/// `(grad L(theta + e c) - grad L(theta - e c)) / 2e`, with `e` chosen from norms: two first-order gradients a
/// product, any layer, approximate.
///
/// The truncation error grows with the square of the shift's length `e |c|` and the rounding error with its inverse,
/// which balance near the cube root of the machine precision. The length is not in proportion to `|theta|`: a
/// direction often lies in few of the parameters, and those would leave the neighbourhood where the gradient is
/// nearly linear.
#[derive(Clone, Copy, Debug, Default)]
pub struct CentralDifference {
    /// Euclidean length of the shift, above 0; by default a quarter of the cube root of the machine precision, which
    /// is 1.2e-3 in single and 1.5e-6 in double precision.
    pub length: Option<f64>,
}

impl CentralDifference {
    fn length<B: Backend>(&self, like: &Tensor<B, 1>) -> f64 {
        let precision = like.dtype().finfo().map_or(f64::EPSILON, |info| info.epsilon);
        self.length.unwrap_or_else(|| 0.25 * precision.cbrt())
    }
}

impl Curvature for CentralDifference {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        if let Some(length) = self.length {
            require_positive("CentralDifference::length", length)?;
        }
        let norm = direction.norm();
        let lifted = instance.lift::<Autodiff<B>>();
        let gradient = |shift: f64| {
            let theta = point.theta.add_scaled(shift, direction).track_where(point.wanted_theta);
            let phi = point.phi.track_where(point.wanted_phi);
            gradients(lifted.inner_loss(&theta, &phi, point.step), [&theta, &phi])
        };
        if norm == 0.0 {
            // Absent where the loss does not depend on a parameter. Engines that differentiate twice leave out, too, where only its
            // gradient does not, which differences cannot tell from zero.
            let [theta, phi] = gradient(0.0).map(|gradient| gradient.zeros_like());
            return Ok(Product { theta, phi });
        }
        let shift = self.length(&point.theta.0[0]) / norm;
        let ([theta_above, phi_above], [theta_below, phi_below]) =
            (gradient(shift), gradient(-shift));
        let difference = |above: Cotangents<B>, below: Cotangents<B>| {
            (above + below.scale(-1.0)).scale(0.5 / shift)
        };
        Ok(Product {
            theta: difference(theta_above, theta_below),
            phi: difference(phi_above, phi_below),
        })
    }
}
