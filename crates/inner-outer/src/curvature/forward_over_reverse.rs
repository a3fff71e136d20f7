//! Forward over reverse: the tangent of a gradient, exact.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use forward_mode::{Dual, dual, tangent};

use super::missing_derivative::differentiate;
use super::{Curvature, Point, Product};
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, Tensors, gradients};
use crate::{Autodiff, Result};

/// Dual numbers under one level of autodiff: `theta` moves along the direction, and the tangent of the gradient is
/// the product.
///
/// Exact like [`Nested`](super::Nested) at about two gradients a product and without a second graph; this is the
/// arrangement of MixFlow-MG (Kemaev et al. 2025). Also differentiates through Burn's fused layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardOverReverse;

impl Curvature for ForwardOverReverse {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        let along = |(value, direction): (&Tensor<B, 1>, &Option<Tensor<B, 1>>)| match direction {
            Some(direction) => dual(value.clone(), direction.clone()),
            None => Tensor::from_inner(value.clone()),
        };
        let tangents = |list: Cotangents<Dual<B>>| {
            Cotangents(list.0.into_iter().map(|entry| entry.and_then(tangent)).collect())
        };
        differentiate("ForwardOverReverse", || {
            let theta = Tensors(point.theta.0.iter().zip(&direction.0).map(along).collect());
            let theta = theta.track_where(point.wanted_theta);
            let phi = point.phi.lift::<Dual<B>>().track_where(point.wanted_phi);
            let lifted = instance.lift::<Dual<B>>().lift::<Autodiff<Dual<B>>>();
            let loss = lifted.inner_loss(&theta, &phi, point.step);
            let [theta, phi] = gradients(loss, [&theta, &phi]);
            Product { theta: tangents(theta), phi: tangents(phi) }
        })
    }
}
