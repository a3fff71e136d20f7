//! Clean latent video with its actions.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};

use super::DiffusionError;
use crate::text::Phrases;

/// Clean latent frames and the actions that led to them.
#[derive(Clone, Debug)]
pub struct Clip<B: Backend> {
    /// `[batch, frames, channels, height, width]`.
    pub latents: Tensor<B, 5>,
    /// One phrase for each frame.
    pub phrases: Phrases,
}

impl<B: Backend> Clip<B> {
    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.latents.dims()[1]
    }

    /// Number of clips side by side.
    pub fn batch(&self) -> usize {
        self.latents.dims()[0]
    }

    /// The device of the latents.
    pub fn device(&self) -> Device<B> {
        self.latents.device()
    }

    /// `count` frames from frame `start` on.
    ///
    /// # Panics
    /// If there are fewer frames.
    pub fn narrow(&self, start: usize, count: usize) -> Self {
        Self {
            latents: self.latents.clone().narrow(1, start, count),
            phrases: self.phrases.narrow(start, count),
        }
    }

    /// The last `count` frames.
    ///
    /// # Panics
    /// If there are fewer frames.
    pub fn last(&self, count: usize) -> Self {
        self.narrow(self.frames() - count, count)
    }

    /// Checks that [`Self::followed_by`] can join this clip and `after`.
    ///
    /// # Errors
    /// [`DiffusionError::Unlike`] or [`DiffusionError::Text`] if the shapes differ in more than the number of frames.
    pub fn check_before(&self, after: &Self) -> Result<(), DiffusionError> {
        let (first, second) = (self.latents.dims(), after.latents.dims());
        if first[0] != second[0] || first[2..] != second[2..] {
            return Err(DiffusionError::Unlike { first, second });
        }
        Ok(self.phrases.check_before(&after.phrases)?)
    }

    /// These frames and then those of `after`, clip by clip: `X ⊕ Y` in the paper's algorithm 1.
    ///
    /// # Panics
    /// If the shapes differ in more than the number of frames.
    pub fn followed_by(&self, after: &Self) -> Self {
        Self {
            latents: Tensor::cat(vec![self.latents.clone(), after.latents.clone()], 1),
            phrases: self.phrases.followed_by(&after.phrases),
        }
    }

    /// All clips `copies` times, one below the other.
    pub fn repeated(&self, copies: usize) -> Self {
        Self {
            latents: self.latents.clone().repeat_dim(0, copies),
            phrases: Phrases::stacked(&vec![self.phrases.clone(); copies]),
        }
    }
}
