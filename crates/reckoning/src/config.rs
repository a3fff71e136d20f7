//! What an experiment is made of. Every field has a default; a TOML file and `--set` change what differs.

mod check;
mod size;

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
    /// `model.safetensors`, `tokenizer.json`). Its model and tokeniser replace those described here. Examples and positions
    /// are other ones than in a training of the same seed that starts from something else, and nothing that a trained system
    /// was trained on is tested or validated on.
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
    /// The facts of another knowledge set by the inner loop, then the question. None of them is to be recalled: with recall the
    /// target is the answer and `because` alone.
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
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
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
    /// Whether sets are made up as they are needed.
    pub fn is_generator(&self) -> bool {
        match self {
            Self::Kinship(_) | Self::Rules(_) => true,
            Self::File { .. } => false,
        }
    }

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
    /// likely. A system is then trained on more facts than any one story has. Needs people whose names are
    /// known, and `rename`: whatever they are called, a generator gives them its own names, a file letters, also where one story
    /// is told alone. Test sets keep their names. At most 1,000.
    #[serde(skip_serializing_if = "is_one")]
    pub stories: usize,
    /// Train on questions of these hops only; empty for all.
    pub train_hops: Vec<usize>,
    /// Give people whose names are letters new ones in every training example: of a generator its own, of a file any letters.
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

fn is_false(flag: &bool) -> bool {
    !flag
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

/// How the losses of a knowledge set's facts make its inner loss. A fact's own loss is the mean over its tokens but the first,
/// which nothing predicts; behind a numbered prefix ([`Objective::numbered_facts`]) the first counts too.
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
    pub(crate) fn is_mean(&self) -> bool {
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
    /// Begin each fact with a numbered prefix `fact 3 :` that carries no loss, as the official code does. The first word of the
    /// fact then has something before it, and counts.
    pub numbered_facts: bool,
}

/// The inner loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InnerConfig {
    /// Inner steps, at most 10,000.
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
    /// Whether a stage was trained on sets of a generator. Not written where none was, so that systems saved before this was
    /// told keep their fingerprints.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trained_on_generated: bool,
}

impl SystemSettings {
    /// Whether a stage was trained on sets of a generator, as one must have been where no file was. A system that was saved before
    /// this was told, with stages of both kinds, does not say so.
    pub fn is_trained_on_generated(&self) -> bool {
        self.trained_on_generated || self.trained_on.as_ref().is_some_and(Vec::is_empty)
    }

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
    /// Knowledge sets a step, at most 100,000.
    pub batch: usize,
    /// Knowledge sets that share a graph, at most; those of an inner loop each with a copy of the model. More make a small model
    /// faster, since operations are started less often; graphs run on threads of their own. Changes the last digits alone. Large
    /// models, rates for each element and hypergradients that do not walk back through the steps have a graph for each set.
    pub sets_a_graph: usize,
    /// Largest rate of AdamW, at most a million, as other rates and weights.
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
    /// Knowledge sets of an evaluation while training, at most a million; of a file's, some that depend on `data.split_seed`
    /// alone.
    pub sets: usize,
    /// Knowledge sets of each split in the last evaluation, chosen in the same way, at most a million; 0 for all of a file's, 1,000
    /// of a generator's.
    pub final_sets: usize,
    /// Hops of the questions of the last evaluation; empty for those of training where data are generated, for all of
    /// a file.
    pub hops: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: 100, sets: 200, final_sets: 0, hops: Vec::new() }
    }
}

impl ExperimentConfig {
    /// What a system trained by this configuration needs to know to be used; `trained_on` are the files it comes from.
    pub fn settings(&self, trained_on: Option<Vec<TrainedFile>>) -> SystemSettings {
        let Self { method, objective, inner, .. } = self;
        SystemSettings {
            method: *method,
            objective: *objective,
            inner: inner.clone(),
            trained_on,
            trained_on_generated: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_with_an_inner_loop_take_inner_steps() {
        let settings = |method| SystemSettings { method, ..SystemSettings::default() };
        assert_eq!(settings(Method::Reckoning).inner_loop().steps, 3);
        assert_eq!(settings(Method::InContext).inner_loop().steps, 0);
        assert_eq!(settings(Method::Reckoning).problem(4).layers, 4);
    }

    /// Every training of this program is on files or on generated sets.
    #[test]
    fn systems_saved_before_generators_were_told_are_known_by_having_no_file() {
        let told = |settings: SystemSettings| {
            let text = serde_json::to_string(&settings).unwrap();
            let read: SystemSettings = serde_json::from_str(&text).unwrap();
            assert_eq!(read, settings);
            (text.contains("trained_on_generated"), read.is_trained_on_generated())
        };
        let with = |trained_on| SystemSettings { trained_on, ..SystemSettings::default() };
        let content = crate::fingerprint::Fingerprint::of_parts(&[]);
        let file = TrainedFile { content, held_out: 0.1, split_seed: 0, validated: None };
        assert_eq!(told(with(None)), (false, false));
        assert_eq!(told(with(Some(Vec::new()))), (false, true));
        assert_eq!(told(with(Some(vec![file.clone()]))), (false, false));
        let both = SystemSettings { trained_on_generated: true, ..with(Some(vec![file])) };
        assert_eq!(told(both), (true, true));
    }

    #[test]
    fn a_source_takes_only_the_fields_of_its_kind() {
        let load = |more: &str| {
            let sets = ["data.source.kind=file", "data.source.path=f.jsonl", more];
            let sets = sets.map(String::from);
            experiment::config::load(&ExperimentConfig::default(), None, &sets)
        };
        let found = load("data.source.options.surface=as-in-file").unwrap();
        let options = LoadOptions { surface: None, ..LoadOptions::default() };
        assert_eq!(found.data.source, Source::File { path: "f.jsonl".into(), options });
        for field in ["data.source.surface", "data.source.hops", "data.source.nonsense"] {
            let told = load(&format!("{field}=3")).unwrap_err().to_string();
            assert!(told.contains(&format!("there is no field `{field}`")), "{told}");
            assert!(!told.contains(&format!("did you mean `{field}`")), "{told}");
        }
        let json = r#"{"kind": "file", "path": "f.jsonl", "nonsense": 3}"#;
        let told = serde_json::from_str::<Source>(json).unwrap_err().to_string();
        assert!(told.contains("unknown field `nonsense`"), "{told}");
    }

    #[test]
    fn defaults_are_valid_and_round_trip() {
        let config = ExperimentConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ExperimentConfig>(&text).unwrap(), config);
    }
}
