//! Bounding the inner gradient.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate};
use crate::tensors::Tensors;

/// An update rule whose gradient is first scaled down to a norm of at most `limit`, over all tensors together.
///
/// The scaling is part of the update and is differentiated with it.
#[derive(Clone, Copy, Debug)]
pub struct Clipped<O> {
    /// The rule.
    pub rule: O,
    /// The largest Euclidean norm, above 0.
    pub limit: f64,
}

impl<O: InnerOptimizer> InnerOptimizer for Clipped<O> {
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
        let squares = gradient.0.iter().map(|g| g.clone().powi_scalar(2).sum());
        let Some(square) = squares.reduce(|a, b| a + b) else {
            return self.rule.step(step, rates, at, gradient);
        };
        let within = square.clone().lower_equal_elem(self.limit * self.limit);
        // Clamped before the root, which has no derivative at zero; rounding is kept out of what needs no scaling.
        let factor = square.clamp_min(self.limit * self.limit).sqrt().recip() * self.limit;
        let factor = factor.mask_fill(within, 1.0);
        let scale = |g: &Tensor<B, 1>| g.clone() * factor.clone();
        let clipped = Tensors(gradient.0.iter().map(scale).collect());
        self.rule.step(step, rates, at, &clipped)
    }
}
