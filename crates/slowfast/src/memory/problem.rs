//! Slow and fast learning as one bi-level problem.
//!
//! The inner loop is the fast learning: it moves the adapters `Theta` of the denoiser down the losses of the lesson's
//! fast examples, one a step. The outer loop is the slow learning: it moves the denoiser `Phi` down the loss of the slow
//! examples at the adapters that the inner loop left. What is learned, and through what, is the [`SlowFast`] stage.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::tensors::{Tensors, parameter_paths};
use inner_outer::{Problem, Selection, family};

use crate::diffusion::Example;
use crate::model::{Denoiser, Denoisers, adapter_parameters};

/// Which of the problem's loops learn what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowFast {
    /// Slow learning alone: no adapters, no inner steps.
    Pretraining,
    /// Fast learning alone, at inference: the denoiser is fixed.
    Fast,
    /// Algorithm 1b: the adapters come with the lesson and are fixed; only the denoiser learns.
    StopGradient,
    /// Second order: the denoiser learns through the inner steps, and so do the adapters' first values if asked.
    SecondOrder {
        /// Whether the adapters' first values are learned.
        start: bool,
    },
}

/// What one task of the problem learns from.
#[derive(Module, Debug)]
pub struct Lesson<B: Backend> {
    /// What each inner step descends.
    pub fast: Vec<Example<B>>,
    /// What the outer loss adds up on the way: one example before each chunk is learned, or none. A chunk takes as many
    /// inner steps as the next.
    pub along: Vec<Example<B>>,
    /// What the outer loss after the last step is the mean over; at least one where there is an outer loss.
    pub slow: Vec<Example<B>>,
    /// The adapters before the first inner step, each flattened, in visiting order; those of the outer module for `None`.
    pub memory: Option<Vec<Tensor<B, 1>>>,
}

family!(
    /// Lessons on every backend.
    pub Lessons => Lesson
);

impl Problem for SlowFast {
    type Outer = Denoisers;
    type Inner = Denoisers;
    type Task = Lessons;

    fn adapted(&self) -> Selection {
        match self {
            Self::Pretraining => Selection::All,
            _ => adapter_parameters(),
        }
    }

    fn learned(&self) -> Selection {
        let adapters = adapter_parameters();
        let (denoiser, start) = match *self {
            Self::Fast => (false, false),
            Self::Pretraining | Self::StopGradient => (true, false),
            Self::SecondOrder { start } => (true, start),
        };
        match denoiser || start {
            true => Selection::by(move |path| match adapters.contains(path) {
                true => start,
                false => denoiser && !path.starts_with("words."),
            }),
            false => Selection::None,
        }
    }

    fn init<B: Backend>(&self, outer: &Denoiser<B>, lesson: &Lesson<B>) -> Denoiser<B> {
        match &lesson.memory {
            Some(memory) => with_memory(outer.clone(), &Tensors(memory.clone())),
            None => outer.clone(),
        }
    }

    fn inner_loss<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        _outer: &Denoiser<B>,
        lesson: &Lesson<B>,
        step: usize,
    ) -> Tensor<B, 1> {
        lesson.fast[step].loss(denoiser)
    }

    fn outer_loss<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        _outer: &Denoiser<B>,
        lesson: &Lesson<B>,
    ) -> Tensor<B, 1> {
        let losses = lesson.slow.iter().map(|example| example.loss(denoiser));
        let sum = losses.reduce(|a, b| a + b).expect("a lesson with an outer loss has examples");
        sum * (1.0 / lesson.slow.len() as f64)
    }

    fn trajectory_loss<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        _outer: &Denoiser<B>,
        lesson: &Lesson<B>,
        step: usize,
    ) -> Option<Tensor<B, 1>> {
        let steps_of_a_chunk = lesson.fast.len().checked_div(lesson.along.len())?;
        let begins = step.is_multiple_of(steps_of_a_chunk);
        begins.then(|| lesson.along[step / steps_of_a_chunk].loss(denoiser))
    }
}

/// The denoiser with the values of its adapters replaced by `memory`.
pub(crate) fn with_memory<B: Backend>(denoiser: Denoiser<B>, memory: &Tensors<B>) -> Denoiser<B> {
    let mask = adapter_parameters().mask(&parameter_paths(&denoiser));
    Tensors::of(&denoiser).replace(&mask, memory).write(denoiser)
}

/// The values of the denoiser's adapters.
pub(crate) fn memory_of<B: Backend>(denoiser: &Denoiser<B>) -> Tensors<B> {
    let mask = adapter_parameters().mask(&parameter_paths(denoiser));
    Tensors::of(denoiser).select(&mask)
}
