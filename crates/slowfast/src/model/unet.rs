//! The factorised U-net: residual blocks of convolutions in space and in time with attention, at two or more
//! resolutions.
//!
//! Convolutions are linear layers on neighbourhoods, so adapters fit them too. Rows are normalised on their own, over their
//! channels, where the paper's U-net normalises groups of channels over a whole frame.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{AdaptedLinear, layers};

use super::config::{DenoiserConfig, LatentShape, TemporalAttention, UnetConfig};
use super::draw::{Draw, Scale};
use super::mixer::{Context, Mixer, Widths};
use super::normalize::{Modulation, modulated, normalize};
use super::positions;
use super::projection::{Projections, Target};
use super::rows::{Grid, around, before_and_after, depth_to_space, space_to_depth, tile_rows};

/// Two 3x3 convolutions and one over three frames, each with a residual.
#[derive(Module, Debug)]
pub struct Convolutions<B: Backend> {
    /// Shift and scale between the two.
    pub modulation: Modulation<B>,
    /// `[9 in, width]`.
    pub first: AdaptedLinear<B>,
    /// `[9 width, width]`.
    pub second: AdaptedLinear<B>,
    /// `[3 width, width]`, across frames.
    pub temporal: AdaptedLinear<B>,
    /// `[in, width]`, where the widths differ.
    pub shortcut: Option<AdaptedLinear<B>>,
}

/// Convolutions, then attention in space, in time and to the action.
#[derive(Module, Debug)]
pub struct Stage<B: Backend> {
    /// The convolutions.
    pub convolutions: Convolutions<B>,
    /// The three attentions.
    pub mixer: Mixer<B>,
}

/// A U-net.
#[derive(Module, Debug)]
pub struct Unet<B: Backend> {
    /// `[9 channels, width]`.
    pub input: AdaptedLinear<B>,
    /// A vector for each place of a frame, `[places, width]`.
    pub places: Param<Tensor<B, 2>>,
    /// A vector for each frame of a window, `[frames, width]`.
    pub times: Param<Tensor<B, 2>>,
    /// One for each resolution, finest first.
    pub down: Vec<Stage<B>>,
    /// `[4 width, next width]`, between one resolution and the next.
    pub halve: Vec<AdaptedLinear<B>>,
    /// At the coarsest resolution.
    pub middle: Stage<B>,
    /// `[next width, 4 width]`, back from one resolution to the one before, finest first.
    pub double: Vec<AdaptedLinear<B>>,
    /// One for each resolution, finest first; each reads what came down beside what comes up.
    pub up: Vec<Stage<B>>,
    /// `[9 width, channels]`.
    pub output: AdaptedLinear<B>,
}

impl<B: Backend> Convolutions<B> {
    fn new(inputs: usize, widths: Widths, draw: &mut Draw<B>) -> Self {
        let width = widths.hidden;
        let shortcut = |draw: &mut Draw<B>| draw.projection(inputs, width, Scale::Keeping);
        Self {
            modulation: Modulation::new(widths.condition, width, 2, draw),
            first: draw.projection(9 * inputs, width, Scale::Keeping),
            second: draw.projection(9 * width, width, Scale::Zero),
            temporal: draw.projection(3 * width, width, Scale::Zero),
            shortcut: (inputs != width).then(|| shortcut(draw)),
        }
    }

    fn forward(&self, x: Tensor<B, 2>, context: &Context<B>, grid: Grid) -> Tensor<B, 2> {
        let [shift, scale] = self.modulation.forward(context.condition.clone());
        let active = layers::gelu_tanh(normalize(x.clone()));
        let inside = self.first.forward(around(active, grid));
        let active = layers::gelu_tanh(modulated(inside, shift, scale));
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        let x = x + self.second.forward(around(active, grid));
        let active = layers::gelu_tanh(normalize(x.clone()));
        x + self.temporal.forward(before_and_after(active, grid))
    }
}

impl<B: Backend> Stage<B> {
    fn new(inputs: usize, widths: Widths, draw: &mut Draw<B>) -> Self {
        Self {
            convolutions: Convolutions::new(inputs, widths, draw),
            mixer: Mixer::new(widths, TemporalAttention::Place, draw),
        }
    }

    fn forward(&self, x: Tensor<B, 2>, context: &Context<B>, grid: Grid) -> Tensor<B, 2> {
        self.mixer.forward(self.convolutions.forward(x, context, grid), context, grid)
    }
}

impl<B: Backend> Unet<B> {
    pub(crate) fn new(config: &DenoiserConfig, network: &UnetConfig, draw: &mut Draw<B>) -> Self {
        let LatentShape { channels, height, width: columns } = config.latent;
        let widths = &network.widths;
        let (finest, coarsest) = (widths[0], widths[widths.len() - 1]);
        let of = |hidden| Widths {
            hidden,
            condition: finest,
            word: config.word_width,
            heads: network.heads,
        };
        Self {
            input: draw.projection(9 * channels, finest, Scale::Keeping),
            places: positions::places([height, columns], finest, draw.device),
            times: positions::times(config.frames, finest, draw.device),
            down: widths.iter().map(|&width| Stage::new(width, of(width), draw)).collect(),
            halve: widths
                .windows(2)
                .map(|pair| draw.projection(4 * pair[0], pair[1], Scale::Keeping))
                .collect(),
            middle: Stage::new(coarsest, of(coarsest), draw),
            double: widths
                .windows(2)
                .map(|pair| draw.projection(pair[1], 4 * pair[0], Scale::Keeping))
                .collect(),
            up: widths.iter().map(|&width| Stage::new(2 * width, of(width), draw)).collect(),
            output: draw.projection(9 * finest, channels, Scale::Zero),
        }
    }

    /// `[batch, frames, channels, height, width]` to the same shape.
    pub(crate) fn forward(&self, latents: Tensor<B, 5>, context: &Context<B>) -> Tensor<B, 5> {
        let [batch, frames, channels, height, width] = latents.dims();
        let mut grid = Grid { batch, frames, height, width };
        let x = latents.permute([0, 1, 3, 4, 2]).reshape([grid.rows(), channels]);
        let times = self.times.val().narrow(0, 0, frames);
        let mut x = self.input.forward(around(x, grid))
            + tile_rows(self.places.val(), grid.images())
            + tile_rows(layers::repeat_rows(times, grid.places()), batch);
        let mut passed = Vec::with_capacity(self.down.len());
        for (level, stage) in self.down.iter().enumerate() {
            x = stage.forward(x, context, grid);
            passed.push(x.clone());
            if let Some(halve) = self.halve.get(level) {
                x = halve.forward(space_to_depth(x, grid));
                grid = grid.halved();
            }
        }
        x = self.middle.forward(x, context, grid);
        for (level, stage) in self.up.iter().enumerate().rev() {
            if let Some(double) = self.double.get(level) {
                x = depth_to_space(double.forward(x), grid);
                grid = grid.doubled();
            }
            let beside = passed.pop().expect("one for each resolution");
            x = stage.forward(Tensor::cat(vec![x, beside], 1), context, grid);
        }
        let x = self.output.forward(around(layers::gelu_tanh(normalize(x)), grid));
        x.reshape([batch, frames, height, width, channels]).permute([0, 1, 4, 2, 3])
    }
}

impl<B: Backend> Projections<B> for Stage<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        let Convolutions { modulation, first, second, temporal, shortcut } = self.convolutions;
        let convolutions = Convolutions {
            modulation,
            first: change(Target::Convolution, first),
            second: change(Target::Convolution, second),
            temporal: change(Target::Convolution, temporal),
            shortcut,
        };
        Self { convolutions, mixer: self.mixer.map_projections(change) }
    }
}

impl<B: Backend> Projections<B> for Unet<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        Self {
            down: self.down.map_projections(change),
            middle: self.middle.map_projections(change),
            up: self.up.map_projections(change),
            ..self
        }
    }
}
