//! The factorised space-time transformer: a token for each patch of each frame's latent.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{AdaptedLinear, layers};

use super::config::{DenoiserConfig, LatentShape, TransformerConfig};
use super::draw::{Draw, Scale};
use super::mixer::{Context, Mixer, Widths};
use super::normalize::{Modulation, modulated};
use super::positions;
use super::projection::{Projections, Target};
use super::rows::{Grid, tile_rows};

/// Two projections with a tanh-GELU between them, between normalisation and gate.
#[derive(Module, Debug)]
pub struct FeedForward<B: Backend> {
    /// Shift, scale and gate.
    pub modulation: Modulation<B>,
    /// `[width, 4 width]`.
    pub input: AdaptedLinear<B>,
    /// `[4 width, width]`.
    pub output: AdaptedLinear<B>,
}

/// Attention in space, in time and to the action, then a feed-forward layer.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    /// The three attentions.
    pub mixer: Mixer<B>,
    /// The feed-forward layer.
    pub feed_forward: FeedForward<B>,
}

/// A space-time transformer.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    /// `[patch values, width]`.
    pub input: AdaptedLinear<B>,
    /// A vector for each place of a frame, `[places, width]`.
    pub places: Param<Tensor<B, 2>>,
    /// A vector for each frame of a window, `[frames, width]`.
    pub times: Param<Tensor<B, 2>>,
    /// The blocks.
    pub blocks: Vec<Block<B>>,
    /// Shift and scale before the output.
    pub modulation: Modulation<B>,
    /// `[width, patch values]`.
    pub output: AdaptedLinear<B>,
    /// Rows and columns of latent in a token.
    pub patch: usize,
}

impl<B: Backend> FeedForward<B> {
    fn new(width: usize, draw: &mut Draw<B>) -> Self {
        Self {
            modulation: Modulation::new(width, width, 3, draw),
            input: draw.projection(width, 4 * width, Scale::Keeping),
            output: draw.projection(4 * width, width, Scale::Keeping),
        }
    }

    fn forward(&self, x: Tensor<B, 2>, context: &Context<B>) -> Tensor<B, 2> {
        let [shift, scale, gate] = self.modulation.forward(context.condition.clone());
        let normal = modulated(x.clone(), shift, scale);
        let mixed = self.output.forward(layers::gelu_tanh(self.input.forward(normal)));
        layers::gated(x, gate, mixed)
    }
}

impl<B: Backend> Transformer<B> {
    pub(crate) fn new(
        config: &DenoiserConfig,
        network: TransformerConfig,
        draw: &mut Draw<B>,
    ) -> Self {
        let TransformerConfig { width, layers, heads, patch, temporal } = network;
        let LatentShape { channels, height, width: columns } = config.latent;
        let widths = Widths { hidden: width, condition: width, word: config.word_width, heads };
        let values = channels * patch * patch;
        Self {
            input: draw.projection(values, width, Scale::Keeping),
            places: positions::places([height / patch, columns / patch], width, draw.device),
            times: positions::times(config.frames, width, draw.device),
            blocks: (0..layers)
                .map(|_| Block {
                    mixer: Mixer::new(widths, temporal, draw),
                    feed_forward: FeedForward::new(width, draw),
                })
                .collect(),
            modulation: Modulation::new(width, width, 2, draw),
            output: draw.projection(width, values, Scale::Zero),
            patch,
        }
    }

    /// `[batch, frames, channels, height, width]` to the same shape.
    pub(crate) fn forward(&self, latents: Tensor<B, 5>, context: &Context<B>) -> Tensor<B, 5> {
        let [batch, frames, channels, height, width] = latents.dims();
        let patch = self.patch;
        let grid = Grid { batch, frames, height: height / patch, width: width / patch };
        let times = self.times.val().narrow(0, 0, frames);
        let mut x = self.input.forward(self.to_patches(latents, grid))
            + tile_rows(self.places.val(), grid.images())
            + tile_rows(layers::repeat_rows(times, grid.places()), batch);
        for block in &self.blocks {
            x = block.mixer.forward(x, context, grid);
            x = block.feed_forward.forward(x, context);
        }
        let [shift, scale] = self.modulation.forward(context.condition.clone());
        let x = self.output.forward(modulated(x, shift, scale));
        let x = x.reshape([grid.images(), grid.height, grid.width, channels, patch, patch]);
        x.permute([0, 3, 1, 4, 2, 5]).reshape([batch, frames, channels, height, width])
    }

    /// `[rows, channels patch patch]`.
    fn to_patches(&self, latents: Tensor<B, 5>, grid: Grid) -> Tensor<B, 2> {
        let (channels, patch) = (latents.dims()[2], self.patch);
        let x = latents.reshape([grid.images(), channels, grid.height, patch, grid.width, patch]);
        x.permute([0, 2, 4, 1, 3, 5]).reshape([grid.rows(), channels * patch * patch])
    }
}

impl<B: Backend> Projections<B> for Block<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        let mixer = self.mixer.map_projections(change);
        let FeedForward { modulation, input, output } = self.feed_forward;
        let input = change(Target::FeedForward, input);
        let output = change(Target::FeedForward, output);
        Self { mixer, feed_forward: FeedForward { modulation, input, output } }
    }
}

impl<B: Backend> Projections<B> for Transformer<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        Self { blocks: self.blocks.map_projections(change), ..self }
    }
}
