//! The control with random facts: questions beside the facts of other sets.

use crate::data::KnowledgeSet;

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
