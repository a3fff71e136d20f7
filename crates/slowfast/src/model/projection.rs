//! Linear layers that a Temp-LoRA can adapt.

use burn::tensor::backend::Backend;
use inner_outer::AdaptedLinear;
use serde::{Deserialize, Serialize};

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
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self;
}

impl<B: Backend, P: Projections<B>> Projections<B> for Vec<P> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        self.into_iter().map(|part| part.map_projections(change)).collect()
    }
}
