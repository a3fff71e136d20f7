//! Curvature engines: the second derivatives of the inner loss, applied to a direction.

mod central_difference;
mod forward_over_reverse;
mod missing_derivative;
mod nested;

pub use central_difference::CentralDifference;
pub use forward_over_reverse::ForwardOverReverse;
pub use nested::Nested;

use burn::tensor::backend::Backend;

use crate::Result;
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, Tensors};

/// Where a curvature product is taken.
pub struct Point<'a, B: Backend> {
    /// All parameters of the inner module.
    pub theta: &'a Tensors<B>,
    /// All parameters of the outer module.
    pub phi: &'a Tensors<B>,
    /// The inner step, which chooses the loss.
    pub step: usize,
    /// Which inner parameters need their part of the product.
    pub wanted_theta: &'a [bool],
    /// Which outer parameters need their part of the product.
    pub wanted_phi: &'a [bool],
}

impl<B: Backend> Copy for Point<'_, B> {}

impl<B: Backend> Clone for Point<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

/// `H c` for the inner loss `L(theta, phi)` and a direction `c` in theta.
#[derive(Clone, Debug)]
pub struct Product<B: Backend> {
    /// `(d^2 L / d theta d theta) c`, for every inner parameter that was wanted.
    pub theta: Cotangents<B>,
    /// `(d^2 L / d phi d theta) c`, for every outer parameter that was wanted.
    pub phi: Cotangents<B>,
}

/// A way to compute curvature products. No bound on the problem or the backend, so other crates can add engines.
pub trait Curvature: Clone + Send + Sync + 'static {
    /// The product of the second derivatives of the inner loss at `point` with `direction`, which is
    /// absent for parameters that the inner loop does not adapt.
    ///
    /// # Errors
    /// [`Error::NotTwiceDifferentiable`](crate::Error::NotTwiceDifferentiable) if this engine cannot differentiate a
    /// layer twice.
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>>;
}
