//! Differentiating the inner steps: all of them, the last few, or none.

use burn::tensor::backend::Backend;

use super::{Hypergradient, MetaGradient, adjoint};
use crate::curvature::{Curvature, ForwardOverReverse, Nested};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::problem::Problem;
use crate::{On, Result};

/// The exact hypergradient of the unrolled inner loop (MAML, Finn et al. 2017), by the adjoint walk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrolled<C = ForwardOverReverse> {
    /// How second derivatives are computed.
    pub curvature: C,
}

/// Curvature in the last `exact_steps` inner steps only; the gradients of the steps before count as constants
/// (truncated back-propagation, Shaban et al. 2019; PERK's `unroll_start`).
#[derive(Clone, Copy, Debug)]
pub struct Truncated<C = ForwardOverReverse> {
    /// Inner steps that are differentiated exactly, counted from the end.
    pub exact_steps: usize,
    /// How second derivatives are computed.
    pub curvature: C,
}

/// No curvature: inner gradients count as constants (first-order MAML).
///
/// Rates still get their exact first-order derivative. A variable that only the inner loss reads cannot be
/// reached and is refused with [`Error::FirstOrderCannotReach`](crate::Error::FirstOrderCannotReach).
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstOrder;

impl<C: Curvature> Hypergradient for Unrolled<C> {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        adjoint::meta_gradient(
            &self.curvature,
            inner_loop.steps,
            problem,
            inner_loop,
            outer,
            rates,
            task,
            from,
        )
    }
}

impl<C: Curvature> Hypergradient for Truncated<C> {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        adjoint::meta_gradient(
            &self.curvature,
            self.exact_steps,
            problem,
            inner_loop,
            outer,
            rates,
            task,
            from,
        )
    }
}

impl Hypergradient for FirstOrder {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        adjoint::meta_gradient(&Nested, 0, problem, inner_loop, outer, rates, task, from)
    }
}
