//! Autoencoders that cannot be built, trained or used.

use std::path::PathBuf;

use crate::remedies::{self, SLOW_ALONE};
use crate::size::SizeError;

/// A failure of the autoencoder. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutoencoderError {
    /// A setting out of its range.
    #[error("`{setting}` is {found}, but must be {range}; correct it")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        range: &'static str,
    },
    /// An autoencoder that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// Frames that do not divide into latents.
    #[error(
        "frames of {height}x{width} pixels do not divide by the factor {factor}; change `autoencoder.height`, `width` or `factor`"
    )]
    Size {
        /// Rows of a frame.
        height: usize,
        /// Columns of a frame.
        width: usize,
        /// Pixels to a latent.
        factor: usize,
    },
    /// Pixels that do not fill their shape.
    #[error(
        "{found} bytes do not fill frames of shape {shape:?}; give one byte for each red, green and blue of every pixel"
    )]
    Pixels {
        /// Bytes given.
        found: usize,
        /// `[batch, frames, height, width, 3]`.
        shape: [usize; 5],
    },
    /// Input of another shape than the autoencoder reads.
    #[error(
        "{what} are {found:?}, but the autoencoder reads {expected:?}; give it what it was trained on"
    )]
    Shape {
        /// `frames` or `latents`.
        what: &'static str,
        /// Their shape.
        found: Vec<usize>,
        /// The shape that fits.
        expected: Vec<usize>,
    },
    /// Latents whose scale cannot be measured.
    #[error(
        "latent channel {channel} has the deviation {deviation} over the frames given; train longer, lower `autoencoder.kl_weight`, or measure on more frames"
    )]
    Collapsed {
        /// The channel.
        channel: usize,
        /// Its deviation.
        deviation: f64,
    },
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no autoencoder, or no longer.
    #[error("{}: {problem}; restore the file from a copy, or train the autoencoder again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The bi-level core refused.
    #[error("autoencoder step {step}: {}", remedies::of_learning(cause, &SLOW_ALONE))]
    Learning {
        /// Step, from 0.
        step: usize,
        /// What happened.
        cause: inner_outer::Error,
    },
    /// A state that cannot be written or read.
    #[error("{}", remedies::of_state(.0))]
    State(inner_outer::Error),
}
