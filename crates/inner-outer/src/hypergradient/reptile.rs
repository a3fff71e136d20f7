//! Reptile.

use burn::tensor::backend::Backend;

use super::adjoint::Walk;
use super::{Hypergradient, MetaGradient};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Keep, Rates};
use crate::problem::Problem;
use crate::tensors::{Cotangents, loss_value};
use crate::{Error, On, Result};

/// The direction from the adapted parameters back to the initial ones, `theta_0 - theta_K` (Nichol et al. 2018),
/// pulled through `init`.
///
/// The outer loss is evaluated for the record only, after the last step and without trajectory losses: Reptile has no query set. Rates get no
/// gradient, and a variable that only the inner loss reads is refused with [`Error::FirstOrderCannotReach`]. Where the loop goes on from
/// an earlier one there is nothing to pull through `init`, and so no derivative: [`Error::NoGradient`] in a meta-batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reptile;

impl Hypergradient for Reptile {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        let walk = Walk::new(problem, inner_loop, outer, task, from)?;
        let begin = walk.begin.clone();
        let before = begin.theta.clone();
        let trajectory =
            inner_loop.run(&walk.instance, &walk.roles, &walk.phi, rates, begin, Keep::Nothing)?;
        let end = walk.theta(&trajectory.end.theta);
        let lambda = before.minus(&trajectory.end.theta).spread(&walk.roles.adapted);
        let outer_loss = loss_value("outer", &walk.instance.outer_loss(&end, &walk.phi))?;
        if !outer_loss.is_finite() {
            return Err(Error::NonFiniteOuterLoss { loss: outer_loss, steps: inner_loop.steps });
        }
        let outer = walk.pull_init(&lambda);
        walk.refuse_unreachable(inner_loop.steps, &outer)?;
        Ok(MetaGradient {
            outer_loss,
            inner_losses: trajectory.losses,
            residual: None,
            outer,
            rates: Cotangents::zeros(rates.tensors.len()),
            adapted: end,
            end: trajectory.end,
            roles: walk.roles,
        })
    }
}
