//! The inner loop: an update rule, its rates, and the trajectory it makes.
//!
//! An [`InnerOptimizer`] is a differentiable update on a list of tensors. [`Sgd`], [`Momentum`], [`Adam`],
//! [`SignedAscent`] and [`NormalizedAscent`] are complete rules; [`Clipped`] and [`Projected`] wrap any rule. Rates are tensors of their own
//! ([`Rates`]), so that the outer loop can learn them.

mod adam;
mod clipping;
mod intervals;
mod iterate;
mod length;
mod projection;
mod rates;
mod sgd;
mod signed_ascent;
mod stepper;
mod trajectory;

pub use adam::Adam;
pub use clipping::Clipped;
pub use intervals::{Intervals, Successive};
pub use iterate::{Iterate, IterateCotangents};
pub use projection::{BoxConstraint, L2Ball, LinfBall, Projected, Projection};
pub use rates::{RateScope, Rates, RatesFamily};
pub use sgd::{Momentum, Sgd};
pub use signed_ascent::{NormalizedAscent, SignedAscent};
pub(crate) use stepper::Stepper;
pub use trajectory::{Adapted, InnerLoop, Keep, Trajectory};

use burn::tensor::backend::Backend;

use crate::Result;
use crate::tensors::{Cotangents, Tensors, gradients};

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
    /// Checks the rule's settings, and that it can update adapted tensors of these sizes. Called once a loop.
    ///
    /// # Errors
    /// A setting out of its range, or one that does not fit a tensor.
    fn check<B: Backend>(&self, _theta: &Tensors<B>) -> Result<()> {
        Ok(())
    }

    /// What keeps the rule from coming to rest where the inner gradient vanishes, if anything does:
    /// [`Implicit`](crate::Implicit) rests on such a point.
    fn rests_elsewhere(&self) -> Option<&'static str> {
        None
    }

    /// The state before the first step; empty for rules without state.
    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B>;

    /// One update. `rates` holds one rate for each tensor, `[1]` or `[elements]`; `step` counts the updates that the
    /// state has seen, from 0, and goes on where an earlier loop ended.
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
        let at =
            Iterate { theta: theta.clone(), state: state.clone(), steps_taken: at.steps_taken };
        let next = self.step(step, &rates, at, &gradient);
        let lift =
            |cotangents: &Cotangents<B>| cotangents.clone().map(burn::tensor::Tensor::from_inner);
        let paired =
            [next.theta.pair(&lift(&cotangent.theta)), next.state.pair(&lift(&cotangent.state))];
        let leaves = [&theta, &state, &gradient, &rates];
        let [theta, state, gradient, rates] =
            match paired.into_iter().flatten().reduce(|a, b| a + b) {
                Some(scalar) => gradients(scalar, leaves),
                None => leaves.map(|list| Cotangents::zeros(list.len())),
            };
        Pullback { at: IterateCotangents { theta, state }, gradient, rates }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor, TensorData};
    use proptest::prelude::*;

    use super::*;
    use crate::tensors::to_f64;

    /// A rule that leaves its pullback to autodiff.
    #[derive(Clone)]
    struct ByAutodiff<O>(O);

    impl<O: InnerOptimizer> InnerOptimizer for ByAutodiff<O> {
        fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
            self.0.state(theta)
        }

        fn step<B: Backend>(
            &self,
            step: usize,
            rates: &Tensors<B>,
            at: Iterate<B>,
            gradient: &Tensors<B>,
        ) -> Iterate<B> {
            self.0.step(step, rates, at, gradient)
        }
    }

    /// Two tensors, of two elements and of one.
    fn tensors(values: [f64; 3]) -> Tensors<Flex> {
        let tensor = |values: &[f64]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            Tensor::from_data(data, (&Default::default(), DType::F64))
        };
        Tensors(vec![tensor(&values[..2]), tensor(&values[2..])])
    }

    /// All entries of a pullback; absent ones are zeros.
    fn entries(pullback: &Pullback<Flex>, like: &Iterate<Flex>, rates: &Tensors<Flex>) -> Vec<f64> {
        let parts = [
            pullback.at.theta.or_zeros(&like.theta),
            pullback.at.state.or_zeros(&like.state),
            pullback.gradient.or_zeros(&like.theta),
            pullback.rates.or_zeros(rates),
        ];
        parts.iter().flat_map(Tensors::to_f64).collect()
    }

    fn check<O: InnerOptimizer>(rule: O, numbers: &[[f64; 3]], per_element: bool, absent: bool) {
        let [theta, gradient, rates, of_theta, first, second] =
            [0, 1, 2, 3, 4, 5].map(|i| tensors(numbers[i]));
        let rates = if per_element {
            rates
        } else {
            Tensors(rates.0.into_iter().map(|r| r.narrow(0, 0, 1)).collect())
        };
        let stateless = rule.state(&theta).is_empty();
        let state = |values: Tensors<Flex>| if stateless { Tensors(Vec::new()) } else { values };
        let at = Iterate { theta, state: state(first), steps_taken: 1 };
        let mut of_theta = of_theta.into_cotangents();
        if absent {
            of_theta.0[0] = None;
        }
        let cotangent =
            IterateCotangents { theta: of_theta, state: state(second).into_cotangents() };
        let closed = rule.pullback(1, &rates, &at, &gradient, &cotangent);
        let autodiff = ByAutodiff(rule).pullback(1, &rates, &at, &gradient, &cotangent);
        let [closed, autodiff] = [closed, autodiff].map(|pullback| entries(&pullback, &at, &rates));
        for (closed, autodiff) in closed.iter().zip(&autodiff) {
            assert!(
                (closed - autodiff).abs() <= 1e-12 * (1.0 + autodiff.abs()),
                "{closed} is not {autodiff}"
            );
        }
    }

    proptest! {
        #[test]
        fn closed_form_pullbacks_are_those_of_autodiff(
            numbers in prop::collection::vec(prop::array::uniform3(-2.0_f64..2.0), 6),
            per_element: bool,
            absent: bool,
        ) {
            check(Sgd, &numbers, per_element, absent);
            check(Momentum { coefficient: 0.7 }, &numbers, per_element, absent);
            check(SignedAscent, &numbers, per_element, absent);
        }
    }

    #[test]
    fn a_cotangent_of_zero_pulls_back_zero() {
        let [theta, gradient, rates] = [1.0, 2.0, 3.0].map(|value| tensors([value; 3]));
        let at = Iterate { state: Adam::default().state(&theta), theta, steps_taken: 0 };
        let nothing =
            IterateCotangents { theta: Cotangents::zeros(2), state: Cotangents::zeros(4) };
        let pulled = Adam::default().pullback(0, &rates, &at, &gradient, &nothing);
        assert!(pulled.at.theta.is_zero() && pulled.gradient.is_zero() && pulled.rates.is_zero());
    }

    #[test]
    fn rules_take_the_steps_of_their_formulas() {
        let [theta, gradient, rates] =
            [[1.0, -2.0, 0.5], [0.3, -4.0, 0.0], [0.1, 0.2, 0.3]].map(tensors);
        let step = |rule: &dyn Fn(Iterate<Flex>) -> Iterate<Flex>, state: Tensors<Flex>| {
            rule(Iterate { theta: theta.clone(), state, steps_taken: 0 }).theta.to_f64()
        };
        let close = |found: Vec<f64>, expected: [f64; 3]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-7, "{found} is not {expected}");
            }
        };
        let none = || Tensors(Vec::new());
        close(step(&|at| Sgd.step(0, &rates, at, &gradient), none()), [0.97, -1.2, 0.5]);
        close(step(&|at| SignedAscent.step(0, &rates, at, &gradient), none()), [0.9, -1.8, 0.5]);
        let normalized = NormalizedAscent { rows: 1 };
        let length = 0.3_f64.hypot(4.0);
        let expected = [1.0 - 0.1 * 0.3 / length, -2.0 + 0.2 * 4.0 / length, 0.5];
        close(step(&|at| normalized.step(0, &rates, at, &gradient), none()), expected);
        let momentum = Momentum { coefficient: 0.5 };
        let velocity = tensors([2.0, 0.0, 1.0]);
        let expected = [1.0 - 0.1 * 1.3, -1.2, 0.5 - 0.3 * 0.5];
        close(step(&|at| momentum.step(0, &rates, at, &gradient), velocity), expected);
        // The first step of Adam has the length of the rate, whatever the gradient; none where it is zero.
        let adam = Adam { weight_decay: 0.5, ..Adam::default() };
        let fresh = adam.state(&theta);
        let expected = [1.0 - 0.1 * 1.5, -2.0 + 0.2 * 2.0, 0.5 - 0.3 * 0.25];
        close(step(&|at| adam.step(0, &rates, at, &gradient), fresh), expected);
        assert_eq!(to_f64(&gradient.0[1]), [0.0]);
    }
}
