//! `reckoning eval`: a trained system on any data.

use std::path::PathBuf;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line};
use experiment::seed::Seed;
use experiment::statistics::{Interval, mean_interval, proportion_interval};
use inner_outer::InnerLoop;
use inner_outer::parallel::{Threads, in_order};
use serde::Serialize;

use crate::Reckoning;
use crate::answer::{BeamSearch, Reader};
use crate::config::{ExperimentConfig, Method, Recall, SystemSettings};
use crate::corpus::{Corpus, with_facts_of_others};
use crate::data::KnowledgeSet;
use crate::encoding::Encoder;
use crate::model::Gpt2;
use crate::score::{FactRecall, LenientRecall, exact_match};
use crate::trained::TrainedSystem;

/// Arguments of `eval`. The configuration's `data` and `evaluation` say what is asked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of a trained system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Data to ask about instead of the configuration's: a file, archive or folder of a known kind
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Answers to keep while searching; 1 is greedy, the paper uses 5
    #[arg(long, default_value_t = 5)]
    beams: usize,
}

/// Scores of one test set.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// Name of the test set.
    pub name: String,
    /// Exact match of the generated answer.
    pub exact_match: Interval,
    /// The right answer is the most likely of the test set's answers.
    pub likeliest_label: Interval,
    /// Strict F1 of the recalled facts, for systems that recall.
    pub recall_f1: Option<Interval>,
    /// The official lenient share, for systems that recall.
    pub recall_lenient: Option<f64>,
}

/// Generates, scores and prints.
///
/// # Errors
/// Bad input: the system or the data. Failed: an inner loss that is not finite.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config: ExperimentConfig =
        arguments.common.configuration(&ExperimentConfig::default()).bad_input()?;
    if let Some(path) = &arguments.data {
        config.data.source = crate::config::Source::File {
            path: path.clone(),
            options: crate::data::LoadOptions::default(),
        };
    }
    let seed = Seed::new(arguments.common.seed.unwrap_or(config.seed));
    let corpus =
        Corpus::new(&config.data, &config.evaluation, &seed.child("corpus")).bad_input()?;
    let scores = crate::on_device!(arguments.common.device, B => {
        let system = TrainedSystem::<B, SystemSettings>::load(&arguments.system, &Default::default()).bad_input()?;
        let score = |(name, sets): &(String, Vec<KnowledgeSet>)| score(&system, name, sets, arguments.beams);
        corpus.tests.iter().map(score).collect::<Result<Vec<_>, Failure>>()
    })?;
    if arguments.common.json {
        return print_line(serde_json::to_string(&scores).failed()?);
    }
    scores.iter().try_for_each(|scores| print_line(line(scores)))
}

fn line(scores: &Scores) -> String {
    let Scores { name, exact_match, likeliest_label, recall_f1, recall_lenient } = scores;
    let mut line = format!(
        "{name}: exact match {}, likeliest label {}, {} questions",
        exact_match.percent(),
        likeliest_label.percent(),
        exact_match.n
    );
    if let (Some(strict), Some(lenient)) = (recall_f1, recall_lenient) {
        line +=
            &format!(", recall F1 {}, official lenient {:.1} %", strict.percent(), 100.0 * lenient);
    }
    line
}

/// What one question earned.
struct Mark {
    exact: bool,
    likeliest: bool,
    strict: f64,
    lenient: LenientRecall,
}

fn score<B: Backend>(
    system: &TrainedSystem<B, SystemSettings>,
    name: &str,
    sets: &[KnowledgeSet],
    beams: usize,
) -> Result<Scores, Failure> {
    let exchanged = match system.settings.method {
        Method::RandomFacts => with_facts_of_others(sets),
        _ => sets.to_vec(),
    };
    let sets = exchanged.as_slice();
    let examiner = Examiner::new(system, sets, beams);
    // Parameters that nobody has read yet must be drawn before threads share them.
    let _drawn: Vec<Tensor<B, 1>> = inner_outer::tensors::Tensors::of(&system.model).0;
    let mut marks: Vec<Mark> = Vec::new();
    let mut failure = None;
    in_order(
        sets,
        Threads::default(),
        |_, set| Ok(examiner.marks(set)),
        |_, result| match result {
            Ok(found) => marks.extend(found),
            Err(error) => failure = failure.take().or(Some(error)),
        },
    )
    .failed()?;
    if let Some(failure) = failure {
        return Err(Failure::BadInput(failure));
    }
    let share = |count: usize| proportion_interval(count, marks.len()).failed();
    let recalls = system.settings.objective.recall != Recall::None;
    let strict: Vec<f64> = marks.iter().map(|mark| mark.strict).collect();
    Ok(Scores {
        name: name.into(),
        exact_match: share(marks.iter().filter(|mark| mark.exact).count())?,
        likeliest_label: share(marks.iter().filter(|mark| mark.likeliest).count())?,
        recall_f1: if recalls { Some(mean_interval(&strict).failed()?) } else { None },
        recall_lenient: recalls
            .then(|| marks.iter().map(|mark| mark.lenient).sum::<LenientRecall>().ratio()),
    })
}

struct Examiner<'s, B: Backend> {
    system: &'s TrainedSystem<B, SystemSettings>,
    encoder: Encoder,
    labels: Vec<String>,
    beams: usize,
}

impl<'s, B: Backend> Examiner<'s, B> {
    fn new(
        system: &'s TrainedSystem<B, SystemSettings>,
        sets: &[KnowledgeSet],
        beams: usize,
    ) -> Self {
        let SystemSettings { method, objective, .. } = system.settings;
        let encoder =
            Encoder { tokenizer: system.tokenizer.tokenizer().clone(), method, objective };
        let answers =
            sets.iter().flat_map(|set| &set.questions).map(|question| question.answer.clone());
        let mut labels: Vec<String> = answers.collect();
        labels.sort();
        labels.dedup();
        Self { system, encoder, labels, beams }
    }

    fn marks(&self, set: &KnowledgeSet) -> anyhow::Result<Vec<Mark>> {
        let model = self.adapted(set)?;
        let reader = Reader { model: &model, tokenizer: &self.encoder.tokenizer };
        let mut marks = Vec::new();
        for question in &set.questions {
            let prompted = self.encoder.prompted(set, question)?;
            let prompt = crate::answer::Prompt::read(&model, &prompted.prompt)?;
            let room = model.context().saturating_sub(prompted.prompt.len()).max(1);
            let tokens = room.min(prompted.answer.len() + prompted.recall.len() + 8);
            let generated = match self.beams {
                0 | 1 => reader.greedy(&prompt, tokens)?.text,
                beams => {
                    let search = BeamSearch { beams, ..BeamSearch::default() };
                    let found = reader.beam_search(&prompt, search, tokens)?;
                    found.into_iter().next().map_or_else(String::new, |answer| answer.text)
                }
            };
            let likelihood = reader.label_likelihood(&prompt, &self.labels)?;
            marks.push(Mark {
                exact: exact_match(&generated, &question.answer),
                likeliest: self.labels[likelihood.best()] == question.answer,
                strict: FactRecall::of(&generated, &set.facts, &question.relevant).f1,
                lenient: LenientRecall::of(&generated, &set.facts, &question.relevant),
            });
        }
        Ok(marks)
    }

    /// The model after the inner loop, where the method has one.
    fn adapted(&self, set: &KnowledgeSet) -> anyhow::Result<Gpt2<B>> {
        let SystemSettings { method, objective, inner } = &self.system.settings;
        if !method.has_inner_loop() {
            return Ok(self.system.model.clone());
        }
        let task = self
            .encoder
            .fitting(self.encoder.task(set, &Default::default())?, self.system.config.context)?;
        let problem = Reckoning {
            scope: inner.scope,
            layers: self.system.config.layers,
            retention: objective.retention,
        };
        let inner_loop = InnerLoop { optimizer: inner.rule, steps: inner.steps };
        Ok(inner_loop.adapt(&problem, &self.system.model, &self.system.rates, &task)?.inner)
    }
}
