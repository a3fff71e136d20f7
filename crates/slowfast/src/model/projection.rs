//! Linear layers that a Temp-LoRA can adapt.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Lora, layers};
use serde::{Deserialize, Serialize};

/// A linear layer with an optional low-rank adapter.
#[derive(Module, Debug)]
pub struct Projection<B: Backend> {
    /// `[in, out]` and a bias.
    pub linear: Linear<B>,
    /// The adapter.
    pub lora: Option<Lora<B>>,
}

impl<B: Backend> Projection<B> {
    /// `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.lora {
            Some(lora) => layers::linear(&self.linear, x.clone()) + lora.apply(x),
            None => layers::linear(&self.linear, x),
        }
    }
}

/// The kinds of layers that adapters can be put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Attention within a frame.
    Spatial,
    /// Attention across frames.
    Temporal,
    /// Attention to the words of the action.
    Cross,
    /// Feed-forward layers.
    FeedForward,
    /// Convolutions of the U-net, which are linear layers on neighbourhoods.
    Convolution,
}

/// Everything that holds projections.
pub(crate) trait Projections<B: Backend>: Sized {
    /// With every projection changed by `change`, in a fixed order.
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, Projection<B>) -> Projection<B>,
    ) -> Self;
}

impl<B: Backend, P: Projections<B>> Projections<B> for Vec<P> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, Projection<B>) -> Projection<B>,
    ) -> Self {
        self.into_iter().map(|part| part.map_projections(change)).collect()
    }
}
