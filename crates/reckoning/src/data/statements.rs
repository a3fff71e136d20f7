//! The language of the rule-reasoning data: `Bob is not red.` and `If someone is red and big then they are young.`

use std::fmt;

use super::words;

/// Someone (or everyone) has, or lacks, an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    /// Whom it is about.
    pub subject: Subject,
    /// A word such as `red`.
    pub attribute: String,
    /// Whether the attribute is asserted (`is red`) or denied (`is not red`).
    pub positive: bool,
}

/// Whom a literal is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Whoever a rule is applied to: `someone`, and then `they`.
    Anyone,
    /// An entity by name.
    Named(String),
}

/// A sentence of a theory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Statement {
    /// A literal about a named entity.
    Fact(Literal),
    /// A conclusion that holds wherever all conditions do.
    Rule {
        /// At least one condition.
        conditions: Vec<Literal>,
        /// What follows.
        conclusion: Literal,
    },
}

/// The forms that [`Statement::parse`] reads, for error messages.
pub const FORMS: &str = "`NAME is [not] ATTRIBUTE.`, `If someone is ATTRIBUTE and ... then they are ATTRIBUTE.` or \
                         `[All] ATTRIBUTE, ATTRIBUTE people are ATTRIBUTE.`";

impl Literal {
    /// `name` is `attribute` (or is not).
    pub fn new(name: impl Into<String>, attribute: impl Into<String>, positive: bool) -> Self {
        Self { subject: Subject::Named(name.into()), attribute: attribute.into(), positive }
    }

    /// The literal that contradicts this one.
    pub fn negated(&self) -> Self {
        Self { positive: !self.positive, ..self.clone() }
    }

    /// The entity it is about; `None` for anyone.
    pub fn name(&self) -> Option<&str> {
        match &self.subject {
            Subject::Named(name) => Some(name),
            Subject::Anyone => None,
        }
    }

    fn about_anyone(attribute: &str, positive: bool) -> Self {
        Self { subject: Subject::Anyone, attribute: attribute.to_owned(), positive }
    }
}

impl Statement {
    /// Reads a sentence; `None` when it has none of the [`FORMS`]. The final full stop may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let mut sentence: Vec<&str> = words(text).collect();
        if sentence.last() == Some(&".") {
            sentence.pop();
        }
        match sentence.as_slice() {
            ["If" | "if", rest @ ..] => parse_if_then(rest),
            [.., "people" | "things", "are", _] | [.., "people" | "things", "are", "not", _] => {
                parse_all(&sentence)
            }
            [name, "is", rest @ ..] => parse_fact(name, rest),
            _ => None,
        }
    }

    /// The named entities, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let literals: Vec<&Literal> = match self {
            Self::Fact(literal) => vec![literal],
            Self::Rule { conditions, conclusion } => {
                conditions.iter().chain([conclusion]).collect()
            }
        };
        literals.into_iter().filter_map(Literal::name)
    }
}

fn is_attribute(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
        && !matches!(word, "not" | "is" | "are" | "and" | "then" | "people" | "things")
}

/// `[not] ATTRIBUTE`, and nothing after it.
fn parse_attribute<'a>(words: &[&'a str]) -> Option<(&'a str, bool)> {
    match words {
        ["not", attribute] if is_attribute(attribute) => Some((attribute, false)),
        [attribute] if is_attribute(attribute) => Some((attribute, true)),
        _ => None,
    }
}

fn parse_fact(name: &str, rest: &[&str]) -> Option<Statement> {
    let (attribute, positive) = parse_attribute(rest)?;
    name.starts_with(char::is_alphabetic)
        .then(|| Statement::Fact(Literal::new(name, attribute, positive)))
}

/// `[SUBJECT is|are] [not] ATTRIBUTE`; without a subject, or with a pronoun, `previous` is meant.
fn parse_clause(clause: &[&str], previous: Option<&Subject>) -> Option<Literal> {
    let (subject, rest) = match clause {
        ["someone" | "something", "is" | "are", rest @ ..] => (Subject::Anyone, rest),
        ["they" | "it" | "he" | "she", "is" | "are", rest @ ..] => (previous?.clone(), rest),
        [name, "is" | "are", rest @ ..] => (Subject::Named((*name).to_owned()), rest),
        rest => (previous?.clone(), rest),
    };
    let (attribute, positive) = parse_attribute(rest)?;
    Some(Literal { subject, attribute: attribute.to_owned(), positive })
}

fn parse_if_then(rest: &[&str]) -> Option<Statement> {
    let then = rest.iter().position(|word| *word == "then")?;
    let mut conditions: Vec<Literal> = Vec::new();
    for clause in clauses(&rest[..then]) {
        conditions.push(parse_clause(clause, conditions.last().map(|literal| &literal.subject))?);
    }
    let conclusion =
        parse_clause(&rest[then + 1..], conditions.last().map(|literal| &literal.subject))?;
    let anyone_is_bound = conditions.iter().any(|literal| literal.subject == Subject::Anyone);
    let is_sound =
        !conditions.is_empty() && (anyone_is_bound || conclusion.subject != Subject::Anyone);
    is_sound.then_some(Statement::Rule { conditions, conclusion })
}

fn parse_all(sentence: &[&str]) -> Option<Statement> {
    let sentence = sentence.strip_prefix(&["All"]).unwrap_or(sentence);
    let noun = sentence.iter().position(|word| matches!(*word, "people" | "things"))?;
    let (attribute, positive) = parse_attribute(&sentence[noun + 2..])?;
    let conditions: Option<Vec<Literal>> = clauses(&sentence[..noun])
        .map(|clause| {
            parse_attribute(clause)
                .map(|(word, sign)| Literal::about_anyone(&word.to_lowercase(), sign))
        })
        .collect();
    let conditions = conditions.filter(|conditions| !conditions.is_empty())?;
    Some(Statement::Rule { conditions, conclusion: Literal::about_anyone(attribute, positive) })
}

/// The parts between `and` and commas.
fn clauses<'a, 'b>(words: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    words.split(|word| matches!(*word, "and" | ",")).filter(|clause| !clause.is_empty())
}

impl fmt::Display for Literal {
    /// With a space before the full stop: `Bob is not red .`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.subject {
            Subject::Named(name) => name,
            Subject::Anyone => "someone",
        };
        write!(
            formatter,
            "{name} is {}{} .",
            if self.positive { "" } else { "not " },
            self.attribute
        )
    }
}

impl fmt::Display for Statement {
    /// The canonical wording, words and marks separated by spaces.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(literal) => literal.fmt(formatter),
            Self::Rule { conditions, conclusion } => write_rule(formatter, conditions, conclusion),
        }
    }
}

fn write_rule(
    formatter: &mut fmt::Formatter<'_>,
    conditions: &[Literal],
    conclusion: &Literal,
) -> fmt::Result {
    let mut previous = None;
    for (at, literal) in conditions.iter().enumerate() {
        formatter.write_str(if at == 0 { "If" } else { " and" })?;
        write_clause(formatter, literal, previous, "someone is")?;
        previous = Some(&literal.subject);
    }
    formatter.write_str(" then")?;
    write_clause(formatter, conclusion, None, "they are")?;
    formatter.write_str(" .")
}

fn write_clause(
    formatter: &mut fmt::Formatter<'_>,
    literal: &Literal,
    previous: Option<&Subject>,
    anyone: &str,
) -> fmt::Result {
    if previous != Some(&literal.subject) {
        match &literal.subject {
            Subject::Anyone => write!(formatter, " {anyone}")?,
            Subject::Named(name) => write!(formatter, " {name} is")?,
        }
    }
    write!(formatter, "{} {}", if literal.positive { "" } else { " not" }, literal.attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Statement::parse(text).unwrap_or_else(|| panic!("{text} should be readable")).to_string()
    }

    #[test]
    fn every_form_is_read_and_written_canonically() {
        for (text, expected) in [
            ("Bob is red.", "Bob is red ."),
            ("Bob is not red", "Bob is not red ."),
            (
                "If someone is red and big then they are young.",
                "If someone is red and big then they are young .",
            ),
            (
                "If something is red and it is not big then it is young.",
                "If someone is red and not big then they are young .",
            ),
            (
                "If Bob is red and Bob is big then Bob is young.",
                "If Bob is red and big then Bob is young .",
            ),
            (
                "If Bob is red and someone is big then they are young.",
                "If Bob is red and someone is big then they are young .",
            ),
            (
                "All rough, kind people are round.",
                "If someone is rough and kind then they are round .",
            ),
            (
                "Red and not big things are not cold.",
                "If someone is red and not big then they are not cold .",
            ),
        ] {
            assert_eq!(canonical(text), expected);
            assert_eq!(canonical(expected), expected, "the canonical wording reads back");
        }
    }

    #[test]
    fn other_sentences_are_refused() {
        for text in [
            "",
            ".",
            "Bob",
            "Bob is",
            "Bob is not",
            "Bob is very red.",
            "The cat chases the dog.",
            "If then they are red.",
            "If someone is red they are big.",
            "If they are red then Bob is big.",
            "If Bob is red then someone is big.",
            "people are red.",
        ] {
            assert_eq!(Statement::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_those_of_entities_only() {
        let rule =
            Statement::parse("If Bob is red and someone is big then they are young.").unwrap();
        assert_eq!(rule.names().collect::<Vec<_>>(), ["Bob"]);
    }

    #[test]
    fn a_negated_literal_contradicts() {
        let literal = Literal::new("Bob", "red", true);
        assert_eq!(literal.negated().to_string(), "Bob is not red .");
        assert_eq!(literal.negated().negated(), literal);
    }
}
