//! Training: the same loop for RECKONING, its ablations, its controls and the in-context baseline.
//!
//! Methods without inner loop are the same problem with zero inner steps, so every method shares the driver, the
//! optimiser, the schedule and the budget; only what is read differs.

use burn::optim::AdamWConfig;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::{
    HypergradientChoice, InnerLoop, MetaLearner, MetaLearnerConfig, MetaStep, RuleChoice, Threads,
};

use crate::Reckoning;
use crate::config::{ExperimentConfig, Method, SystemSettings};
use crate::corpus::Corpus;
use crate::data::{DataError, KnowledgeSet};
use crate::encoding::Encoder;
use crate::evaluate::{Accuracy, Exam, Outcome};
use crate::model::Gpt2;
use crate::task::Task;
use crate::tokenizer::{TokenizerError, WordTokenizer};
use crate::trained::{StoredTokenizer, TrainedSystem, TrainedSystemError};

/// Knowledge sets that methods without inner loop put into one graph.
const SETS_A_GRAPH: usize = 16;

/// The learner of every method.
pub type Learner<B> = MetaLearner<Reckoning, RuleChoice, HypergradientChoice, B>;

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The data cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A text cannot be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(String),
    /// The system to start from cannot be read.
    #[error(transparent)]
    StartFrom(#[from] TrainedSystemError),
    /// A sequence is longer than the model's context.
    #[error("a sequence of {found} tokens does not fit the model's context of {context}; raise model.context to at least {found}")]
    TooLong {
        /// Its tokens.
        found: usize,
        /// The model's context.
        context: usize,
    },
    /// The bi-level core refused.
    #[error("outer step {step}: {source}")]
    Learning {
        /// Outer step, from 0.
        step: usize,
        /// What happened.
        source: inner_outer::Error,
    },
}

/// A system in training: corpus, encoder and learner.
pub struct Trainer<B: Backend> {
    config: ExperimentConfig,
    seed: Seed,
    tokenizer: StoredTokenizer,
    /// The knowledge sets.
    pub corpus: Corpus,
    /// Texts to tasks.
    pub encoder: Encoder,
    /// Model, rates and optimisers.
    pub learner: Learner<B>,
    device: Device<B>,
}

impl<B: Backend> Trainer<B> {
    /// A trainer at step 0.
    ///
    /// # Errors
    /// If the configuration contradicts itself, the system to start from cannot be read, or the data cannot be had or
    /// encoded.
    pub fn new(config: &ExperimentConfig, device: &Device<B>) -> Result<Self, TrainingError> {
        let mut config = config.clone();
        config.check().map_err(TrainingError::Config)?;
        let seed = Seed::new(config.seed);
        let corpus = Corpus::new(&config.data, &config.evaluation, &seed.child("corpus"))?;
        let (model, tokenizer) = match &config.start_from {
            Some(folder) => {
                let start = TrainedSystem::<B, SystemSettings>::load(folder, device)?;
                config.model = start.config;
                (start.model, start.tokenizer)
            }
            None => {
                let words = WordTokenizer::from_words(&corpus.vocabulary)?;
                config.model.vocabulary = words.vocabulary_size();
                config.model.check().map_err(TrainingError::Config)?;
                let model = Gpt2::new(&config.model, &mut seed.child("model").rng(), device);
                (model, StoredTokenizer::from(words))
            }
        };
        let ExperimentConfig { method, objective, .. } = config;
        let encoder = Encoder { tokenizer: tokenizer.tokenizer().clone(), method, objective };
        let first = encoder.task(&corpus.training_set(0, 0, config.outer.batch, &seed)?, device)?;
        let learner = learner(&config, model, &first)
            .map_err(|source| TrainingError::Learning { step: 0, source })?;
        Ok(Self { config, seed, tokenizer, corpus, encoder, learner, device: device.clone() })
    }

    /// The system as it is now, ready to be saved and used.
    pub fn system(&self) -> TrainedSystem<B, SystemSettings> {
        let ExperimentConfig { method, objective, inner, model, .. } = &self.config;
        TrainedSystem {
            config: model.clone(),
            model: self.learner.outer().clone(),
            rates: self.learner.rates().clone(),
            tokenizer: self.tokenizer.clone(),
            settings: SystemSettings { method: *method, objective: *objective, inner: inner.clone() },
        }
    }

    /// The trainer with its learner in a stored state.
    ///
    /// # Errors
    /// If the state is damaged or belongs to another model.
    pub fn with_state(self, state: &[u8]) -> Result<Self, TrainingError> {
        let loaded = self.learner.with_state(state, &self.device);
        let learner = loaded.map_err(|source| TrainingError::Learning { step: 0, source })?;
        Ok(Self { learner, ..self })
    }

    /// The trainer on another number of threads; results do not depend on it.
    pub fn with_threads(self, threads: Threads) -> Self {
        Self { learner: self.learner.with_threads(threads), ..self }
    }

    /// The configuration, with the model's shape as it is.
    pub fn config(&self) -> &ExperimentConfig {
        &self.config
    }

    /// One outer step.
    ///
    /// # Errors
    /// If data cannot be generated or encoded, or a loss is not finite.
    pub fn step(&mut self) -> Result<MetaStep, TrainingError> {
        let step = self.learner.steps_taken();
        let batch = self.config.outer.batch;
        let sets = (0..batch).map(|place| self.corpus.training_set(step, place, batch, &self.seed));
        let sets = self.with_facts_of_others(sets.collect::<Result<_, _>>()?);
        let tasks = self.tasks(&sets)?;
        self.learner.step(&tasks).map_err(|source| TrainingError::Learning { step, source })
    }

    /// Outcomes of every question of `sets`, in order.
    ///
    /// # Errors
    /// If a set cannot be encoded or an inner loss is not finite.
    pub fn outcomes(&self, sets: &[KnowledgeSet]) -> Result<Vec<Outcome>, TrainingError> {
        let sets = self.with_facts_of_others(sets.to_vec());
        let exams = self.grouped(&sets).map(|group| Exam::new(&self.encoder, group, &self.device));
        let exams = exams.collect::<Result<Vec<_>, _>>()?;
        let tasks = self.tasks(&sets)?;
        let step = self.learner.steps_taken();
        let outcomes = self.learner.evaluate(&tasks, |index, _, adapted| exams[index].take(&adapted.inner));
        let outcomes = outcomes.map_err(|source| TrainingError::Learning { step, source })?;
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Accuracy on the validation sets.
    ///
    /// # Errors
    /// As [`Self::outcomes`].
    pub fn validate(&self) -> Result<Option<Accuracy>, TrainingError> {
        Ok(Accuracy::of("validation", &self.outcomes(&self.corpus.validation)?))
    }

    /// Accuracy on every test set.
    ///
    /// # Errors
    /// As [`Self::outcomes`].
    pub fn test(&self) -> Result<Vec<Accuracy>, TrainingError> {
        let mut accuracies = Vec::new();
        for (name, sets) in &self.corpus.tests {
            accuracies.extend(Accuracy::of(name, &self.outcomes(sets)?));
        }
        Ok(accuracies)
    }

    /// Tasks of `sets`, in order: one a set, or [`SETS_A_GRAPH`] sets a task without inner loop.
    fn tasks(&self, sets: &[KnowledgeSet]) -> Result<Vec<Task<B>>, TrainingError> {
        let context = self.learner.outer().context();
        let encode = |group: &[KnowledgeSet]| {
            let task = self.encoder.joined(group, &self.device)?;
            let rows = task.facts.iter().chain([&task.questions]);
            let found = rows.map(|rows| rows.tokens.dims()[1]).max().unwrap_or_default();
            if found > context {
                return Err(TrainingError::TooLong { found, context });
            }
            Ok(task)
        };
        self.grouped(sets).map(encode).collect()
    }

    fn grouped<'a>(&self, sets: &'a [KnowledgeSet]) -> std::slice::Chunks<'a, KnowledgeSet> {
        sets.chunks(if self.config.method.has_inner_loop() { 1 } else { SETS_A_GRAPH })
    }

    /// For the control with random facts: every set gets the facts of the next one.
    fn with_facts_of_others(&self, mut sets: Vec<KnowledgeSet>) -> Vec<KnowledgeSet> {
        if self.config.method != Method::RandomFacts || sets.len() < 2 {
            return sets;
        }
        let mut facts: Vec<_> = sets.iter().map(|set| set.facts.clone()).collect();
        facts.rotate_left(1);
        for (set, facts) in sets.iter_mut().zip(facts) {
            set.facts = facts;
            set.questions.iter_mut().for_each(|question| question.relevant.clear());
        }
        sets
    }
}

fn learner<B: Backend>(
    config: &ExperimentConfig,
    model: Gpt2<B>,
    first: &Task<B>,
) -> inner_outer::Result<Learner<B>> {
    let ExperimentConfig { inner, outer, .. } = config;
    let problem = Reckoning {
        scope: inner.scope,
        layers: config.model.layers,
        retention: config.objective.retention,
    };
    let steps = if config.method.has_inner_loop() { inner.steps } else { 0 };
    let inner_loop = InnerLoop { optimizer: inner.rule, steps };
    let rates = inner_loop.rates(&problem, inner.rate_scope, inner.rate, &model, first)?;
    let settings = MetaLearnerConfig {
        outer_rate: outer.schedule(1.0),
        rates_rate: (!inner.fixed_rates && steps > 0).then(|| outer.schedule(outer.rates_rate)),
        clip: Some(outer.clip),
        // Embeddings of words that the first meta-batch does not contain have no gradient yet.
        allow_zero_gradients: true,
    };
    let adamw = |decay: f64| AdamWConfig::new().with_weight_decay(decay as f32).with_epsilon(1e-8);
    let outer_optimizer = adamw(outer.weight_decay).init();
    let rates_optimizer = adamw(0.0).init();
    Ok(MetaLearner::new(
        problem,
        inner_loop,
        inner.hypergradient,
        settings,
        model,
        rates,
        outer_optimizer,
        rates_optimizer,
    ))
}
