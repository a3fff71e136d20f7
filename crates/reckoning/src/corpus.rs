//! The knowledge sets of an experiment: an endless stream or a pool for training, fixed lists for evaluation.

mod asked;
mod divided;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

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
use text::is_renamed;

pub use asked::asked;
pub(crate) use asked::{asked_splits, asking, keep_hops, require_asked};
pub use text::Text;
pub(crate) use text::{TrainedTexts, remark_on_seen};

/// Draws of a generated training set before its questions count as used up.
const DRAWS: usize = 1000;
const GENERATED_TEST_SETS: usize = 1000;
/// Sets of a generator that are looked at before training.
const TRIED: usize = 256;
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

    /// The training example at `place` of step `step`: of one or several stories, renamed and cut as the configuration
    /// says, and of none that is asked, if it is generated or renamed. A pure function of its arguments, so that resuming needs no
    /// state. Stages of a training that are not to draw the same need seeds of their own.
    ///
    /// # Errors
    /// As the generators; [`DataError::Exhausted`] if all that is drawn is asked, [`DataError::TooFewNames`] if the
    /// stories that are told together have more people than there are names.
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
            return self
                .never_asked(|| Ok(vec![self.drawn(&mut random)?]))
                .map(KnowledgeSet::joined);
        }
        let count = random.random_range(1..=self.config.stories);
        let stories = self.never_asked(|| {
            let stories = (0..count).map(|_| self.drawn(&mut random));
            let stories = stories.collect::<Result<Vec<_>, _>>()?;
            KnowledgeSet::with_names_apart(&stories, &mut random, &self.names)
        })?;
        let set = KnowledgeSet::joined(stories);
        Ok(if self.config.shuffle_facts { shuffled(set, &mut random) } else { set })
    }

    /// The first stories of `draw` of which none is asked in evaluation.
    fn never_asked(
        &self,
        mut draw: impl FnMut() -> Result<Vec<KnowledgeSet>, DataError>,
    ) -> Result<Vec<KnowledgeSet>, DataError> {
        let is_file = matches!(self.training, Training::Pool { .. });
        // A set that keeps its names would say the same whenever it is drawn.
        let is_asked = |set: &KnowledgeSet| {
            !self.kept_out.is_empty()
                && (!is_file || is_renamed(&self.config, set))
                && Text::of(set).any(|text| self.kept_out.contains(&text))
        };
        for _ in 0..DRAWS {
            let stories = draw()?;
            if !stories.iter().any(is_asked) {
                return Ok(stories);
            }
        }
        Err(DataError::Exhausted {
            what: "a knowledge set that is not asked in evaluation".into(),
            attempts: DRAWS,
            remedy: match is_file {
                true => {
                    "hold out less (data.held_out), ask fewer sets (evaluation.sets, evaluation.final_sets), or keep the names (data.rename = false)"
                }
                false => {
                    "generate longer chains or more names, or ask fewer sets (evaluation.sets, evaluation.final_sets)"
                }
            },
        })
    }

    /// Whether the questions that are trained on say which facts they need; those of generators do.
    pub fn says_what_is_relevant(&self) -> bool {
        match &self.training {
            Training::Pool { sets, .. } => says_what_is_relevant(sets),
            Training::Kinship(_) | Training::Rules(_) => true,
        }
    }

    /// Training sets at least as long as any that will be drawn from a file, under names as training gives them, and some of
    /// those that a generator draws, so that one which cannot be used is found at the start. `tokens` are those of a text;
    /// [`usize::MAX`] for one that cannot be encoded puts it among the longest.
    ///
    /// # Errors
    /// As [`Self::training_set`].
    pub fn longest_training_sets(
        &self,
        seed: &Seed,
        tokens: impl Fn(&str) -> usize,
    ) -> Result<Vec<KnowledgeSet>, DataError> {
        let Training::Pool { sets, .. } = &self.training else {
            return (0..TRIED).map(|place| self.training_set(0, place, TRIED, seed)).collect();
        };
        let longest = self.longest_alone(sets, seed, &tokens)?;
        match self.config.stories {
            1 => Ok(longest),
            _ => self.beside_the_longest(&longest, seed, &tokens),
        }
    }

    /// Each set of a file, or each of its questions with the longest distractors.
    fn longest_alone(
        &self,
        sets: &[KnowledgeSet],
        seed: &Seed,
        tokens: &impl Fn(&str) -> usize,
    ) -> Result<Vec<KnowledgeSet>, DataError> {
        let mut random = seed.child("longest").rng();
        let mut longest = Vec::new();
        for set in sets {
            let set = match is_renamed(&self.config, set) {
                true => set.rename_entities(&mut random, &self.names)?,
                false => set.clone(),
            };
            match self.config.distractors {
                Some(Distractors::UpTo(count)) => {
                    longest.extend(set.with_longest_distractors(count, tokens));
                }
                Some(Distractors::All | Distractors::Any) | None => longest.push(set),
            }
        }
        Ok(longest)
    }

    /// Each of `alone`, at least one, told with as many others as may be, all as long as the longest.
    fn beside_the_longest(
        &self,
        alone: &[KnowledgeSet],
        seed: &Seed,
        tokens: &impl Fn(&str) -> usize,
    ) -> Result<Vec<KnowledgeSet>, DataError> {
        let rest = self.config.stories - 1;
        let told = |set: &KnowledgeSet, beside: &KnowledgeSet| {
            let stories = [vec![set.clone()], vec![beside.clone(); rest]].concat();
            let mut random = seed.child("longest").rng();
            KnowledgeSet::with_names_apart(&stories, &mut random, &self.names)
                .map(KnowledgeSet::joined)
        };
        let largest = |size: &dyn Fn(&KnowledgeSet) -> usize| {
            alone.iter().max_by_key(|set| size(set)).expect("a pool is never empty")
        };
        let of_most_people = largest(&|set: &KnowledgeSet| set.entities.len());
        told(of_most_people, of_most_people)?;
        let of_most_tokens = largest(&|set: &KnowledgeSet| {
            let each = set.facts.iter().map(|fact| tokens(&fact.text));
            each.fold(0, usize::saturating_add)
        });
        alone.iter().map(|set| told(set, of_most_tokens)).collect()
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
                set.rename_entities(random, &self.names)
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

/// The first of `exchanged`, as [`with_facts_of_others`] makes them, for which there were no facts of another.
pub fn without_other_facts(exchanged: &[KnowledgeSet]) -> Option<&KnowledgeSet> {
    exchanged.iter().find(|set| set.facts.is_empty())
}

/// Every set with the facts of the next one that is about something else: the control with random facts.
///
/// The facts are those of one other set as a whole; the official code draws each of its own from all facts of the file. No
/// fact is relevant to the question any more, so where facts are recalled the target is the answer and `because` with nothing
/// behind it.
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
mod tests;
