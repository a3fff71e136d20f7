//! What is compared: how chunks are conditioned, and what is remembered.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{Context, EvaluationError, Generator};
use crate::clip::PoseScale;
use crate::diffusion::SamplerConfig;
use crate::memory::{FastConfig, FastForm};
use crate::model::AdapterConfig;
use crate::size::together;
use crate::video_model::VideoModel;

/// Combinations of a sweep that there may be.
const MOST_METHODS: f64 = 1e4;

/// Learning while an episode goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// Contrastive guidance by the memory: 1 is none, 0 leaves the memory out.
    pub guidance: f64,
    /// The fast learning; if left out, what the model was trained with, or the paper's for one that has been through no loop.
    pub fast: Option<FastConfig>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { guidance: 1.0, fast: None }
    }
}

/// A way to generate: any context with or without memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// What it is called in tables.
    pub name: String,
    /// What a chunk is conditioned on.
    #[serde(default)]
    pub context: Context,
    /// What is learned on the way; nothing if left out.
    pub memory: Option<Memory>,
}

/// Temp-LoRAs of one form with all combinations of some settings; none where all lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// Ranks of the adapters; their change is not scaled.
    pub ranks: Vec<usize>,
    /// Rates of the fast learning.
    pub rates: Vec<f64>,
    /// Steps after each chunk.
    pub steps: Vec<usize>,
    /// What the combinations have in common; the paper's settings where its fast learning is left out.
    pub memory: Memory,
}

impl Sweep {
    /// Checks that every list has something to combine, or none has.
    ///
    /// # Errors
    /// [`EvaluationError::EmptySweep`], and [`EvaluationError::TooLarge`] for more combinations than a table can have.
    pub fn check(&self) -> Result<(), EvaluationError> {
        let lists = [
            ("ranks", self.ranks.is_empty()),
            ("rates", self.rates.is_empty()),
            ("steps", self.steps.is_empty()),
        ];
        match lists.iter().find(|(_, is_empty)| *is_empty) {
            Some((list, _)) if lists.iter().any(|(_, is_empty)| !is_empty) => {
                Err(EvaluationError::EmptySweep(list))
            }
            _ => self.check_room(),
        }
    }

    fn check_room(&self) -> Result<(), EvaluationError> {
        let lengths = [self.ranks.len(), self.rates.len(), self.steps.len()];
        let methods: f64 = lengths.iter().map(|length| *length as f64).product();
        let settings = || "the number of `sweep.ranks`, `sweep.rates` or `sweep.steps`".to_owned();
        Ok(together(("the sweep would have", methods, "methods"), MOST_METHODS, settings)?)
    }

    /// A method for each combination.
    pub fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for &rank in &self.ranks {
            for &rate in &self.rates {
                for &steps in &self.steps {
                    let fast = self.memory.fast.clone().unwrap_or_default();
                    // A change that is not scaled is comparable between ranks.
                    let adapters = AdapterConfig { rank, alpha: rank as f64, ..fast.adapters };
                    let fast = FastConfig { adapters, rate, steps, ..fast };
                    let memory = Some(Memory { fast: Some(fast), ..self.memory.clone() });
                    let name = format!("rank {rank}, rate {rate:e}, steps {steps}");
                    methods.push(Method { name, context: Context::LastChunk, memory });
                }
            }
        }
        methods
    }
}

/// The name of the method that others are compared with by default.
pub const NO_MEMORY: &str = "no memory";

impl Method {
    /// A method without memory.
    pub fn without_memory(name: &str, context: Context) -> Self {
        Self { name: name.to_owned(), context, memory: None }
    }

    /// A method that remembers by the fast learning of the model.
    pub fn with_memory(name: &str) -> Self {
        let memory = Some(Memory::default());
        Self { name: name.to_owned(), context: Context::LastChunk, memory }
    }

    /// A method that remembers by the paper's settings in one of the forms.
    pub fn remembering(name: &str, form: FastForm) -> Self {
        let fast = Some(FastConfig { form, ..FastConfig::default() });
        let memory = Some(Memory { fast, ..Memory::default() });
        Self { name: name.to_owned(), context: Context::LastChunk, memory }
    }

    /// The baselines and the paper's table 4. The rates of the last three are the paper's, too: sweep them before anything is
    /// concluded.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::without_memory(NO_MEMORY, Context::LastChunk),
            Self::without_memory("longer context", Context::Longer { past: 6 }),
            Self::without_memory("anchor frame", Context::Anchor),
            Self::without_memory("retrieved by pose", Context::PoseRetrieved { frames: 4 }),
            Self::with_memory("Temp-LoRA"),
            Self::remembering("original Temp-LoRA", FastForm::InputToOutput),
            Self::remembering("no local rule", FastForm::WholeSequence),
            Self::remembering("no chunk input", FastForm::SingleFrame),
        ]
    }

    /// The method on a model, with chunks of `frames_per_chunk` frames.
    ///
    /// # Errors
    /// [`EvaluationError::Method`] if the denoiser's window is too small, or if settings do not fit the model.
    pub fn generator<B: Backend>(
        &self,
        model: &VideoModel<B>,
        sampler: SamplerConfig,
        frames_per_chunk: usize,
        scale: PoseScale,
    ) -> Result<Generator<B>, EvaluationError> {
        let generator = self.fitted(model, sampler, frames_per_chunk, scale);
        generator.map_err(|source| EvaluationError::Method {
            method: self.name.clone(),
            source: Box::new(source),
        })
    }

    fn fitted<B: Backend>(
        &self,
        model: &VideoModel<B>,
        sampler: SamplerConfig,
        frames_per_chunk: usize,
        scale: PoseScale,
    ) -> Result<Generator<B>, EvaluationError> {
        let window = model.trained.denoiser.frames();
        let past = match self.context {
            Context::Longer { past } => past,
            _ => frames_per_chunk,
        };
        if past == 0 {
            let (setting, range) = ("context.past", "at least 1");
            return Err(EvaluationError::Setting { setting, found: 0.0, range });
        }
        // More past leaves room for less future.
        let chunk = frames_per_chunk.min(window.saturating_sub(past));
        let is_shorter = matches!(self.context, Context::Longer { .. });
        if chunk == 0 || (chunk < frames_per_chunk && !is_shorter) {
            let future = if is_shorter { 1 } else { frames_per_chunk };
            return Err(EvaluationError::Window { past, future, window });
        }
        let guidance = self.memory.as_ref().map_or(1.0, |memory| memory.guidance);
        let sampler = SamplerConfig { memory_guidance: guidance, ..sampler };
        let by_model = || model.trained.config.fast_learning();
        let fast = self.memory.as_ref().map(|memory| memory.fast.clone().unwrap_or_else(by_model));
        let world = model.world(sampler, fast)?;
        Ok(Generator { world, context: self.context, chunk, scale })
    }
}
