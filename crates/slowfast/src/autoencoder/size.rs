//! How large an autoencoder is, before any of it is made.

use super::AutoencoderConfig;
use super::network::PATCH;
use crate::size::{NUMBER, layer};

/// Values of a patch of pixels.
const PIXELS: f64 = (3 * PATCH * PATCH) as f64;
/// Rows of its width that a residual block leaves in a graph for every place, with its neighbourhoods, about.
const ROWS_OF_A_BLOCK: f64 = 13.0;

impl AutoencoderConfig {
    /// Number of parameters, exact for every autoencoder that there may be.
    pub(super) fn parameters(&self) -> f64 {
        let [channels, hidden] = [self.channels, self.hidden].map(|count| count as f64);
        let encoder = layer(PIXELS, hidden) + layer(hidden, 2.0 * channels);
        let decoder = layer(channels, hidden) + layer(hidden, PIXELS);
        let between = match self.is_halved() {
            true => layer(4.0 * hidden, hidden) + layer(hidden, 4.0 * hidden),
            false => 0.0,
        };
        let resolutions = if self.is_halved() { 2.0 } else { 1.0 };
        let block = layer(9.0 * hidden, hidden) + layer(hidden, hidden);
        let blocks = 2.0 * resolutions * self.blocks as f64 * block;
        // Mean and deviation of every channel.
        encoder + decoder + between + blocks + 2.0 * channels
    }

    /// Bytes that a frame leaves in a graph on its way there and back, about.
    pub(crate) fn frame_bytes(&self) -> f64 {
        let [channels, hidden] = [self.channels, self.hidden].map(|count| count as f64);
        let patches = self.height as f64 * self.width as f64 / (PATCH * PATCH) as f64;
        // The places of the coarse resolution are a quarter of the fine one's.
        let resolutions = if self.is_halved() { 1.25 } else { 1.0 };
        let blocks = resolutions * self.blocks as f64 * ROWS_OF_A_BLOCK * hidden;
        NUMBER * 2.0 * patches * (2.0 * PIXELS + blocks + 4.0 * hidden + 4.0 * channels)
    }

    fn is_halved(&self) -> bool {
        self.factor > PATCH
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Module;
    use experiment::seed::Seed;

    use super::*;
    use crate::autoencoder::Autoencoder;

    #[test]
    fn the_count_is_that_of_the_autoencoder_itself() {
        for (factor, channels, hidden, blocks) in [(4, 2, 4, 1), (8, 3, 5, 2), (8, 1, 4, 0)] {
            let size = AutoencoderConfig { height: 16, width: 8, ..AutoencoderConfig::default() };
            let config = AutoencoderConfig { factor, channels, hidden, blocks, ..size };
            let device = Default::default();
            let autoencoder = Autoencoder::<Flex>::new(&config, &Seed::new(0), &device).unwrap();
            assert_eq!(config.parameters(), autoencoder.num_params() as f64, "{config:?}");
            let larger = AutoencoderConfig { height: 32, ..config };
            assert_eq!(larger.frame_bytes(), 2.0 * config.frame_bytes());
        }
    }
}
