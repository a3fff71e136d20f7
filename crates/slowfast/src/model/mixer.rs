//! The part that both networks share: attention in space, in time and to the action.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{AdaptedLinear, layers};

use super::attention::{Axis, CrossAttention, SelfAttention, Words};
use super::config::TemporalAttention;
use super::draw::Draw;
use super::normalize::{Modulation, modulated, normalize};
use super::projection::{Projections, Target};
use super::rows::Grid;

/// What a block reads beside the video.
pub(crate) struct Context<B: Backend> {
    /// Of every frame, `[batch frames, condition]`.
    pub condition: Tensor<B, 2>,
    /// The words of every frame's action.
    pub words: Words<B>,
}

/// `x + gate attention(norm(x))` in space, then in time, then to the words of the action.
#[derive(Module, Debug)]
pub struct Mixer<B: Backend> {
    /// Shift, scale and gate of spatial and of temporal attention.
    pub modulation: Modulation<B>,
    /// Within a frame.
    pub spatial: SelfAttention<B>,
    /// Across frames.
    pub temporal: SelfAttention<B>,
    /// To the words of the action.
    pub cross: CrossAttention<B>,
    /// Whether temporal attention is to all places of all frames.
    pub everywhere: bool,
}

/// Widths that the parts of a block have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widths {
    pub hidden: usize,
    pub condition: usize,
    pub word: usize,
    pub heads: usize,
}

impl<B: Backend> Mixer<B> {
    pub(crate) fn new(widths: Widths, temporal: TemporalAttention, draw: &mut Draw<B>) -> Self {
        let Widths { hidden, condition, word, heads } = widths;
        Self {
            modulation: Modulation::new(condition, hidden, 6, draw),
            spatial: SelfAttention::new(hidden, heads, draw),
            temporal: SelfAttention::new(hidden, heads, draw),
            cross: CrossAttention::new(hidden, word, heads, draw),
            everywhere: temporal == TemporalAttention::Everywhere,
        }
    }

    /// `[rows, width]` to the same shape.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 2>,
        context: &Context<B>,
        grid: Grid,
    ) -> Tensor<B, 2> {
        let [shift, scale, gate, time_shift, time_scale, time_gate] =
            self.modulation.forward(context.condition.clone());
        let normal = modulated(x.clone(), shift, scale);
        let x = layers::gated(x, gate, self.spatial.forward(normal, grid, Axis::Space));
        let normal = modulated(x.clone(), time_shift, time_scale);
        let axis = if self.everywhere { Axis::Everywhere } else { Axis::Time };
        let x = layers::gated(x, time_gate, self.temporal.forward(normal, grid, axis));
        x.clone() + self.cross.forward(normalize(x), &context.words, grid)
    }
}

impl<B: Backend> Projections<B> for Mixer<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        Self {
            spatial: self.spatial.map_projections(Target::Spatial, change),
            temporal: self.temporal.map_projections(Target::Temporal, change),
            cross: self.cross.map_projections(change),
            ..self
        }
    }
}
