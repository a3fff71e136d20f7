//! Where an inner loop stands, and one step from there.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::InnerOptimizer;
use crate::tensors::{Cotangents, Tensors};
use crate::{Error, Result};

/// The adapted tensors and the optimiser's state at one inner step.
#[derive(Clone, Debug)]
pub struct Iterate<B: Backend> {
    /// The adapted tensors, each `[elements]`.
    pub theta: Tensors<B>,
    /// The optimiser's state, in an order of its own.
    pub state: Tensors<B>,
    /// Updates that the state has seen, in all loops that led here. The inner loop counts; rules pass it on.
    pub steps_taken: usize,
}

/// Derivatives with respect to an [`Iterate`].
#[derive(Clone, Debug)]
pub struct IterateCotangents<B: Backend> {
    /// With respect to the adapted tensors.
    pub theta: Cotangents<B>,
    /// With respect to the optimiser's state.
    pub state: Cotangents<B>,
}

impl<B: Backend> Iterate<B> {
    /// One update, counted.
    pub(super) fn advance<O: InnerOptimizer>(
        self,
        optimizer: &O,
        rates: &Tensors<B>,
        gradient: &Tensors<B>,
    ) -> Self {
        let taken = self.steps_taken;
        Self { steps_taken: taken + 1, ..optimizer.step(taken, rates, self, gradient) }
    }

    /// Checks that the iterate has the sizes and precisions of `fresh`.
    pub(super) fn check_like(&self, fresh: &Self) -> Result<()> {
        let parts = [
            ("adapted tensors", &self.theta, &fresh.theta),
            ("optimiser's state", &self.state, &fresh.state),
        ];
        for (part, found, needed) in parts {
            let (found, needed) = (sizes(found), sizes(needed));
            if found != needed {
                return Err(Error::IterateMismatch { part, found, needed });
            }
        }
        Ok(())
    }
}

/// The sizes and precisions of tensors: `[3 x F64, 1 x F64]`.
fn sizes<B: Backend>(tensors: &Tensors<B>) -> String {
    let one = |tensor: &Tensor<B, 1>| format!("{} x {:?}", tensor.dims()[0], tensor.dtype());
    format!("[{}]", tensors.0.iter().map(one).collect::<Vec<_>>().join(", "))
}
