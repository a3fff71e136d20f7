//! One question with its relevant facts and a controlled number of irrelevant ones (paper, section 4.2).

use std::cmp::Reverse;
use std::fmt;

use rand::seq::index;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{DataError, KnowledgeSet, Question};

/// Between the identifier of a theory and the number of one of its questions.
pub(super) const QUESTION: &str = " question ";

/// How many facts that a question does not need are kept beside those it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distractors {
    /// This many, or all there are where the set has fewer.
    UpTo(usize),
    /// Every other fact of the set.
    All,
    /// A random number from none to all, each as likely: one training for every level.
    Any,
}

impl fmt::Display for Distractors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpTo(number) => write!(formatter, "up to {number}"),
            Self::All => formatter.write_str("all"),
            Self::Any => formatter.write_str("any number"),
        }
    }
}

impl KnowledgeSet {
    /// The set of one question: its relevant facts and sampled distractors, in the order of the source.
    ///
    /// The relevant part of a question answered `none` is the deepest failed attempt at a proof (see
    /// [`super::forward_chaining::Theory::support`]); no subset of a theory can prove what the theory does not, so the
    /// answer stays right.
    ///
    /// # Errors
    /// [`DataError::NoSuchQuestion`] when `question` is not an index of [`KnowledgeSet::questions`].
    pub fn with_distractors(
        &self,
        question: usize,
        distractors: Distractors,
        rng: &mut impl Rng,
    ) -> Result<Self, DataError> {
        let Some(asked) = self.questions.get(question) else {
            return Err(DataError::NoSuchQuestion {
                set: self.id.clone(),
                asked: question,
                available: self.questions.len(),
            });
        };
        let others: Vec<usize> =
            (0..self.facts.len()).filter(|fact| !asked.relevant.contains(fact)).collect();
        let wanted = match distractors {
            Distractors::UpTo(count) => count.min(others.len()),
            Distractors::All => others.len(),
            Distractors::Any => rng.random_range(0..=others.len()),
        };
        let mut kept: Vec<usize> =
            index::sample(rng, others.len(), wanted).into_iter().map(|at| others[at]).collect();
        kept.extend(&asked.relevant);
        kept.sort_unstable();
        kept.dedup();
        let mut asked = asked.clone();
        for fact in &mut asked.relevant {
            *fact = kept.partition_point(|kept| kept < fact);
        }
        Ok(Self {
            id: format!("{}{QUESTION}{question}", self.id),
            facts: kept.iter().map(|&fact| self.facts[fact].clone()).collect(),
            questions: vec![asked],
            entities: self.entities.clone(),
        })
    }
}

impl KnowledgeSet {
    /// A set for each question: its relevant facts and the `count` longest of the others by the `tokens` of a text, than
    /// which [`Self::with_distractors`] samples no longer ones.
    pub fn with_longest_distractors(
        &self,
        count: usize,
        tokens: impl Fn(&str) -> usize,
    ) -> impl Iterator<Item = Self> {
        let mut by_length: Vec<usize> = (0..self.facts.len()).collect();
        by_length.sort_by_cached_key(|&fact| Reverse(tokens(&self.facts[fact].text)));
        self.questions.iter().map(move |question| {
            let others = by_length.iter().filter(|fact| !question.relevant.contains(fact));
            let others = others.take(count).copied().collect();
            let kept = [question.relevant.clone(), others].concat();
            let relevant = (0..question.relevant.len()).collect();
            Self {
                id: self.id.clone(),
                facts: kept.iter().map(|&fact| self.facts[fact].clone()).collect(),
                questions: vec![Question { relevant, ..question.clone() }],
                entities: self.entities.clone(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::{Fact, Question};

    fn example() -> KnowledgeSet {
        KnowledgeSet {
            id: "theory".to_owned(),
            facts: (0..9).map(|number| Fact::from(format!("fact {number} ."))).collect(),
            questions: vec![Question {
                text: "?".to_owned(),
                answer: "yes".to_owned(),
                relevant: vec![5, 1, 7],
                hops: 1,
            }],
            entities: Vec::new(),
        }
    }

    #[test]
    fn a_question_that_does_not_exist_is_refused() {
        let error = example()
            .with_distractors(1, Distractors::All, &mut ChaCha8Rng::seed_from_u64(0))
            .unwrap_err();
        assert!(
            matches!(error, DataError::NoSuchQuestion { asked: 1, available: 1, .. }),
            "{error}"
        );
    }

    /// One rare word may have more tokens than three common ones.
    #[test]
    fn the_longest_distractors_are_those_of_most_tokens() {
        let mut set = example();
        set.facts[3].text = "incomprehensibilities .".to_owned();
        let longest = |tokens: fn(&str) -> usize| {
            let mut sets = set.with_longest_distractors(1, tokens);
            let facts = sets.next().unwrap().facts;
            facts.into_iter().map(|fact| fact.text).collect::<Vec<_>>()
        };
        let needed = ["fact 5 .", "fact 1 .", "fact 7 ."];
        let beside = |distractor| [needed.as_slice(), &[distractor]].concat();
        assert_eq!(longest(str::len), beside("incomprehensibilities ."));
        assert_eq!(longest(|text| text.split(' ').count()), beside("fact 0 ."));
    }

    #[test]
    fn all_keeps_every_fact() {
        let set = example()
            .with_distractors(0, Distractors::All, &mut ChaCha8Rng::seed_from_u64(0))
            .unwrap();
        assert_eq!(
            (set.facts.len(), set.questions[0].relevant.as_slice()),
            (9, [5, 1, 7].as_slice())
        );
    }

    proptest! {
        #[test]
        fn relevant_facts_stay_and_point_to_the_same_texts(count in 0_usize..12, seed: u64) {
            let whole = example();
            let set = whole
                .with_distractors(0, Distractors::UpTo(count), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            prop_assert_eq!(set.facts.len(), 3 + count.min(6));
            for (before, after) in whole.questions[0].relevant.iter().zip(&set.questions[0].relevant) {
                prop_assert_eq!(&whole.facts[*before], &set.facts[*after]);
            }
        }
    }
}
