//! One trainer for all kinds of slow learning.

use burn::optim::AdamWConfig;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::seed::Seed;
use inner_outer::tensors::Tensors;
use inner_outer::{
    ConfiguredRule, HypergradientChoice, InnerLoop, MetaLearner, MetaLearnerConfig, MetaStep,
    RateScope, Rates, Threads,
};

use super::{SecondOrderConfig, SlowConfig, SlowError, WindowConfig};
use crate::diffusion::{Clip, Diffusion, DiffusionError, Ema};
use crate::memory::{FastConfig, Lesson, SlowFast, memory_of};
use crate::model::Denoiser;

/// The learner below every kind of slow learning.
type Learner<B> = MetaLearner<SlowFast, ConfiguredRule, HypergradientChoice, B>;

/// A denoiser in training, with the running mean of its parameters.
pub struct SlowTrainer<B: Backend> {
    learner: Learner<B>,
    ema: Ema<Denoiser<B>>,
    seed: Seed,
}

/// Everything that training changes, as bytes: two files of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainerState {
    /// Denoiser, learned rates, optimisers and step.
    pub learner: Vec<u8>,
    /// The running mean.
    pub ema: Vec<u8>,
}

/// The inner loop of a trainer.
struct Inner<B: Backend> {
    stage: SlowFast,
    steps: usize,
    optimizer: ConfiguredRule,
    hypergradient: HypergradientChoice,
    rates: Rates<B>,
    rates_rate: Option<inner_outer::Schedule>,
}

impl<B: Backend> SlowTrainer<B> {
    /// A trainer on windows of video: the denoiser alone, with the start of any adapters in its weights.
    ///
    /// # Errors
    /// [`SlowError::Setting`].
    pub fn pretraining(
        config: &SlowConfig,
        denoiser: Denoiser<B>,
        seed: Seed,
    ) -> Result<Self, SlowError> {
        let denoiser = denoiser.with_adapters_folded();
        let inner = Inner::without_steps(SlowFast::Pretraining, &denoiser);
        Self::new(config, denoiser, inner, seed)
    }

    /// A trainer for algorithm 1b: the denoiser learns at memories of the fast learning `fast`, which stay fixed.
    ///
    /// # Errors
    /// [`SlowError::Setting`], and adapters that do not fit the denoiser.
    pub fn stop_gradient(
        config: &SlowConfig,
        fast: &FastConfig,
        denoiser: Denoiser<B>,
        seed: Seed,
    ) -> Result<Self, SlowError> {
        fast.check()?;
        let denoiser = equipped(denoiser, fast, &seed)?;
        let inner = Inner::without_steps(SlowFast::StopGradient, &denoiser);
        Self::new(config, denoiser, inner, seed)
    }

    /// A trainer through the fast steps: the denoiser, and the adapters' start and the fast rates as configured, learn what
    /// makes the memory useful.
    ///
    /// # Errors
    /// [`SlowError::Setting`], [`SlowError::StateNotKept`], and adapters that do not fit the denoiser.
    pub fn second_order(
        config: &SlowConfig,
        second_order: &SecondOrderConfig,
        denoiser: Denoiser<B>,
        seed: Seed,
    ) -> Result<Self, SlowError> {
        second_order.check()?;
        second_order.fast.check()?;
        let SecondOrderConfig { fast, learn_start, rate_scope, .. } = second_order;
        let steps = second_order.inner_steps();
        let denoiser = equipped(denoiser, fast, &seed)?;
        let inner = Inner {
            stage: SlowFast::SecondOrder { start: *learn_start },
            steps,
            optimizer: fast.optimizer,
            hypergradient: second_order.hypergradient,
            rates: Rates::new(*rate_scope, fast.rate, &memory_of(&denoiser), steps),
            rates_rate: second_order.learned_rates(),
        };
        Self::new(config, denoiser, inner, seed)
    }

    fn new(
        config: &SlowConfig,
        denoiser: Denoiser<B>,
        inner: Inner<B>,
        seed: Seed,
    ) -> Result<Self, SlowError> {
        config.check()?;
        let settings = MetaLearnerConfig {
            outer_rate: config.rate,
            rates_rate: inner.rates_rate,
            clip: config.clip,
            // Gates and outputs begin at zero, so what lies behind them has no gradient at first.
            allow_zero_gradients: true,
            ..MetaLearnerConfig::default()
        };
        let adamw = |decay: f64| AdamWConfig::new().with_weight_decay(decay as f32);
        let learner = MetaLearner::new(
            inner.stage,
            InnerLoop { optimizer: inner.optimizer, steps: inner.steps },
            inner.hypergradient,
            settings,
            denoiser.clone(),
            inner.rates,
            adamw(config.weight_decay).init(),
            adamw(0.0).init(),
        );
        Ok(Self { learner, ema: Ema::new(denoiser, config.ema_decay), seed })
    }

    /// The trainer on another number of threads; results do not depend on it.
    pub fn with_threads(self, threads: Threads) -> Self {
        Self { learner: self.learner.with_threads(threads), ..self }
    }

    /// One step on batches of clips, a graph for each batch.
    ///
    /// # Errors
    /// [`SlowError::Stage`] if the trainer is not for pretraining, [`SlowError::ShortClip`], clips that do not fit the
    /// denoiser, and losses that are not finite.
    pub fn step_on_windows(
        &mut self,
        diffusion: &Diffusion,
        windows: &WindowConfig,
        batches: &[Clip<B>],
    ) -> Result<MetaStep, SlowError> {
        self.require(SlowFast::Pretraining, "training on windows", "pretraining")?;
        windows.check()?;
        let seed = self.seed.child("windows").index(self.steps_taken() as u64);
        let lesson = |(index, clips): (usize, &Clip<B>)| {
            self.check(clips)?;
            windows.lesson(diffusion, clips, &mut seed.index(index as u64).rng())
        };
        let lessons = batches.iter().enumerate().map(lesson).collect::<Result<Vec<_>, _>>()?;
        self.step(&lessons)
    }

    /// One step on lessons, a graph for each.
    ///
    /// # Errors
    /// [`SlowError::Lesson`] for a lesson that was made for another trainer, and [`SlowError::Learning`], above all for
    /// losses that are not finite.
    pub fn step(&mut self, lessons: &[Lesson<B>]) -> Result<MetaStep, SlowError> {
        let step = self.steps_taken();
        self.check_lessons(lessons)?;
        let done =
            self.learner.step(lessons).map_err(|cause| SlowError::Learning { step, cause })?;
        self.ema.update(self.learner.outer(), step);
        Ok(done)
    }

    fn check_lessons(&self, lessons: &[Lesson<B>]) -> Result<(), SlowError> {
        let steps = self.learner.inner_loop().steps;
        let sizes = |tensors: &[Tensor<B, 1>]| tensors.iter().map(Tensor::dims).collect::<Vec<_>>();
        let adapters = sizes(&memory_of(self.learner.outer()).0);
        let misfit = |lesson: &Lesson<B>| {
            let other = |memory: &Vec<Tensor<B, 1>>| sizes(memory) != adapters;
            match lesson {
                _ if lesson.fast.len() != steps => {
                    Some(format!("has {} fast steps, and the trainer {steps}", lesson.fast.len()))
                }
                _ if lesson.slow.is_empty() => Some("has no slow example".to_owned()),
                Lesson { memory: Some(memory), .. } if other(memory) => {
                    Some("has a memory of other adapters".to_owned())
                }
                _ => None,
            }
        };
        let mut misfits = lessons.iter().map(misfit).enumerate();
        match misfits.find_map(|(lesson, problem)| Some((lesson, problem?))) {
            Some((lesson, problem)) => Err(SlowError::Lesson { lesson, problem }),
            None => Ok(()),
        }
    }

    /// Checks that the denoiser can read a clip.
    pub(super) fn check(&self, clip: &Clip<B>) -> Result<(), SlowError> {
        let fits = self.learner.outer().check(clip.latents.dims(), &clip.phrases);
        Ok(fits.map_err(DiffusionError::from)?)
    }

    pub(super) fn require(
        &self,
        stage: SlowFast,
        what: &'static str,
        constructor: &'static str,
    ) -> Result<(), SlowError> {
        match *self.learner.problem() == stage {
            true => Ok(()),
            false => Err(SlowError::Stage { what, constructor }),
        }
    }

    /// The denoiser as it is now.
    pub fn denoiser(&self) -> &Denoiser<B> {
        self.learner.outer()
    }

    /// The running mean of the denoiser, which is what to sample with.
    pub fn mean(&self) -> &Denoiser<B> {
        self.ema.module()
    }

    /// The fast rates; learned by the second-order loop.
    pub fn rates(&self) -> &Rates<B> {
        self.learner.rates()
    }

    /// What trains.
    pub fn stage(&self) -> SlowFast {
        *self.learner.problem()
    }

    /// The seed of everything random in training.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.learner.steps_taken()
    }

    /// Everything that training changes.
    ///
    /// # Errors
    /// [`SlowError::State`] if a record cannot be written.
    pub fn state(&self) -> Result<TrainerState, SlowError> {
        let learner = self.learner.state().map_err(SlowError::State)?;
        Ok(TrainerState { learner, ema: self.ema.state().map_err(SlowError::State)? })
    }

    /// The trainer in a state that [`Self::state`] wrote: it goes on bit for bit.
    ///
    /// # Errors
    /// [`SlowError::State`] if the bytes are no such state, or that of another denoiser.
    pub fn with_state(self, state: &TrainerState, device: &Device<B>) -> Result<Self, SlowError> {
        let learner = self.learner.with_state(&state.learner, device).map_err(SlowError::State)?;
        let ema = self.ema.with_state(&state.ema).map_err(SlowError::State)?;
        Ok(Self { learner, ema, ..self })
    }
}

impl<B: Backend> Inner<B> {
    /// No inner loop.
    fn without_steps(stage: SlowFast, denoiser: &Denoiser<B>) -> Self {
        Self {
            stage,
            steps: 0,
            optimizer: ConfiguredRule::default(),
            hypergradient: HypergradientChoice::FirstOrder {},
            rates: Rates::new(RateScope::Global, 1.0, &Tensors::of(denoiser), 0),
            rates_rate: None,
        }
    }
}

/// The denoiser with the adapters that it has, or fresh ones.
fn equipped<B: Backend>(
    denoiser: Denoiser<B>,
    fast: &FastConfig,
    seed: &Seed,
) -> Result<Denoiser<B>, SlowError> {
    if denoiser.has_adapters() {
        return Ok(denoiser);
    }
    let mut random = seed.child("adapters").rng();
    let equipped = denoiser.with_adapters(&fast.adapters, &mut random);
    Ok(equipped.map_err(DiffusionError::from)?)
}
