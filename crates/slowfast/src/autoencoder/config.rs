//! The shape of an autoencoder.

use serde::{Deserialize, Serialize};

use super::AutoencoderError;
use crate::model::LatentShape;
use crate::size::{MOST_BYTES, MOST_LAYERS, MOST_PARAMETERS, SizeError, at_most, listed, together};

/// Rows and columns that a frame may have.
const MOST_PIXELS: usize = 10_000;

/// A small variational autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderConfig {
    /// Rows of a frame in pixels.
    pub height: usize,
    /// Columns of a frame in pixels.
    pub width: usize,
    /// Pixels to a latent along each side, 4 or 8.
    pub factor: usize,
    /// Channels of a latent.
    pub channels: usize,
    /// Width of the rows.
    pub hidden: usize,
    /// Residual blocks at each resolution.
    pub blocks: usize,
    /// Weight of the divergence of the latents from the standard normal distribution in the loss.
    pub kl_weight: f64,
}

impl Default for AutoencoderConfig {
    /// 64x64 pixels to 8x8 latents of 4 channels.
    fn default() -> Self {
        Self {
            height: 64,
            width: 64,
            factor: 8,
            channels: 4,
            hidden: 64,
            blocks: 2,
            kl_weight: 1e-4,
        }
    }
}

impl AutoencoderConfig {
    /// Checks that an autoencoder of this shape exists, and that a machine has room for it.
    ///
    /// # Errors
    /// [`AutoencoderError::Setting`], [`AutoencoderError::Size`] and [`AutoencoderError::TooLarge`].
    pub fn check(&self) -> Result<(), AutoencoderError> {
        let Self { height, width, factor, kl_weight, .. } = *self;
        let refuse =
            |setting, found, range| Err(AutoencoderError::Setting { setting, found, range });
        if ![4, 8].contains(&factor) {
            return refuse("autoencoder.factor", factor as f64, "4 or 8");
        }
        for (setting, count) in [
            ("autoencoder.height", height),
            ("autoencoder.width", width),
            ("autoencoder.channels", self.channels),
            ("autoencoder.hidden", self.hidden),
        ] {
            if count == 0 {
                return refuse(setting, 0.0, "at least 1");
            }
        }
        if !kl_weight.is_finite() || kl_weight < 0.0 {
            return refuse("autoencoder.kl_weight", kl_weight, "a finite number of at least 0");
        }
        if !height.is_multiple_of(factor) || !width.is_multiple_of(factor) {
            return Err(AutoencoderError::Size { height, width, factor });
        }
        Ok(self.check_size()?)
    }

    fn check_size(&self) -> Result<(), SizeError> {
        let Self { height, width, channels, hidden, blocks, .. } = *self;
        at_most(MOST_PIXELS, &[("autoencoder.height", height), ("autoencoder.width", width)])?;
        at_most(MOST_LAYERS, &[("autoencoder.blocks", blocks)])?;
        let sizes = || {
            listed(&[
                ("autoencoder.hidden", hidden),
                ("autoencoder.channels", channels),
                ("autoencoder.blocks", blocks),
            ])
        };
        let parameters = ("the autoencoder would have", self.parameters(), "parameters");
        together(parameters, MOST_PARAMETERS, sizes)?;
        let bytes = ("a frame in the autoencoder would take", self.frame_bytes(), "bytes");
        together(bytes, MOST_BYTES, sizes)
    }

    /// What a frame becomes.
    pub fn latent(&self) -> LatentShape {
        LatentShape {
            channels: self.channels,
            height: self.height / self.factor,
            width: self.width / self.factor,
        }
    }
}
