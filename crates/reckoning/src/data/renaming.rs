//! Exchanging entity names: augmentation in training, several sets told as one, and anonymous letters for published data.

use std::collections::{HashMap, HashSet};

use rand::Rng;
use rand::seq::index;

use super::words::{replace_words, words};
use super::{DataError, Fact, KnowledgeSet, Question};

/// The pool of the twenty-six names `A` to `Z`, as CLUTRR-SG names people.
pub fn letters() -> Vec<String> {
    ('A'..='Z').map(String::from).collect()
}

impl KnowledgeSet {
    /// The same set with its entities renamed to distinct random names of `pool`.
    ///
    /// Names that are ordinary words of the set (say `red`) are passed over, since they would change its meaning.
    /// Answers that name an entity are renamed too; which facts are relevant does not change.
    ///
    /// # Errors
    /// [`DataError::TooFewNames`] when the pool has fewer usable names than the set has entities.
    pub fn rename_entities(&self, rng: &mut impl Rng, pool: &[String]) -> Result<Self, DataError> {
        let entities: HashSet<&str> = self.entities.iter().map(String::as_str).collect();
        let ordinary: HashSet<&str> =
            self.texts().flat_map(words).filter(|word| !entities.contains(word)).collect();
        let mut seen = HashSet::new();
        let usable: Vec<&str> = pool
            .iter()
            .map(String::as_str)
            .filter(|name| !ordinary.contains(name) && seen.insert(*name))
            .collect();
        if usable.len() < self.entities.len() {
            return Err(DataError::TooFewNames {
                set: self.id.clone(),
                needed: self.entities.len(),
                available: usable.len(),
            });
        }
        let chosen = index::sample(rng, usable.len(), self.entities.len());
        let renaming: HashMap<&str, &str> = self
            .entities
            .iter()
            .map(String::as_str)
            .zip(chosen.into_iter().map(|at| usable[at]))
            .collect();
        Ok(self.renamed(&renaming))
    }

    /// The sets with their entities renamed to distinct random names of `pool`: no name is in two of them.
    ///
    /// # Errors
    /// As [`Self::rename_entities`].
    pub fn with_names_apart(
        sets: &[Self],
        rng: &mut impl Rng,
        pool: &[String],
    ) -> Result<Vec<Self>, DataError> {
        let mut free = pool.to_vec();
        let renamed = sets.iter().map(|set| {
            let set = set.rename_entities(rng, &free)?;
            free.retain(|name| !set.entities.contains(name));
            Ok(set)
        });
        renamed.collect()
    }

    /// One set with the facts and questions of all, one after the other.
    pub fn joined(sets: Vec<Self>) -> Self {
        let mut whole = Self::default();
        sets.into_iter().for_each(|set| whole.append(set));
        whole
    }

    fn append(&mut self, other: Self) {
        let first = self.facts.len();
        let separator = if self.id.is_empty() { "" } else { "+" };
        self.id = format!("{}{separator}{}", self.id, other.id);
        self.facts.extend(other.facts);
        self.questions.extend(other.questions.into_iter().map(|mut question| {
            question.relevant.iter_mut().for_each(|fact| *fact += first);
            question
        }));
        self.entities.extend(other.entities);
    }

    fn renamed(&self, renaming: &HashMap<&str, &str>) -> Self {
        let rename = |text: &str| replace_words(text, |word| renaming.get(word).copied());
        Self {
            id: self.id.clone(),
            facts: self.facts.iter().map(|fact| Fact { text: rename(&fact.text) }).collect(),
            questions: self
                .questions
                .iter()
                .map(|question| Question {
                    text: rename(&question.text),
                    answer: rename(&question.answer),
                    relevant: question.relevant.clone(),
                    hops: question.hops,
                })
                .collect(),
            entities: self.entities.iter().map(|name| rename(name)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn example() -> KnowledgeSet {
        KnowledgeSet {
            id: "example".to_owned(),
            facts: vec![Fact::from("A son B .".to_owned()), Fact::from("B wife Red .".to_owned())],
            questions: vec![Question {
                text: "A ? Red .".to_owned(),
                answer: "daughter-in-law".to_owned(),
                relevant: vec![0, 1],
                hops: 2,
            }],
            entities: vec!["A".to_owned(), "B".to_owned(), "Red".to_owned()],
        }
    }

    #[test]
    fn ordinary_words_and_repetitions_of_the_pool_are_not_used() {
        let pool: Vec<String> = ["son", "X", "X", "Y", "Z", "wife", "?"].map(String::from).to_vec();
        let renamed = example().rename_entities(&mut ChaCha8Rng::seed_from_u64(1), &pool).unwrap();
        let mut names = renamed.entities.clone();
        names.sort();
        assert_eq!(names, ["X", "Y", "Z"]);
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused_by_count() {
        let error = example()
            .rename_entities(&mut ChaCha8Rng::seed_from_u64(1), &letters()[..2])
            .unwrap_err();
        assert!(matches!(error, DataError::TooFewNames { needed: 3, available: 2, .. }), "{error}");
    }

    #[test]
    fn sets_that_do_not_fit_the_pool_together_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sets = vec![example(); 9];
        let error = KnowledgeSet::with_names_apart(&sets, &mut rng, &letters()).unwrap_err();
        assert!(matches!(error, DataError::TooFewNames { needed: 3, available: 2, .. }), "{error}");
    }

    proptest! {
        #[test]
        fn sets_told_together_are_the_sets_apart(seed: u64, count in 1_usize..8) {
            let sets = vec![example(); count];
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let apart = KnowledgeSet::with_names_apart(&sets, &mut rng, &letters()).unwrap();
            let whole = KnowledgeSet::joined(apart);
            let distinct: HashSet<&String> = whole.entities.iter().collect();
            prop_assert_eq!(distinct.len(), 3 * count);
            prop_assert_eq!(whole.facts.len(), 2 * count);
            for (place, question) in whole.questions.iter().enumerate() {
                prop_assert_eq!(&question.relevant, &[2 * place, 2 * place + 1]);
                let [first, .., last] = &whole.entities[3 * place..3 * place + 3] else { unreachable!() };
                prop_assert_eq!(&question.text, &format!("{first} ? {last} ."));
                prop_assert!(whole.facts[question.relevant[0]].text.starts_with(first.as_str()));
                prop_assert!(whole.facts[question.relevant[1]].text.contains(last.as_str()));
            }
        }

        #[test]
        fn renaming_back_gives_the_set_again(seed: u64) {
            let set = example();
            let renamed = set.rename_entities(&mut ChaCha8Rng::seed_from_u64(seed), &letters()).unwrap();
            prop_assert_eq!(&renamed.questions[0].answer, "daughter-in-law");
            prop_assert_eq!(&renamed.questions[0].relevant, &set.questions[0].relevant);
            let back: HashMap<&str, &str> = renamed
                .entities.iter().map(String::as_str).zip(set.entities.iter().map(String::as_str)).collect();
            prop_assert_eq!(renamed.renamed(&back), set);
        }
    }
}
