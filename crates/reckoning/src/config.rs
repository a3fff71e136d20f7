//! What an experiment is made of. Every field has a default; a TOML file and `--set` change what differs.

use std::path::PathBuf;

use inner_outer::{Decay, HypergradientChoice, InnerLoop, RateScope, RuleChoice, Schedule};
use serde::{Deserialize, Serialize};

use crate::data::kinship::KinshipConfig;
use crate::data::rules::RuleConfig;
use crate::data::{Distractors, LoadOptions};
use crate::history::TrainedFile;
use crate::model::ModelConfig;
use crate::{InnerScope, Reckoning};

/// An experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    /// Seed of the weights and of the order and naming of training examples. Test sets do not depend on it.
    pub seed: u64,
    /// What the system reads, and how it is scored.
    pub method: Method,
    /// Knowledge sets.
    pub data: DataConfig,
    /// The language model.
    pub model: ModelConfig,
    /// Folder to start from: of a trained system, or of a GPT-2 as Hugging Face saves it (`config.json`,
    /// `model.safetensors`, `tokenizer.json`). Its model and tokeniser replace those described here.
    pub start_from: Option<PathBuf>,
    /// What the targets of questions are.
    pub objective: Objective,
    /// The inner loop.
    pub inner: InnerConfig,
    /// The outer loop.
    pub outer: OuterConfig,
    /// Evaluation while training.
    pub evaluation: EvaluationConfig,
}

/// What the system reads before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Facts by the inner loop, then the question: RECKONING.
    #[default]
    Reckoning,
    /// Facts and question in one context, no inner loop: the baseline FT-ICR.
    InContext,
    /// Only the question: what can be guessed without facts.
    NoFacts,
    /// Facts by the inner loop, but no question: what the facts alone give away.
    NoQuestion,
    /// The facts of another knowledge set by the inner loop, then the question.
    RandomFacts,
    /// No questions: causal language modelling of facts, questions and answers in one context. Pre-training.
    Language,
}

impl Method {
    /// Whether facts go through the inner loop.
    pub fn has_inner_loop(self) -> bool {
        matches!(self, Self::Reckoning | Self::NoQuestion | Self::RandomFacts)
    }
}

/// Where knowledge sets come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// The built-in kinship generator.
    Kinship(KinshipConfig),
    /// The built-in rule-reasoning generator.
    Rules(RuleConfig),
    /// A published data set or a file of our own.
    File {
        /// File, archive or folder.
        path: PathBuf,
        /// How it is put into words.
        #[serde(default)]
        options: LoadOptions,
    },
}

impl Source {
    /// The files at `path`, put into words as those of this source.
    pub fn at(&self, path: PathBuf) -> Self {
        let options = match self {
            Self::File { options, .. } => *options,
            Self::Kinship(_) | Self::Rules(_) => LoadOptions::default(),
        };
        Self::File { path, options }
    }
}

/// Knowledge sets for training and evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Where they come from.
    pub source: Source,
    /// Share of a file's only split that is held out for testing; at least 0 and below 1. Without a split of its own,
    /// validation takes the same share of what is trained on, but at most 0.05.
    pub held_out: f64,
    /// Seed of that division; apart from the experiment's, so that systems of different seeds share their test sets.
    pub split_seed: u64,
    /// One knowledge set a question, with this many irrelevant facts; `None` keeps the sets whole, with all their
    /// questions.
    pub distractors: Option<Distractors>,
    /// Most stories that a training example tells at once, each of its own people: from one to so many, each number as
    /// likely. A system is then trained on more facts than any one story has. Needs people whose names are letters.
    #[serde(skip_serializing_if = "is_one")]
    pub stories: usize,
    /// Train on questions of these hops only; empty for all.
    pub train_hops: Vec<usize>,
    /// Give people whose names are letters new letters in every training example.
    pub rename: bool,
    /// Put the facts of every training example in a new order. A test set keeps the order of its file, which may follow
    /// the chain; then a method that reads facts in context does better without.
    pub shuffle_facts: bool,
    /// Most questions of a knowledge set that are asked in one training example; 0 for all.
    pub questions: usize,
    /// Draw answers equally often in training; needs a file, and one question a set (`distractors`).
    pub balance_answers: bool,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: Source::Kinship(KinshipConfig::default()),
            held_out: 0.1,
            split_seed: 0,
            distractors: None,
            stories: 1,
            train_hops: Vec::new(),
            rename: true,
            shuffle_facts: true,
            questions: 0,
            balance_answers: false,
        }
    }
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// What follows the question in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Recall {
    /// The answer alone: single-task.
    #[default]
    None,
    /// `answer because fact, fact`, one mean over all tokens: the official code.
    Joint,
    /// The mean over the answer's tokens plus `weight` times the mean over the recalled facts' tokens: the paper.
    Sum {
        /// Weight of recall.
        weight: f64,
    },
}

impl Recall {
    /// What recall counts beside the answer; 0 where it shares one mean with it or there is none.
    fn weight(self) -> f64 {
        match self {
            Self::None | Self::Joint => 0.0,
            Self::Sum { weight } => weight,
        }
    }
}

/// How the losses of a knowledge set's facts make its inner loss. A fact's own loss is the mean over its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactLoss {
    /// Their mean: the official code. Each of ten facts moves the weights by a third of what each of three facts does.
    #[default]
    Mean,
    /// Their sum: each fact moves the weights alike, however many there are.
    Sum,
}

impl FactLoss {
    fn is_mean(&self) -> bool {
        *self == Self::Mean
    }
}

/// What the targets of questions are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// What the inner loop descends. Not written where it is the mean, so that systems saved before there was a choice keep their
    /// fingerprints.
    #[serde(skip_serializing_if = "FactLoss::is_mean")]
    pub facts: FactLoss,
    /// Whether the relevant facts are recalled after the answer: multi-task.
    pub recall: Recall,
    /// Weight of the facts' own loss after the last inner step; the paper has none.
    pub retention: f64,
    /// In training, begin each question row at a random position, so that positions beyond the training texts are
    /// learned too (shifted absolute positions, Kiyono et al. 2021). For methods without inner loop, whose tests may be longer.
    pub shifted_positions: bool,
    /// Begin each fact with a numbered prefix `fact 3 :` that carries no loss, as the official code does.
    pub numbered_facts: bool,
}

/// The inner loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InnerConfig {
    /// Inner steps.
    pub steps: usize,
    /// Update rule.
    pub rule: RuleChoice,
    /// Rate before training.
    pub rate: f64,
    /// What shares one rate.
    pub rate_scope: RateScope,
    /// Keep the rates as they are.
    pub fixed_rates: bool,
    /// Which parameters the facts are written into.
    pub scope: InnerScope,
    /// How the outer loss is differentiated through the steps.
    pub hypergradient: HypergradientChoice,
}

impl Default for InnerConfig {
    fn default() -> Self {
        Self {
            steps: 3,
            rule: RuleChoice::Sgd,
            rate: 0.05,
            rate_scope: RateScope::PerTensorPerStep,
            fixed_rates: false,
            scope: InnerScope::All,
            hypergradient: HypergradientChoice::default(),
        }
    }
}

/// What a trained system needs to know of its training to be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemSettings {
    /// What the system reads before it answers.
    pub method: Method,
    /// What follows the question.
    pub objective: Objective,
    /// The inner loop.
    pub inner: InnerConfig,
    /// Files that the system was trained on, in all stages; `None` for a system that was saved without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<Vec<TrainedFile>>,
}

impl SystemSettings {
    /// The bi-level problem of a model with `layers` transformer blocks.
    pub fn problem(&self, layers: usize) -> Reckoning {
        Reckoning { scope: self.inner.scope, layers, retention: self.objective.retention }
    }

    /// The inner loop; of no steps where the method has none.
    pub fn inner_loop(&self) -> InnerLoop<RuleChoice> {
        let steps = if self.method.has_inner_loop() { self.inner.steps } else { 0 };
        InnerLoop { optimizer: self.inner.rule, steps }
    }
}

/// The outer loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OuterConfig {
    /// Steps.
    pub steps: usize,
    /// Knowledge sets a step.
    pub batch: usize,
    /// Knowledge sets that share a graph, at most; those of an inner loop each with a copy of the model. More make a small model
    /// faster, since operations are started less often; graphs run on threads of their own. Changes the last digits alone. Large
    /// models, rates for each element and hypergradients that do not walk back through the steps have a graph for each set.
    pub sets_a_graph: usize,
    /// Largest rate of AdamW.
    pub rate: f64,
    /// Rate of the inner rates, as a multiple of `rate`.
    pub rates_rate: f64,
    /// Steps of linear warm-up.
    pub warm_up: usize,
    /// Decay of the rate after warm-up, to zero at the last step.
    pub decay: Decay,
    /// Decoupled weight decay of the model; the inner rates have none.
    pub weight_decay: f64,
    /// Largest norm of the meta-gradient.
    pub clip: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
}

impl Default for OuterConfig {
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 32,
            sets_a_graph: 8,
            rate: 1e-3,
            rates_rate: 1.0,
            warm_up: 20,
            decay: Decay::Linear,
            weight_decay: 0.01,
            clip: 1.0,
            checkpoint_every: 100,
        }
    }
}

impl OuterConfig {
    /// The rate over the steps, times `factor`. A run that ends within its warm-up has no decay.
    pub fn schedule(&self, factor: f64) -> Schedule {
        Schedule {
            rate: self.rate * factor,
            warm_up: self.warm_up,
            steps: self.steps,
            decay: if self.warm_up < self.steps { self.decay } else { Decay::Constant },
        }
    }
}

/// Evaluation while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Steps between evaluations on the validation sets. The last step has none: the test sets follow it.
    pub every: usize,
    /// Knowledge sets of an evaluation while training; of a file's, some that depend on `data.split_seed` alone.
    pub sets: usize,
    /// Knowledge sets of each split in the last evaluation, chosen in the same way; 0 for all of a file's, 1,000 of a
    /// generator's.
    pub final_sets: usize,
    /// Hops that a generator is evaluated at; empty for those of training.
    pub hops: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: 100, sets: 200, final_sets: 0, hops: Vec::new() }
    }
}

impl ExperimentConfig {
    /// Checks that the model has what the inner loop adapts. A model to start from is not known before it is read, so
    /// [`Self::check`] leaves this to training then.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check_scope(&self) -> Result<(), String> {
        let layers = self.model.layers;
        match self.inner.scope {
            InnerScope::Lora if self.model.lora.is_none() => Err(
                "inner.scope = \"lora\" needs adapters; set model.lora.rank and model.lora.alpha"
                    .into(),
            ),
            InnerScope::LastLayers(count) if !(1..=layers).contains(&count) => Err(format!(
                "inner.scope = last-layers {count}, but the model has {layers} layers; give 1 to {layers}"
            )),
            _ => Ok(()),
        }
    }

    /// What a system trained by this configuration needs to know to be used; `trained_on` are the files it comes from.
    pub fn settings(&self, trained_on: Option<Vec<TrainedFile>>) -> SystemSettings {
        let Self { method, objective, inner, .. } = self;
        SystemSettings { method: *method, objective: *objective, inner: inner.clone(), trained_on }
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("data.stories", self.data.stories),
            ("outer.batch", self.outer.batch),
            ("outer.sets_a_graph", self.outer.sets_a_graph),
            ("outer.checkpoint_every", self.outer.checkpoint_every),
            ("evaluation.every", self.evaluation.every),
            ("evaluation.sets", self.evaluation.sets),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("{name} is 0; it must be at least 1"));
        }
        if self.method.has_inner_loop() && self.inner.steps == 0 {
            return Err("inner.steps is 0, so no fact is read; set it to at least 1, or choose method = \"no-facts\"".into());
        }
        if self.start_from.is_none() {
            self.check_scope()?;
        }
        if self.method == Method::RandomFacts && self.outer.batch < 2 {
            return Err("method = \"random-facts\" swaps facts within a batch; set outer.batch to at least 2".into());
        }
        if self.objective.shifted_positions && self.method.has_inner_loop() {
            return Err("objective.shifted_positions is for methods that read facts in context; facts of an inner loop are rows of their own, so leave it out".into());
        }
        if self.data.balance_answers
            && (self.data.distractors.is_none() || !matches!(self.data.source, Source::File { .. }))
        {
            return Err("data.balance_answers needs a file and data.distractors, so that a training example has one question; leave it out or set both".into());
        }
        if self.data.stories > 1
            && (!self.data.rename || matches!(self.data.source, Source::Rules(_)))
        {
            return Err("data.stories tells several stories at once, each of people with letters of their own; set data.rename = true and take data about people, or leave it out".into());
        }
        self.check_idle()?;
        self.check_hypergradient()?;
        let rates = [
            ("inner.rate", self.inner.rate),
            ("outer.rates_rate", self.outer.rates_rate),
            ("outer.weight_decay", self.outer.weight_decay),
            ("objective.retention", self.objective.retention),
            ("objective.recall.weight", self.objective.recall.weight()),
        ];
        if let Some((name, value)) =
            rates.iter().find(|(_, value)| !value.is_finite() || *value < 0.0)
        {
            return Err(format!("{name} = {value}; it must be a number of at least 0"));
        }
        if matches!(self.objective.recall, Recall::Sum { weight: 0.0 }) {
            return Err("objective.recall.weight is 0, so the system would not learn where an answer ends; set it above 0, or objective.recall.kind = \"none\"".into());
        }
        if !(0.0..1.0).contains(&self.data.held_out) {
            return Err(format!(
                "data.held_out = {} is no share; give 0 up to below 1",
                self.data.held_out
            ));
        }
        if !(self.outer.rate > 0.0 && self.outer.rate.is_finite() && self.outer.clip > 0.0) {
            return Err("outer.rate and outer.clip must be numbers above 0".into());
        }
        Ok(())
    }
}

impl ExperimentConfig {
    /// Settings that something else in the configuration leaves without effect.
    fn check_idle(&self) -> Result<(), String> {
        let Self { data, objective, evaluation, method, .. } = self;
        let is_file = matches!(data.source, Source::File { .. });
        let is_idle = [
            (
                !is_file && !data.train_hops.is_empty(),
                "data.train_hops chooses questions of a file; for a generator set data.source.hops",
            ),
            (
                is_file && !evaluation.hops.is_empty(),
                "evaluation.hops is for generators, and all questions of a file's test splits are asked; leave it out",
            ),
            (
                data.questions > 0 && data.distractors.is_some(),
                "data.questions has no effect beside data.distractors, which makes a set of each question; leave one of them out",
            ),
            (
                !method.has_inner_loop() && objective.numbered_facts,
                "objective.numbered_facts is for the facts of an inner loop, which the method does not have; leave it out",
            ),
            (
                !method.has_inner_loop() && !objective.facts.is_mean(),
                "objective.facts is for the inner loss, which the method does not have; leave it out",
            ),
        ];
        match is_idle.iter().find(|(is_idle, _)| *is_idle) {
            Some((_, refusal)) => Err((*refusal).to_owned()),
            None => Ok(()),
        }
    }

    /// Whether the hypergradient can reach what is to be learned.
    fn check_hypergradient(&self) -> Result<(), String> {
        let hypergradient = &self.inner.hypergradient;
        let blind = blind_to_rates(hypergradient);
        if !self.method.has_inner_loop() {
            return match blind {
                Some(name) => Err(format!(
                    "inner.hypergradient.kind = \"{name}\" says nothing where the method has no inner loop; leave it out"
                )),
                None => Ok(()),
            };
        }
        if matches!(hypergradient, HypergradientChoice::Envelope {}) {
            return Err("inner.hypergradient.kind = \"envelope\" stops at the adapted model, through which alone facts reach the answer, so nothing could be learned; choose \"unrolled\", \"truncated\", \"first-order\" or \"reptile\"".into());
        }
        if matches!(hypergradient, HypergradientChoice::Implicit { .. }) {
            return Err("inner.hypergradient.kind = \"implicit\" differentiates a minimum, which does not depend on the weights that the inner loop starts from, and these are what is learned; choose \"unrolled\", \"truncated\", \"first-order\" or \"reptile\"".into());
        }
        match blind {
            Some(name) if !self.inner.fixed_rates => Err(format!(
                "inner.hypergradient.kind = \"{name}\" gives inner rates no gradient, so they cannot be learned; set inner.fixed_rates = true, or choose \"unrolled\", \"truncated\" or \"first-order\""
            )),
            _ => Ok(()),
        }
    }
}

/// The name of a hypergradient that gives inner rates no gradient.
fn blind_to_rates(hypergradient: &HypergradientChoice) -> Option<&'static str> {
    match hypergradient {
        HypergradientChoice::Envelope {} => Some("envelope"),
        HypergradientChoice::Reptile {} => Some("reptile"),
        HypergradientChoice::Implicit { .. } => Some("implicit"),
        HypergradientChoice::Unrolled { .. }
        | HypergradientChoice::Truncated { .. }
        | HypergradientChoice::FirstOrder {} => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypergradients_that_cannot_learn_rates_need_fixed_ones() {
        let mut config = ExperimentConfig::default();
        config.inner.hypergradient = HypergradientChoice::Reptile {};
        let refusal = config.check().unwrap_err();
        assert!(refusal.contains("reptile") && refusal.contains("inner.fixed_rates = true"));
        config.inner.fixed_rates = true;
        config.check().unwrap();
        config.inner.fixed_rates = false;
        for choice in [HypergradientChoice::FirstOrder {}, HypergradientChoice::default()] {
            config.inner.hypergradient = choice;
            config.check().unwrap();
        }
    }

    #[test]
    fn hypergradients_that_could_learn_nothing_are_refused() {
        let mut config = ExperimentConfig::default();
        config.inner.fixed_rates = true;
        let implicit = HypergradientChoice::Implicit {
            solver: Default::default(),
            curvature: Default::default(),
        };
        for choice in [HypergradientChoice::Envelope {}, implicit] {
            config.inner.hypergradient = choice;
            assert!(config.check().unwrap_err().contains("choose"));
        }
        // Without an inner loop the difference of start and end is zero.
        for method in [Method::InContext, Method::NoFacts, Method::Language] {
            config.method = method;
            config.inner.hypergradient = HypergradientChoice::Reptile {};
            assert!(config.check().unwrap_err().contains("no inner loop"), "{method:?}");
            config.inner.hypergradient = HypergradientChoice::default();
            config.check().unwrap();
        }
    }

    #[test]
    fn only_methods_with_an_inner_loop_take_inner_steps() {
        let settings = |method| SystemSettings { method, ..SystemSettings::default() };
        assert_eq!(settings(Method::Reckoning).inner_loop().steps, 3);
        assert_eq!(settings(Method::InContext).inner_loop().steps, 0);
        assert_eq!(settings(Method::Reckoning).problem(4).layers, 4);
    }

    #[test]
    fn defaults_are_valid_and_round_trip() {
        let config = ExperimentConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ExperimentConfig>(&text).unwrap(), config);
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let refused = |change: fn(&mut ExperimentConfig)| {
            let mut config = ExperimentConfig::default();
            change(&mut config);
            config.check().unwrap_err()
        };
        assert!(refused(|config| config.outer.rate = f64::INFINITY).contains("outer.rate"));
        assert!(refused(|config| config.outer.weight_decay = -3.0).contains("weight_decay"));
        let recall = Recall::Sum { weight: f64::NAN };
        let mut config = ExperimentConfig::default();
        config.objective.recall = recall;
        assert!(config.check().unwrap_err().contains("objective.recall.weight"));
    }

    fn to_file(config: &mut ExperimentConfig) {
        config.data.source = config.data.source.at("sets.jsonl".into());
    }

    #[test]
    fn settings_without_effect_are_refused() {
        let refused = |change: fn(&mut ExperimentConfig)| {
            let mut config = ExperimentConfig::default();
            change(&mut config);
            config.check().unwrap_err()
        };
        assert!(refused(|config| config.data.train_hops = vec![2]).contains("data.source.hops"));
        let hops = refused(|config| {
            to_file(config);
            config.evaluation.hops = vec![2];
        });
        assert!(hops.contains("evaluation.hops"));
        let questions = refused(|config| {
            config.data.questions = 1;
            config.data.distractors = Some(Distractors::All);
        });
        assert!(questions.contains("data.questions"));
        let numbered = refused(|config| {
            config.method = Method::InContext;
            config.objective.numbered_facts = true;
        });
        assert!(numbered.contains("objective.numbered_facts"));
        let facts = refused(|config| {
            config.method = Method::NoFacts;
            config.objective.facts = FactLoss::Sum;
        });
        assert!(facts.contains("objective.facts"));

        let mut config = ExperimentConfig::default();
        to_file(&mut config);
        config.data.train_hops = vec![2, 3];
        config.data.questions = 1;
        config.objective.numbered_facts = true;
        config.check().unwrap();
        // The results on CLUTRR take a method without facts from the configuration of RECKONING.
        config = ExperimentConfig { method: Method::NoFacts, ..ExperimentConfig::default() };
        config.objective.retention = 0.1;
        config.check().unwrap();
    }

    #[test]
    fn recall_that_counts_nothing_is_refused() {
        let mut config = ExperimentConfig::default();
        config.objective.recall = Recall::Sum { weight: 0.0 };
        assert!(config.check().unwrap_err().contains("objective.recall.weight"));
        config.objective.recall = Recall::Sum { weight: 0.5 };
        config.check().unwrap();
    }

    #[test]
    fn contradictions_are_named() {
        let mut config = ExperimentConfig::default();
        config.inner.scope = InnerScope::Lora;
        assert!(config.check().unwrap_err().contains("model.lora"));
        let mut config = ExperimentConfig::default();
        config.inner.steps = 0;
        assert!(config.check().unwrap_err().contains("inner.steps"));
        config.method = Method::NoFacts;
        config.check().unwrap();
    }
}
