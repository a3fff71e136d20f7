//! The knowledge sets of an experiment: an endless stream or a pool for training, fixed lists for evaluation.

use std::collections::BTreeMap;

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::config::{DataConfig, EvaluationConfig, Source};
use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};
use crate::data::rules::{RuleConfig, RuleGenerator};
use crate::data::{
    DataError, Dataset, Distractors, KnowledgeSet, Split, letters, load, some_by_id, split_by_id,
    words,
};
use crate::encoding::TARGET_WORDS;
use crate::fingerprint::Fingerprint;
use crate::history::TrainedFile;

const GENERATED_TEST_SETS: usize = 1000;
/// Numbers that the prefixes of facts may use.
const MOST_NUMBERED_FACTS: usize = 100;
/// Generated training sets have numbers below half of this, validation sets from there on, test sets from here on.
const FIRST_TEST_SET: u64 = 1 << 40;

/// Where training examples come from.
enum Training {
    Kinship(KinshipGenerator),
    Rules(RuleGenerator),
    Pool { by_answer: BTreeMap<String, Vec<usize>>, sets: Vec<KnowledgeSet> },
}

/// The knowledge sets of an experiment.
pub struct Corpus {
    config: DataConfig,
    training: Training,
    /// Test sets by name, such as `4 hops`.
    pub tests: Vec<(String, Vec<KnowledgeSet>)>,
    /// Sets for choices made while training, not trained on; with held-out chains, of those chains.
    pub validation: Vec<KnowledgeSet>,
    /// The files that training examples come from; none for a generator.
    pub trained_on: Vec<TrainedFile>,
    /// Every word that may occur.
    pub vocabulary: Vec<String>,
}

impl Corpus {
    /// Loads or prepares the knowledge sets that `config` describes.
    ///
    /// # Errors
    /// As the readers and generators.
    pub fn new(
        config: &DataConfig,
        evaluation: &EvaluationConfig,
        seed: &Seed,
    ) -> Result<Self, DataError> {
        match &config.source {
            Source::Kinship(kinship) => Self::of_kinship(config, kinship, evaluation, seed),
            Source::Rules(rules) => Self::of_rules(config, rules, evaluation, seed),
            Source::File { path, options } => {
                Self::of_dataset(config, load(path, options)?, evaluation, seed)
            }
        }
    }

    /// The training example at `place` of step `step`: renamed and cut as the configuration says. A pure function of
    /// its arguments, so that resuming needs no state.
    ///
    /// # Errors
    /// As the generators.
    pub fn training_set(
        &self,
        step: usize,
        place: usize,
        batch: usize,
        seed: &Seed,
    ) -> Result<KnowledgeSet, DataError> {
        let index = (step * batch + place) as u64;
        let mut random = seed.child("example").index(index).rng();
        let set = match &self.training {
            Training::Kinship(generator) => generator
                .knowledge_set(Chains::Training, random.random_range(0..FIRST_TEST_SET / 2))?,
            Training::Rules(generator) => {
                generator.knowledge_set(random.random_range(0..FIRST_TEST_SET / 2))?
            }
            Training::Pool { by_answer, sets } => self.draw(by_answer, sets, &mut random),
        };
        let mut set = self.cut(set, &mut random)?;
        if self.config.shuffle_facts {
            set = shuffled(set, &mut random);
        }
        match self.config.rename && !matches!(self.config.source, Source::Rules(_)) {
            true if set.entities.iter().all(|name| name.len() == 1) => {
                set.rename_entities(&mut random, &letters())
            }
            _ => Ok(set),
        }
    }

    /// Whether the test sets are a part of a file that is trained on.
    pub(crate) fn tests_are_divided_off(&self) -> bool {
        self.trained_on.iter().any(|file| file.held_out > 0.0)
    }

    fn draw(
        &self,
        by_answer: &BTreeMap<String, Vec<usize>>,
        sets: &[KnowledgeSet],
        random: &mut ChaCha8Rng,
    ) -> KnowledgeSet {
        if !self.config.balance_answers {
            return sets.choose(random).expect("a pool is never empty").clone();
        }
        let answers: Vec<&String> = by_answer.keys().collect();
        let answer = answers.choose(random).expect("a pool has answers");
        let index = by_answer[*answer].choose(random).expect("every answer has a set");
        let mut set = sets[*index].clone();
        if self.config.distractors.is_some() {
            set.questions.retain(|question| question.answer == **answer);
        }
        set
    }

    /// At most the configured number of questions, or one question with its distractors.
    fn cut(
        &self,
        mut set: KnowledgeSet,
        random: &mut ChaCha8Rng,
    ) -> Result<KnowledgeSet, DataError> {
        if let Some(distractors) = self.config.distractors {
            let questions: Vec<usize> = (0..set.questions.len()).collect();
            let question = *questions.choose(random).expect("a training set has a question");
            return set.with_distractors(question, distractors, random);
        }
        if self.config.questions > 0 && set.questions.len() > self.config.questions {
            set.questions.shuffle(random);
            set.questions.truncate(self.config.questions);
        }
        Ok(set)
    }

    fn of_kinship(
        config: &DataConfig,
        kinship: &KinshipConfig,
        evaluation: &EvaluationConfig,
        seed: &Seed,
    ) -> Result<Self, DataError> {
        let generator = KinshipGenerator::new(kinship.clone())?;
        let hops = if evaluation.hops.is_empty() { &kinship.hops } else { &evaluation.hops };
        let count = generated_sets(evaluation);
        let held_out = if kinship.held_out_chains > 0.0 { Chains::HeldOut } else { Chains::Any };
        let test = |hops: usize, count: usize, first: u64| {
            let one = KinshipConfig { hops: vec![hops], ..kinship.clone() };
            // Chains unseen in training exist only for the lengths that training has.
            let chains = if kinship.hops.contains(&hops) { held_out } else { Chains::Any };
            let generator = KinshipGenerator::new(one)?;
            let sets =
                (0..count as u64).map(|index| generator.knowledge_set(chains, first + index));
            sets.collect::<Result<Vec<_>, DataError>>()
        };
        let named =
            |&hops: &usize| Ok((format!("{hops} hops"), test(hops, count, FIRST_TEST_SET)?));
        let tests = hops.iter().map(named).collect::<Result<_, DataError>>()?;
        let each = evaluation.sets.div_ceil(kinship.hops.len());
        let mut validation = Vec::new();
        for &hops in &kinship.hops {
            validation.extend(test(hops, each, FIRST_TEST_SET / 2)?);
        }
        let vocabulary = with_target_words(generator.vocabulary());
        let training = Training::Kinship(generator);
        let corpus = Self {
            config: config.clone(),
            training,
            tests,
            validation,
            trained_on: Vec::new(),
            vocabulary,
        };
        corpus.with_asked(seed)
    }

    fn of_rules(
        config: &DataConfig,
        rules: &RuleConfig,
        evaluation: &EvaluationConfig,
        seed: &Seed,
    ) -> Result<Self, DataError> {
        let generator = RuleGenerator::new(rules.clone())?;
        let hops = if evaluation.hops.is_empty() { &rules.hops } else { &evaluation.hops };
        let count = generated_sets(evaluation);
        let test = |hops: &usize| {
            let generator = RuleGenerator::new(RuleConfig { hops: vec![*hops], ..rules.clone() })?;
            let sets =
                (0..count as u64).map(|index| generator.knowledge_set(FIRST_TEST_SET + index));
            Ok((format!("{hops} hops"), sets.collect::<Result<Vec<_>, _>>()?))
        };
        let tests = hops.iter().map(test).collect::<Result<_, DataError>>()?;
        let validation = (0..evaluation.sets as u64)
            .map(|index| generator.knowledge_set(FIRST_TEST_SET / 2 + index))
            .collect::<Result<Vec<_>, _>>()?;
        let vocabulary = with_target_words(generator.vocabulary());
        let corpus = Self {
            config: config.clone(),
            training: Training::Rules(generator),
            tests,
            validation,
            trained_on: Vec::new(),
            vocabulary,
        };
        corpus.with_asked(seed)
    }

    pub(crate) fn of_dataset(
        config: &DataConfig,
        dataset: Dataset,
        evaluation: &EvaluationConfig,
        seed: &Seed,
    ) -> Result<Self, DataError> {
        let mut vocabulary: Vec<String> = dataset
            .knowledge_sets()
            .flat_map(KnowledgeSet::texts)
            .flat_map(words)
            .map(String::from)
            .collect();
        if dataset.knowledge_sets().flat_map(|set| &set.entities).all(|name| name.len() == 1) {
            vocabulary.extend(letters());
        }
        vocabulary.sort();
        vocabulary.dedup();
        let (mut splits, mut files) = (dataset.splits, dataset.files);
        let of_training = files.remove(&Split::Train).unwrap_or_default();
        let whole = splits.remove(&Split::Train);
        let (training, tests, trained_on) = match whole {
            Some(training) if splits.keys().any(|split| *split != Split::Validation) => {
                (training, splits, trained_files(of_training, 0.0, config))
            }
            Some(training) if !splits.is_empty() => {
                // Training and validation files, but nothing to test on: part of the training file is held out.
                let (training, test) = split_by_id(training, config.held_out, config.split_seed);
                splits.insert(Split::Test, test);
                (training, splits, trained_files(of_training, config.held_out, config))
            }
            whole => {
                // A single split, whatever its name, is divided.
                let all = whole.into_iter().chain(splits.into_values()).flatten().collect();
                let (training, test) = split_by_id(all, config.held_out, config.split_seed);
                let files = files.into_values().flatten().chain(of_training);
                let trained_on = trained_files(files, config.held_out, config);
                (training, BTreeMap::from([(Split::Test, test)]), trained_on)
            }
        };
        let (mut training, validation) = match tests.get(&Split::Validation) {
            Some(validation) => (training, validation.clone()),
            None => split_by_id(training, config.held_out.min(0.05), config.split_seed ^ 1),
        };
        keep_hops(&mut training, &config.train_hops);
        if training.is_empty() {
            let problem =
                "no question is left to train on; check data.train_hops and data.held_out";
            return Err(DataError::Configuration { field: "data", problem: problem.into() });
        }
        // Beside a proper test split, files of other names are variants of the same data.
        let has_test =
            tests.keys().any(|split| matches!(split, Split::Test | Split::TestAtHops(_)));
        let is_test = |split: &Split| match split {
            Split::Validation => false,
            Split::Other(_) => !has_test,
            _ => true,
        };
        let tests = tests.into_iter().filter(|(split, _)| is_test(split));
        let tests = tests
            .map(|(split, sets)| {
                (split.to_string(), some_by_id(sets, evaluation.final_sets, config.split_seed))
            })
            .collect();
        let validation = some_by_id(validation, evaluation.sets, config.split_seed);
        let mut by_answer: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, set) in training.iter().enumerate() {
            for question in &set.questions {
                by_answer.entry(question.answer.clone()).or_default().push(index);
            }
        }
        let corpus = Self {
            config: config.clone(),
            training: Training::Pool { by_answer, sets: training },
            tests,
            validation,
            trained_on,
            vocabulary: with_target_words(vocabulary),
        };
        corpus.with_asked(seed)
    }

    /// Evaluation sets in the form that questions are asked in.
    fn with_asked(mut self, seed: &Seed) -> Result<Self, DataError> {
        let distractors = self.config.distractors;
        self.validation = asked(&self.validation, distractors, &seed.child("validation"))?;
        for index in 0..self.tests.len() {
            self.tests[index].1 = asked(&self.tests[index].1, distractors, &seed.child("test"))?;
        }
        Ok(self)
    }
}

/// Every set with the facts of the next one that is about something else: the control with random facts. Sets whose
/// names differ only after the last `/` ask about the same theory.
pub fn with_facts_of_others(sets: &[KnowledgeSet]) -> Vec<KnowledgeSet> {
    let theory = |set: &KnowledgeSet| {
        set.id.rsplit_once('/').map_or(set.id.clone(), |(theory, _)| theory.into())
    };
    let exchanged = |(index, set): (usize, &KnowledgeSet)| {
        let mut others = sets[index + 1..].iter().chain(&sets[..index]);
        let other = others.find(|other| theory(other) != theory(set));
        let facts = other.map_or_else(Vec::new, |other| other.facts.clone());
        let mut set = KnowledgeSet { facts, ..set.clone() };
        set.questions.iter_mut().for_each(|question| question.relevant.clear());
        set
    };
    sets.iter().enumerate().map(exchanged).collect()
}

fn generated_sets(evaluation: &EvaluationConfig) -> usize {
    if evaluation.final_sets == 0 { GENERATED_TEST_SETS } else { evaluation.final_sets }
}

/// The sets of an evaluation, in the form that questions are asked in: one set a question where distractors are
/// controlled.
///
/// # Errors
/// As [`KnowledgeSet::with_distractors`].
pub fn asked(
    sets: &[KnowledgeSet],
    distractors: Option<Distractors>,
    seed: &Seed,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let Some(distractors) = distractors else { return Ok(sets.to_vec()) };
    let mut asked = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let mut random = seed.child("asked").index(index as u64).rng();
        for question in 0..set.questions.len() {
            asked.push(set.with_distractors(question, distractors, &mut random)?);
        }
    }
    Ok(asked)
}

/// The files with how they were divided.
fn trained_files(
    files: impl IntoIterator<Item = Fingerprint>,
    held_out: f64,
    config: &DataConfig,
) -> Vec<TrainedFile> {
    let split_seed = config.split_seed;
    files.into_iter().map(|content| TrainedFile { content, held_out, split_seed }).collect()
}

fn keep_hops(sets: &mut Vec<KnowledgeSet>, hops: &[usize]) {
    let wanted = |hop: usize| hops.is_empty() || hops.contains(&hop);
    sets.iter_mut().for_each(|set| set.questions.retain(|question| wanted(question.hops)));
    sets.retain(|set| !set.questions.is_empty());
}

/// The set with its facts in random order.
fn shuffled(mut set: KnowledgeSet, random: &mut ChaCha8Rng) -> KnowledgeSet {
    let mut order: Vec<usize> = (0..set.facts.len()).collect();
    order.shuffle(random);
    set.facts = order.iter().map(|&from| set.facts[from].clone()).collect();
    let place = |fact: &usize| order.iter().position(|from| from == fact).expect("a permutation");
    for question in &mut set.questions {
        question.relevant = question.relevant.iter().map(place).collect();
    }
    set
}

fn with_target_words(mut vocabulary: Vec<String>) -> Vec<String> {
    vocabulary.extend(TARGET_WORDS.map(String::from));
    vocabulary.extend((0..MOST_NUMBERED_FACTS).map(|number| number.to_string()));
    vocabulary
}
