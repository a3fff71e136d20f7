//! Training that cannot go on.

use std::path::PathBuf;

use crate::diffusion::DiffusionError;
use crate::memory::MemoryError;
use crate::remedies::{self, SLOW_AND_FAST};
use crate::size::SizeError;

/// A failure of the slow learning. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlowError {
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
    /// A setting that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// Numbers of given frames that are none or out of order.
    #[error("windows have from {least} to {most} given frames; give 1 <= least_past <= most_past")]
    Past {
        /// Fewest.
        least: usize,
        /// Most.
        most: usize,
    },
    /// Clips that are too short to cut windows from.
    #[error(
        "a clip has {found} frames, but windows are cut from {expected}; cut longer clips, or lower `windows.most_past` or `windows.future`"
    )]
    ShortClip {
        /// Frames of the clip.
        found: usize,
        /// Frames that are needed.
        expected: usize,
    },
    /// Second order through an optimiser that begins anew after each chunk.
    #[error(
        "the second-order loop takes all fast steps as one loop, so set `second_order.fast.keep_state` to true"
    )]
    StateNotKept,
    /// Learned rates by a hypergradient that gives them no gradient.
    #[error(
        "`second_order.hypergradient.kind` is \"{hypergradient}\", which gives the rates of the fast steps no gradient, so they cannot be learned; set `second_order.rates_rate.rate` to 0, or choose \"unrolled\", \"truncated\" or \"first-order\""
    )]
    BlindToRates {
        /// The hypergradient.
        hypergradient: &'static str,
    },
    /// A recall that does not fit its episode.
    #[error(
        "the episode has {chunks} chunks after its start, of which {written} are learned and {asked:?} asked for; ask for at least one, by numbers from 1 to {chunks}, and learn at most {chunks}"
    )]
    Recall {
        /// Chunks after the start.
        chunks: usize,
        /// Chunks learned.
        written: usize,
        /// Chunks asked for.
        asked: Vec<usize>,
    },
    /// A lesson for another trainer.
    #[error(
        "lesson {lesson} {problem}; make it with the settings of the trainer, and memories with the adapters of its denoiser"
    )]
    Lesson {
        /// The lesson, from 0.
        lesson: usize,
        /// What does not fit.
        problem: String,
    },
    /// An episode without a chunk after its start.
    #[error("episode {episode} has {chunks} chunks; the slow-fast loop needs at least 2")]
    ShortEpisode {
        /// Episode, from 0.
        episode: usize,
        /// Its chunks, the start included.
        chunks: usize,
    },
    /// A trainer of another stage than the lessons are for.
    #[error("{what} needs a trainer made by `SlowTrainer::{constructor}`")]
    Stage {
        /// What was asked for.
        what: &'static str,
        /// The constructor to use.
        constructor: &'static str,
    },
    /// Noise or model refused.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// Fast learning refused.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The bi-level core refused.
    #[error("slow step {step}: {}", remedies::of_learning(cause, &SLOW_AND_FAST))]
    Learning {
        /// Step, from 0.
        step: usize,
        /// What happened.
        cause: inner_outer::Error,
    },
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no denoiser, or no longer.
    #[error("{}: {problem}; restore the file from a copy, or write it again from a checkpoint", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A state that cannot be written or read.
    #[error("{}", remedies::of_state(.0))]
    State(inner_outer::Error),
}
