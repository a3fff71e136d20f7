//! Problems with a mistake in them.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Int, Tensor};
use inner_outer::{Problem, Selection, family};

use super::numbers::doubles;
use super::scalar::{Number, Numbers, Parabola, Parabolas};

/// A parameter that is used and another one.
#[derive(Module, Debug)]
pub struct Pair<B: Backend> {
    pub used: Param<Tensor<B, 1>>,
    pub other: Param<Tensor<B, 1>>,
}

/// Layers that Burn computes as one operation each.
#[derive(Module, Debug)]
pub struct FusedLayers<B: Backend> {
    pub linear: Linear<B>,
    pub embedding: Embedding<B>,
    pub image: Param<Tensor<B, 4>>,
}

family!(pub Pairs => Pair, pub Fused => FusedLayers);

/// What is wrong in [`Mistaken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing reads the other parameter.
    Unused,
    /// The outer loss multiplies the other parameter by zero.
    TimesZero,
    /// The outer loss takes the root of the square of the other parameter, which is zero.
    RootOfZero,
    /// The loss before the second step is infinite.
    InfinityAlongTheWay,
    /// Only the inner loss of this step reads the other parameter.
    ReadAtStep(usize),
    /// The inner loss has two elements.
    InnerLossOfTwo,
    /// The outer loss has two elements.
    OuterLossOfTwo,
    /// Nothing is adapted.
    NothingAdapted,
    /// The code of the problem panics.
    Panics,
}

/// The scalar problem with a second learned parameter and a mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mistaken(pub Mistake);

impl Problem for Mistaken {
    type Outer = Pairs;
    type Inner = Numbers;
    type Task = Parabolas;

    fn adapted(&self) -> Selection {
        if self.0 == Mistake::NothingAdapted {
            Selection::below(["weight"])
        } else {
            Selection::All
        }
    }

    fn init<B: Backend>(&self, outer: &Pair<B>, _task: &Parabola<B>) -> Number<B> {
        Number { w: Param::initialized(outer.used.id, outer.used.val()) }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        outer: &Pair<B>,
        task: &Parabola<B>,
        step: usize,
    ) -> Tensor<B, 1> {
        assert!(self.0 != Mistake::Panics, "a mistake in the user's own code");
        let loss =
            (inner.w.val() - task.minimum.clone()).powi_scalar(2) * task.curvature.clone() * 0.5;
        match self.0 {
            Mistake::ReadAtStep(read_at) if read_at == step => {
                loss + outer.other.val() * inner.w.val()
            }
            Mistake::InnerLossOfTwo => loss.repeat_dim(0, 2),
            _ => loss,
        }
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        outer: &Pair<B>,
        task: &Parabola<B>,
    ) -> Tensor<B, 1> {
        let loss = (inner.w.val() - task.target.clone()).powi_scalar(2) * 0.5;
        match self.0 {
            Mistake::TimesZero => loss + outer.other.val() * 0.0,
            Mistake::OuterLossOfTwo => loss.repeat_dim(0, 2),
            Mistake::RootOfZero => loss + outer.other.val().powi_scalar(2).sqrt(),
            _ => loss,
        }
    }

    fn trajectory_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        _outer: &Pair<B>,
        _task: &Parabola<B>,
        step: usize,
    ) -> Option<Tensor<B, 1>> {
        let infinite = self.0 == Mistake::InfinityAlongTheWay && step == 1;
        infinite.then(|| inner.w.val() * f64::INFINITY)
    }
}

/// A pair whose other parameter is zero.
pub fn pair() -> Pair<Flex> {
    let parameter = |value: f64| Param::from_tensor(doubles(&[value], [1]));
    Pair { used: parameter(1.0), other: parameter(0.0) }
}

/// An operation without a second derivative.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Linear,
    Embedding,
    Pooling,
    Interpolation,
}

/// An inner loss through one fused operation.
#[derive(Clone, Copy, Debug)]
pub struct Through(pub Operation);

impl Problem for Through {
    type Outer = Fused;
    type Inner = Fused;
    type Task = Parabolas;

    fn init<B: Backend>(&self, outer: &FusedLayers<B>, _task: &Parabola<B>) -> FusedLayers<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &FusedLayers<B>,
        _outer: &FusedLayers<B>,
        _task: &Parabola<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let image = inner.image.val();
        match self.0 {
            Operation::Linear => {
                let rows = image.reshape([4, 4]);
                inner.linear.forward(rows).powi_scalar(2).mean()
            }
            Operation::Embedding => {
                let tokens = Tensor::<B, 2, Int>::from_data([[0, 2, 1]], &image.device());
                inner.embedding.forward(tokens).powi_scalar(2).mean()
            }
            Operation::Pooling => {
                avg_pool2d(image, [2, 2], [2, 2], [0, 0], true, false).powi_scalar(2).mean()
            }
            Operation::Interpolation => {
                let options = InterpolateOptions::new(InterpolateMode::Bilinear);
                interpolate(image, [3, 3], options).powi_scalar(2).mean()
            }
        }
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &FusedLayers<B>,
        outer: &FusedLayers<B>,
        task: &Parabola<B>,
    ) -> Tensor<B, 1> {
        self.inner_loss(inner, outer, task, 0)
    }
}

/// Fused layers in Burn's own precision.
pub fn fused_layers() -> FusedLayers<Flex> {
    let device = Device::<Flex>::default();
    let image = Tensor::arange(1..17, &device).float().reshape([1, 1, 4, 4]) / 10.0;
    FusedLayers {
        linear: LinearConfig::new(4, 3).init(&device),
        embedding: EmbeddingConfig::new(5, 3).init(&device),
        image: Param::from_tensor(image),
    }
}
