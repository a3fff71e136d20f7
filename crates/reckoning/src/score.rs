//! Scores of generated texts: exact match of the answer, and recall of the facts behind it.
//!
//! A multi-task answer reads `label because fact, fact`. The label is what stands before `because`, scored by exact match
//! after the usual normalisation, as in the official code. Where a generated text has no `because`, the official code takes its
//! first word for the label, and in either case cuts the label at a comma; here the whole text is the label and nothing is cut,
//! which is stricter. Recalled facts are scored twice: by the official measure, which takes any part of the gold text for a
//! recalled fact, and as sets of whole facts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::data::{Fact, words};
use crate::encoding::BECAUSE;

/// `text` in lower case, without ASCII punctuation and the articles `a`, `an`, `the`, with single spaces: the
/// normalisation of the official code, common in question answering.
pub fn normalized(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let lower = plain.to_lowercase();
    let words: Vec<&str> =
        lower.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).collect();
    words.join(" ")
}

/// The label in `text`: what stands before the first word `because`, or everything.
pub fn label(text: &str) -> &str {
    at_because(text).map_or(text, |(label, _)| label).trim()
}

/// The facts in `text`: what stands after the first word `because`; `None` where nothing is recalled.
pub fn recalled_text(text: &str) -> Option<&str> {
    at_because(text).map(|(_, facts)| facts.trim())
}

/// Whether the label of a generated text is the gold answer, after normalisation.
pub fn exact_match(generated: &str, answer: &str) -> bool {
    normalized(label(generated)) == normalized(label(answer))
}

fn at_because(text: &str) -> Option<(&str, &str)> {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_word = |(at, _): &(usize, &str)| {
        let after = &text[at + BECAUSE.len()..];
        !is_letter(text[..*at].chars().next_back()) && !is_letter(after.chars().next())
    };
    let (at, _) = text.match_indices(BECAUSE).find(is_word)?;
    Some((&text[..at], &text[at + BECAUSE.len()..]))
}

/// How well a set of facts was recalled, each fact counted once and only as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactRecall {
    /// Share of the recalled facts that are gold; 1 if nothing was recalled.
    pub precision: f64,
    /// Share of the gold facts that were recalled; 1 if there are none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

impl FactRecall {
    /// Scores a generated text against the facts of a knowledge set, of which those at `relevant` are gold.
    ///
    /// Facts are compared word by word, ignoring case and punctuation, but not articles: a person may be called `A`. The
    /// text is cut at commas; a known fact with commas of its own is recognised where all its parts follow each
    /// other. What is no known fact counts as one wrong fact a part.
    pub fn of(generated: &str, facts: &[Fact], relevant: &[usize]) -> Self {
        let known: Vec<Vec<Vec<String>>> = facts.iter().map(|fact| parts(&fact.text)).collect();
        let recalled = segmented(&parts(recalled_text(generated).unwrap_or("")), &known);
        let gold: BTreeSet<_> =
            relevant.iter().filter_map(|&index| known.get(index)).cloned().collect();
        let hits = recalled.intersection(&gold).count() as f64;
        let share = |total: usize| if total == 0 { 1.0 } else { hits / total as f64 };
        let (precision, recall) = (share(recalled.len()), share(gold.len()));
        let f1 = match precision + recall {
            0.0 => 0.0,
            sum => 2.0 * precision * recall / sum,
        };
        Self { precision, recall, f1 }
    }

    /// Whether exactly the gold facts were recalled.
    pub fn is_exact(&self) -> bool {
        self.precision == 1.0 && self.recall == 1.0
    }
}

/// The parts of a text between its commas, each as words in lower case; parts without words are left out.
fn parts(text: &str) -> Vec<Vec<String>> {
    let visible = |word: &&str| word.chars().any(char::is_alphanumeric);
    let part = |part: &str| words(part).filter(visible).map(str::to_lowercase).collect::<Vec<_>>();
    text.split(',').map(part).filter(|part| !part.is_empty()).collect()
}

/// The different facts that a sequence of parts consists of: the longest known fact at each place, or one unknown part.
fn segmented(parts: &[Vec<String>], known: &[Vec<Vec<String>>]) -> BTreeSet<Vec<Vec<String>>> {
    let mut found = BTreeSet::new();
    let mut rest = parts;
    while !rest.is_empty() {
        let fitting = known.iter().filter(|fact| !fact.is_empty() && rest.starts_with(fact));
        let length = fitting.map(Vec::len).max().unwrap_or(1);
        found.insert(rest[..length].to_vec());
        rest = &rest[length..];
    }
    found
}

/// The official measure of recalled facts, as the two counts it is a ratio of: over a test set, `hits` and `chunks`
/// are summed before they are divided.
///
/// It is lenient: a chunk is a hit if it is any part of the gold text, repetitions count again, and gold facts that are
/// not recalled cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LenientRecall {
    /// Chunks that are part of the gold text.
    pub hits: usize,
    /// Chunks between commas that were generated.
    pub chunks: usize,
}

impl LenientRecall {
    /// Counts the chunks of a generated text, after `because` where it has one, that are part of the gold facts, joined
    /// in order by commas. Both sides are normalised. Empty chunks are not counted, where the official code takes
    /// them for hits.
    pub fn of(generated: &str, facts: &[Fact], relevant: &[usize]) -> Self {
        let gold: Vec<&str> = relevant
            .iter()
            .filter_map(|&index| facts.get(index))
            .map(|fact| fact.text.as_str())
            .collect();
        let gold = normalized(&gold.join(" , "));
        let text = recalled_text(generated).unwrap_or(generated);
        let chunks: Vec<String> =
            text.split(',').map(normalized).filter(|chunk| !chunk.is_empty()).collect();
        let hits = chunks.iter().filter(|chunk| gold.contains(chunk.as_str())).count();
        Self { hits, chunks: chunks.len() }
    }

    /// `hits / chunks`; 0 where nothing was generated.
    pub fn ratio(&self) -> f64 {
        if self.chunks == 0 { 0.0 } else { self.hits as f64 / self.chunks as f64 }
    }
}

impl std::iter::Sum for LenientRecall {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            hits: a.hits + b.hits,
            chunks: a.chunks + b.chunks,
        })
    }
}

#[cfg(test)]
mod tests;
