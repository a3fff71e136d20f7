//! Reverse over reverse: autodiff of autodiff, exact.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::backend::Backend;

use super::{Curvature, Point, Product};
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, gradients};
use crate::{Autodiff, Error, Result};

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
        let product = || {
            let theta = point.theta.track_where(point.wanted_theta);
            let phi = point.phi.track_where(point.wanted_phi);
            let moving: Vec<bool> = direction.0.iter().map(Option::is_some).collect();
            let adapted = theta.track_where(&moving);
            let lifted = instance.lift::<Autodiff<B>>().lift::<Autodiff<Autodiff<B>>>();
            let loss = lifted.inner_loss(&adapted, &phi.lift(), point.step);
            let [gradient] = gradients(loss, [&adapted]);
            let gradient = gradient.or_zeros(&theta);
            let lifted_direction = direction.clone().map(burn::tensor::Tensor::from_inner);
            match gradient.pair(&lifted_direction) {
                Some(scalar) => gradients(scalar, [&theta, &phi]),
                None => [Cotangents::zeros(theta.len()), Cotangents::zeros(phi.len())],
            }
        };
        match catch_unwind(AssertUnwindSafe(product)) {
            Ok([theta, phi]) => Ok(Product { theta, phi }),
            Err(panic) => Err(not_twice_differentiable(panic)),
        }
    }
}

/// Burn reports a backward pass without derivative by a panic whose message names the operation.
fn not_twice_differentiable(panic: Box<dyn Any + Send>) -> Error {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    let Some(operation) = message.strip_prefix("Can't differentiate ") else { resume_unwind(panic) };
    let operation = operation.trim_end_matches(['.', ' ']);
    let (layer, remedy) = if operation.starts_with("linear") {
        ("burn::nn::Linear", "use `inner_outer::layers::linear` on the same module")
    } else if operation.starts_with("embedding") {
        ("burn::nn::Embedding", "use `inner_outer::layers::embedding` on the same module")
    } else if operation.contains("pool") {
        ("a pooling layer", "compose it from `reshape` and `mean_dim`, or choose the engine `ForwardOverReverse`")
    } else if operation.starts_with("interpolate") {
        ("an interpolation", "choose the engine `ForwardOverReverse` or `CentralDifference`")
    } else {
        ("a fused layer", "compose the layer from plain tensor operations, or choose the engine `CentralDifference`")
    };
    Error::NotTwiceDifferentiable {
        operation: format!("{layer} ({operation})"),
        engine: "Nested",
        remedy,
    }
}
