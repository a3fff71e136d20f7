//! Hypergradients: the derivative of the outer loss through the inner loop.

mod adjoint;
mod envelope;
mod implicit;
mod reptile;
mod unrolled;

pub use adjoint::{OuterLoss, Walk};
pub use envelope::Envelope;
pub use implicit::{ConjugateGradient, Implicit, LinearSolver, Neumann, Nystroem, Operator};
pub use reptile::Reptile;
pub use unrolled::{FirstOrder, Truncated, Unrolled};

use burn::tensor::backend::Backend;

use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::problem::{Problem, Roles};
use crate::tensors::{Cotangents, Tensors};
use crate::{On, Result};

/// The derivative of one task's outer loss.
pub struct MetaGradient<B: Backend> {
    /// The outer loss: the loss after the last step and, but for [`Implicit`] and [`Reptile`], trajectory losses.
    pub outer_loss: f64,
    /// The inner loss before each step.
    pub inner_losses: Vec<f64>,
    /// What [`Implicit`] leaves of its linear system, `|H v - F_theta| / |F_theta|`, damping aside: 0 where it is solved exactly. The
    /// others solve none.
    pub residual: Option<f64>,
    /// With respect to the outer module's parameters, in visiting order.
    pub outer: Cotangents<B>,
    /// With respect to the inner rates.
    pub rates: Cotangents<B>,
    /// All parameters of the inner module after the last step.
    pub adapted: Tensors<B>,
    /// The adapted tensors and the optimiser's state after the last step, to go on from.
    pub end: Iterate<B>,
    /// Which parameters take part.
    pub roles: Roles,
}

/// A way to differentiate the outer loss through the inner loop. [`Walk`] has the parts that most of them are made of.
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
    ) -> Result<MetaGradient<B>> {
        self.meta_gradient_from(problem, inner_loop, outer, rates, task, None)
    }

    /// [`Self::meta_gradient`] of an inner loop that goes on from a given iterate, instead of from `init` and a fresh state: a warm
    /// start, as where one long inner loop and the outer loop take turns. The iterate is a constant, so `init` gets no
    /// gradient through the adapted parameters.
    ///
    /// # Errors
    /// As [`Self::meta_gradient`], and [`Error::IterateMismatch`](crate::Error::IterateMismatch) if the iterate has other sizes or
    /// another precision.
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>>;
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::{Module, Param};
    use burn::tensor::Tensor;

    use super::*;
    use crate::{Error, RateScope, Sgd, family};

    #[derive(Module, Debug)]
    struct Pull<B: Backend> {
        start: Param<Tensor<B, 1>>,
        centre: Param<Tensor<B, 1>>,
    }

    #[derive(Module, Debug)]
    struct Number<B: Backend> {
        x: Param<Tensor<B, 1>>,
    }

    family!(Pulls => Pull, Numbers => Number);

    /// A number that is pulled to a centre, which nothing else reads.
    struct Pulled;

    impl Problem for Pulled {
        type Outer = Pulls;
        type Inner = Numbers;
        type Task = Numbers;

        fn init<B: Backend>(&self, outer: &Pull<B>, _task: &Number<B>) -> Number<B> {
            Number { x: Param::initialized(outer.start.id, outer.start.val()) }
        }

        fn inner_loss<B: Backend>(
            &self,
            inner: &Number<B>,
            outer: &Pull<B>,
            _task: &Number<B>,
            _step: usize,
        ) -> Tensor<B, 1> {
            (inner.x.val() - outer.centre.val()).powi_scalar(2)
        }

        fn outer_loss<B: Backend>(
            &self,
            inner: &Number<B>,
            outer: &Pull<B>,
            task: &Number<B>,
        ) -> Tensor<B, 1> {
            (inner.x.val() - task.x.val()).powi_scalar(2) + outer.start.val().powi_scalar(2)
        }
    }

    fn gradient(method: &impl Hypergradient, steps: usize) -> Result<MetaGradient<Flex>> {
        let number = |value: f64| Param::from_tensor(Tensor::full([1], value, &Default::default()));
        let outer = Pull { start: number(0.5), centre: number(2.0) };
        let task = Number { x: number(1.0) };
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let rates = inner_loop.rates(&Pulled, RateScope::Global, 0.1, &outer, &task)?;
        method.meta_gradient(&Pulled, &inner_loop, &outer, &rates, &task)
    }

    #[test]
    fn what_only_the_inner_loss_reads_needs_second_order() {
        fn refused(method: &impl Hypergradient) {
            let refused = gradient(method, 2).err().expect("the centre cannot be reached");
            let message = refused.to_string();
            assert!(matches!(refused, Error::FirstOrderCannotReach { .. }), "{message}");
            assert!(
                message.contains("`centre`") && message.contains("Use `Unrolled`"),
                "{message}"
            );
            // Without steps nothing reads the centre, and second order would not help.
            assert!(gradient(method, 0).unwrap().outer.0[1].is_none());
        }
        refused(&FirstOrder);
        refused(&Envelope);
        refused(&Reptile);
        let exact = gradient(&Unrolled::<crate::Nested>::default(), 2).unwrap();
        assert!(exact.outer.0.iter().all(Option::is_some));
    }
}
