//! Training: the same loop for RECKONING, its ablations, its controls and the in-context baseline.
//!
//! Methods without inner loop are the same problem with zero inner steps, so every method shares the driver, the
//! optimiser, the schedule and the budget; only what is read differs.

use burn::module::Module;
use burn::optim::AdamWConfig;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::{
    HypergradientChoice, MetaLearner, MetaLearnerConfig, MetaStep, RateScope, Rates, RuleChoice,
    Threads,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::answer::AnswerError;
use crate::config::{ExperimentConfig, Method, Recall, SystemSettings};
use crate::corpus::{Corpus, Text, with_facts_of_others, without_other_facts};
use crate::data::{DataError, KnowledgeSet};
use crate::encoding::{Encoder, EncodingError};
use crate::evaluate::{Accuracy, Exam, Outcome};
use crate::fingerprint::{Fingerprint, of_parameters};
use crate::history::TrainedFile;
use crate::model::Gpt2;
use crate::start::{Start, StartError};
use crate::task::Task;
use crate::tokenizer::{TokenizerError, WordTokenizer};
use crate::trained::{StoredTokenizer, TrainedSystem};
use crate::{LearningError, Reckoning};

/// Words that the knowledge sets of one graph may have, questions times words of a set, so that long sets do not fill the
/// memory.
const WORDS_A_GRAPH: usize = 8192;
/// The same where each set has a copy of the model: with more, arithmetic takes the time, and starting operations costs nothing.
const WORDS_A_GRAPH_OF_COPIES: usize = 256;
/// Sets that are drawn for one of another theory than all of a batch before there is said to be none.
const DRAWS_OF_ANOTHER_THEORY: usize = 10_000;
/// Weights that the copies of a model in one graph may have, so that large models get a graph for each set.
const WEIGHTS_A_GRAPH: usize = 8_000_000;

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
    StartFrom(#[from] StartError),
    /// A knowledge set cannot be encoded.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A knowledge set to train on or to test cannot be encoded.
    #[error("knowledge set `{id}`: {source}")]
    InSet {
        /// Its identifier.
        id: String,
        /// What is wrong with it.
        source: EncodingError,
    },
    /// No other knowledge set is there to take facts from.
    #[error(
        "method = \"random-facts\" gives `{id}` the facts of another theory, but all sets that are asked with it are of its own; raise \
         data.held_out, evaluation.sets and evaluation.final_sets, or give data of several theories"
    )]
    NoOtherFacts {
        /// Identifier of the set.
        id: String,
    },
    /// The bi-level core refused one task.
    #[error("outer step {step}, knowledge sets {sets}: {source}")]
    InSets {
        /// Outer step, from 0.
        step: usize,
        /// Identifiers of the sets whose graph it was.
        sets: String,
        /// What happened.
        source: LearningError,
    },
    /// The scores that an answer is judged by are not finite.
    #[error("outer step {step}, knowledge sets {sets}: {source}")]
    InExam {
        /// Outer steps taken.
        step: usize,
        /// Identifiers of the sets that were asked together.
        sets: String,
        /// What happened.
        source: AnswerError,
    },
    /// The bi-level core refused.
    #[error("outer step {step}: {source}")]
    Learning {
        /// Outer step, from 0.
        step: usize,
        /// What happened.
        source: LearningError,
    },
}

/// A system in training: corpus, encoder and learner.
pub struct Trainer<B: Backend> {
    config: ExperimentConfig,
    settings: SystemSettings,
    /// Seed of the examples and their positions.
    draws: Seed,
    tokenizer: StoredTokenizer,
    /// Fingerprints of the files to train and to test on, of the tokenizer and of the system to start from: a run goes on only
    /// with the same.
    pub inputs: Vec<String>,
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
        let begun = config.start_from.as_deref().map(|folder| Start::load(folder, device));
        let begun = begun.transpose()?;
        let before = begun.as_ref().map_or(Some(&[][..]), |begun| begun.trained_on.as_deref());
        let corpus = Corpus::after(&config.data, &config.evaluation, before)?;
        let Start { model, tokenizer, trained_on, generated, .. } = match begun {
            Some(begun) => adapted(begun, &mut config, &seed)?,
            None => fresh(&mut config, &corpus, &seed, device)?,
        };
        config.check_scope().map_err(TrainingError::Config)?;
        config.check_kept().map_err(TrainingError::Config)?;
        check_recall(&config, &corpus)?;
        let begun_from = config.start_from.is_some().then(|| of_start(&model, &tokenizer));
        let inputs = inputs(&corpus, &tokenizer, begun_from);
        let draws = draws(&seed, begun_from);
        let history = trained_on.map(|before| [before, corpus.trained_on.clone()].concat());
        let settings = SystemSettings {
            trained_on_generated: generated || config.data.source.is_generator(),
            ..config.settings(history)
        };
        let SystemSettings { method, objective, .. } = settings;
        let encoder = Encoder { tokenizer: tokenizer.tokenizer().clone(), method, objective };
        let first =
            encoder.task(&corpus.training_set(0, 0, config.outer.batch, &draws)?, device)?;
        let first = encoder.fitting(first, model.context())?;
        let learner =
            learner(&config, &settings, model, &first).map_err(|refused| learning(0, refused))?;
        let device = device.clone();
        let trainer =
            Self { config, settings, draws, tokenizer, inputs, corpus, encoder, learner, device };
        trainer.check_tests()?;
        trainer.check_training()?;
        Ok(trainer)
    }

    /// The system as it is now, ready to be saved and used.
    pub fn system(&self) -> TrainedSystem<B, SystemSettings> {
        TrainedSystem {
            config: self.config.model.clone(),
            model: self.learner.outer().clone(),
            rates: self.learner.rates().clone(),
            tokenizer: self.tokenizer.clone(),
            settings: self.settings.clone(),
        }
    }

    /// The trainer with its learner in a stored state.
    ///
    /// # Errors
    /// If the state is damaged or belongs to another model.
    pub fn with_state(self, state: &[u8]) -> Result<Self, TrainingError> {
        let loaded = self.learner.with_state(state, &self.device);
        let learner = loaded.map_err(|refused| learning(0, refused))?;
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
        let mut sets = self.exchanged(step, self.drawn(step)?)?;
        if self.config.method.has_inner_loop() {
            // Sets of one graph are filled up to the largest of them.
            sets.sort_by_key(|set| (set.facts.len(), words_of(set)));
        }
        let groups = self.grouped(&sets, self.sets_a_graph());
        let mut tasks = self.tasks(&groups, sets.len())?;
        if self.config.objective.shifted_positions {
            let mut random = self.draws.child("positions").index(step as u64).rng();
            tasks = tasks.into_iter().map(|task| self.shifted(task, &mut random)).collect();
        }
        let mut done =
            self.learner.step(&tasks).map_err(|refused| in_sets(step, &groups, refused))?;
        // The inner loss of a graph is the sum of its copies' losses.
        let share = tasks.len() as f64 / sets.len() as f64;
        done.inner_losses.iter_mut().for_each(|loss| *loss *= share);
        Ok(done)
    }

    /// The training examples of a step.
    fn drawn(&self, step: usize) -> Result<Vec<KnowledgeSet>, DataError> {
        let batch = self.config.outer.batch;
        let set = |place| self.corpus.training_set(step, place, batch, &self.draws);
        (0..batch).map(set).collect()
    }

    /// Outcomes of every question of `sets`, in order.
    ///
    /// # Errors
    /// If a set cannot be encoded, or an inner loss or a score of an answer is not finite.
    pub fn outcomes(&self, sets: &[KnowledgeSet]) -> Result<Vec<Outcome>, TrainingError> {
        let texts = sets.iter().flat_map(Text::of);
        let sets = self.with_facts_of_others(sets.to_vec());
        // An exam asks one model.
        let most = if self.config.method.has_inner_loop() { 1 } else { self.sets_a_graph() };
        let groups = self.grouped(&sets, most);
        let exams = groups.iter().map(|group| Exam::new(&self.encoder, group, &self.device));
        let exams = exams.collect::<Result<Vec<_>, _>>()?;
        let tasks = self.tasks(&groups, sets.len())?;
        let step = self.learner.steps_taken();
        let taken =
            self.learner.evaluate(&tasks, |index, _, adapted| exams[index].take(&adapted.inner));
        let taken = taken.map_err(|refused| in_sets(step, &groups, refused))?;
        let mut outcomes = Vec::new();
        for (group, taken) in groups.iter().zip(taken) {
            let failed = |source| TrainingError::InExam { step, sets: identifiers(group), source };
            outcomes.extend(taken.map_err(failed)?);
        }
        let outcomes = outcomes.into_iter().zip(texts);
        let told = |(outcome, text): (Outcome, Text)| Outcome {
            seen: self.corpus.seen.contains(&text),
            ..outcome
        };
        Ok(outcomes.map(told).collect())
    }

    /// Accuracy on the validation sets.
    ///
    /// # Errors
    /// As [`Self::outcomes`].
    pub fn validate(&self) -> Result<Option<Accuracy>, TrainingError> {
        Ok(Accuracy::of("validation", &self.outcomes(&self.corpus.validation)?))
    }

    /// The task with each question at a random place of the context, which the longest of them must not leave.
    fn shifted(&self, task: Task<B>, random: &mut ChaCha8Rng) -> Task<B> {
        let [rows, length] = task.questions.tokens.dims();
        let most = self.learner.outer().context() - length;
        let first: Vec<usize> = (0..rows).map(|_| random.random_range(0..=most)).collect();
        Task { questions: task.questions.shifted(&first), ..task }
    }

    /// A task of each group of the `sets` knowledge sets. Every set counts the same.
    fn tasks(
        &self,
        groups: &[&[KnowledgeSet]],
        sets: usize,
    ) -> Result<Vec<Task<B>>, TrainingError> {
        let context = self.learner.outer().context();
        let share = groups.len() as f64 / sets as f64;
        let encode = |group: &&[KnowledgeSet]| {
            let task = self.encoder.joined(group, share, &self.device)?;
            Ok(self.encoder.fitting(task, context)?)
        };
        groups.iter().map(encode).collect()
    }

    /// Knowledge sets that share a graph, at most.
    fn sets_a_graph(&self) -> usize {
        let ExperimentConfig { method, inner, outer, .. } = &self.config;
        if !method.has_inner_loop() {
            return outer.sets_a_graph;
        }
        let walks_back = match inner.hypergradient {
            HypergradientChoice::Unrolled { .. }
            | HypergradientChoice::Truncated { .. }
            | HypergradientChoice::FirstOrder {} => true,
            // These look at the adapted weights of a task as a whole.
            HypergradientChoice::Implicit { .. }
            | HypergradientChoice::Envelope {}
            | HypergradientChoice::Reptile {} => false,
        };
        match walks_back && inner.rate_scope != RateScope::PerElement {
            true => {
                let copies = WEIGHTS_A_GRAPH / self.learner.outer().num_params();
                outer.sets_a_graph.min(copies).max(1)
            }
            false => 1,
        }
    }

    /// `sets` cut into those that share a graph: `most`, as far as their words allow.
    fn grouped<'a>(&self, sets: &'a [KnowledgeSet], most: usize) -> Vec<&'a [KnowledgeSet]> {
        let most_words = match self.config.method.has_inner_loop() {
            true => WORDS_A_GRAPH_OF_COPIES,
            false => WORDS_A_GRAPH,
        };
        let mut groups = Vec::new();
        let mut rest = sets;
        while !rest.is_empty() {
            let mut words = 0;
            let within = |set: &&KnowledgeSet| {
                words += set.questions.len() * words_of(set);
                words <= most_words
            };
            let count = rest.iter().take(most).take_while(within).count().max(1);
            let (group, after) = rest.split_at(count);
            groups.push(group);
            rest = after;
        }
        groups
    }

    /// The sets of a step, where facts are those of others with facts exchanged. A batch of one theory takes them from the
    /// next set that is drawn of another.
    fn exchanged(
        &self,
        step: usize,
        mut sets: Vec<KnowledgeSet>,
    ) -> Result<Vec<KnowledgeSet>, TrainingError> {
        let batch = sets.len();
        let theory = sets[0].theory().to_owned();
        if self.config.method == Method::RandomFacts
            && sets.iter().all(|set| set.theory() == theory)
        {
            let mut drawn = (batch..batch + DRAWS_OF_ANOTHER_THEORY)
                .map(|place| self.corpus.training_set(step, place, batch, &self.draws));
            let is_another = |set: &Result<KnowledgeSet, _>| {
                !set.as_ref().is_ok_and(|set| set.theory() == theory)
            };
            let other = drawn.find(is_another);
            sets.push(
                other.ok_or_else(|| TrainingError::NoOtherFacts { id: sets[0].id.clone() })??,
            );
        }
        let mut sets = self.with_facts_of_others(sets);
        sets.truncate(batch);
        Ok(sets)
    }

    fn with_facts_of_others(&self, sets: Vec<KnowledgeSet>) -> Vec<KnowledgeSet> {
        if self.config.method == Method::RandomFacts { with_facts_of_others(&sets) } else { sets }
    }

    /// Encodes what will be evaluated at the end, so that a set that does not fit is found at the start; where facts are
    /// those of others, a list without others, too.
    fn check_tests(&self) -> Result<(), TrainingError> {
        let tests = self.corpus.tests.iter().map(|(_, sets)| sets);
        for sets in tests.chain([&self.corpus.validation]) {
            let swapped = self.with_facts_of_others(sets.clone());
            if let Some(set) = without_other_facts(&swapped)
                && self.config.method == Method::RandomFacts
            {
                return Err(TrainingError::NoOtherFacts { id: set.id.clone() });
            }
            swapped.iter().try_for_each(|set| self.check_fits(set))?;
        }
        Ok(())
    }

    /// Encodes the longest of what may be trained on, for the same reason.
    fn check_training(&self) -> Result<(), TrainingError> {
        let tokens = |text: &str| {
            let tokens = self.encoder.tokenizer.encode_after(text);
            tokens.map_or(usize::MAX, |tokens| tokens.len())
        };
        let longest = self.corpus.longest_training_sets(&self.draws, tokens)?;
        longest.iter().try_for_each(|set| self.check_fits(set))
    }

    fn check_fits(&self, set: &KnowledgeSet) -> Result<(), TrainingError> {
        let task = self.encoder.task::<B>(set, &self.device);
        let fits = task.and_then(|task| self.encoder.fitting(task, self.learner.outer().context()));
        fits.map(drop).map_err(|source| TrainingError::InSet { id: set.id.clone(), source })
    }
}

/// An error of outer step `step`, with the knowledge sets of the task that it names.
fn in_sets(step: usize, groups: &[&[KnowledgeSet]], refused: inner_outer::Error) -> TrainingError {
    match refused {
        inner_outer::Error::InTask { task, source } => {
            TrainingError::InSets { step, sets: identifiers(groups[task]), source: source.into() }
        }
        refused => learning(step, refused),
    }
}

fn learning(step: usize, refused: inner_outer::Error) -> TrainingError {
    TrainingError::Learning { step, source: refused.into() }
}

fn identifiers(sets: &[KnowledgeSet]) -> String {
    sets.iter().map(|set| set.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// Refuses to train the recall of facts that the data does not tell; exchanged ones are never told.
fn check_recall(config: &ExperimentConfig, corpus: &Corpus) -> Result<(), TrainingError> {
    let recalls = config.objective.recall != Recall::None && config.method != Method::RandomFacts;
    match recalls && !corpus.says_what_is_relevant() {
        true => Err(TrainingError::Config(
            "objective.recall has a system recite the facts that a question needs, but no question of the data says which; name them in its `relevant`, or set objective.recall.kind = \"none\"".into(),
        )),
        false => Ok(()),
    }
}

/// Words of a set's facts, questions and answers.
fn words_of(set: &KnowledgeSet) -> usize {
    set.texts().map(|text| text.split(' ').count()).sum()
}

/// The seed of a training's examples and positions. One that starts from a system has another than the system's own training,
/// whose draws it would repeat with the same seed and data.
fn draws(seed: &Seed, begun_from: Option<Fingerprint>) -> Seed {
    match begun_from {
        Some(system) => seed.child("after").child(&system.to_string()),
        None => seed.clone(),
    }
}

/// The files in the order of their fingerprints, those trained on before those only tested on, then the tokenizer, without
/// whose vocabulary a stored state means nothing, then the system to start from, if any.
fn inputs(
    corpus: &Corpus,
    tokenizer: &StoredTokenizer,
    begun_from: Option<Fingerprint>,
) -> Vec<String> {
    let file = |file: &TrainedFile| format!("data {}", file.content);
    let mut inputs: Vec<String> = corpus.trained_on.iter().map(file).collect();
    inputs.sort();
    let mut examined: Vec<String> =
        corpus.examined_on.iter().map(|content| format!("test {content}")).collect();
    examined.sort();
    inputs.extend(examined);
    inputs.push(format!("tokenizer {}", tokenizer.fingerprint()));
    inputs.extend(begun_from.map(|system| format!("start_from {system}")));
    inputs
}

/// Rates are those of the configuration, whatever the system has learned.
fn of_start<B: Backend>(model: &Gpt2<B>, tokenizer: &StoredTokenizer) -> Fingerprint {
    let parameters = of_parameters(model, &Rates { tensors: Vec::new() });
    Fingerprint::of_all(&[parameters, tokenizer.fingerprint()])
}

/// A model of random weights, with the words of the corpus; `config.model` gets their number.
fn fresh<B: Backend>(
    config: &mut ExperimentConfig,
    corpus: &Corpus,
    seed: &Seed,
    device: &Device<B>,
) -> Result<Start<B>, TrainingError> {
    let words = WordTokenizer::from_words(&corpus.vocabulary)?;
    let (stated, own) = (config.model.vocabulary, words.vocabulary_size());
    if stated != 0 && stated != own {
        return Err(TrainingError::Config(format!(
            "model.vocabulary is {stated}, but the words of the data are {own} tokens; leave it out"
        )));
    }
    config.model.vocabulary = own;
    config.model.check().map_err(TrainingError::Config)?;
    let model = Gpt2::new(&config.model, &mut seed.child("model").rng(), device);
    let (tokenizer, trained_on) = (StoredTokenizer::from(words), Some(Vec::new()));
    let config = config.model.clone();
    Ok(Start { config, model, tokenizer, trained_on, generated: false })
}

/// The model of a folder, with adapters if it has none and the configuration wants them; `config.model` becomes its shape.
fn adapted<B: Backend>(
    mut start: Start<B>,
    config: &mut ExperimentConfig,
    seed: &Seed,
) -> Result<Start<B>, TrainingError> {
    let lora = config.model.lora.filter(|_| start.config.lora.is_none());
    start.config.lora = lora.or(start.config.lora);
    config.model = start.config.clone();
    config.model.check().map_err(TrainingError::Config)?;
    if let Some(lora) = lora {
        start.model = start.model.with_adapters(lora, &mut seed.child("adapters").rng());
    }
    Ok(start)
}

/// The learner of a configuration, at step 0.
pub(crate) fn learner<B: Backend>(
    config: &ExperimentConfig,
    settings: &SystemSettings,
    model: Gpt2<B>,
    first: &Task<B>,
) -> inner_outer::Result<Learner<B>> {
    let ExperimentConfig { inner, outer, .. } = config;
    let (problem, inner_loop) = (settings.problem(config.model.layers), settings.inner_loop());
    let rates = inner_loop.rates(&problem, inner.rate_scope, inner.rate, &model, first)?;
    let learns_rates = !inner.fixed_rates && inner_loop.steps > 0;
    let settings = MetaLearnerConfig {
        outer_rate: outer.schedule(1.0),
        rates_rate: learns_rates.then(|| outer.schedule(outer.rates_rate)),
        clip: Some(outer.clip),
        // Embeddings of words that the first meta-batch does not contain have no gradient yet.
        allow_zero_gradients: true,
        ..MetaLearnerConfig::default()
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

#[cfg(test)]
mod tests;
