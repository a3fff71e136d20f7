//! What is played.

use serde::{Deserialize, Serialize};

use super::ServeError;
use crate::diffusion::SamplerConfig;
use crate::memory::{FastConfig, FastForm};
use crate::slow::TrainedConfig;
use crate::world::WorldSettings;

/// Settings of `slowfast serve`, in `--config` and `--set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayConfig {
    /// Frames of a chunk; half of what the denoiser reads at once by default.
    pub frames_per_chunk: usize,
    /// Frames a second on the page and in downloaded clips, above 0 and up to 50.
    pub frames_per_second: f64,
    /// How chunks are sampled.
    pub sampler: SamplerConfig,
    /// How they are memorised; as the model was trained by default.
    pub fast: FastConfig,
    /// The built-in worlds to start in without `--clips`. Their `size` is the model's whatever is set here.
    pub world: WorldSettings,
}

impl PlayConfig {
    /// The defaults for a model.
    pub fn of_model(trained: &TrainedConfig) -> Self {
        Self {
            frames_per_chunk: (trained.denoiser.frames / 2).max(1),
            frames_per_second: 8.0,
            sampler: SamplerConfig::default(),
            fast: trained.fast_learning(),
            world: WorldSettings::default(),
        }
    }

    /// Checks what the sampler and the fast learning do not check themselves.
    ///
    /// # Errors
    /// [`ServeError::FramesPerChunk`] and [`ServeError::FramesPerSecond`].
    pub(super) fn check(&self, trained: &TrainedConfig) -> Result<(), ServeError> {
        let window = trained.denoiser.frames;
        let most = match self.fast.form {
            FastForm::SingleFrame => window.saturating_sub(1),
            FastForm::Local | FastForm::InputToOutput | FastForm::WholeSequence => window / 2,
        };
        if !(1..=most).contains(&self.frames_per_chunk) {
            return Err(ServeError::FramesPerChunk { found: self.frames_per_chunk, most });
        }
        match self.frames_per_second > 0.0 && self.frames_per_second <= 50.0 {
            true => Ok(()),
            false => Err(ServeError::FramesPerSecond { found: self.frames_per_second }),
        }
    }
}
