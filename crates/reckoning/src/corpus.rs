//! The knowledge sets of an experiment: an endless stream or a pool for training, fixed lists for evaluation.

use std::collections::{BTreeMap, BTreeSet};

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

/// Draws of a generated training set before its questions count as used up.
const DRAWS: usize = 1000;
const GENERATED_TEST_SETS: usize = 1000;
/// Sets of a generator that are looked at before training.
const TRIED: usize = 256;
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

/// What a knowledge set says and asks, in whatever order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Text {
    facts: BTreeSet<String>,
    questions: BTreeSet<String>,
}

impl Text {
    fn of(set: &KnowledgeSet) -> Self {
        Self {
            facts: set.facts.iter().map(|fact| fact.text.clone()).collect(),
            questions: set.questions.iter().map(|question| question.text.clone()).collect(),
        }
    }
}

/// The knowledge sets of an experiment.
pub struct Corpus {
    config: DataConfig,
    training: Training,
    /// What a generator may not train on, since it is asked.
    asked: BTreeSet<Text>,
    /// Test sets by name, such as `4 hops`.
    pub tests: Vec<(String, Vec<KnowledgeSet>)>,
    /// Sets for choices made while training, not trained on; with held-out chains, of those chains.
    pub validation: Vec<KnowledgeSet>,
    /// The files that training examples come from; none for a generator.
    pub trained_on: Vec<TrainedFile>,
    /// Every word that may occur.
    pub vocabulary: Vec<String>,
    /// What of the data is left out or not there, for the user to know.
    pub remarks: Vec<String>,
}

impl Corpus {
    /// Loads or prepares the knowledge sets that `config` describes.
    ///
    /// # Errors
    /// As the readers and generators.
    pub fn new(config: &DataConfig, evaluation: &EvaluationConfig) -> Result<Self, DataError> {
        match &config.source {
            Source::Kinship(kinship) => Self::of_kinship(config, kinship, evaluation),
            Source::Rules(rules) => Self::of_rules(config, rules, evaluation),
            Source::File { path, options } => {
                Self::of_dataset(config, load(path, options)?, evaluation)
            }
        }
    }

    /// The training example at `place` of step `step`: of one or several stories, renamed and cut as the configuration
    /// says, and of none that is asked, if it is generated. A pure function of its arguments, so that resuming needs no
    /// state.
    ///
    /// # Errors
    /// As the generators; [`DataError::Exhausted`] if all that they generate is asked, [`DataError::TooFewNames`] if the
    /// stories that are told together have more people than there are letters.
    pub fn training_set(
        &self,
        step: usize,
        place: usize,
        batch: usize,
        seed: &Seed,
    ) -> Result<KnowledgeSet, DataError> {
        let index = (step * batch + place) as u64;
        let mut random = seed.child("example").index(index).rng();
        if self.config.stories == 1 {
            return self.unasked(&mut random);
        }
        let stories = random.random_range(1..=self.config.stories);
        let stories = (0..stories).map(|_| self.unasked(&mut random));
        let stories = stories.collect::<Result<Vec<_>, _>>()?;
        let set = KnowledgeSet::told_together(&stories, &mut random, &letters())?;
        Ok(if self.config.shuffle_facts { shuffled(set, &mut random) } else { set })
    }

    /// Training sets at least as long as any that will be drawn from a file, and some of those that a generator draws, so
    /// that one which cannot be used is found at the start.
    ///
    /// # Errors
    /// As [`Self::training_set`].
    pub fn longest_training_sets(&self, seed: &Seed) -> Result<Vec<KnowledgeSet>, DataError> {
        let Training::Pool { sets, .. } = &self.training else {
            return (0..TRIED).map(|place| self.training_set(0, place, TRIED, seed)).collect();
        };
        let mut longest = Vec::new();
        for set in sets {
            match self.config.distractors {
                Some(Distractors::UpTo(count)) => {
                    longest.extend(set.with_longest_distractors(count))
                }
                Some(Distractors::All | Distractors::Any) | None => longest.push(set.clone()),
            }
        }
        if self.config.stories == 1 {
            return Ok(longest);
        }
        let rest = self.config.stories - 1;
        let told = |set: &KnowledgeSet, beside: &KnowledgeSet| {
            let stories = [vec![set.clone()], vec![beside.clone(); rest]].concat();
            KnowledgeSet::told_together(&stories, &mut seed.child("longest").rng(), &letters())
        };
        let largest = |size: fn(&KnowledgeSet) -> usize| {
            longest.iter().max_by_key(|set| size(set)).expect("a pool is never empty")
        };
        let of_most_people = largest(|set| set.entities.len());
        told(of_most_people, of_most_people)?;
        let of_most_words =
            largest(|set| set.facts.iter().flat_map(|fact| words(&fact.text)).count());
        longest.iter().map(|set| told(set, of_most_words)).collect()
    }

    fn unasked(&self, random: &mut ChaCha8Rng) -> Result<KnowledgeSet, DataError> {
        for _ in 0..DRAWS {
            let set = self.drawn(random)?;
            if self.asked.is_empty() || !self.asked.contains(&Text::of(&set)) {
                return Ok(set);
            }
        }
        Err(DataError::Exhausted {
            what: "a knowledge set that is not asked in evaluation".into(),
            attempts: DRAWS,
            remedy: "generate longer chains or more names, or ask fewer sets (evaluation.sets, evaluation.final_sets)",
        })
    }

    fn drawn(&self, random: &mut ChaCha8Rng) -> Result<KnowledgeSet, DataError> {
        let set = match &self.training {
            Training::Kinship(generator) => generator
                .knowledge_set(Chains::Training, random.random_range(0..FIRST_TEST_SET / 2))?,
            Training::Rules(generator) => {
                generator.knowledge_set(random.random_range(0..FIRST_TEST_SET / 2))?
            }
            Training::Pool { by_answer, sets } => self.draw(by_answer, sets, random),
        };
        let mut set = self.cut(set, random)?;
        if self.config.shuffle_facts {
            set = shuffled(set, random);
        }
        match self.config.rename && !matches!(self.config.source, Source::Rules(_)) {
            true if set.entities.iter().all(|name| name.len() == 1) => {
                set.rename_entities(random, &letters())
            }
            _ => Ok(set),
        }
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
            asked: BTreeSet::new(),
            tests,
            validation,
            trained_on: Vec::new(),
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
            asked: BTreeSet::new(),
            tests,
            validation,
            trained_on: Vec::new(),
            vocabulary,
            remarks: Vec::new(),
        };
        corpus.with_asked()
    }

    fn of_dataset(
        config: &DataConfig,
        mut dataset: Dataset,
        evaluation: &EvaluationConfig,
    ) -> Result<Self, DataError> {
        let vocabulary = vocabulary_of(&dataset);
        let mut remarks = std::mem::take(&mut dataset.remarks);
        let Divided { training, mut tests, trained_on } = Divided::new(config, dataset)?;
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
        let asked = asked_splits(tests.keys());
        tests.retain(|split, sets| {
            keep_hops(sets, &evaluation.hops);
            asked.contains(split) && !sets.is_empty()
        });
        require_asked(tests.is_empty(), evaluation)?;
        require_names(config.stories, &training)?;
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
            asked: BTreeSet::new(),
            tests: tests.into_iter().map(named).collect(),
            validation: some_by_id(validation, evaluation.sets, config.split_seed),
            trained_on,
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
        // The splits of files are theirs; generated ones are made disjoint.
        if !matches!(self.training, Training::Pool { .. }) {
            self.asked = self.tests.iter().flat_map(|(_, sets)| sets).map(Text::of).collect();
            self.validation.retain(|set| !self.asked.contains(&Text::of(set)));
            self.asked.extend(self.validation.iter().map(Text::of));
        }
        Ok(self)
    }
}

/// The seed of the distractors of sets that are asked: that of the data, so that all systems are asked the same.
pub(crate) fn asking(config: &DataConfig) -> Seed {
    Seed::new(config.split_seed).child("corpus")
}

/// Which of a data set's splits are asked: proper test splits, beside which files of other names are variants of the
/// same data; else those of other names; else the one that is trained on, or the only one there is.
pub(crate) fn asked_splits<'a>(splits: impl Iterator<Item = &'a Split>) -> Vec<Split> {
    let splits: Vec<&Split> = splits.collect();
    let kinds: [fn(&Split) -> bool; 3] = [
        |split| matches!(split, Split::Test | Split::TestAtHops(_)),
        |split| matches!(split, Split::Other(_)),
        |split| matches!(split, Split::Train),
    ];
    let of_kind = |is_of_kind: &fn(&Split) -> bool| -> Vec<Split> {
        splits.iter().filter(|split| is_of_kind(split)).map(|&split| split.clone()).collect()
    };
    let all = || splits.iter().map(|&split| split.clone()).collect();
    kinds.iter().map(of_kind).find(|found| !found.is_empty()).unwrap_or_else(all)
}

/// What is trained on, and the other splits.
struct Divided {
    training: Vec<KnowledgeSet>,
    tests: BTreeMap<Split, Vec<KnowledgeSet>>,
    trained_on: Vec<TrainedFile>,
}

impl Divided {
    /// Keeps splits as they are; holds out a part of the training data where there is nothing else to test on.
    fn new(config: &DataConfig, dataset: Dataset) -> Result<Self, DataError> {
        let Dataset { splits: mut tests, mut files, .. } = dataset;
        let of_training = match tests.len() {
            1 => tests.keys().next().expect("a data set is never empty").clone(),
            _ => Split::Train,
        };
        let Some(training) = tests.remove(&of_training) else {
            let names: Vec<String> = tests.keys().map(Split::to_string).collect();
            let problem = format!(
                "there is no training split among {}; give the file to train on, or call it train",
                names.join(", ")
            );
            return Err(DataError::Configuration { field: "data", problem });
        };
        let files = files.remove(&of_training).unwrap_or_default();
        if tests.keys().any(|split| *split != Split::Validation) {
            let trained_on = trained_files(files, 0.0, config);
            return Ok(Self { training, tests, trained_on });
        }
        let (training, test) = split_by_id(training, config.held_out, config.split_seed);
        tests.insert(Split::Test, test);
        let trained_on = trained_files(files, config.held_out, config);
        Ok(Self { training, tests, trained_on })
    }
}

/// Every word of the data; all letters if its names are letters, for they are exchanged.
fn vocabulary_of(dataset: &Dataset) -> Vec<String> {
    let texts = dataset.knowledge_sets().flat_map(KnowledgeSet::texts);
    let mut vocabulary: Vec<String> = texts.flat_map(words).map(String::from).collect();
    if dataset.knowledge_sets().flat_map(|set| &set.entities).all(|name| name.len() == 1) {
        vocabulary.extend(letters());
    }
    vocabulary.sort();
    vocabulary.dedup();
    vocabulary
}

/// The places of the sets with a question of each answer.
fn by_answer(sets: &[KnowledgeSet]) -> BTreeMap<String, Vec<usize>> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, set) in sets.iter().enumerate() {
        for question in &set.questions {
            places.entry(question.answer.clone()).or_default().push(place);
        }
    }
    places
}

/// Every set with the facts of the next one that is about something else: the control with random facts.
pub fn with_facts_of_others(sets: &[KnowledgeSet]) -> Vec<KnowledgeSet> {
    let exchanged = |(index, set): (usize, &KnowledgeSet)| {
        let mut others = sets[index + 1..].iter().chain(&sets[..index]);
        let other = others.find(|other| other.theory() != set.theory());
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

/// Drops questions of other hops, and sets without question; no `hops` are all.
pub(crate) fn keep_hops(sets: &mut Vec<KnowledgeSet>, hops: &[usize]) {
    let wanted = |hop: usize| hops.is_empty() || hops.contains(&hop);
    sets.iter_mut().for_each(|set| set.questions.retain(|question| wanted(question.hops)));
    sets.retain(|set| !set.questions.is_empty());
}

/// Refuses an evaluation that asks nothing for its choice of hops.
pub(crate) fn require_asked(
    is_empty: bool,
    evaluation: &EvaluationConfig,
) -> Result<(), DataError> {
    if !is_empty || evaluation.hops.is_empty() {
        return Ok(());
    }
    let hops = &evaluation.hops;
    let problem = format!("is {hops:?}, but no question of the test splits has one of these hops");
    Err(DataError::Configuration { field: "evaluation.hops", problem })
}

/// Refuses to tell stories together whose people are not known: those of two stories could have the same name.
fn require_names(stories: usize, training: &[KnowledgeSet]) -> Result<(), DataError> {
    match training.iter().find(|set| stories > 1 && set.entities.is_empty()) {
        None => Ok(()),
        Some(set) => {
            let problem = format!(
                "is {stories}, but knowledge set `{}` does not say who its people are; name them in its `entities`, or tell one story at a time",
                set.id
            );
            Err(DataError::Configuration { field: "data.stories", problem })
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions of one link between people of so many names.
    fn small_world(names: usize, asked: usize) -> Corpus {
        let names = letters().into_iter().take(names).collect();
        let source = Source::Kinship(KinshipConfig { hops: vec![1], names, ..Default::default() });
        let config = DataConfig { source, rename: false, ..Default::default() };
        let evaluation = EvaluationConfig { sets: asked, final_sets: asked, ..Default::default() };
        Corpus::new(&config, &evaluation).unwrap()
    }

    #[test]
    fn generated_splits_share_no_text() {
        let corpus = small_world(26, 200);
        let texts = |sets: &[KnowledgeSet]| sets.iter().map(Text::of).collect::<BTreeSet<_>>();
        let (test, validation) = (texts(&corpus.tests[0].1), texts(&corpus.validation));
        assert!(!validation.is_empty() && test.is_disjoint(&validation));
        let seed = Seed::new(0);
        let drawn = |place| corpus.training_set(0, place, 4000, &seed).unwrap();
        let training: Vec<KnowledgeSet> = (0..4000).map(drawn).collect();
        let training = texts(&training);
        assert!(training.is_disjoint(&test) && training.is_disjoint(&validation));
    }

    #[test]
    fn several_stories_are_told_at_once_and_every_one_of_them_is_asked_about() {
        let source = Source::Kinship(KinshipConfig { hops: vec![2, 3], ..Default::default() });
        let config = DataConfig { source, stories: 3, ..Default::default() };
        let corpus = Corpus::new(&config, &EvaluationConfig::default()).unwrap();
        let drawn = |place| corpus.training_set(0, place, 100, &Seed::new(0)).unwrap();
        let counts: BTreeSet<usize> = (0..100)
            .map(drawn)
            .map(|set| {
                let needed: BTreeSet<usize> =
                    set.questions.iter().flat_map(|question| question.relevant.clone()).collect();
                assert_eq!(needed, (0..set.facts.len()).collect());
                assert!(
                    set.questions.iter().all(|question| question.relevant.len() == question.hops)
                );
                set.questions.len()
            })
            .collect();
        assert_eq!(counts, BTreeSet::from([1, 2, 3]));
        assert_eq!(drawn(7), drawn(7));
    }

    fn of_sets(config: DataConfig, training: Vec<KnowledgeSet>) -> Result<Corpus, DataError> {
        let dataset = Dataset {
            kind: crate::data::Kind::Native,
            splits: BTreeMap::from([(Split::Train, training)]),
            files: BTreeMap::new(),
            skipped: Vec::new(),
            remarks: vec!["something".to_owned()],
        };
        Corpus::of_dataset(&config, dataset, &EvaluationConfig::default())
    }

    fn kinship_sets(count: usize) -> Vec<KnowledgeSet> {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        generator.knowledge_sets(Chains::Any, count).unwrap()
    }

    #[test]
    fn stories_whose_people_are_not_known_are_not_told_together() {
        let together = || DataConfig { stories: 2, ..DataConfig::default() };
        assert!(of_sets(together(), kinship_sets(20)).is_ok());
        let mut nameless = kinship_sets(20);
        nameless.iter_mut().for_each(|set| set.entities.clear());
        assert!(of_sets(DataConfig::default(), nameless.clone()).is_ok());
        let refused = of_sets(together(), nameless).err().unwrap().to_string();
        assert!(refused.contains("data.stories") && refused.contains("`entities`"), "{refused}");
    }

    #[test]
    fn nothing_left_to_test_on_is_remarked() {
        let remarks = |held_out| {
            let config = DataConfig { held_out, ..DataConfig::default() };
            of_sets(config, kinship_sets(20)).unwrap().remarks
        };
        assert_eq!(remarks(0.5), ["something"]);
        assert!(remarks(0.0)[1].contains("data.held_out"), "{:?}", remarks(0.0));
    }

    #[test]
    fn no_set_that_is_drawn_is_longer_than_the_longest() {
        let length = |set: &KnowledgeSet| set.texts().flat_map(words).count();
        for (stories, distractors) in
            [(1, None), (2, None), (1, Some(Distractors::UpTo(1))), (1, Some(Distractors::Any))]
        {
            let config = DataConfig { stories, distractors, ..DataConfig::default() };
            let corpus = of_sets(config, kinship_sets(60)).unwrap();
            let seed = Seed::new(0);
            let longest = corpus.longest_training_sets(&seed).unwrap();
            let longest = longest.iter().map(length).max().unwrap();
            for place in 0..200 {
                assert!(length(&corpus.training_set(0, place, 200, &seed).unwrap()) <= longest);
            }
        }
    }

    #[test]
    fn a_generator_of_which_everything_is_asked_is_refused() {
        let corpus = small_world(2, 1000);
        let refused = corpus.training_set(0, 0, 1, &Seed::new(0)).unwrap_err();
        assert!(matches!(refused, DataError::Exhausted { attempts: DRAWS, .. }), "{refused}");
    }
}
