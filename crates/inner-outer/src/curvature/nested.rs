//! Reverse over reverse: autodiff of autodiff, exact.

use burn::tensor::backend::Backend;

use super::missing_derivative::differentiate;
use super::{Curvature, Point, Product};
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, gradients};
use crate::{Autodiff, Result};

/// Nested autodiff: the gradient is computed as a graph of its own, and `<gradient, direction>` is
/// differentiated through it (Pearlmutter 1994).
///
/// Exact; about three to four gradients a product. Every operation of the inner loss must have a differentiable
/// backward pass: see [`layers`](crate::layers).
#[derive(Clone, Copy, Debug, Default)]
pub struct Nested;

impl Curvature for Nested {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        differentiate("Nested", || {
            let theta = point.theta.track_where(point.wanted_theta);
            let phi = point.phi.track_where(point.wanted_phi);
            let moving: Vec<bool> = direction.0.iter().map(Option::is_some).collect();
            let adapted = theta.track_where(&moving);
            let lifted = instance.lift::<Autodiff<B>>().lift::<Autodiff<Autodiff<B>>>();
            let loss = lifted.inner_loss(&adapted, &phi.lift(), point.step);
            let [gradient] = gradients(loss, [&adapted]);
            let gradient = gradient.or_zeros(&theta);
            let lifted_direction = direction.clone().map(burn::tensor::Tensor::from_inner);
            let [theta, phi] = match gradient.pair(&lifted_direction) {
                Some(scalar) => gradients(scalar, [&theta, &phi]),
                None => [Cotangents::zeros(theta.len()), Cotangents::zeros(phi.len())],
            };
            Product { theta, phi }
        })
    }
}
