//! The sentences of a CLUTRR story as facts, and which of them a chain of edges is told in.

use super::Fact;
use super::clutrr_proof::Edge;
use super::words::words;

/// The sentences of `story` without the brackets around names, and the indices of those that tell `proof`.
///
/// A sentence tells an edge when it names both of its people; where none does (a pronoun stands for one of them),
/// every sentence that names either is taken. In a story with distractors only those sentences count that are in the
/// `clean` one without them too, where that is known.
pub(super) fn story_facts<'a>(
    story: &str,
    clean: Option<&str>,
    people: &[String],
    proof: impl Iterator<Item = &'a Edge>,
) -> (Vec<Fact>, Vec<usize>) {
    let sentences = |story: &str| sentences(&story.replace(['[', ']'], ""));
    let facts: Vec<Fact> = sentences(story).into_iter().map(Fact::from).collect();
    let names = |fact: &Fact, person: usize| words(&fact.text).any(|word| word == people[person]);
    let mut relevant = Vec::new();
    for edge in proof {
        let telling = |wanted: usize| -> Vec<usize> {
            let count = |fact: &Fact| {
                usize::from(names(fact, edge.from)) + usize::from(names(fact, edge.to))
            };
            (0..facts.len()).filter(|&at| count(&facts[at]) >= wanted).collect()
        };
        let both = telling(2);
        for sentence in if both.is_empty() { telling(1) } else { both } {
            if !relevant.contains(&sentence) {
                relevant.push(sentence);
            }
        }
    }
    let clean = clean.map(sentences).unwrap_or_default();
    let is_clean = |sentence: &usize| clean.contains(&facts[*sentence].text);
    if relevant.iter().any(is_clean) {
        relevant.retain(is_clean);
    }
    (facts, relevant)
}

/// Divides after full stops, question and exclamation marks (and the quotes that follow them) before a space.
fn sentences(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut current = String::new();
    let mut may_end = false;
    for character in text.chars() {
        if character.is_whitespace() && may_end {
            sentences.push(std::mem::take(&mut current));
            may_end = false;
        }
        may_end = matches!(character, '.' | '!' | '?')
            || (may_end && matches!(character, '"' | '\'' | ')' | '”' | '’'));
        current.push(character);
    }
    sentences.push(current);
    let tidy = |sentence: String| sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    sentences.into_iter().map(tidy).filter(|sentence| !sentence.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, to: usize) -> Edge {
        Edge { from, relation: "son".to_owned(), to }
    }

    #[test]
    fn sentences_end_at_marks_before_spaces() {
        let found = sentences("  He said \"Hi!\"  She left.Not here? 3.5 pm.   And on");
        assert_eq!(found, ["He said \"Hi!\"", "She left.Not here?", "3.5 pm.", "And on"]);
        assert!(sentences(" ").is_empty());
    }

    #[test]
    fn the_sentence_that_names_both_people_tells_the_edge() {
        let people = ["Ann", "Bob", "Al"].map(String::from);
        let story = "[Al] sings.  [Ann] has a son called [Bob].  [Bob] likes it. ";
        let (facts, relevant) = story_facts(story, None, &people, [edge(0, 1)].iter());
        assert_eq!(facts[1].text, "Ann has a son called Bob.");
        assert_eq!((facts.len(), relevant), (3, vec![1]));
    }

    #[test]
    fn with_pronouns_every_sentence_about_either_is_taken() {
        let people = ["Ann", "Bob"].map(String::from);
        let (_, relevant) = story_facts(
            "[Ann] came. Her son is [Bob]. Nobody else.",
            None,
            &people,
            [edge(0, 1)].iter(),
        );
        assert_eq!(relevant, [0, 1]);
    }
}
