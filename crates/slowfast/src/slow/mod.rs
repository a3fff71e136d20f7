//! Slow learning: the denoiser learns the world's dynamics.
//!
//! | to | read |
//! |---|---|
//! | train on windows of video (section 3.1) | [`SlowTrainer::pretraining`], [`WindowConfig`] |
//! | train in the slow-fast loop, algorithm 1b (section 3.3) | [`slow_fast_pass`] |
//! | keep what was trained | [`TrainerState`], [`TrainedDenoiser`] |
//! | train through the fast learning, by second-order hypergradients | [`Recall`], [`SecondOrderConfig`] |
//!
//! All three are the same bi-level problem ([`SlowFast`](crate::memory::SlowFast)) and the same [`SlowTrainer`]; they differ
//! in the lessons and in the number of inner steps: none, none with a given memory, or the fast steps on earlier chunks.

mod config;
mod error;
mod hypergradient;
mod recall;
mod slow_fast_loop;
mod trained;
mod trainer;
mod windows;

pub use config::{SecondOrderConfig, SlowConfig, WindowConfig};
pub use error::SlowError;
pub use recall::Recall;
pub use slow_fast_loop::{ChunkSource, LoopConfig, StoredChunk, slow_fast_pass, stored_chunks};
pub use trained::{TrainedConfig, TrainedDenoiser};
pub use trainer::{SlowTrainer, TrainerState};

#[cfg(test)]
mod tests;
