//! Keeping the adapted tensors inside a set.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate};
use crate::tensors::Tensors;

/// The Euclidean projection onto a convex set, applied to each adapted tensor `[elements]` after every step.
pub trait Projection: Clone + Send + Sync + 'static {
    /// The point of the set that is nearest to `theta`.
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1>;
}

/// An update rule followed by a projection.
#[derive(Clone, Copy, Debug)]
pub struct Projected<O, P> {
    /// The rule.
    pub rule: O,
    /// The set.
    pub onto: P,
}

impl<O: InnerOptimizer, P: Projection> InnerOptimizer for Projected<O, P> {
    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        self.rule.state(theta)
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let next = self.rule.step(step, rates, at, gradient);
        let theta = next.theta.0.into_iter().map(|theta| self.onto.project(theta)).collect();
        Iterate { theta: Tensors(theta), state: next.state }
    }
}

/// The ball `|theta|_inf <= radius` around zero.
#[derive(Clone, Copy, Debug)]
pub struct LinfBall {
    /// Radius, at least 0.
    pub radius: f64,
}

impl Projection for LinfBall {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        theta.clamp(-self.radius, self.radius)
    }
}

/// The box `lower <= theta <= upper`.
#[derive(Clone, Copy, Debug)]
pub struct BoxConstraint {
    /// Smallest value of an element.
    pub lower: f64,
    /// Largest value of an element.
    pub upper: f64,
}

impl Projection for BoxConstraint {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        theta.clamp(self.lower, self.upper)
    }
}

/// The balls `|theta_r|_2 <= radius` around zero, one for each of `rows` equal blocks of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct L2Ball {
    /// Radius, above 0.
    pub radius: f64,
    /// Blocks of consecutive elements with a ball of their own, such as the samples of a perturbation
    /// `[samples, features]`; 1 for one ball a tensor. Every tensor's size must be a multiple of it.
    pub rows: usize,
}

impl Projection for L2Ball {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        let elements = theta.dims()[0];
        let blocks = theta.reshape([self.rows, elements / self.rows]);
        let squares = blocks.clone().powi_scalar(2).sum_dim(1);
        let inside = squares.clone().lower_equal_elem(self.radius * self.radius);
        // Clamped before the root, which has no derivative at zero; rounding is kept out of what is inside already.
        let factors = squares.clamp_min(self.radius * self.radius).sqrt().recip() * self.radius;
        let factors = factors.mask_fill(inside, 1.0);
        (blocks * factors).reshape([elements])
    }
}
