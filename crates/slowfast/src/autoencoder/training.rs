//! Training the autoencoder, and measuring the scale of its latents.

use burn::module::{Module, Param};
use burn::optim::AdamWConfig;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, to_f64};
use inner_outer::{
    FirstOrder, InnerLoop, MetaLearner, MetaLearnerConfig, MetaStep, Problem, RateScope, Rates,
    Schedule, Selection, Sgd, Threads, family,
};
use rand_distr::{Distribution, StandardNormal};

use super::{Autoencoder, AutoencoderError, Autoencoders};

/// Smallest deviation of a latent channel that carries something.
const LEAST_DEVIATION: f64 = 1e-4;

/// Reconstruction and divergence as a bi-level problem without inner steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconstruction {
    /// Weight of the divergence from the standard normal distribution.
    pub kl_weight: f64,
}

/// Images of one graph, and the noise of their latents.
#[derive(Module, Debug)]
pub struct TrainingImages<B: Backend> {
    /// `[images, height, width, 3]`, values from -1 to 1.
    pub images: Tensor<B, 4>,
    /// Standard normal, `[rows of latents, channels]`.
    pub noise: Tensor<B, 2>,
}

family!(
    /// Training images on every backend.
    pub TrainingImagesFamily => TrainingImages
);

impl Problem for Reconstruction {
    type Outer = Autoencoders;
    type Inner = Autoencoders;
    type Task = TrainingImagesFamily;

    fn learned(&self) -> Selection {
        Selection::below(["encoder", "decoder"])
    }

    fn init<B: Backend>(
        &self,
        outer: &Autoencoder<B>,
        _task: &TrainingImages<B>,
    ) -> Autoencoder<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Autoencoder<B>,
        outer: &Autoencoder<B>,
        task: &TrainingImages<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        self.outer_loss(inner, outer, task)
    }

    /// The mean squared error of a pixel plus the weighted divergence of a latent value.
    fn outer_loss<B: Backend>(
        &self,
        autoencoder: &Autoencoder<B>,
        _outer: &Autoencoder<B>,
        task: &TrainingImages<B>,
    ) -> Tensor<B, 1> {
        let images = task.images.dims()[0];
        let patches = autoencoder.patches(task.images.clone());
        let latents = autoencoder.distribution(patches.clone(), images);
        let (mean, log_variance) = (latents.mean, latents.log_variance);
        let drawn = mean.clone() + (log_variance.clone() * 0.5).exp() * task.noise.clone();
        let error = autoencoder.reconstruction(drawn, images) - patches;
        let squares = (error.clone() * error).mean();
        let divergence = log_variance.clone().exp() + mean.clone() * mean - log_variance - 1.0;
        squares + divergence.mean() * (0.5 * self.kl_weight)
    }
}

/// An autoencoder in training.
pub struct AutoencoderTrainer<B: Backend> {
    learner: MetaLearner<Reconstruction, Sgd, FirstOrder, B>,
    seed: Seed,
}

impl<B: Backend> AutoencoderTrainer<B> {
    /// A trainer at step 0: AdamW at the `rate`, gradients of a norm up to 1.
    pub fn new(autoencoder: Autoencoder<B>, kl_weight: f64, rate: Schedule, seed: Seed) -> Self {
        let rates = Rates::new(RateScope::Global, 1.0, &Tensors::of(&autoencoder), 0);
        let config = MetaLearnerConfig {
            outer_rate: rate,
            rates_rate: None,
            clip: Some(1.0),
            // Residual blocks begin at zero, so what lies inside them has no gradient at first.
            allow_zero_gradients: true,
            ..MetaLearnerConfig::default()
        };
        let learner = MetaLearner::new(
            Reconstruction { kl_weight },
            InnerLoop { optimizer: Sgd, steps: 0 },
            FirstOrder,
            config,
            autoencoder,
            rates,
            AdamWConfig::new().init(),
            AdamWConfig::new().init(),
        );
        Self { learner, seed }
    }

    /// The trainer on another number of threads; results do not depend on it.
    pub fn with_threads(self, threads: Threads) -> Self {
        Self { learner: self.learner.with_threads(threads), ..self }
    }

    /// One step on batches of images `[images, height, width, 3]` with values from -1 to 1, a graph for each batch.
    ///
    /// # Errors
    /// [`AutoencoderError::Shape`] for images of another size, [`AutoencoderError::Learning`] for losses that are not
    /// finite.
    pub fn step(&mut self, batches: &[Tensor<B, 4>]) -> Result<MetaStep, AutoencoderError> {
        let step = self.learner.steps_taken();
        let seed = self.seed.child("latent noise").index(step as u64);
        let task = |(index, images): (usize, &Tensor<B, 4>)| {
            self.task(images.clone(), &seed.index(index as u64))
        };
        let tasks = batches.iter().enumerate().map(task).collect::<Result<Vec<_>, _>>()?;
        self.learner.step(&tasks).map_err(|cause| AutoencoderError::Learning { step, cause })
    }

    fn task(
        &self,
        images: Tensor<B, 4>,
        seed: &Seed,
    ) -> Result<TrainingImages<B>, AutoencoderError> {
        let autoencoder = self.learner.outer();
        let count = images.dims()[0];
        let expected = vec![count, autoencoder.height, autoencoder.width, 3];
        if images.dims().to_vec() != expected {
            let found = images.dims().to_vec();
            return Err(AutoencoderError::Shape { what: "images", found, expected });
        }
        let latent = autoencoder.latent();
        let shape = [count * latent.height * latent.width, latent.channels];
        let mut random = seed.rng();
        let values: Vec<f32> =
            (0..shape[0] * shape[1]).map(|_| StandardNormal.sample(&mut random)).collect();
        let noise = Tensor::from_data(TensorData::new(values, shape), &images.device());
        Ok(TrainingImages { images, noise })
    }

    /// The autoencoder as it is now.
    pub fn autoencoder(&self) -> &Autoencoder<B> {
        self.learner.outer()
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.learner.steps_taken()
    }

    /// Everything that training changes.
    ///
    /// # Errors
    /// [`AutoencoderError::State`] if a record cannot be written.
    pub fn state(&self) -> Result<Vec<u8>, AutoencoderError> {
        self.learner.state().map_err(AutoencoderError::State)
    }

    /// The trainer in a state that [`Self::state`] wrote: it goes on bit for bit.
    ///
    /// # Errors
    /// [`AutoencoderError::State`] if the bytes are no such state, or that of another autoencoder.
    pub fn with_state(self, state: &[u8], device: &Device<B>) -> Result<Self, AutoencoderError> {
        let learner = self.learner.with_state(state, device).map_err(AutoencoderError::State)?;
        Ok(Self { learner, ..self })
    }
}

impl<B: Backend> Autoencoder<B> {
    /// The autoencoder with the mean and deviation of every latent channel over `frames`, `[batch, frames, height, width, 3]`,
    /// so that latents are normalised from here on.
    ///
    /// # Errors
    /// [`AutoencoderError::Shape`], and [`AutoencoderError::Collapsed`] for a channel that says nothing.
    pub fn measured(mut self, frames: Tensor<B, 5>) -> Result<Self, AutoencoderError> {
        let channels = self.latent().channels;
        let device = self.mean.device();
        let parameter = |values: Vec<f64>| {
            let values = TensorData::new(values, [channels]).convert::<f32>();
            Param::from_tensor(Tensor::<B, 1>::from_data(values, &device))
        };
        self.mean = parameter(vec![0.0; channels]);
        self.deviation = parameter(vec![1.0; channels]);
        let latents = self.encode(frames)?.permute([2, 0, 1, 3, 4]);
        let count = latents.shape().num_elements() / channels;
        let values = to_f64(&latents.reshape([channels, count]));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for (channel, values) in values.chunks(count).enumerate() {
            let centre = mean(values);
            let squares: Vec<f64> = values.iter().map(|value| (value - centre).powi(2)).collect();
            let deviation = mean(&squares).sqrt();
            if !deviation.is_finite() || deviation < LEAST_DEVIATION {
                return Err(AutoencoderError::Collapsed { channel, deviation });
            }
            means.push(centre);
            deviations.push(deviation);
        }
        (self.mean, self.deviation) = (parameter(means), parameter(deviations));
        Ok(self)
    }
}
