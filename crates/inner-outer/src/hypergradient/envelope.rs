//! The envelope theorem.

use burn::tensor::backend::Backend;

use super::adjoint::{OuterLoss, Walk};
use super::{Hypergradient, MetaGradient};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Rates, Stepper};
use crate::problem::Problem;
use crate::tensors::Cotangents;
use crate::{On, Result};

/// The derivative of the outer loss at the adapted parameters, with the gradient stopped through them. Inner parameters that
/// are not adapted and that [`Problem::init`] makes from learned ones are differentiated.
///
/// Exact where the inner loop optimises the outer loss itself (Danskin 1966): adversarial training, where the
/// perturbation maximises the loss that the weights minimise; elsewhere an approximation. Rates get no gradient, and a
/// variable that only the inner loss reads is refused with [`Error::FirstOrderCannotReach`](crate::Error::FirstOrderCannotReach). Losses along the way
/// ([`Problem::trajectory_loss`]) are differentiated in the same manner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope;

impl Hypergradient for Envelope {
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
        // The gradient stops at the adapted parameters, and nothing is kept for a way back.
        let frozen: Vec<bool> =
            walk.relevant.iter().zip(&walk.roles.adapted).map(|(&r, &a)| r && !a).collect();
        let mut total = OuterLoss::zero(walk.start.len(), walk.phi.len());
        let mut stepper = Stepper::new(
            inner_loop,
            &walk.instance,
            &walk.roles,
            &walk.phi,
            rates,
            walk.begin.clone(),
        )?;
        for k in 0..inner_loop.steps {
            let theta = walk.theta(&stepper.at.theta);
            if let Some(here) = walk.trajectory_loss(&theta, &frozen, k)? {
                total = total + here;
            }
            stepper.step()?;
        }
        let (reached, inner_losses) = stepper.finish()?;
        let end = walk.theta(&reached.theta);
        let OuterLoss { value: outer_loss, theta, phi } =
            total + walk.outer_loss(&end, &frozen, inner_loop.steps)?;
        let mu = phi + walk.pull_init(&theta);
        walk.refuse_unreachable(inner_loop.steps, &mu)?;
        Ok(MetaGradient {
            outer_loss,
            inner_losses,
            residual: None,
            outer: mu,
            rates: Cotangents::zeros(rates.tensors.len()),
            adapted: end,
            end: reached,
            roles: walk.roles,
        })
    }
}
