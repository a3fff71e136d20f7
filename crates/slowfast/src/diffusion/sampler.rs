//! The way back: deterministic implicit sampling (DDIM, Song et al. 2021) of future frames after given ones.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::example::normal;
use super::{Clip, Diffusion, DiffusionError, Estimate};
use crate::model::{Denoiser, NoisyWindow};
use crate::text::Phrases;

/// Which timesteps a sampler visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// From the last timestep downwards (Lin et al. 2024): the start is nearly as noisy as the noise it is drawn from. The schedule
    /// is not rescaled to end without any signal.
    #[default]
    Trailing,
    /// From the first timestep upwards, as DDIM had it; the last timesteps are left out.
    Leading,
}

/// How future frames are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerConfig {
    /// Steps, at most the timesteps of the schedule.
    pub steps: usize,
    /// Which timesteps they visit.
    pub spacing: Spacing,
    /// Largest absolute value of an estimated clean latent; `None` for no bound.
    pub clip: Option<f64>,
    /// Classifier-free guidance (Ho and Salimans 2022): how far to go from the prediction without action to that with
    /// it. 1 is the latter.
    pub action_guidance: f64,
    /// Contrastive guidance: how far to go from the prediction with the Temp-LoRA as it was before the episode to that with
    /// what the episode left in it. 1 is the latter; 0 leaves the memory out.
    pub memory_guidance: f64,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            steps: 20,
            spacing: Spacing::default(),
            clip: None,
            action_guidance: 1.0,
            memory_guidance: 1.0,
        }
    }
}

/// A sampler of future frames.
#[derive(Clone, Debug)]
pub struct Sampler {
    diffusion: Diffusion,
    config: SamplerConfig,
}

impl Sampler {
    /// A sampler that undoes `diffusion`.
    ///
    /// # Errors
    /// [`DiffusionError::Steps`] and [`DiffusionError::Number`].
    pub fn new(diffusion: Diffusion, config: SamplerConfig) -> Result<Self, DiffusionError> {
        let most = diffusion.schedule.steps();
        if !(1..=most).contains(&config.steps) {
            let found = config.steps;
            return Err(DiffusionError::Steps { setting: "sampler.steps", found, most });
        }
        let guidances = [
            ("sampler.action_guidance", config.action_guidance),
            ("sampler.memory_guidance", config.memory_guidance),
        ];
        for (setting, found) in guidances {
            if !found.is_finite() || found < 0.0 {
                let range = "a finite number of at least 0";
                return Err(DiffusionError::Number { setting, found, range });
            }
        }
        if let Some(found) = config.clip.filter(|bound| !bound.is_finite() || *bound <= 0.0) {
            let (setting, range) = ("sampler.clip", "a finite number above 0");
            return Err(DiffusionError::Number { setting, found, range });
        }
        Ok(Self { diffusion, config })
    }

    /// The diffusion that is undone.
    pub fn diffusion(&self) -> &Diffusion {
        &self.diffusion
    }

    /// The settings.
    pub fn config(&self) -> &SamplerConfig {
        &self.config
    }

    /// The timesteps that are visited, from the noisiest on.
    pub fn timesteps(&self) -> Vec<usize> {
        let (all, steps) = (self.diffusion.schedule.steps(), self.config.steps);
        match self.config.spacing {
            Spacing::Leading => (0..steps).rev().map(|step| step * (all / steps)).collect(),
            Spacing::Trailing => (1..=steps)
                .rev()
                .map(|step| (step as f64 * all as f64 / steps as f64).round() as usize - 1)
                .collect(),
        }
    }

    /// Future frames after `past`, one for each of the `actions`: `[batch, actions, channels, height, width]`.
    ///
    /// # Errors
    /// [`DiffusionError::NoFuture`] without actions, and [`DiffusionError::Model`] if the denoiser cannot read the window.
    pub fn sample<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        past: &Clip<B>,
        actions: &Phrases,
        random: &mut ChaCha8Rng,
    ) -> Result<Tensor<B, 5>, DiffusionError> {
        self.sample_watched(denoiser, None, past, actions, random, |_, _| ())
    }

    /// [`Self::sample`] with the guidance of a memory: away from what `base` predicts, the denoiser before the episode.
    ///
    /// # Errors
    /// As [`Self::sample`].
    pub fn sample_against<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        base: &Denoiser<B>,
        past: &Clip<B>,
        actions: &Phrases,
        random: &mut ChaCha8Rng,
    ) -> Result<Tensor<B, 5>, DiffusionError> {
        self.sample_watched(denoiser, Some(base), past, actions, random, |_, _| ())
    }

    /// [`Self::sample`], or [`Self::sample_against`] a `base`, with `watch` called with every timestep and the window that the denoiser reads there.
    ///
    /// # Errors
    /// As [`Self::sample`].
    pub fn sample_watched<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        base: Option<&Denoiser<B>>,
        past: &Clip<B>,
        actions: &Phrases,
        random: &mut ChaCha8Rng,
        mut watch: impl FnMut(usize, &NoisyWindow<B>),
    ) -> Result<Tensor<B, 5>, DiffusionError> {
        let [_, future, _] = actions.shape();
        let given = past.frames();
        if future == 0 {
            return Err(DiffusionError::NoFuture { frames: given, past: given });
        }
        let [batch, _, channels, height, width] = past.latents.dims();
        let shape = [batch, future, channels, height, width];
        past.phrases.check_before(actions)?;
        let phrases = past.phrases.followed_by(actions);
        denoiser.check([batch, given + future, channels, height, width], &phrases)?;
        let models = Models::new(denoiser, base, &self.config);
        let frames = Frames { past, phrases: &phrases, future };

        let mut latents = normal(shape, past, random);
        let timesteps = self.timesteps();
        for (step, &t) in timesteps.iter().enumerate() {
            let window = frames.window(latents.clone(), t);
            watch(t, &window);
            let predicted = models.predict(&window, &frames).narrow(1, given, future);
            latents = self.step(latents, predicted, t, timesteps.get(step + 1).copied());
        }
        Ok(latents)
    }

    /// One step from timestep `t` to timestep `next`, or to clean latents after the last:
    /// `sqrt(alpha_next) z_0 + sqrt(1 - alpha_next) epsilon` with what `predicted` says of both.
    pub fn step<B: Backend>(
        &self,
        latents: Tensor<B, 5>,
        predicted: Tensor<B, 5>,
        t: usize,
        next: Option<usize>,
    ) -> Tensor<B, 5> {
        let Diffusion { schedule, prediction } = &self.diffusion;
        let Estimate { mut clean, noise } =
            prediction.estimate(latents, predicted, schedule.signal(t));
        if let Some(bound) = self.config.clip {
            clean = clean.clamp(-bound, bound);
        }
        match next.map(|next| schedule.signal(next)) {
            Some(alpha) => clean * alpha.sqrt() + noise * (1.0 - alpha).sqrt(),
            None => clean,
        }
    }
}

/// What stays the same in all steps.
struct Frames<'a, B: Backend> {
    past: &'a Clip<B>,
    phrases: &'a Phrases,
    future: usize,
}

impl<B: Backend> Frames<'_, B> {
    /// The past, clean, and `latents` at timestep `t`.
    fn window(&self, latents: Tensor<B, 5>, t: usize) -> NoisyWindow<B> {
        let (batch, given, device) = (self.past.batch(), self.past.frames(), self.past.device());
        let both = |before: f64, after: f64| {
            let options = (&device, latents.dtype());
            let before = Tensor::<B, 2>::full([batch, given], before, options);
            Tensor::cat(vec![before, Tensor::full([batch, self.future], after, options)], 1)
        };
        NoisyWindow {
            levels: both(0.0, t as f64 + 1.0),
            past: both(1.0, 0.0).int(),
            phrases: self.phrases.to_tensor(&device),
            latents: Tensor::cat(vec![self.past.latents.clone(), latents], 1),
        }
    }
}

/// The denoiser with and, where guidance needs it, without memory.
struct Models<'a, B: Backend> {
    with_memory: &'a Denoiser<B>,
    without_memory: Option<&'a Denoiser<B>>,
    action_guidance: f64,
    memory_guidance: f64,
}

impl<'a, B: Backend> Models<'a, B> {
    fn new(
        denoiser: &'a Denoiser<B>,
        base: Option<&'a Denoiser<B>>,
        config: &SamplerConfig,
    ) -> Self {
        Self {
            with_memory: denoiser,
            without_memory: base.filter(|_| config.memory_guidance != 1.0),
            action_guidance: config.action_guidance,
            memory_guidance: config.memory_guidance,
        }
    }

    fn predict(&self, window: &NoisyWindow<B>, frames: &Frames<B>) -> Tensor<B, 5> {
        let with_memory = self.with_action(self.with_memory, window, frames);
        match self.without_memory {
            Some(base) => {
                let base = self.with_action(base, window, frames);
                base.clone() + (with_memory - base) * self.memory_guidance
            }
            None => with_memory,
        }
    }

    fn with_action(
        &self,
        denoiser: &Denoiser<B>,
        window: &NoisyWindow<B>,
        frames: &Frames<B>,
    ) -> Tensor<B, 5> {
        let told = denoiser.predict(window);
        if self.action_guidance == 1.0 {
            return told;
        }
        let nothing = Phrases::none(frames.phrases.shape()).to_tensor(&frames.past.device());
        let untold = denoiser.predict(&NoisyWindow { phrases: nothing, ..window.clone() });
        untold.clone() + (told - untold) * self.action_guidance
    }
}
