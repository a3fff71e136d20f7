//! Gradient descent, plain and with momentum.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate, IterateCotangents, Pullback};
use crate::Result;
use crate::settings::require_share;
use crate::tensors::{Cotangents, Tensors};

/// Gradient descent: `theta - rate * gradient`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sgd;

impl InnerOptimizer for Sgd {
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
        Iterate { theta: descend(at.theta, rates, gradient), ..at }
    }

    fn pullback<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        _at: &Iterate<B>,
        gradient: &Tensors<B>,
        cotangent: &IterateCotangents<B>,
    ) -> Pullback<B> {
        let (direction, rates) = pull_descent(&cotangent.theta, rates, gradient);
        Pullback { at: cotangent.clone(), gradient: direction, rates }
    }
}

/// Heavy-ball momentum: `m = coefficient * m + gradient`, `theta - rate * m`, with `m = 0` before the first step.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// The share of the old velocity that is kept, in `[0, 1)`.
    pub coefficient: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { coefficient: 0.9 }
    }
}

impl InnerOptimizer for Momentum {
    fn check<B: Backend>(&self, _theta: &Tensors<B>) -> Result<()> {
        require_share("Momentum::coefficient", self.coefficient)
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        Tensors(theta.0.iter().map(Tensor::zeros_like).collect())
    }

    fn step<B: Backend>(
        &self,
        _step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let accelerate = |(m, g): (Tensor<B, 1>, &Tensor<B, 1>)| m * self.coefficient + g.clone();
        let velocity = Tensors(at.state.0.into_iter().zip(&gradient.0).map(accelerate).collect());
        Iterate {
            theta: descend(at.theta, rates, &velocity),
            state: velocity,
            steps_taken: at.steps_taken,
        }
    }

    fn pullback<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: &Iterate<B>,
        gradient: &Tensors<B>,
        cotangent: &IterateCotangents<B>,
    ) -> Pullback<B> {
        let velocity = self.step(step, rates, at.clone(), gradient).state;
        let (of_velocity, rates) = pull_descent(&cotangent.theta, rates, &velocity);
        let of_velocity = of_velocity + cotangent.state.clone();
        let state = of_velocity.clone().scale(self.coefficient);
        let at = IterateCotangents { theta: cotangent.theta.clone(), state };
        Pullback { at, gradient: of_velocity, rates }
    }
}

/// `theta - rate * direction` for each tensor.
pub(super) fn descend<B: Backend>(
    theta: Tensors<B>,
    rates: &Tensors<B>,
    direction: &Tensors<B>,
) -> Tensors<B> {
    let steps = rates.0.iter().zip(&direction.0).map(|(rate, g)| g.clone() * rate.clone());
    Tensors(theta.0.into_iter().zip(steps).map(|(theta, step)| theta - step).collect())
}

/// The parts of `lambda^T d(theta - rate * g)` for `g` and for the rates.
fn pull_descent<B: Backend>(
    lambda: &Cotangents<B>,
    rates: &Tensors<B>,
    gradient: &Tensors<B>,
) -> (Cotangents<B>, Cotangents<B>) {
    let scaled = lambda.0.iter().zip(&rates.0).map(|(lambda, rate)| {
        let product = lambda.clone()? * rate.clone();
        Some(product.neg())
    });
    (Cotangents(scaled.collect()), pull_rates(lambda, rates, gradient))
}

/// The part of `lambda^T d(theta - rate * direction)` for the rates.
pub(super) fn pull_rates<B: Backend>(
    lambda: &Cotangents<B>,
    rates: &Tensors<B>,
    direction: &Tensors<B>,
) -> Cotangents<B> {
    let pull = |index: usize| {
        let product = (lambda.0[index].clone()? * direction.0[index].clone()).neg();
        let shared = rates.0[index].dims()[0] == 1;
        Some(if shared { product.sum() } else { product })
    };
    Cotangents((0..rates.len()).map(pull).collect())
}
