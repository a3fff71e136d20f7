//! Knowledge sets: facts, and questions that the facts answer. Generators, readers and transformations.
//!
//! Everything here becomes a list of [`KnowledgeSet`]s: the built-in generators [`kinship`] and [`rules`], and the
//! published data sets that [`load`] recognises by their content (CLUTRR, CLUTRR-SG, ProofWriter, and the
//! [`native`] format, which is a knowledge set a line).
//!
//! One convention holds throughout: the kinship fact `A son B .` says that **A's son is B**, and the answer to
//! `A ? B .` is the word that B is to A. This is the direction of CLUTRR's edges.

mod clutrr;
mod clutrr_proof;
mod clutrr_sg;
mod clutrr_story;
mod dataset;
mod detect;
mod distractors;
mod error;
mod family;
pub mod forward_chaining;
mod json_records;
pub mod kinship;
mod kinship_chain;
mod kinship_distractors;
pub mod kinship_rules;
pub mod native;
mod proofwriter;
mod python_literal;
mod renaming;
pub mod rules;
mod sg_proof;
mod source;
pub mod statements;
mod statistics;
mod surface;
#[cfg(test)]
pub(crate) mod test_data;
mod words;

use serde::{Deserialize, Serialize};

pub use dataset::{DataFile, Dataset, Kind, Split, some_by_id, split_by_id};
pub use detect::{EntityNames, LoadOptions, load};
pub use distractors::Distractors;
pub use error::DataError;
pub use renaming::letters;
pub use statements::Statement;
pub use statistics::Statistics;
pub use surface::Surface;
pub use words::words;

/// One set of facts and the questions asked about it ("knowledge set" in the paper, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeSet {
    /// Identifier, unique within its source.
    pub id: String,
    /// What is known, in the order of the source; for rule reasoning the rules are facts too.
    pub facts: Vec<Fact>,
    /// What is asked about it.
    pub questions: Vec<Question>,
    /// Words of the texts that name an entity, in order of first appearance; what [`KnowledgeSet::rename_entities`]
    /// exchanges.
    #[serde(default)]
    pub entities: Vec<String>,
}

/// One statement to be encoded into the weights, e.g. `K uncle C .` or `If someone is red then they are big .`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fact {
    /// The statement.
    pub text: String,
}

/// One question, its answer, and the facts that give the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question as the model reads it.
    pub text: String,
    /// The answer: a relation for kinship; `yes`, `no` or `none` (cannot be told) for rule reasoning.
    pub answer: String,
    /// Indices into [`KnowledgeSet::facts`]: the proof, in proof order. For the answer `none`, the deepest attempt at
    /// a proof that fails; see [`forward_chaining::Theory::support`].
    #[serde(default)]
    pub relevant: Vec<usize>,
    /// Length of the reasoning: edges of the chain for kinship, depth of the proof for rules (0 = a stated fact).
    #[serde(default)]
    pub hops: usize,
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self { text }
    }
}

impl KnowledgeSet {
    /// Identifier of the set that this one was cut from by [`KnowledgeSet::with_distractors`], or its own: questions with
    /// the same are about the same theory or story.
    pub fn theory(&self) -> &str {
        self.id.rsplit_once(distractors::QUESTION).map_or(&self.id, |(theory, _)| theory)
    }

    /// Every text of the set: facts, then questions and their answers.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let questions = self
            .questions
            .iter()
            .flat_map(|question| [question.text.as_str(), question.answer.as_str()]);
        self.facts.iter().map(|fact| fact.text.as_str()).chain(questions)
    }
}

/// Whether any question says which facts it needs, as none does where a file leaves `relevant` out.
pub fn says_what_is_relevant(sets: &[KnowledgeSet]) -> bool {
    sets.iter().flat_map(|set| &set.questions).any(|question| !question.relevant.is_empty())
}
