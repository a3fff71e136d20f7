//! What the denoiser learns from: clips with noise, and what it should have said.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::family;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{Clip, DiffusionError, NoiseSchedule, Prediction, ScheduleConfig};
use crate::model::{Denoiser, NoisyWindow};
use crate::text::Phrases;

/// The noise and what is predicted of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffusionConfig {
    /// Noise at each timestep.
    pub schedule: ScheduleConfig,
    /// What the denoiser predicts.
    pub prediction: Prediction,
}

/// The timesteps that examples are drawn from, `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timesteps {
    /// The first.
    pub from: usize,
    /// The one after the last.
    pub to: usize,
}

/// The way from clean latents to noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Diffusion {
    /// Noise at each timestep.
    pub schedule: NoiseSchedule,
    /// What the denoiser predicts.
    pub prediction: Prediction,
}

/// A noised window, what should be predicted of it, and where.
#[derive(Module, Debug)]
pub struct Example<B: Backend> {
    /// What the denoiser sees.
    pub window: NoisyWindow<B>,
    /// What it should predict, `[batch, frames, channels, height, width]`.
    pub target: Tensor<B, 5>,
    /// The weight of each frame's mean squared error, `[batch, frames]`; they sum to 1.
    pub weights: Tensor<B, 2>,
}

family!(
    /// Examples on every backend.
    pub Examples => Example
);

impl<B: Backend> Example<B> {
    /// The weighted mean squared error of the denoiser's prediction, `[1]`.
    pub fn loss(&self, denoiser: &Denoiser<B>) -> Tensor<B, 1> {
        let [batch, frames] = self.weights.dims();
        let error = denoiser.predict(&self.window) - self.target.clone();
        let values = error.shape().num_elements() / (batch * frames);
        let error = error.reshape([batch * frames, values]);
        let squares = (error.clone() * error).mean_dim(1);
        (squares * self.weights.clone().reshape([batch * frames, 1])).sum()
    }
}

impl Diffusion {
    /// The diffusion of a configuration.
    ///
    /// # Errors
    /// Those of [`NoiseSchedule::new`].
    pub fn new(config: &DiffusionConfig) -> Result<Self, DiffusionError> {
        let schedule = NoiseSchedule::new(&config.schedule)?;
        Ok(Self { schedule, prediction: config.prediction })
    }

    /// All timesteps.
    pub fn timesteps(&self) -> Timesteps {
        Timesteps { from: 0, to: self.schedule.steps() }
    }

    /// Equation 1 and 2: the first `past` frames clean, the others noised; loss on the others only. Each clip has a
    /// timestep of its own, drawn from `timesteps`.
    ///
    /// # Errors
    /// [`DiffusionError::NoFuture`] and [`DiffusionError::Timesteps`].
    pub fn conditional<B: Backend>(
        &self,
        clip: &Clip<B>,
        past: usize,
        timesteps: Timesteps,
        random: &mut ChaCha8Rng,
    ) -> Result<Example<B>, DiffusionError> {
        let frames = clip.frames();
        if past >= frames {
            return Err(DiffusionError::NoFuture { frames, past });
        }
        self.noised(clip, &clip.phrases, past, timesteps, random)
    }

    /// The loss of the fast learning: all frames noised, no action, loss on all frames.
    ///
    /// # Errors
    /// [`DiffusionError::Timesteps`].
    pub fn unconditional<B: Backend>(
        &self,
        clip: &Clip<B>,
        timesteps: Timesteps,
        random: &mut ChaCha8Rng,
    ) -> Result<Example<B>, DiffusionError> {
        self.noised(clip, &Phrases::none(clip.phrases.shape()), 0, timesteps, random)
    }

    fn noised<B: Backend>(
        &self,
        clip: &Clip<B>,
        phrases: &Phrases,
        past: usize,
        timesteps: Timesteps,
        random: &mut ChaCha8Rng,
    ) -> Result<Example<B>, DiffusionError> {
        timesteps.check(self.schedule.steps())?;
        let shape @ [batch, frames, channels, height, width] = clip.latents.dims();
        let device = clip.device();
        let (rows, values) = (batch * frames, channels * height * width);
        let drawn: Vec<usize> =
            (0..batch).map(|_| random.random_range(timesteps.from..timesteps.to)).collect();
        let noise = normal::<B>(shape, clip, random).reshape([rows, values]);

        let is_past = |row: usize| row % frames < past;
        let per_frame = |value: &dyn Fn(usize) -> f64| {
            let numbers: Vec<f64> = (0..rows).map(value).collect();
            let numbers = TensorData::new(numbers, [rows, 1]);
            Tensor::<B, 2>::from_data(numbers, (&device, clip.latents.dtype()))
        };
        let alpha = |row: usize| match is_past(row) {
            true => 1.0,
            false => self.schedule.signal(drawn[row / frames]),
        };
        let level = |row: usize| if is_past(row) { 0.0 } else { drawn[row / frames] as f64 + 1.0 };
        let share = 1.0 / (batch * (frames - past)) as f64;
        let signal = per_frame(&|row| alpha(row).sqrt());
        let spread = per_frame(&|row| (1.0 - alpha(row)).sqrt());
        let clean = clip.latents.clone().reshape([rows, values]);
        let noised = clean.clone() * signal.clone() + noise.clone() * spread.clone();
        let target = self.prediction.target(clean, noise, [signal, spread]);
        let past_flags = per_frame(&|row| f64::from(u8::from(is_past(row))));
        let window = NoisyWindow {
            latents: noised.reshape(shape),
            levels: per_frame(&level).reshape([batch, frames]),
            past: past_flags.int().reshape([batch, frames]),
            phrases: phrases.to_tensor(&device),
        };
        let weights = per_frame(&|row| if is_past(row) { 0.0 } else { share });
        Ok(Example {
            window,
            target: target.reshape(shape),
            weights: weights.reshape([batch, frames]),
        })
    }
}

impl Timesteps {
    /// Checks that there is a timestep, and none beyond the `steps` of the schedule.
    ///
    /// # Errors
    /// [`DiffusionError::Timesteps`].
    pub fn check(self, steps: usize) -> Result<(), DiffusionError> {
        let Self { from, to } = self;
        match from < to && to <= steps {
            true => Ok(()),
            false => Err(DiffusionError::Timesteps { from, to, steps }),
        }
    }
}

/// Standard normal values on the device and in the precision of the clip's latents.
pub(super) fn normal<B: Backend>(
    shape: [usize; 5],
    like: &Clip<B>,
    random: &mut ChaCha8Rng,
) -> Tensor<B, 5> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| StandardNormal.sample(random)).collect();
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.latents.dtype()))
}
