//! The inner loop one step at a time, for whoever has something to do between the steps.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::problem::{Instance, Problem, Roles};
use crate::tensors::{Tensors, gradients, is_finite, loss_value, to_f64};
use crate::{Autodiff, Error, Result};

/// An inner loop on its way.
pub(crate) struct Stepper<'a, P: Problem, O, B: Backend> {
    inner_loop: &'a InnerLoop<O>,
    lifted: Instance<'a, P, Autodiff<B>>,
    roles: &'a Roles,
    base: Tensors<Autodiff<B>>,
    phi: Tensors<Autodiff<B>>,
    rates: &'a Rates<B>,
    /// Where it stands.
    pub at: Iterate<B>,
    /// The inner gradient of the step before, if there was one.
    pub gradient: Option<Tensors<B>>,
    /// The inner loss before each step so far.
    pub losses: Vec<f64>,
}

impl<'a, P: Problem, O: InnerOptimizer, B: Backend> Stepper<'a, P, O, B> {
    /// Before the first step, at `start`.
    ///
    /// # Errors
    /// If the rates or the optimiser's settings do not fit.
    pub fn new(
        inner_loop: &'a InnerLoop<O>,
        instance: &Instance<'a, P, B>,
        roles: &'a Roles,
        phi: &Tensors<B>,
        rates: &'a Rates<B>,
        start: Iterate<B>,
    ) -> Result<Self> {
        rates.check(&start.theta, inner_loop.steps)?;
        inner_loop.optimizer.check(&start.theta)?;
        Ok(Self {
            inner_loop,
            lifted: instance.lift(),
            roles,
            base: instance.start().lift(),
            phi: phi.lift(),
            rates,
            at: start,
            gradient: None,
            losses: Vec::new(),
        })
    }

    /// One step: `theta_{k+1} = U_k(theta_k, grad L_k(theta_k, phi))`.
    ///
    /// # Errors
    /// [`Error::NonFiniteInnerLoss`], [`Error::LossShape`].
    pub fn step(&mut self) -> Result<()> {
        let step = self.losses.len();
        let leaves = self.at.theta.track();
        let theta = self.base.replace(&self.roles.adapted, &leaves);
        let loss = self.lifted.inner_loss(&theta, &self.phi, step);
        let value = loss_value("inner", &loss.clone().inner())?;
        if !value.is_finite() {
            let paths = self.roles.adapted_paths();
            return Err(non_finite(
                step,
                self.at.steps_taken,
                value,
                self.gradient.as_ref(),
                &paths,
            ));
        }
        let [gradient] = gradients(loss, [&leaves]);
        let gradient = gradient.or_zeros(&self.at.theta);
        let rates = self.rates.at(step, gradient.len());
        self.at = self.at.clone().advance(&self.inner_loop.optimizer, &rates, &gradient);
        self.losses.push(value);
        self.gradient = Some(gradient);
        Ok(())
    }

    /// Where the steps led, and the losses before each.
    ///
    /// # Errors
    /// [`Error::NonFiniteState`]: an optimiser that remembers infinity moves no more, and no loss tells.
    pub fn finish(self) -> Result<(Iterate<B>, Vec<f64>)> {
        let Self { at, losses, roles, .. } = self;
        match first_spoilt(&at.state) {
            // Rules that have a state have one or more lists of a tensor for each adapted one.
            Some(index) => {
                let mut paths = roles.adapted_paths();
                let path = paths.swap_remove(index % paths.len());
                Err(Error::NonFiniteState { path, steps: losses.len() })
            }
            None => Ok((at, losses)),
        }
    }
}

/// The place of the first tensor that is not finite.
pub(super) fn first_spoilt<B: Backend>(list: &Tensors<B>) -> Option<usize> {
    list.0.iter().position(|tensor| !is_finite(tensor))
}

/// The error of a loss that is not finite, with the largest absolute entry of the gradient of the step before and
/// the path of the tensor it is in.
fn non_finite<B: Backend>(
    step: usize,
    steps_taken: usize,
    loss: f64,
    before: Option<&Tensors<B>>,
    paths: &[String],
) -> Error {
    let magnitude = |tensor: &Tensor<B, 1>| {
        to_f64(tensor)
            .into_iter()
            .map(f64::abs)
            .fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a })
    };
    let entries =
        before.into_iter().flat_map(|gradient| gradient.0.iter().map(magnitude)).zip(paths);
    let largest = entries.max_by(|a, b| a.0.total_cmp(&b.0));
    let (largest_gradient, path) =
        largest.map(|(entry, path)| (entry, path.clone())).unwrap_or_default();
    Error::NonFiniteInnerLoss { step, steps_taken, loss, largest_gradient, path }
}
