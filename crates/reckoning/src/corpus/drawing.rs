//! Training examples as they are drawn: of which stories, under which names, with which of their questions and facts.

use std::collections::BTreeMap;

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::text::is_renamed;
use super::{Corpus, FIRST_TEST_SET, Text, Training};
use crate::config::Source;
use crate::data::kinship::Chains;
use crate::data::{DataError, KnowledgeSet};

/// Draws of a generated training set before its questions count as used up.
pub(super) const DRAWS: usize = 1000;

impl Corpus {
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
}

/// The places of the sets with a question of each answer.
pub(super) fn by_answer(sets: &[KnowledgeSet]) -> BTreeMap<String, Vec<usize>> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, set) in sets.iter().enumerate() {
        for question in &set.questions {
            places.entry(question.answer.clone()).or_default().push(place);
        }
    }
    places
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
