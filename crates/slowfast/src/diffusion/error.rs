//! Diffusion that cannot be set up.

use crate::model::ModelError;
use crate::text::TextError;

/// A setting or input that diffusion cannot work with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// Variances that do not grow from above 0 to below 1.
    #[error(
        "the noise schedule goes from `first_beta` = {first} to `last_beta` = {last}; give 0 < first_beta <= last_beta < 1"
    )]
    Betas {
        /// The first.
        first: f64,
        /// The last.
        last: f64,
    },
    /// A number of timesteps or sampler steps that is out of its range.
    #[error("`{setting}` is {found}, but must be from 1 to {most}")]
    Steps {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: usize,
        /// The most it can be.
        most: usize,
    },
    /// Timesteps that are empty or beyond the schedule.
    #[error(
        "the timesteps {from}..{to} are none or beyond the {steps} of the schedule; give `from` < `to` <= {steps}"
    )]
    Timesteps {
        /// The first.
        from: usize,
        /// The one after the last.
        to: usize,
        /// Timesteps of the schedule.
        steps: usize,
    },
    /// A guidance or a bound that is no finite number in its range.
    #[error("`{setting}` is {found}, but must be {range}")]
    Number {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A clip without a frame that could be denoised.
    #[error(
        "a clip of {frames} frames with {past} given ones leaves none to denoise; give more frames or a shorter past"
    )]
    NoFuture {
        /// Frames of the clip.
        frames: usize,
        /// Frames given.
        past: usize,
    },
    /// Clips that cannot stand one after the other.
    #[error(
        "clips of latents {first:?} and {second:?} cannot follow each other; give as many clips, encoded by the same autoencoder"
    )]
    Unlike {
        /// Shape of the first's latents.
        first: [usize; 5],
        /// Shape of the second's latents.
        second: [usize; 5],
    },
    /// Phrases that do not fit each other.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Input that the denoiser cannot read.
    #[error(transparent)]
    Model(#[from] ModelError),
}
