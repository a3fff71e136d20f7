//! How a relation, a question or a statement is put into words.

use serde::{Deserialize, Serialize};

/// Wording of generated texts, and of published data that is put into our own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// As few words as possible: `A son B .`, `A ? B .`, `Gary is not round .`
    #[default]
    Compact,
    /// Sentences: `The son of A is B .`, `How is A related to B ?`, `Can we conclude Gary is not round ?`
    Sentence,
}

impl Surface {
    /// The fact that `person`'s `relation` is `relative`.
    pub fn kinship_fact(self, person: &str, relation: &str, relative: &str) -> String {
        match self {
            Self::Compact => format!("{person} {relation} {relative} ."),
            Self::Sentence => format!("The {relation} of {person} is {relative} ."),
        }
    }

    /// The question which relation `relative` is to `person`.
    pub fn kinship_question(self, person: &str, relative: &str) -> String {
        match self {
            Self::Compact => format!("{person} ? {relative} ."),
            Self::Sentence => format!("How is {person} related to {relative} ?"),
        }
    }

    /// The question whether `statement` (with its final ` .`) holds.
    pub fn statement_question(self, statement: &str) -> String {
        match self {
            Self::Compact => statement.to_owned(),
            Self::Sentence => {
                let body = statement.strip_suffix('.').unwrap_or(statement).trim_end();
                format!("Can we conclude {body} ?")
            }
        }
    }

    /// Every word that facts and questions about kin add to names and relations.
    pub(super) fn kinship_words(self) -> &'static [&'static str] {
        match self {
            Self::Compact => &[".", "?"],
            Self::Sentence => &[".", "?", "The", "of", "is", "How", "related", "to"],
        }
    }

    /// Every word that questions about statements add to the statements.
    pub(super) fn statement_words(self) -> &'static [&'static str] {
        match self {
            Self::Compact => &["."],
            Self::Sentence => &[".", "?", "Can", "we", "conclude"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_surfaces_say_the_same() {
        assert_eq!(Surface::Compact.kinship_fact("A", "son", "B"), "A son B .");
        assert_eq!(Surface::Sentence.kinship_fact("A", "son", "B"), "The son of A is B .");
        assert_eq!(Surface::Compact.kinship_question("A", "B"), "A ? B .");
        assert_eq!(Surface::Sentence.kinship_question("A", "B"), "How is A related to B ?");
        assert_eq!(Surface::Compact.statement_question("Bob is red ."), "Bob is red .");
        assert_eq!(
            Surface::Sentence.statement_question("Bob is red ."),
            "Can we conclude Bob is red ?"
        );
    }
}
