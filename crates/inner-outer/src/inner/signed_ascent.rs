//! Steps of a fixed length: the ascent rules of adversarial inner loops.
//!
//! The inner loss is what the loop descends, so a loop that climbs a loss has its negative as inner loss; one step
//! against the gradient of the negative is a step of ascent.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate, IterateCotangents, Pullback};
use crate::Result;
use crate::settings::require_even_rows;
use crate::tensors::{Cotangents, Tensors};

/// `theta - rate * sign(gradient)`: the steepest step in the maximum norm (FGSM, PGD of Madry et al. 2018).
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedAscent;

/// Why [`Implicit`](crate::Implicit) does not go with these rules.
const FIXED_LENGTH: &str = "a rule whose steps have a fixed length";

impl InnerOptimizer for SignedAscent {
    fn rests_elsewhere(&self) -> Option<&'static str> {
        Some(FIXED_LENGTH)
    }

    fn state<B: Backend>(&self, _theta: &Tensors<B>) -> Tensors<B> {
        Tensors(Vec::new())
    }

    fn step<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let signs = Tensors(gradient.0.iter().map(|g| g.clone().sign()).collect());
        Iterate { theta: super::sgd::descend(at.theta, rates, &signs), ..at }
    }

    /// The sign is flat: nothing reaches the gradient.
    fn pullback<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        _at: &Iterate<B>,
        gradient: &Tensors<B>,
        cotangent: &IterateCotangents<B>,
    ) -> Pullback<B> {
        let signs = Tensors(gradient.0.iter().map(|g| g.clone().sign()).collect());
        Pullback {
            at: cotangent.clone(),
            gradient: Cotangents::zeros(gradient.len()),
            rates: super::sgd::pull_rates(&cotangent.theta, rates, &signs),
        }
    }
}

/// `theta - rate * gradient / |gradient|_2`, with one norm for each of the `rows` equal blocks of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct NormalizedAscent {
    /// Blocks of consecutive elements with a norm of their own, such as the samples of a perturbation
    /// `[samples, features]`; every tensor's size must be a multiple of it.
    pub rows: usize,
}

impl InnerOptimizer for NormalizedAscent {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        require_even_rows("NormalizedAscent::rows", self.rows, theta)
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        Some(FIXED_LENGTH)
    }

    fn state<B: Backend>(&self, _theta: &Tensors<B>) -> Tensors<B> {
        Tensors(Vec::new())
    }

    fn step<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let normalize = |g: &Tensor<B, 1>| {
            let elements = g.dims()[0];
            let blocks = g.clone().reshape([self.rows, elements / self.rows]);
            let squares = blocks.clone().powi_scalar(2).sum_dim(1);
            // A block whose gradient is zero stays where it is, as does one below 1e-23 or above 1e19, whose squares are zero or
            // infinite in single precision.
            let zero = squares.clone().equal_elem(0.0);
            let norms = squares.mask_fill(zero, 1.0).sqrt();
            (blocks / norms).reshape([elements])
        };
        let directions = Tensors(gradient.0.iter().map(normalize).collect());
        Iterate { theta: super::sgd::descend(at.theta, rates, &directions), ..at }
    }
}
