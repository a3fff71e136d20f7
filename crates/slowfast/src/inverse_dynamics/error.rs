//! Inverse dynamics that cannot be learned or used.

use std::path::PathBuf;

use crate::clip::ClipError;
use crate::remedies::{self, SLOW_ALONE};
use crate::size::SizeError;

/// A failure to learn, read or use inverse dynamics. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum InverseDynamicsError {
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
    /// A network that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// Frames of another size than those of training.
    #[error(
        "the frames are {found:?} (rows, columns), but the inverse dynamics were learned on {expected:?}: run `train-inverse-dynamics` on clips of this size"
    )]
    Size {
        /// Rows and columns of the frames.
        found: [usize; 2],
        /// Rows and columns that were learned on.
        expected: [usize; 2],
    },
    /// Frames with fewer pixels than blocks.
    #[error("`blocks` is {blocks}, more than frames of {height}x{width} pixels can have: lower it")]
    Blocks {
        /// Blocks along a side.
        blocks: usize,
        /// Rows of a frame.
        height: usize,
        /// Columns of a frame.
        width: usize,
    },
    /// The clips.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// Nothing to learn or to judge by.
    #[error("the clips have no two consecutive frames for {0}: generate more or longer episodes")]
    NoPairs(String),
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists, or make it with `train-inverse-dynamics`", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no inverse dynamics, or no longer.
    #[error("{}: {problem}; restore the file from a copy, or run `train-inverse-dynamics` again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The core refused.
    #[error("inverse dynamics, step {step}: {}", remedies::of_learning(cause, &SLOW_ALONE))]
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
