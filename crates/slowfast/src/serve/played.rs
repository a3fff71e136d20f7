//! What a session has played so far.

use burn::tensor::backend::Backend;
use serde::Serialize;

use super::Sides;
use crate::memory::Episode;

/// Two episodes of the same start, seed and actions.
#[derive(Clone, Debug)]
pub struct Played<B: Backend> {
    /// With memory and without.
    pub episodes: Sides<Episode<B>>,
    /// What is told of their chunks.
    pub chunks: Vec<ChunkRecord>,
    /// The last frame of each, as a PNG.
    pub view: Sides<Vec<u8>>,
}

/// What is told of a chunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChunkRecord {
    /// Its number in the episode, from 1.
    pub number: usize,
    /// The action as it was typed; of a loaded memory, the words that the model was given.
    pub phrase: String,
    /// Words of it that the model does not know, and was not given.
    pub unknown: Vec<String>,
    /// The side with memory.
    pub with_memory: SideRecord,
    /// The side without.
    pub without_memory: SideRecord,
}

/// What a chunk did to the memory of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SideRecord {
    /// Norm of the change of the memory since the start; 0 without memory.
    pub memory_norm: f64,
    /// The fast loss before each step of learning the chunk; none without memory.
    pub fast_losses: Vec<f64>,
}

impl SideRecord {
    /// Of the last chunk of an episode.
    pub(super) fn of_last<B: Backend>(episode: &Episode<B>) -> Self {
        let losses = episode.chunks().last().map(|chunk| chunk.losses.clone());
        Self { memory_norm: episode.memory_change(), fast_losses: losses.unwrap_or_default() }
    }
}
