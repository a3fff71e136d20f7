//! What is in a list of knowledge sets, counted for inspection.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::KnowledgeSet;
use super::words::words;

/// Counts over knowledge sets. Prints as a short table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Knowledge sets.
    pub sets: usize,
    /// Facts of all sets.
    pub facts: usize,
    /// Facts of the set with the fewest and of the set with the most; 0 without sets.
    pub facts_per_set: (usize, usize),
    /// Questions of all sets.
    pub questions: usize,
    /// Questions by answer.
    pub answers: BTreeMap<String, usize>,
    /// Questions by length of reasoning.
    pub hops: BTreeMap<usize, usize>,
    /// Different words of facts, questions and answers.
    pub vocabulary: BTreeSet<String>,
}

impl Statistics {
    /// Counts over `sets`.
    pub fn of<'a>(sets: impl IntoIterator<Item = &'a KnowledgeSet>) -> Self {
        let mut statistics = Self::default();
        for set in sets {
            let facts = set.facts.len();
            let (fewest, most) = statistics.facts_per_set;
            statistics.facts_per_set = if statistics.sets == 0 {
                (facts, facts)
            } else {
                (fewest.min(facts), most.max(facts))
            };
            statistics.sets += 1;
            statistics.facts += facts;
            statistics.questions += set.questions.len();
            for question in &set.questions {
                *statistics.answers.entry(question.answer.clone()).or_default() += 1;
                *statistics.hops.entry(question.hops).or_default() += 1;
            }
            for word in set.texts().flat_map(words) {
                if !statistics.vocabulary.contains(word) {
                    statistics.vocabulary.insert(word.to_owned());
                }
            }
        }
        statistics
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fewest, most) = self.facts_per_set;
        writeln!(formatter, "knowledge sets  {}", self.sets)?;
        writeln!(formatter, "facts           {} ({fewest} to {most} a set)", self.facts)?;
        writeln!(formatter, "questions       {}", self.questions)?;
        writeln!(formatter, "vocabulary      {} words", self.vocabulary.len())?;
        let share = |count: usize| 100.0 * count as f64 / self.questions.max(1) as f64;
        for (answer, count) in &self.answers {
            writeln!(formatter, "answer {answer:<20} {count:>7} {:>5.1} %", share(*count))?;
        }
        for (hops, count) in &self.hops {
            writeln!(formatter, "hops   {hops:<20} {count:>7} {:>5.1} %", share(*count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rules::{RuleConfig, RuleGenerator};

    #[test]
    fn counts_are_of_everything() {
        let sets = RuleGenerator::new(RuleConfig::default()).unwrap().knowledge_sets(10).unwrap();
        let statistics = Statistics::of(&sets);
        assert_eq!((statistics.sets, statistics.questions), (10, 30));
        assert_eq!(statistics.facts, sets.iter().map(|set| set.facts.len()).sum::<usize>());
        assert!(statistics.answers.values().all(|count| *count == 10));
        assert_eq!(statistics.hops.values().sum::<usize>(), 30);
        assert!(statistics.vocabulary.contains("then"));
        let table = statistics.to_string();
        assert!(table.contains("answer none") && table.contains(" 33.3 %"), "{table}");
    }

    #[test]
    fn nothing_counts_as_nothing() {
        let statistics = Statistics::of(&[]);
        assert_eq!(statistics, Statistics::default());
        assert!(statistics.to_string().starts_with("knowledge sets  0"));
    }
}
