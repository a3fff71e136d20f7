//! The knowledge sets of an experiment: an endless stream or a pool for training, fixed lists for evaluation.

mod asked;
mod divided;
mod drawing;
mod facts_of_others;
mod longest;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{DataConfig, EvaluationConfig, Source};
use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};
use crate::data::rules::{RuleConfig, RuleGenerator};
use crate::data::{
    DataError, Dataset, Distractors, Fact, KnowledgeSet, Split, Statement, letters, load,
    says_what_is_relevant, some_by_id, words,
};
use crate::encoding::TARGET_WORDS;
use crate::fingerprint::Fingerprint;
use crate::history::{TrainedFile, divided_for_validation, unseen_by, untrained};

use divided::{Divided, validated};
use drawing::by_answer;
use text::is_renamed;

pub use asked::asked;
pub(crate) use asked::{asked_splits, asking, keep_hops, require_asked};
pub use facts_of_others::{with_facts_of_others, without_other_facts};
pub use text::Text;
pub(crate) use text::{TrainedTexts, remark_on_seen};

const GENERATED_TEST_SETS: usize = 1000;
/// Numbers that the prefixes of facts may use.
const MOST_NUMBERED_FACTS: usize = 100;
/// Generated training sets have numbers below half of this, validation sets from there on, test sets from here on.
const FIRST_TEST_SET: u64 = 1 << 40;

const TRAINED_ON_VALIDATION: &str = "the system in start_from was trained on all that there is to validate on: validation accuracies will be \
                                     missing";
const NO_HISTORY: &str = "the system in start_from does not tell what it was trained on: tests and validation are what this \
                          configuration does not train on, and the system may have been";

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
    /// What is asked, and so not trained on where training draws another text instead: of a generator, or under other names.
    kept_out: BTreeSet<Text>,
    /// What people are renamed to: the names of a generator; the letters, where they come from a file.
    names: Vec<String>,
    /// Test sets by name, such as `4 hops`.
    pub tests: Vec<(String, Vec<KnowledgeSet>)>,
    /// What of the tests is trained on all the same: another set of the file says and asks it, under names that stay.
    pub seen: BTreeSet<Text>,
    /// Sets for choices made while training, not trained on; with held-out chains, of those chains.
    pub validation: Vec<KnowledgeSet>,
    /// The files that training examples come from; none for a generator.
    pub trained_on: Vec<TrainedFile>,
    /// The other files that tests and validation come from.
    pub examined_on: Vec<Fingerprint>,
    /// Every word that may occur.
    pub vocabulary: Vec<String>,
    /// What of the data is left out or not there, for the user to know.
    pub remarks: Vec<String>,
}

impl Corpus {
    /// Loads or prepares the knowledge sets that `config` describes, for a training that starts from nothing.
    ///
    /// # Errors
    /// As the readers and generators.
    pub fn new(config: &DataConfig, evaluation: &EvaluationConfig) -> Result<Self, DataError> {
        Self::after(config, evaluation, Some(&[]))
    }

    /// The same for a training that starts from a system with this `history` (`None`: it does not tell). Nothing of a file that
    /// the system was trained on is tested ([`unseen_by`]) or validated on ([`untrained`]). What a generator told an earlier stage is
    /// not known.
    ///
    /// # Errors
    /// As the readers and generators; [`DataError::Configuration`] if nothing is left of a test split.
    pub fn after(
        config: &DataConfig,
        evaluation: &EvaluationConfig,
        history: Option<&[TrainedFile]>,
    ) -> Result<Self, DataError> {
        match &config.source {
            Source::Kinship(kinship) => Self::of_kinship(config, kinship, evaluation),
            Source::Rules(rules) => Self::of_rules(config, rules, evaluation),
            Source::File { path, options } => {
                Self::of_dataset(config, load(path, options)?, evaluation, history)
            }
        }
    }

    /// Whether the questions that are trained on say which facts they need; those of generators do.
    pub fn says_what_is_relevant(&self) -> bool {
        match &self.training {
            Training::Pool { sets, .. } => says_what_is_relevant(sets),
            Training::Kinship(_) | Training::Rules(_) => true,
        }
    }

    fn of_kinship(
        config: &DataConfig,
        kinship: &KinshipConfig,
        evaluation: &EvaluationConfig,
    ) -> Result<Self, DataError> {
        let generator = KinshipGenerator::new(kinship.clone())?;
        let hops = if evaluation.hops.is_empty() { &kinship.hops } else { &evaluation.hops };
        let count = generated_sets(evaluation);
        let held_out = if kinship.held_out_chains > 0.0 { Chains::HeldOut } else { Chains::Any };
        let test = |hops: usize, count: usize, first: u64| {
            let one = KinshipConfig { hops: vec![hops], ..kinship.clone() };
            // Chains unseen in training exist only for the lengths that training has.
            let chains = if kinship.hops.contains(&hops) { held_out } else { Chains::Any };
            let generator = KinshipGenerator::new(one).map_err(of_evaluation)?;
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
        let names = generator.config().names.clone();
        let training = Training::Kinship(generator);
        let corpus = Self {
            config: config.clone(),
            training,
            kept_out: BTreeSet::new(),
            names,
            tests,
            seen: BTreeSet::new(),
            validation,
            trained_on: Vec::new(),
            examined_on: Vec::new(),
            vocabulary,
            remarks: Vec::new(),
        };
        corpus.with_asked()
    }

    fn of_rules(
        config: &DataConfig,
        rules: &RuleConfig,
        evaluation: &EvaluationConfig,
    ) -> Result<Self, DataError> {
        let generator = RuleGenerator::new(rules.clone())?;
        let hops = if evaluation.hops.is_empty() { &rules.hops } else { &evaluation.hops };
        let count = generated_sets(evaluation);
        let test = |hops: &usize| {
            let one = RuleConfig { hops: vec![*hops], ..rules.clone() };
            let generator = RuleGenerator::new(one).map_err(of_evaluation)?;
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
            kept_out: BTreeSet::new(),
            names: letters(),
            tests,
            seen: BTreeSet::new(),
            validation,
            trained_on: Vec::new(),
            examined_on: Vec::new(),
            vocabulary,
            remarks: Vec::new(),
        };
        corpus.with_asked()
    }

    fn of_dataset(
        config: &DataConfig,
        mut dataset: Dataset,
        evaluation: &EvaluationConfig,
        history: Option<&[TrainedFile]>,
    ) -> Result<Self, DataError> {
        let vocabulary = vocabulary_of(config, &dataset);
        let mut remarks = std::mem::take(&mut dataset.remarks);
        let Divided { training, mut tests, files, trained_on } = Divided::new(config, dataset)?;
        let of_training: Vec<Fingerprint> = trained_on.iter().map(|file| file.content).collect();
        let files_of = |split: &Split| files.get(split).map_or(&[][..], Vec::as_slice);
        let (mut training, mut validation, validated_on) = match tests.get(&Split::Validation) {
            Some(validation) => (training, validation.clone(), files_of(&Split::Validation)),
            None => {
                let (training, validation) =
                    divided_for_validation(training, validated(config), config.split_seed);
                (training, validation, &of_training[..])
            }
        };
        keep_hops(&mut training, &config.train_hops);
        keep_hops(&mut validation, &[]);
        if training.is_empty() {
            let problem =
                "no question is left to train on; check data.train_hops and data.held_out";
            return Err(DataError::Configuration { field: "data", problem: problem.into() });
        }
        let asked = asked_splits(tests.keys());
        match history {
            Some(history) => {
                for split in &asked {
                    let Some(sets) = tests.get_mut(split) else { continue };
                    *sets = left_to_test(history, split, files_of(split), std::mem::take(sets))?;
                }
                let had_some = !validation.is_empty();
                validation = untrained(history, validated_on, validated(config), validation);
                if had_some && validation.is_empty() {
                    remarks.push(TRAINED_ON_VALIDATION.to_owned());
                }
            }
            None => remarks.push(NO_HISTORY.to_owned()),
        }
        let examined = asked.iter().flat_map(files_of).chain(validated_on);
        let examined_on = examined.filter(|file| !of_training.contains(file)).copied().collect();
        tests.retain(|split, sets| {
            keep_hops(sets, &evaluation.hops);
            asked.contains(split) && !sets.is_empty()
        });
        require_asked(tests.is_empty(), evaluation)?;
        require_stories(config.stories, &training)?;
        require_relevant(config.distractors, &training)?;
        if tests.is_empty() {
            let remark = "data.held_out leaves nothing to test on: accuracies will be missing";
            remarks.push(remark.to_owned());
        }
        let named = |(split, sets): (Split, _)| {
            (split.to_string(), some_by_id(sets, evaluation.final_sets, config.split_seed))
        };
        let corpus = Self {
            config: config.clone(),
            training: Training::Pool { by_answer: by_answer(&training), sets: training },
            kept_out: BTreeSet::new(),
            names: letters(),
            tests: tests.into_iter().map(named).collect(),
            seen: BTreeSet::new(),
            validation: some_by_id(validation, evaluation.sets, config.split_seed),
            trained_on,
            examined_on,
            vocabulary: with_target_words(vocabulary),
            remarks,
        };
        corpus.with_asked()
    }

    /// Evaluation sets in the form that questions are asked in.
    fn with_asked(mut self) -> Result<Self, DataError> {
        let (distractors, seed) = (self.config.distractors, asking(&self.config));
        self.validation = asked(&self.validation, distractors, &seed.child("validation"))?;
        for index in 0..self.tests.len() {
            self.tests[index].1 = asked(&self.tests[index].1, distractors, &seed.child("test"))?;
        }
        match &self.training {
            Training::Pool { sets, .. } => {
                let trained = TrainedTexts::new(&self.config, sets);
                self.seen = self.tests.iter().flat_map(|(_, sets)| trained.among(sets)).collect();
                if sets.iter().any(|set| is_renamed(&self.config, set)) {
                    self.kept_out = self.asked_texts();
                    self.kept_out.extend(self.validation.iter().flat_map(Text::of));
                }
                let tests = self.tests.iter().map(|(_, sets)| (sets.as_slice(), &self.seen));
                self.remarks.extend(remark_on_seen(tests, ""));
            }
            // The splits of files are theirs; generated ones are made disjoint.
            Training::Kinship(_) | Training::Rules(_) => {
                self.kept_out = self.asked_texts();
                self.validation
                    .retain(|set| !Text::of(set).any(|text| self.kept_out.contains(&text)));
                self.kept_out.extend(self.validation.iter().flat_map(Text::of));
            }
        }
        Ok(self)
    }

    fn asked_texts(&self) -> BTreeSet<Text> {
        self.tests.iter().flat_map(|(_, sets)| sets).flat_map(Text::of).collect()
    }
}

/// Every word of the data; all letters if training gives them to people, or if no name is anything else, so that a user's own
/// names can be told by letters.
fn vocabulary_of(config: &DataConfig, dataset: &Dataset) -> Vec<String> {
    let texts = dataset.knowledge_sets().flat_map(KnowledgeSet::texts);
    let mut vocabulary: Vec<String> = texts.flat_map(words).map(String::from).collect();
    let mut names = dataset.knowledge_sets().flat_map(|set| &set.entities);
    if names.all(|name| name.len() == 1)
        || dataset.knowledge_sets().any(|set| is_renamed(config, set))
    {
        vocabulary.extend(letters());
    }
    vocabulary.sort();
    vocabulary.dedup();
    vocabulary
}

/// The sets of a test split, from `files`, that a system with this history was not trained on.
///
/// # Errors
/// [`DataError::Configuration`] if there were some and none is left.
fn left_to_test(
    history: &[TrainedFile],
    split: &Split,
    files: &[Fingerprint],
    sets: Vec<KnowledgeSet>,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let had_some = !sets.is_empty();
    let (_, left) = unseen_by(history, files, sets);
    if had_some && left.is_empty() {
        let problem = format!(
            "the system in start_from was trained on all of the split `{split}`, which leaves nothing to test on; give data with another test split, or \
             train the earlier stage with data.held_out above 0 and the same data.split_seed"
        );
        return Err(DataError::Configuration { field: "data", problem });
    }
    Ok(left)
}

/// What a generator that can tell the hops of training says of hops that it cannot: they are those of the evaluation.
fn of_evaluation(refusal: DataError) -> DataError {
    match refusal {
        DataError::Configuration { field: "data.source.hops", problem } => {
            DataError::Configuration { field: "evaluation.hops", problem }
        }
        other => other,
    }
}

fn generated_sets(evaluation: &EvaluationConfig) -> usize {
    if evaluation.final_sets == 0 { GENERATED_TEST_SETS } else { evaluation.final_sets }
}

/// Refuses to tell stories together whose people are not known, since those of two stories could have the same name, or that have
/// rules, which would apply to the people of the other stories too.
fn require_stories(stories: usize, training: &[KnowledgeSet]) -> Result<(), DataError> {
    if stories == 1 {
        return Ok(());
    }
    let is_rule =
        |fact: &Fact| matches!(Statement::parse(&fact.text), Some(Statement::Rule { .. }));
    let problem = |set: &KnowledgeSet| {
        let why = match (set.entities.is_empty(), set.facts.iter().any(is_rule)) {
            (true, _) => "does not say who its people are; name them in its `entities`, or",
            (_, true) => "has rules, which would change what follows in the other stories;",
            (false, false) => return None,
        };
        Some(format!("is {stories}, but knowledge set `{}` {why} tell one story at a time", set.id))
    };
    match training.iter().find_map(problem) {
        None => Ok(()),
        Some(problem) => Err(DataError::Configuration { field: "data.stories", problem }),
    }
}

/// Refuses to choose among facts of which none is known to be needed.
pub(crate) fn require_relevant(
    distractors: Option<Distractors>,
    sets: &[KnowledgeSet],
) -> Result<(), DataError> {
    if distractors.is_none() || says_what_is_relevant(sets) {
        return Ok(());
    }
    let problem = "controls the facts that a question does not need, but no question of the data says which it needs; name them in its `relevant`, or leave this out";
    Err(DataError::Configuration { field: "data.distractors", problem: problem.into() })
}

fn with_target_words(mut vocabulary: Vec<String>) -> Vec<String> {
    vocabulary.extend(TARGET_WORDS.map(String::from));
    vocabulary.extend((0..MOST_NUMBERED_FACTS).map(|number| number.to_string()));
    vocabulary
}

#[cfg(test)]
mod tests;
