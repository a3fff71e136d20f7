//! The denoiser: a network over a window of latent frames, some given clean and some noised.
//!
//! Past and future frames are concatenated in time (section 3.1 of the paper); every frame is told its noise level,
//! whether it is given, and the words of its action. A [`DenoiserChoice`] says which network: a factorised space-time
//! transformer or a factorised U-net. Both are made of linear layers and attention that can be differentiated twice
//! ([`inner_outer::layers`]); those of attention, feed-forward and convolution can carry an adapter of the Temp-LoRA.

mod adapters;
mod attention;
mod conditioning;
mod config;
mod draw;
mod error;
mod mixer;
mod normalize;
mod positions;
mod projection;
mod rows;
mod size;
mod transformer;
mod unet;

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor};
use experiment::seed::Seed;
use inner_outer::family;

pub use adapters::{AdapterConfig, adapter_parameters};
pub use attention::{CrossAttention, SelfAttention};
pub use conditioning::{FrameCondition, WordTable};
pub use config::{
    DenoiserChoice, DenoiserConfig, LatentShape, TemporalAttention, TransformerConfig, UnetConfig,
};
pub use error::ModelError;
pub use mixer::Mixer;
pub use normalize::Modulation;
pub use projection::Target;
pub use transformer::{Block, FeedForward, Transformer};
pub use unet::{Convolutions, Stage, Unet};

pub(crate) use draw::{Draw, Scale};
pub(crate) use normalize::normalize;
pub(crate) use rows::{Grid, around, depth_to_space, space_to_depth};

use crate::size::{NUMBER, fits};
use crate::text::{Phrases, Vocabulary};
use config::at_least_one;
use mixer::Context;

/// A window as the denoiser sees it.
#[derive(Module, Debug)]
pub struct NoisyWindow<B: Backend> {
    /// `[batch, frames, channels, height, width]`: given frames clean, the others with noise.
    pub latents: Tensor<B, 5>,
    /// The noise level of every frame, `[batch, frames]`: 0 for a clean frame, `t + 1` at timestep `t`.
    pub levels: Tensor<B, 2>,
    /// 1 for given frames, 0 for those to denoise, `[batch, frames]`.
    pub past: Tensor<B, 2, Int>,
    /// The words of the action that led to each frame, `[batch, frames, words]`.
    pub phrases: Tensor<B, 3, Int>,
}

/// Either network as one module.
// Networks are few and live long; a box around each would only be one more thing to read.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Network<B: Backend> {
    /// The space-time transformer.
    Transformer(Transformer<B>),
    /// The U-net.
    Unet(Unet<B>),
}

/// What the slow learning trains: `Phi` in the paper, with or without the adapters of a Temp-LoRA `Theta`.
#[derive(Module, Debug)]
pub struct Denoiser<B: Backend> {
    /// Vectors of words, frozen.
    pub words: WordTable<B>,
    /// Noise levels and roles.
    pub condition: FrameCondition<B>,
    /// The network.
    pub network: Network<B>,
    /// Channels of a frame's latent.
    pub channels: usize,
    /// Rows of a frame's latent.
    pub height: usize,
    /// Columns of a frame's latent.
    pub width: usize,
}

family!(
    /// Denoisers on every backend.
    pub Denoisers => Denoiser
);

impl<B: Backend> Denoiser<B> {
    /// A denoiser without adapters, with parameters drawn from `seed`.
    ///
    /// # Errors
    /// Those of [`DenoiserConfig::check`], and [`ModelError::TooLarge`] for more words than their vectors have room for.
    pub fn new(
        config: &DenoiserConfig,
        vocabulary: &Vocabulary,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, ModelError> {
        config.check()?;
        fits("word_width", config.word_width, NUMBER * vocabulary.size() as f64)?;
        let mut draw = Draw::new(&seed.child("denoiser"), device);
        let words = WordTable::new(vocabulary, config.word_width, device);
        let (width, network) = match &config.network {
            DenoiserChoice::Transformer(network) => {
                let transformer = Transformer::new(config, *network, &mut draw);
                (network.width, Network::Transformer(transformer))
            }
            DenoiserChoice::Unet(network) => {
                (network.widths[0], Network::Unet(Unet::new(config, network, &mut draw)))
            }
        };
        let condition = FrameCondition::new(width, &mut draw);
        let LatentShape { channels, height, width } = config.latent;
        Ok(Self { words, condition, network, channels, height, width })
    }

    /// What the network predicts for every frame, of the shape of the latents: the noise or the velocity, as it was
    /// trained.
    pub fn predict(&self, window: &NoisyWindow<B>) -> Tensor<B, 5> {
        let context = Context {
            condition: self.condition.forward(window.levels.clone(), window.past.clone()),
            words: self.words.read(window.phrases.clone()),
        };
        match &self.network {
            Network::Transformer(network) => network.forward(window.latents.clone(), &context),
            Network::Unet(network) => network.forward(window.latents.clone(), &context),
        }
    }

    /// Most frames of a window.
    pub fn frames(&self) -> usize {
        match &self.network {
            Network::Transformer(network) => network.times.dims()[0],
            Network::Unet(network) => network.times.dims()[0],
        }
    }

    /// Checks that the denoiser can read a window of `latents`, `[batch, frames, channels, height, width]`, and `phrases`.
    ///
    /// # Errors
    /// [`ModelError::Latents`], [`ModelError::Phrases`], [`ModelError::TooManyFrames`] and [`ModelError::UnknownToken`].
    pub fn check(&self, latents: [usize; 5], phrases: &Phrases) -> Result<(), ModelError> {
        let [batch, frames, ..] = latents;
        at_least_one(&[("batch", batch), ("frames", frames)])?;
        let expected = [batch, frames, self.channels, self.height, self.width];
        if latents != expected {
            return Err(ModelError::Latents { found: latents, expected });
        }
        let [clips, told, _] = phrases.shape();
        if [clips, told] != [batch, frames] {
            return Err(ModelError::Phrases { found: [clips, told], expected: [batch, frames] });
        }
        if frames > self.frames() {
            return Err(ModelError::TooManyFrames { found: frames, most: self.frames() });
        }
        let size = self.words.vectors.dims()[0];
        match phrases.tokens().iter().find(|&&token| token as usize >= size) {
            Some(&token) => Err(ModelError::UnknownToken { token, size }),
            None => Ok(()),
        }
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device<B> {
        self.condition.role.device()
    }
}

#[cfg(test)]
mod tests;
