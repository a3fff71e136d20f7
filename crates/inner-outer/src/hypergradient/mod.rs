//! Hypergradients: the derivative of the outer loss through the inner loop.

mod adjoint;
mod envelope;
mod implicit;
mod reptile;
mod unrolled;

pub use envelope::Envelope;
pub use implicit::{ConjugateGradient, Implicit, LinearSolver, Neumann, Nystroem, Operator};
pub use reptile::Reptile;
pub use unrolled::{FirstOrder, Truncated, Unrolled};

use burn::tensor::backend::Backend;

use crate::inner::{InnerLoop, InnerOptimizer, Rates};
use crate::problem::{Problem, Roles};
use crate::tensors::{Cotangents, Tensors};
use crate::{On, Result};

/// The derivative of one task's outer loss.
pub struct MetaGradient<B: Backend> {
    /// The outer loss: trajectory losses and the loss after the last step.
    pub outer_loss: f64,
    /// The inner loss before each step.
    pub inner_losses: Vec<f64>,
    /// With respect to the outer module's parameters, in visiting order.
    pub outer: Cotangents<B>,
    /// With respect to the inner rates.
    pub rates: Cotangents<B>,
    /// All parameters of the inner module after the last step.
    pub adapted: Tensors<B>,
    /// Which parameters take part.
    pub roles: Roles,
}

/// A way to differentiate the outer loss through the inner loop.
pub trait Hypergradient: Clone + Send + Sync + 'static {
    /// The meta-gradient of one task.
    ///
    /// # Errors
    /// If nothing is adapted, the rates do not fit, a loss is not finite, or the method cannot reach a learned
    /// parameter or differentiate a layer.
    fn meta_gradient<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
    ) -> Result<MetaGradient<B>>;
}
