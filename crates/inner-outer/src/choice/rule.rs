//! The update rule of the inner loop as data.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::inner::{
    Adam, Clipped, InnerOptimizer, Iterate, IterateCotangents, Momentum, Pullback, Sgd,
};
use crate::tensors::Tensors;

/// An update rule chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleChoice {
    /// [`Sgd`].
    #[default]
    Sgd,
    /// [`Momentum`] with coefficient 0.9.
    Momentum,
    /// [`Adam`] with its usual settings.
    Adam,
    /// [`Adam`] with decoupled weight decay of 0.01.
    Adamw,
}

impl InnerOptimizer for RuleChoice {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        match self {
            Self::Sgd => Sgd.check(theta),
            Self::Momentum => Momentum::default().check(theta),
            Self::Adam => Adam::default().check(theta),
            Self::Adamw => Adam::with_weight_decay().check(theta),
        }
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        match self {
            Self::Sgd | Self::Momentum | Self::Adam => None,
            Self::Adamw => Adam::with_weight_decay().rests_elsewhere(),
        }
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        match self {
            Self::Sgd => Sgd.state(theta),
            Self::Momentum => Momentum::default().state(theta),
            Self::Adam => Adam::default().state(theta),
            Self::Adamw => Adam::with_weight_decay().state(theta),
        }
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        match self {
            Self::Sgd => Sgd.step(step, rates, at, gradient),
            Self::Momentum => Momentum::default().step(step, rates, at, gradient),
            Self::Adam => Adam::default().step(step, rates, at, gradient),
            Self::Adamw => Adam::with_weight_decay().step(step, rates, at, gradient),
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
        match self {
            Self::Sgd => Sgd.pullback(step, rates, at, gradient, cotangent),
            Self::Momentum => Momentum::default().pullback(step, rates, at, gradient, cotangent),
            Self::Adam => Adam::default().pullback(step, rates, at, gradient, cotangent),
            Self::Adamw => Adam::with_weight_decay().pullback(step, rates, at, gradient, cotangent),
        }
    }
}

/// An update rule with optional clipping of the inner gradient, chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfiguredRule {
    /// The rule.
    pub rule: RuleChoice,
    /// The largest Euclidean norm of the inner gradient, above 0, as in [`Clipped`]; `None` for no bound.
    pub clip: Option<f64>,
}

impl ConfiguredRule {
    fn clipped(&self, limit: f64) -> Clipped<RuleChoice> {
        Clipped { rule: self.rule, limit }
    }
}

impl InnerOptimizer for ConfiguredRule {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        match self.clip {
            Some(limit) => self.clipped(limit).check(theta),
            None => self.rule.check(theta),
        }
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        self.rule.rests_elsewhere()
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        self.rule.state(theta)
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        match self.clip {
            Some(limit) => self.clipped(limit).step(step, rates, at, gradient),
            None => self.rule.step(step, rates, at, gradient),
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
        match self.clip {
            Some(limit) => self.clipped(limit).pullback(step, rates, at, gradient, cotangent),
            None => self.rule.pullback(step, rates, at, gradient, cotangent),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor};

    use super::*;
    use crate::Error;

    fn tensors(values: [f64; 2]) -> Tensors<Flex> {
        Tensors(vec![Tensor::from_data(values, (&Default::default(), DType::F64))])
    }

    /// A step and its pullback, as numbers.
    fn numbers<O: InnerOptimizer>(rule: &O) -> Vec<f64> {
        let [theta, gradient, rates] = [[1.0, -2.0], [3.0, 4.0], [0.1, 0.2]].map(tensors);
        let at = Iterate { state: rule.state(&theta), theta, steps_taken: 0 };
        let next = rule.step(0, &rates, at.clone(), &gradient);
        let cotangent = IterateCotangents {
            theta: tensors([0.5, 0.7]).into_cotangents(),
            state: next.state.clone().into_cotangents(),
        };
        let pulled = rule.pullback(0, &rates, &at, &gradient, &cotangent);
        let like = [&at.theta, &at.state, &gradient, &rates];
        let parts = [pulled.at.theta, pulled.at.state, pulled.gradient, pulled.rates];
        let pulled = parts.iter().zip(like).flat_map(|(part, like)| part.or_zeros(like).to_f64());
        next.theta.to_f64().into_iter().chain(pulled).collect()
    }

    #[test]
    fn a_configured_rule_is_the_rule_with_or_without_clipping() {
        for rule in [RuleChoice::Sgd, RuleChoice::Momentum, RuleChoice::Adam, RuleChoice::Adamw] {
            assert_eq!(numbers(&ConfiguredRule { rule, clip: None }), numbers(&rule));
            let clipped = numbers(&ConfiguredRule { rule, clip: Some(0.5) });
            assert_eq!(clipped, numbers(&Clipped { rule, limit: 0.5 }));
            assert_ne!(clipped, numbers(&rule));
        }
    }

    #[test]
    fn a_limit_that_is_not_positive_is_refused() {
        let theta = tensors([1.0, 2.0]);
        let rule = RuleChoice::Sgd;
        let refused = ConfiguredRule { rule, clip: Some(0.0) }.check(&theta).unwrap_err();
        assert!(matches!(refused, Error::OutOfRange { setting: "Clipped::limit", .. }));
        ConfiguredRule { rule, clip: None }.check(&theta).unwrap();
    }

    #[test]
    fn unknown_settings_are_refused_and_missing_ones_have_defaults() {
        let read = serde_json::from_str::<ConfiguredRule>;
        let expected = ConfiguredRule { rule: RuleChoice::Adamw, clip: None };
        assert_eq!(read(r#"{"rule": "adamw"}"#).unwrap(), expected);
        assert_eq!(read(r#"{"clip": 2.0}"#).unwrap().clip, Some(2.0));
        assert!(read(r#"{"clipping": 2.0}"#).is_err());
    }
}
