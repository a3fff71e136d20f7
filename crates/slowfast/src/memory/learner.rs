//! The fast learning at inference.

use burn::module::Param;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::inner::Iterate;
use inner_outer::{ConfiguredRule, InnerLoop, RateScope, Rates};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::problem::memory_of;
use super::{Episode, FastConfig, FastForm, Lesson, MemoryError, SlowFast};
use crate::diffusion::{Clip, Diffusion, DiffusionError, Example};
use crate::model::Denoiser;
use crate::text::Phrases;

/// The inner loop that writes a chunk into the Temp-LoRA.
#[derive(Clone, Debug)]
pub struct FastLearner<B: Backend> {
    config: FastConfig,
    diffusion: Diffusion,
    inner_loop: InnerLoop<ConfiguredRule>,
    learned_rates: Option<Rates<B>>,
}

/// What a chunk left in the memory.
pub(crate) struct Learned<B: Backend> {
    pub memory: Iterate<B>,
    pub losses: Vec<f64>,
}

impl<B: Backend> FastLearner<B> {
    /// A learner, with rates from the configuration.
    ///
    /// # Errors
    /// Those of [`FastConfig::check`], and timesteps that are not in the schedule.
    pub fn new(config: FastConfig, diffusion: Diffusion) -> Result<Self, MemoryError> {
        config.check()?;
        let timesteps = config.timesteps.unwrap_or(diffusion.timesteps());
        timesteps.check(diffusion.schedule.steps())?;
        let inner_loop = InnerLoop { optimizer: config.optimizer, steps: config.steps };
        Ok(Self { config, diffusion, inner_loop, learned_rates: None })
    }

    /// The learner with rates that an outer loop learned. Where it learned one for each step of several chunks, those of the
    /// last one serve all later chunks too.
    pub fn with_rates(self, rates: Rates<B>) -> Self {
        Self { learned_rates: Some(rates), ..self }
    }

    /// The settings.
    pub fn config(&self) -> &FastConfig {
        &self.config
    }

    /// Learned rates, where there are any.
    pub fn learned_rates(&self) -> Option<&Rates<B>> {
        self.learned_rates.as_ref()
    }

    /// The denoiser with a fresh Temp-LoRA, one for each episode; with the one that it has, if an outer loop learned it.
    ///
    /// # Errors
    /// Those of [`Denoiser::with_adapters`].
    pub fn equip(&self, denoiser: &Denoiser<B>, seed: &Seed) -> Result<Denoiser<B>, MemoryError> {
        if denoiser.has_adapters() {
            return Ok(denoiser.clone());
        }
        let mut random = seed.child("adapters").rng();
        let equipped = denoiser.clone().with_adapters(&self.config.adapters, &mut random);
        equipped.map_err(|error| DiffusionError::from(error).into())
    }

    /// The memory of a denoiser with adapters, with a fresh state of the optimiser.
    pub(crate) fn fresh(&self, equipped: &Denoiser<B>) -> Iterate<B> {
        self.inner_loop.start(&memory_of(equipped))
    }

    /// `Theta_{i+1}`: the memory after the chunk `Y_i` that came after `X_i` in the episode.
    pub(crate) fn learn(
        &self,
        equipped: &Denoiser<B>,
        episode: &Episode<B>,
        past: &Clip<B>,
        chunk: &Clip<B>,
        random: &mut ChaCha8Rng,
    ) -> Result<Learned<B>, MemoryError> {
        let index = episode.chunks().len();
        let before = episode.clip();
        let fast = (0..self.config.steps).map(|_| self.example(&before, past, chunk, random));
        let fast = fast.collect::<Result<_, _>>()?;
        let lesson = Lesson { fast, along: Vec::new(), slow: Vec::new(), memory: None };
        let from = episode.memory().cloned().unwrap_or_else(|| self.fresh(equipped));
        let rates = self.rates(&from, index);
        let adapted =
            self.inner_loop.adapt_from(&SlowFast::Fast, equipped, &rates, &lesson, Some(from));
        let adapted = adapted.map_err(|cause| MemoryError::Learning { chunk: index, cause })?;
        let memory = match self.config.keep_state {
            true => adapted.end,
            false => self.inner_loop.start(&adapted.end.theta),
        };
        Ok(Learned { memory, losses: adapted.inner_losses })
    }

    /// What one step of the inner loop descends after `chunk`, which is conditioned on `past` and comes after all the frames of
    /// `before`.
    ///
    /// # Errors
    /// [`DiffusionError::NoFuture`] if the chunk has no frames.
    pub fn example(
        &self,
        before: &Clip<B>,
        past: &Clip<B>,
        chunk: &Clip<B>,
        random: &mut ChaCha8Rng,
    ) -> Result<Example<B>, MemoryError> {
        let FastConfig { form, draws, timesteps, .. } = self.config;
        let timesteps = timesteps.unwrap_or(self.diffusion.timesteps());
        let local = past.followed_by(chunk);
        let clips = match form {
            FastForm::WholeSequence => {
                windows(&before.followed_by(chunk), local.frames(), draws, random)
            }
            FastForm::Local | FastForm::InputToOutput | FastForm::SingleFrame => {
                local.repeated(draws)
            }
        };
        let example = match form {
            FastForm::InputToOutput => {
                self.diffusion.conditional(&clips, past.frames(), timesteps, random)
            }
            FastForm::Local | FastForm::WholeSequence | FastForm::SingleFrame => {
                self.diffusion.unconditional(&clips, timesteps, random)
            }
        };
        Ok(example?)
    }

    /// The rates of the steps after chunk `chunk`.
    fn rates(&self, memory: &Iterate<B>, chunk: usize) -> Rates<B> {
        let steps = self.config.steps;
        let Some(learned) = &self.learned_rates else {
            return Rates::new(RateScope::Global, self.config.rate, &memory.theta, steps);
        };
        let of_chunk = |rates: &Param<burn::tensor::Tensor<B, 2>>| {
            let rows = rates.dims()[0];
            if rows <= steps {
                return rates.clone();
            }
            let first = (chunk * steps).min(rows - steps);
            Param::initialized(rates.id, rates.val().narrow(0, first, steps))
        };
        Rates { tensors: learned.tensors.iter().map(of_chunk).collect() }
    }
}

/// `count` windows of `frames` frames from anywhere in a clip.
fn windows<B: Backend>(
    clip: &Clip<B>,
    frames: usize,
    count: usize,
    random: &mut ChaCha8Rng,
) -> Clip<B> {
    let starts = (0..count).map(|_| random.random_range(0..=clip.frames() - frames));
    let parts: Vec<Clip<B>> = starts.map(|start| clip.narrow(start, frames)).collect();
    let phrases: Vec<Phrases> = parts.iter().map(|part| part.phrases.clone()).collect();
    let latents = parts.into_iter().map(|part| part.latents).collect();
    Clip { latents: burn::tensor::Tensor::cat(latents, 0), phrases: Phrases::stacked(&phrases) }
}
