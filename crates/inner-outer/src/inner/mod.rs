//! The inner loop: an update rule, its rates, and the trajectory it makes.
//!
//! An [`InnerOptimizer`] is a differentiable update on a list of tensors. [`Sgd`], [`Momentum`], [`Adam`] and
//! [`SignedAscent`] are complete rules; [`Clipped`] and [`Projected`] wrap any rule. Rates are tensors of their own
//! ([`Rates`]), so that the outer loop can learn them.

mod adam;
mod clipping;
mod projection;
mod rates;
mod sgd;
mod signed_ascent;
mod trajectory;

pub use adam::Adam;
pub use clipping::Clipped;
pub use projection::{BoxConstraint, L2Ball, LinfBall, Projected, Projection};
pub use rates::{RateScope, Rates, RatesFamily};
pub use sgd::{Momentum, Sgd};
pub use signed_ascent::{NormalizedAscent, SignedAscent};
pub use trajectory::{Adapted, InnerLoop, Keep, Trajectory};

use burn::tensor::backend::Backend;

use crate::tensors::{Cotangents, Tensors, gradients};

/// The adapted tensors and the optimiser's state at one inner step.
#[derive(Clone, Debug)]
pub struct Iterate<B: Backend> {
    /// The adapted tensors, each `[elements]`.
    pub theta: Tensors<B>,
    /// The optimiser's state, in an order of its own.
    pub state: Tensors<B>,
}

/// Derivatives with respect to an [`Iterate`].
#[derive(Clone, Debug)]
pub struct IterateCotangents<B: Backend> {
    /// With respect to the adapted tensors.
    pub theta: Cotangents<B>,
    /// With respect to the optimiser's state.
    pub state: Cotangents<B>,
}

/// The vector-Jacobian product of one update: derivatives with respect to everything it read.
#[derive(Clone, Debug)]
pub struct Pullback<B: Backend> {
    /// With respect to the iterate before the step.
    pub at: IterateCotangents<B>,
    /// With respect to the inner gradient: the direction of the curvature product.
    pub gradient: Cotangents<B>,
    /// With respect to the rates, one for each tensor.
    pub rates: Cotangents<B>,
}

/// A differentiable update rule `theta_{k+1}, state_{k+1} = U_k(theta_k, state_k, gradient, rates)`.
pub trait InnerOptimizer: Clone + Send + Sync + 'static {
    /// The state before the first step; empty for rules without state.
    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B>;

    /// One update. `rates` holds one rate for each tensor, `[1]` or `[elements]`; `step` counts from 0.
    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B>;

    /// The vector-Jacobian product of [`Self::step`] with `cotangent`.
    ///
    /// The default differentiates `step` by one level of autodiff; rules with a short closed form override it.
    fn pullback<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: &Iterate<B>,
        gradient: &Tensors<B>,
        cotangent: &IterateCotangents<B>,
    ) -> Pullback<B> {
        let (theta, state) = (at.theta.track(), at.state.track());
        let (gradient, rates) = (gradient.track(), rates.track());
        let at = Iterate { theta: theta.clone(), state: state.clone() };
        let next = self.step(step, &rates, at, &gradient);
        let lift = |cotangents: &Cotangents<B>| cotangents.clone().map(burn::tensor::Tensor::from_inner);
        let paired = [next.theta.pair(&lift(&cotangent.theta)), next.state.pair(&lift(&cotangent.state))];
        let leaves = [&theta, &state, &gradient, &rates];
        let [theta, state, gradient, rates] = match paired.into_iter().flatten().reduce(|a, b| a + b) {
            Some(scalar) => gradients(scalar, leaves),
            None => leaves.map(|list| Cotangents::zeros(list.len())),
        };
        Pullback { at: IterateCotangents { theta, state }, gradient, rates }
    }
}
