//! Choices as data: update rules, hypergradients and curvature engines for configuration files.
//!
//! Code composes the types themselves; a program whose user chooses at run time composes these.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::curvature::{CentralDifference, Curvature, ForwardOverReverse, Nested, Point, Product};
use crate::hypergradient::{FirstOrder, Hypergradient, MetaGradient, Reptile, Truncated, Unrolled};
use crate::inner::{
    Adam, InnerLoop, InnerOptimizer, Iterate, IterateCotangents, Momentum, Pullback, Rates, Sgd,
};
use crate::problem::{Instance, Problem};
use crate::tensors::{Cotangents, Tensors};
use crate::{On, Result};

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

/// A curvature engine chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurvatureChoice {
    /// [`ForwardOverReverse`].
    #[default]
    ForwardOverReverse,
    /// [`Nested`].
    Nested,
    /// [`CentralDifference`].
    CentralDifference,
}

impl Curvature for CurvatureChoice {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        match self {
            Self::ForwardOverReverse => ForwardOverReverse.product(instance, point, direction),
            Self::Nested => Nested.product(instance, point, direction),
            Self::CentralDifference => {
                CentralDifference::default().product(instance, point, direction)
            }
        }
    }
}

/// A hypergradient chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HypergradientChoice {
    /// [`Unrolled`].
    Unrolled {
        /// How second derivatives are computed.
        #[serde(default)]
        curvature: CurvatureChoice,
    },
    /// [`Truncated`].
    Truncated {
        /// Inner steps that are differentiated exactly, counted from the end.
        exact_steps: usize,
        /// How second derivatives are computed.
        #[serde(default)]
        curvature: CurvatureChoice,
    },
    /// [`FirstOrder`].
    FirstOrder,
    /// [`Reptile`].
    Reptile,
}

impl Default for HypergradientChoice {
    fn default() -> Self {
        Self::Unrolled { curvature: CurvatureChoice::default() }
    }
}

impl Hypergradient for HypergradientChoice {
    fn meta_gradient<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
    ) -> Result<MetaGradient<B>> {
        match *self {
            Self::Unrolled { curvature } => {
                Unrolled { curvature }.meta_gradient(problem, inner_loop, outer, rates, task)
            }
            Self::Truncated { exact_steps, curvature } => Truncated { exact_steps, curvature }
                .meta_gradient(problem, inner_loop, outer, rates, task),
            Self::FirstOrder => FirstOrder.meta_gradient(problem, inner_loop, outer, rates, task),
            Self::Reptile => Reptile.meta_gradient(problem, inner_loop, outer, rates, task),
        }
    }
}
