//! The longest training examples, to be tried before a training begins.

use experiment::seed::Seed;

use super::text::is_renamed;
use super::{Corpus, Training};
use crate::data::{DataError, Distractors, KnowledgeSet};

/// Sets of a generator that are looked at before training.
const TRIED: usize = 256;

impl Corpus {
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
}
