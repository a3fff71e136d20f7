//! Memories that cannot be made, kept or used.

use std::path::PathBuf;

use super::Fingerprint;
use crate::diffusion::DiffusionError;
use crate::remedies::{self, FAST_ALONE};
use crate::size::SizeError;

/// A failure to learn, save, load or use an episodic memory. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
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
    /// Fast learning that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// The denoiser, the noise or the sampler refused.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// The inner loop refused.
    #[error("fast learning after chunk {chunk}: {}", remedies::of_learning(cause, &FAST_ALONE))]
    Learning {
        /// Chunk, from 0.
        chunk: usize,
        /// What happened.
        cause: inner_outer::Error,
    },
    /// An episode of several clips at once.
    #[error("an episode is one clip, but there are {found}; begin one episode for each")]
    SeveralClips {
        /// Clips given.
        found: usize,
    },
    /// Rewinding to a chunk that there is not.
    #[error(
        "the episode has {chunks} chunks, so it cannot be rewound to {asked}; give at most {chunks}"
    )]
    NoSuchChunk {
        /// Chunks asked for.
        asked: usize,
        /// Chunks that there are.
        chunks: usize,
    },
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no memory, or no longer.
    #[error("{}: {problem}; restore the file from a copy, or play the episode again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A version of the format that is not known here.
    #[error("{}: a memory of format {found}, but this program reads format {known}; use the program that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that can be read.
        known: u32,
    },
    /// The memory belongs to another model.
    #[error("{}: a memory of the model {found}, but this one is {expected}; load it with the model it was made with", path.display())]
    AnotherBase {
        /// The file.
        path: PathBuf,
        /// The model that it belongs to.
        found: Fingerprint,
        /// The model at hand.
        expected: Fingerprint,
    },
    /// The memory was made with other settings, so it would not go on as it went.
    #[error("{}: made with {setting} {found}, but here it is {expected}; load it with the settings it was made with", path.display())]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// The setting that differs.
        setting: &'static str,
        /// What it was.
        found: String,
        /// What it is here.
        expected: String,
    },
    /// Tensors that no file can hold.
    #[error("the memory cannot be stored: {}", remedies::in_file(.0))]
    NotStorable(inner_outer::Error),
}
