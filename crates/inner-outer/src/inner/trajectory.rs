//! Running the inner loop, with first-order graphs only.
//!
//! What is kept for the way back are the gradients of all steps and every few steps an iterate; the iterates
//! between are replayed, which costs element-wise work only and gives the same bits.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate, RateScope, Rates};
use crate::problem::{Instance, Problem, Roles};
use crate::tensors::{Cotangents, Tensors, gradients, to_f64};
use crate::{Error, On, Result};

/// An update rule and how often it is applied.
#[derive(Clone, Copy, Debug)]
pub struct InnerLoop<O> {
    /// The update rule.
    pub optimizer: O,
    /// Inner steps `K`.
    pub steps: usize,
}

/// The inner module after its last step.
pub struct Adapted<P: Problem, B: Backend> {
    /// The module with the parameters `theta_K`.
    pub inner: On<P::Inner, B>,
    /// The inner loss before each step.
    pub inner_losses: Vec<f64>,
    /// The adapted tensors and the optimiser's state after the last step, to go on from.
    pub end: Iterate<B>,
}

/// The path of one inner loop, from which every iterate can be had again.
pub struct Trajectory<B: Backend> {
    checkpoints: Vec<Iterate<B>>,
    spacing: usize,
    /// The inner gradient of each step.
    pub gradients: Vec<Tensors<B>>,
    /// The inner loss before each step.
    pub losses: Vec<f64>,
    /// The iterate after the last step.
    pub end: Iterate<B>,
}

impl<O: InnerOptimizer> InnerLoop<O> {
    /// Rates of value `initial` that fit this loop on `problem`.
    ///
    /// # Errors
    /// [`Error::NothingAdapted`] if the problem adapts no parameter.
    pub fn rates<P: Problem, B: Backend>(
        &self,
        problem: &P,
        scope: RateScope,
        initial: f64,
        outer: &On<P::Outer, B>,
        task: &On<P::Task, B>,
    ) -> Result<Rates<B>> {
        let instance = Instance::new(problem, outer, task);
        let theta = instance.start().select(&Roles::of(&instance)?.adapted);
        Ok(Rates::new(scope, initial, &theta, self.steps))
    }

    /// Adapts the inner module to one task: the inner loop alone, as at test time.
    ///
    /// # Errors
    /// If nothing is adapted, the rates do not fit, or a loss is not finite.
    pub fn adapt<P: Problem, B: Backend>(
        &self,
        problem: &P,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
    ) -> Result<Adapted<P, B>> {
        self.adapt_from(problem, outer, rates, task, None)
    }

    /// [`Self::adapt`] from a given iterate instead of `init` and a fresh state: an online memory.
    ///
    /// # Errors
    /// As [`Self::adapt`].
    pub fn adapt_from<P: Problem, B: Backend>(
        &self,
        problem: &P,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<Iterate<B>>,
    ) -> Result<Adapted<P, B>> {
        let instance = Instance::new(problem, outer, task);
        let roles = Roles::of(&instance)?;
        let base = instance.start();
        let start = from.unwrap_or_else(|| self.start(&base.select(&roles.adapted)));
        let trajectory = self.run(&instance, &roles, &instance.phi(), rates, start, Keep::Nothing)?;
        let theta = base.replace(&roles.adapted, &trajectory.end.theta);
        Ok(Adapted {
            inner: instance.inner(&theta),
            inner_losses: trajectory.losses,
            end: trajectory.end,
        })
    }

    /// The adapted tensors `theta` with a fresh optimiser state.
    pub fn start<B: Backend>(&self, theta: &Tensors<B>) -> Iterate<B> {
        Iterate { theta: theta.clone(), state: self.optimizer.state(theta) }
    }

    /// `theta_{k+1} = U_k(theta_k, grad L_k(theta_k, phi))` for `k = 0..K-1`.
    ///
    /// # Errors
    /// If the rates do not fit or an inner loss is not finite.
    pub fn run<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        roles: &Roles,
        phi: &Tensors<B>,
        rates: &Rates<B>,
        start: Iterate<B>,
        keep: Keep,
    ) -> Result<Trajectory<B>> {
        rates.check(&start.theta, self.steps)?;
        let base = instance.start();
        let lifted = instance.lift::<crate::Autodiff<B>>();
        let (base_lifted, phi_lifted) = (base.lift(), phi.lift());
        let spacing = (self.steps as f64).sqrt().ceil().max(1.0) as usize;
        let mut trajectory =
            Trajectory { checkpoints: vec![], spacing, gradients: vec![], losses: vec![], end: start };
        let mut before = None;
        for step in 0..self.steps {
            let leaves = trajectory.end.theta.track();
            let theta = base_lifted.replace(&roles.adapted, &leaves);
            let loss = lifted.inner_loss(&theta, &phi_lifted, step);
            let value = to_f64(&loss.clone().inner())[0];
            if !value.is_finite() {
                return Err(non_finite(step, value, before.as_ref(), &roles.adapted_paths()));
            }
            let [gradient] = gradients(loss, [&leaves]);
            let gradient = gradient.or_zeros(&trajectory.end.theta);
            if keep == Keep::Everything && step % spacing == 0 {
                trajectory.checkpoints.push(trajectory.end.clone());
            }
            let at_step = rates.at(step, gradient.len());
            trajectory.end = self.optimizer.step(step, &at_step, trajectory.end, &gradient);
            trajectory.losses.push(value);
            if keep == Keep::Everything {
                trajectory.gradients.push(gradient.clone());
            }
            before = Some(gradient);
        }
        Ok(trajectory)
    }
}

/// What [`InnerLoop::run`] keeps for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only the end.
    Nothing,
    /// Enough to have every iterate again.
    Everything,
}

impl<B: Backend> Trajectory<B> {
    /// The iterate before step `step`, replayed from the nearest kept one.
    pub fn iterate<O: InnerOptimizer>(&self, optimizer: &O, rates: &Rates<B>, step: usize) -> Iterate<B> {
        let nearest = step / self.spacing;
        let mut at = self.checkpoints[nearest].clone();
        for replayed in nearest * self.spacing..step {
            let gradient = &self.gradients[replayed];
            at = optimizer.step(replayed, &rates.at(replayed, gradient.len()), at, gradient);
        }
        at
    }
}

/// The error of a loss that is not finite, with the largest absolute entry of the gradient of the step before and
/// the path of the tensor it is in.
fn non_finite<B: Backend>(
    step: usize,
    loss: f64,
    before: Option<&Tensors<B>>,
    paths: &[String],
) -> Error {
    let magnitude = |tensor: &Tensor<B, 1>| {
        to_f64(tensor).into_iter().map(f64::abs).fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a })
    };
    let entries = before.into_iter().flat_map(|gradient| gradient.0.iter().map(magnitude)).zip(paths);
    let largest = entries.max_by(|a, b| a.0.total_cmp(&b.0));
    let (largest_gradient, path) = largest.map(|(entry, path)| (entry, path.clone())).unwrap_or_default();
    Error::NonFiniteInnerLoss { step, loss, largest_gradient, path }
}

impl<B: Backend> From<Tensors<B>> for Cotangents<B> {
    fn from(tensors: Tensors<B>) -> Self {
        tensors.into_cotangents()
    }
}
