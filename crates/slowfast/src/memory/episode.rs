//! What happened in an episode, and what was remembered of it after each chunk.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::inner::Iterate;

use super::{FastForm, MemoryError};
use crate::diffusion::Clip;

/// One chunk of an episode.
#[derive(Clone, Debug)]
pub struct Chunk<B: Backend> {
    /// Its frames and actions, `Y_i` and `C_i`.
    pub clip: Clip<B>,
    /// The Temp-LoRA after it was learned, `Theta_{i+1}`, with the optimiser's state; none without fast learning.
    pub memory: Option<Iterate<B>>,
    /// The fast loss before each step.
    pub losses: Vec<f64>,
    /// The seed that the episode had.
    pub seed: Seed,
}

/// An episode so far: enough to go on, bit for bit, from any of its chunks.
#[derive(Clone, Debug)]
pub struct Episode<B: Backend> {
    pub(crate) seed: Seed,
    pub(crate) start: Clip<B>,
    pub(crate) fresh: Option<Iterate<B>>,
    pub(crate) chunks: Vec<Chunk<B>>,
}

impl<B: Backend> Episode<B> {
    /// Where the episode begins, `X_0`.
    pub fn start(&self) -> &Clip<B> {
        &self.start
    }

    /// The chunks so far.
    pub fn chunks(&self) -> &[Chunk<B>] {
        &self.chunks
    }

    /// The seed of what comes next.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The Temp-LoRA as it is now, `Theta_i`; none without fast learning.
    pub fn memory(&self) -> Option<&Iterate<B>> {
        self.chunks.last().map_or(self.fresh.as_ref(), |chunk| chunk.memory.as_ref())
    }

    /// What the next chunk is conditioned on, `X_i`: the last chunk, or the start.
    pub fn past(&self, form: FastForm) -> Clip<B> {
        form.past_of(self.chunks.last().map_or(&self.start, |chunk| &chunk.clip))
    }

    /// All frames from the start on, `[1, frames, channels, height, width]`.
    pub fn latents(&self) -> Tensor<B, 5> {
        let clips = std::iter::once(&self.start).chain(self.chunks.iter().map(|chunk| &chunk.clip));
        Tensor::cat(clips.map(|clip| clip.latents.clone()).collect(), 1)
    }

    /// All frames and actions from the start on.
    pub fn clip(&self) -> Clip<B> {
        let chunks = self.chunks.iter().map(|chunk| &chunk.clip);
        chunks.fold(self.start.clone(), |before, chunk| before.followed_by(chunk))
    }

    /// The episode as it was after `chunks` chunks.
    ///
    /// # Errors
    /// [`MemoryError::NoSuchChunk`] if there are fewer.
    pub fn rewound(mut self, chunks: usize) -> Result<Self, MemoryError> {
        if chunks > self.chunks.len() {
            return Err(MemoryError::NoSuchChunk { asked: chunks, chunks: self.chunks.len() });
        }
        if let Some(next) = self.chunks.get(chunks) {
            self.seed = next.seed.clone();
        }
        self.chunks.truncate(chunks);
        Ok(self)
    }

    /// The episode with another future: the same past and memory, but other noise from here on.
    pub fn forked(&self, seed: Seed) -> Self {
        Self { seed, ..self.clone() }
    }

    /// The norm of the change that the memory has made to its adapters since the start; 0 without fast learning.
    pub fn memory_change(&self) -> f64 {
        match (self.memory(), &self.fresh) {
            (Some(now), Some(fresh)) => now.theta.minus(&fresh.theta).norm(),
            _ => 0.0,
        }
    }
}
