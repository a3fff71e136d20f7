//! Learning to remember: lessons whose outer loss asks for what the fast steps saw.
//!
//! The fast steps write the first chunks of an episode into the Temp-LoRA; the outer loss denoises later chunks that come
//! back to them, given only the chunk before. Its derivative goes through the fast steps, so the denoiser learns to write
//! to its memory and to read from it.

use burn::tensor::backend::Backend;
use experiment::seed::Seed;

use super::{SecondOrderConfig, SlowError};
use crate::diffusion::{Clip, Diffusion, DiffusionError};
use crate::memory::{FastForm, FastLearner, Lesson, memory_of};
use crate::model::Denoiser;

/// An episode and what is asked of it.
#[derive(Clone, Debug)]
pub struct Recall<B: Backend> {
    /// The start and the chunks after it, `X_0, X_1, ...`.
    pub chunks: Vec<Clip<B>>,
    /// Numbers of the chunks that the outer loss denoises, from 1: those that revisit what was learned.
    pub asked: Vec<usize>,
}

impl<B: Backend> Recall<B> {
    /// The lesson of this episode for the denoiser in training, which has adapters.
    ///
    /// # Errors
    /// [`SlowError::Recall`] if the episode has no such chunks, and chunks that do not fit the denoiser.
    pub fn lesson(
        &self,
        config: &SecondOrderConfig,
        diffusion: &Diffusion,
        denoiser: &Denoiser<B>,
        seed: &Seed,
    ) -> Result<Lesson<B>, SlowError> {
        self.check(config.written)?;
        let fast = FastLearner::<B>::new(config.fast.clone(), diffusion.clone())?;
        let past = |number: usize| self.past(number, config.fast.form, denoiser);
        let mut random = seed.child("fast learning").rng();
        let mut written = Vec::with_capacity(config.inner_steps());
        let mut before = self.chunks[0].clone();
        for number in 1..=config.written {
            let (past, chunk) = (past(number)?, &self.chunks[number]);
            for _ in 0..config.fast.steps {
                written.push(fast.example(&before, &past, chunk, &mut random)?);
            }
            before = before.followed_by(chunk);
        }
        let mut random = seed.child("slow noise").rng();
        let mut ask = |number: usize| -> Result<_, SlowError> {
            let past = past(number)?;
            let clips = past.followed_by(&self.chunks[number]).repeated(config.draws);
            Ok(diffusion.conditional(&clips, past.frames(), diffusion.timesteps(), &mut random)?)
        };
        let along = 1..=if config.along { config.written } else { 0 };
        let along = along.map(&mut ask).collect::<Result<_, _>>()?;
        let asked = self.asked.iter().map(|&number| ask(number)).collect::<Result<_, _>>()?;
        let memory = match config.learn_start {
            true => None,
            false => {
                let fresh = fast.equip(&denoiser.clone().without_adapters(), seed)?;
                Some(memory_of(&fresh).0)
            }
        };
        Ok(Lesson { fast: written, along, slow: asked, memory })
    }

    /// What chunk `number` is conditioned on, where the denoiser can read both.
    fn past(
        &self,
        number: usize,
        form: FastForm,
        denoiser: &Denoiser<B>,
    ) -> Result<Clip<B>, SlowError> {
        let (past, chunk) = (form.past_of(&self.chunks[number - 1]), &self.chunks[number]);
        past.check_before(chunk)?;
        let clip = past.followed_by(chunk);
        denoiser.check(clip.latents.dims(), &clip.phrases).map_err(DiffusionError::from)?;
        Ok(past)
    }

    fn check(&self, written: usize) -> Result<(), SlowError> {
        let chunks = self.chunks.len().saturating_sub(1);
        let there = |number: &usize| (1..=chunks).contains(number);
        match written <= chunks && !self.asked.is_empty() && self.asked.iter().all(there) {
            true => Ok(()),
            false => Err(SlowError::Recall { chunks, written, asked: self.asked.clone() }),
        }
    }
}
