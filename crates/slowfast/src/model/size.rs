//! How large a denoiser is, before any of it is made.

use super::config::{
    DenoiserChoice, DenoiserConfig, LatentShape, TemporalAttention, TransformerConfig, UnetConfig,
};
use crate::size::{NUMBER, layer};

/// Rows of its width that a block of the transformer leaves in a graph for every token, about.
const ROWS_OF_A_BLOCK: f64 = 30.0;
/// The same of a stage of the U-net, whose convolutions hold every neighbourhood.
const ROWS_OF_A_STAGE: f64 = 60.0;
/// Stages of the U-net that a resolution has at most: down, in the middle, and up with twice as many channels.
const STAGES: f64 = 4.0;
/// The noised latents of an example, what should be predicted, and what both are made of.
const COPIES_OF_AN_EXAMPLE: f64 = 4.0;

impl DenoiserConfig {
    /// Number of parameters but for the vectors of words, exact for every denoiser that there may be.
    pub(super) fn parameters(&self) -> f64 {
        match &self.network {
            DenoiserChoice::Transformer(network) => self.of_transformer(*network),
            DenoiserChoice::Unet(network) => self.of_unet(network),
        }
    }

    fn of_transformer(&self, network: TransformerConfig) -> f64 {
        let TransformerConfig { width, layers, patch, .. } = network;
        let [width, layers, patch] = [width, layers, patch].map(|count| count as f64);
        let values = self.latent.channels as f64 * patch * patch;
        let tokens = self.latent.places() / (patch * patch);
        let forward = layer(width, 4.0 * width) + layer(4.0 * width, width);
        let block = self.of_mixer(width, width) + layer(width, 3.0 * width) + forward;
        let ends = layer(values, width) + layer(width, 2.0 * width) + layer(width, values);
        let positions = (tokens + self.frames as f64) * width;
        layers * block + ends + positions + of_condition(width)
    }

    fn of_unet(&self, network: &UnetConfig) -> f64 {
        let widths: Vec<f64> = network.widths.iter().map(|&width| width as f64).collect();
        let (Some(&finest), Some(&coarsest)) = (widths.first(), widths.last()) else { return 0.0 };
        let channels = self.latent.channels as f64;
        let stage = |inputs: f64, width: f64| {
            let shortcut = if inputs == width { 0.0 } else { layer(inputs, width) };
            let first = layer(finest, 2.0 * width) + layer(9.0 * inputs, width);
            let rest = layer(9.0 * width, width) + layer(3.0 * width, width);
            first + rest + shortcut + self.of_mixer(width, finest)
        };
        let both = |&width: &f64| stage(width, width) + stage(2.0 * width, width);
        let between = |pair: &[f64]| layer(4.0 * pair[0], pair[1]) + layer(pair[1], 4.0 * pair[0]);
        let stages: f64 = widths.iter().map(both).sum();
        let between: f64 = widths.windows(2).map(between).sum();
        let ends = layer(9.0 * channels, finest) + layer(9.0 * finest, channels);
        let positions = (self.latent.places() + self.frames as f64) * finest;
        stages + stage(coarsest, coarsest) + between + ends + positions + of_condition(finest)
    }

    /// The three attentions and their modulation.
    fn of_mixer(&self, width: f64, condition: f64) -> f64 {
        let within = layer(width, 3.0 * width) + layer(width, width);
        let words = layer(self.word_width as f64, 2.0 * width);
        layer(condition, 6.0 * width) + 2.0 * within + 2.0 * layer(width, width) + words
    }

    /// Bytes that a window of so many frames leaves in a graph, about.
    pub(crate) fn window_bytes(&self, frames: usize) -> f64 {
        let (frames, words) = (frames as f64, self.words as f64);
        let told = frames * words;
        let numbers = match &self.network {
            DenoiserChoice::Transformer(network) => {
                let TransformerConfig { width, layers, heads, patch, temporal } = *network;
                let [width, layers] = [width, layers].map(|count| count as f64);
                let [heads, patch] = [heads, patch].map(|count| count as f64);
                let places = self.latent.places() / (patch * patch);
                let tokens = frames * places;
                let seen = match temporal {
                    TemporalAttention::Place => frames,
                    TemporalAttention::Everywhere => tokens,
                };
                let attention = heads * tokens * (places + seen + words);
                layers * (ROWS_OF_A_BLOCK * width * tokens + attention + 2.0 * width * told)
            }
            DenoiserChoice::Unet(UnetConfig { widths, heads }) => {
                let heads = *heads as f64;
                let of_level = |(level, &width): (usize, &usize)| {
                    let width = width as f64;
                    let places = self.latent.places() / 4.0_f64.powi(level as i32);
                    let rows = frames * places;
                    let attention = heads * rows * (places + frames + words);
                    STAGES * (ROWS_OF_A_STAGE * width * rows + attention + 2.0 * width * told)
                };
                widths.iter().enumerate().map(of_level).sum()
            }
        };
        NUMBER * (numbers + told * self.word_width as f64) + self.example_bytes(frames as usize)
    }

    /// Bytes of what is learned from a window of so many frames.
    pub(crate) fn example_bytes(&self, frames: usize) -> f64 {
        let values = self.latent.channels as f64 * self.latent.places();
        NUMBER * frames as f64 * (COPIES_OF_AN_EXAMPLE * values + self.words as f64)
    }
}

impl LatentShape {
    fn places(self) -> f64 {
        self.height as f64 * self.width as f64
    }
}

/// Noise levels and roles.
fn of_condition(width: f64) -> f64 {
    2.0 * layer(width, width) + 2.0 * width
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Module;
    use experiment::seed::Seed;

    use super::*;
    use crate::model::Denoiser;
    use crate::tiny;

    #[test]
    fn the_count_is_that_of_the_denoiser_itself() {
        let vocabulary = tiny::vocabulary();
        let wide = |mut config: DenoiserConfig| {
            config.network = match config.network {
                DenoiserChoice::Transformer(network) => {
                    DenoiserChoice::Transformer(TransformerConfig {
                        width: 12,
                        patch: 1,
                        ..network
                    })
                }
                DenoiserChoice::Unet(network) => {
                    DenoiserChoice::Unet(UnetConfig { widths: vec![4, 6, 10], ..network })
                }
            };
            DenoiserConfig { frames: 9, word_width: 3, ..config }
        };
        for network in tiny::networks() {
            let config = tiny::config(network);
            for config in [config.clone(), wide(config)] {
                let device = Default::default();
                let denoiser =
                    Denoiser::<Flex>::new(&config, &vocabulary, &Seed::new(0), &device).unwrap();
                let vectors = vocabulary.size() * config.word_width;
                let counted = config.parameters() + vectors as f64;
                assert_eq!(counted, denoiser.num_params() as f64, "{config:?}");
            }
        }
    }

    #[test]
    fn a_window_takes_more_the_larger_anything_is() {
        for network in tiny::networks() {
            let config = tiny::config(network);
            let bytes = config.window_bytes(4);
            assert!(bytes > 2.0 * config.example_bytes(4));
            assert!(config.window_bytes(5) > bytes);
            let told = DenoiserConfig { words: 100, ..config.clone() };
            assert!(told.window_bytes(4) > bytes);
            let latent = LatentShape { height: 8, ..config.latent };
            assert!(DenoiserConfig { latent, ..config }.window_bytes(4) > bytes);
        }
    }
}
