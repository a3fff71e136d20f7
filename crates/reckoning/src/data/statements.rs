//! The language of the rule-reasoning data: `Bob is not red.`, `The cat chases the dog.`, `If someone is red and likes the dog then
//! they are young.`

use std::fmt;

use super::words;

/// Something that holds, or does not hold, of someone (or everyone).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    /// Whom it is about.
    pub subject: Subject,
    /// What is said.
    pub predicate: Predicate,
    /// Whether it is asserted (`is red`) or denied (`is not red`).
    pub positive: bool,
}

/// Whom a literal is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Whoever a rule is applied to: `someone`, and then `they`.
    Anyone,
    /// An entity by name: `Bob`, or `the bald eagle`.
    Named(String),
}

/// What a literal says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// A word such as `red`.
    Attribute(String),
    /// What is done to an entity, such as chasing the lion.
    Relation {
        /// The verb in its plain form, such as `chase`.
        verb: String,
        /// The name of the other entity, such as `the lion`.
        object: String,
    },
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
pub const FORMS: &str = "`NAME is [not] ATTRIBUTE.`, `The ENTITY VERBs the ENTITY.`, `The ENTITY does not VERB the ENTITY.`, \
                         `If someone is ATTRIBUTE and VERBs the ENTITY and ... then they are ATTRIBUTE.` or \
                         `[All] ATTRIBUTE, ATTRIBUTE people are ATTRIBUTE.`";

impl Literal {
    /// `name` is `attribute` (or is not).
    pub fn new(name: impl Into<String>, attribute: impl Into<String>, positive: bool) -> Self {
        let predicate = Predicate::Attribute(attribute.into());
        Self { subject: Subject::Named(name.into()), predicate, positive }
    }

    /// Anyone is `attribute` (or is not).
    pub fn about_anyone(attribute: impl Into<String>, positive: bool) -> Self {
        let predicate = Predicate::Attribute(attribute.into());
        Self { subject: Subject::Anyone, predicate, positive }
    }

    /// The literal that contradicts this one.
    pub fn negated(&self) -> Self {
        Self { positive: !self.positive, ..self.clone() }
    }

    /// The entities it is about: whom it is said of, and whom something is done to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let subject = match &self.subject {
            Subject::Named(name) => Some(name.as_str()),
            Subject::Anyone => None,
        };
        let object = match &self.predicate {
            Predicate::Relation { object, .. } => Some(object.as_str()),
            Predicate::Attribute(_) => None,
        };
        subject.into_iter().chain(object)
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
            clause => match parse_clause(clause, &[])? {
                Literal { subject: Subject::Anyone, .. } => None,
                fact => Some(Self::Fact(fact)),
            },
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
        literals.into_iter().flat_map(Literal::names)
    }
}

/// Whether a word can be a name, an attribute or a verb.
fn is_ordinary(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
        && !matches!(
            word.to_lowercase().as_str(),
            "not" | "is" | "are" | "does" | "do" | "and" | "then" | "the" | "people" | "things"
        )
}

/// `SUBJECT PREDICATE`; without a subject, that of the last one of the `earlier` conditions is meant.
fn parse_clause(clause: &[&str], earlier: &[Literal]) -> Option<Literal> {
    let previous = earlier.last().map(|literal| &literal.subject);
    let (subject, rest) = match clause {
        ["someone" | "something" | "Someone" | "Something", rest @ ..] => (Subject::Anyone, rest),
        ["they" | "it" | "he" | "she", rest @ ..] => (referent(earlier)?, rest),
        ["the" | "The", rest @ ..] => {
            let verb = rest.iter().position(|word| matches!(*word, "is" | "are" | "does" | "do"));
            let before_object = || rest.iter().rposition(|word| *word == "the")?.checked_sub(1);
            let (name, rest) = rest.split_at(verb.or_else(before_object)?);
            (Subject::Named(entity(name)?), rest)
        }
        [name, "is" | "are" | "does" | "do", ..] | [name, _, "the", ..] if is_ordinary(name) => {
            (Subject::Named((*name).to_owned()), &clause[1..])
        }
        rest => {
            let (predicate, positive) =
                parse_attribute(rest).or_else(|| parse_predicate(rest, false))?;
            return Some(Literal { subject: previous?.clone(), predicate, positive });
        }
    };
    let (predicate, positive) = parse_predicate(rest, clause[0] == "they")?;
    Some(Literal { subject, predicate, positive })
}

/// Whom a pronoun means: whoever the rule is applied to, as soon as an `earlier` condition is about them, even if an entity was
/// named since; else the subject before.
fn referent(earlier: &[Literal]) -> Option<Subject> {
    let subjects = || earlier.iter().map(|literal| &literal.subject);
    subjects()
        .find(|subject| **subject == Subject::Anyone)
        .or_else(|| subjects().next_back())
        .cloned()
}

/// `is [not] ATTRIBUTE`, `VERBs the ENTITY` or `does not VERB the ENTITY`, and nothing after it.
fn parse_predicate(words: &[&str], is_plural: bool) -> Option<(Predicate, bool)> {
    let relation = |verb: &str, object: &[&str]| {
        Some(Predicate::Relation { verb: verb.to_owned(), object: entity(object)? })
    };
    match words {
        ["is" | "are", attribute @ ..] => parse_attribute(attribute),
        ["does" | "do", "not", verb, "the", object @ ..] if is_ordinary(verb) => {
            Some((relation(verb, object)?, false))
        }
        [verb, "the", object @ ..] if is_ordinary(verb) => {
            let plain = if is_plural { (*verb).to_owned() } else { plain_form(verb)? };
            Some((relation(&plain, object)?, true))
        }
        _ => None,
    }
}

/// `[not] ATTRIBUTE`, and nothing after it.
fn parse_attribute(words: &[&str]) -> Option<(Predicate, bool)> {
    let (attribute, positive) = match words {
        ["not", attribute] => (attribute, false),
        [attribute] => (attribute, true),
        _ => return None,
    };
    is_ordinary(attribute).then(|| (Predicate::Attribute((*attribute).to_owned()), positive))
}

/// The words of an entity after its article, with it.
fn entity(words: &[&str]) -> Option<String> {
    let is_name = !words.is_empty() && words.iter().all(|word| is_ordinary(word));
    is_name.then(|| format!("the {}", words.join(" ")))
}

/// `chase` for `chases`.
fn plain_form(verb: &str) -> Option<String> {
    if let Some(stem) = verb.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    }
    let hisses = ["sses", "xes", "shes", "ches"].iter().any(|ending| verb.ends_with(ending));
    verb.strip_suffix(if hisses { "es" } else { "s" }).map(str::to_owned)
}

/// `chases` for `chase`.
fn third_person(verb: &str) -> String {
    let is_vowel = |letter: char| "aeiou".contains(letter);
    match verb.strip_suffix('y') {
        Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ies"),
        _ if ["ss", "x", "sh", "ch"].iter().any(|ending| verb.ends_with(ending)) => {
            format!("{verb}es")
        }
        _ => format!("{verb}s"),
    }
}

fn parse_if_then(rest: &[&str]) -> Option<Statement> {
    let then = rest.iter().position(|word| *word == "then")?;
    let mut conditions: Vec<Literal> = Vec::new();
    for clause in clauses(&rest[..then]) {
        conditions.push(parse_clause(clause, &conditions)?);
    }
    let conclusion = parse_clause(&rest[then + 1..], &conditions)?;
    let anyone_is_bound = conditions.iter().any(|literal| literal.subject == Subject::Anyone);
    let is_sound =
        !conditions.is_empty() && (anyone_is_bound || conclusion.subject != Subject::Anyone);
    is_sound.then_some(Statement::Rule { conditions, conclusion })
}

fn parse_all(sentence: &[&str]) -> Option<Statement> {
    let sentence = sentence.strip_prefix(&["All"]).unwrap_or(sentence);
    let noun = sentence.iter().position(|word| matches!(*word, "people" | "things"))?;
    let about_anyone = |words: &[&str]| {
        let (predicate, positive) = parse_attribute(words)?;
        Some(Literal { subject: Subject::Anyone, predicate, positive })
    };
    let in_lower_case = |clause: &[&str]| -> Option<Literal> {
        let words: Vec<String> = clause.iter().map(|word| word.to_lowercase()).collect();
        about_anyone(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let conditions: Option<Vec<Literal>> = clauses(&sentence[..noun]).map(in_lower_case).collect();
    let conditions = conditions.filter(|conditions| !conditions.is_empty())?;
    Some(Statement::Rule { conditions, conclusion: about_anyone(&sentence[noun + 2..])? })
}

/// The parts between `and` and commas.
fn clauses<'a, 'b>(words: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    words.split(|word| matches!(*word, "and" | ",")).filter(|clause| !clause.is_empty())
}

impl fmt::Display for Predicate {
    /// As it is asserted of one entity: `is red`, `chases the lion`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&said(self, true, false))
    }
}

/// The predicate with its verb: `is not red`, `does not chase the lion`; of many, `are not red`, `do not chase the lion`.
fn said(predicate: &Predicate, positive: bool, of_many: bool) -> String {
    let (is, does) = if of_many { ("are", "do") } else { ("is", "does") };
    match (predicate, positive) {
        (Predicate::Attribute(attribute), true) => format!("{is} {attribute}"),
        (Predicate::Attribute(attribute), false) => format!("{is} not {attribute}"),
        (Predicate::Relation { verb, object }, true) if of_many => format!("{verb} {object}"),
        (Predicate::Relation { verb, object }, true) => format!("{} {object}", third_person(verb)),
        (Predicate::Relation { verb, object }, false) => format!("{does} not {verb} {object}"),
    }
}

impl fmt::Display for Literal {
    /// With a space before the full stop: `Bob is not red .`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.subject {
            Subject::Named(name) => name,
            Subject::Anyone => "someone",
        };
        write!(formatter, "{name} {} .", said(&self.predicate, self.positive, false))
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
    let mut previous: Option<&Literal> = None;
    for literal in conditions {
        let said = said(&literal.predicate, literal.positive, false);
        let lead = if previous.is_some() { " and" } else { "If" };
        match (previous, &literal.subject) {
            (Some(previous), subject) if previous.subject == *subject => {
                // `red and big`, but `chases the lion and is big`.
                let goes_on = matches!(previous.predicate, Predicate::Attribute(_));
                let said = if goes_on { said.strip_prefix("is ").unwrap_or(&said) } else { &said };
                write!(formatter, "{lead} {said}")?;
            }
            (_, Subject::Anyone) => write!(formatter, "{lead} someone {said}")?,
            (_, Subject::Named(name)) => write!(formatter, "{lead} {name} {said}")?,
        }
        previous = Some(literal);
    }
    let Literal { subject, predicate, positive } = conclusion;
    match subject {
        Subject::Anyone => write!(formatter, " then they {} .", said(predicate, *positive, true)),
        Subject::Named(name) => {
            write!(formatter, " then {name} {} .", said(predicate, *positive, false))
        }
    }
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
            ("The cat chases the bald eagle.", "the cat chases the bald eagle ."),
            ("The bald eagle does not see the cat.", "the bald eagle does not see the cat ."),
            ("The bald eagle is not kind", "the bald eagle is not kind ."),
            (
                "If something chases the lion and it is big then it likes the dog.",
                "If someone chases the lion and is big then they like the dog .",
            ),
            (
                "If someone is big and they do not see the cat then they do not need the dog.",
                "If someone is big and does not see the cat then they do not need the dog .",
            ),
            (
                "If the cat is red and the cat visits the dog then the bald eagle carries the cat.",
                "If the cat is red and visits the dog then the bald eagle carries the cat .",
            ),
            (
                "If something visits the mouse and the mouse visits the dog then it is cold.",
                "If someone visits the mouse and the mouse visits the dog then they are cold .",
            ),
            (
                "If something visits the squirrel and the squirrel is big \
                 then it does not like the squirrel.",
                "If someone visits the squirrel and the squirrel is big \
                 then they do not like the squirrel .",
            ),
            (
                "If something is red and the cat is big and it sees the cat then it is young.",
                "If someone is red and the cat is big and someone sees the cat then they are young .",
            ),
            (
                "If the cat is red and it is big then it is young.",
                "If the cat is red and big then the cat is young .",
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
    fn a_pronoun_means_the_variable_even_behind_a_named_entity() {
        for pronoun in ["it", "they", "he", "she"] {
            let verb = if pronoun == "they" { "are" } else { "is" };
            let text = format!(
                "If something visits the mouse and the mouse visits the dog then {pronoun} {verb} cold."
            );
            let Some(Statement::Rule { conclusion, .. }) = Statement::parse(&text) else {
                panic!("{text} should be a rule")
            };
            assert_eq!(conclusion, Literal::about_anyone("cold", true), "{text}");
        }
    }

    /// Every order of subjects: the canonical wording names again whom a pronoun would not mean.
    #[test]
    fn what_is_written_reads_back_alike() {
        let subjects = || {
            let named = |name: &str| Subject::Named(name.into());
            [Subject::Anyone, named("Bob"), named("the bald eagle")]
        };
        let predicates = || {
            let relation = Predicate::Relation { verb: "see".into(), object: "the cat".into() };
            [Predicate::Attribute("red".into()), relation]
        };
        let literals: Vec<Literal> = subjects()
            .into_iter()
            .flat_map(|subject| predicates().map(|predicate| (subject.clone(), predicate)))
            .flat_map(|(subject, predicate)| {
                [true, false].map(|positive| Literal {
                    subject: subject.clone(),
                    predicate: predicate.clone(),
                    positive,
                })
            })
            .collect();
        for first in &literals {
            for second in &literals {
                for conclusion in &literals {
                    let conditions = vec![first.clone(), second.clone()];
                    let is_bound =
                        conditions.iter().any(|literal| literal.subject == Subject::Anyone);
                    if !is_bound && conclusion.subject == Subject::Anyone {
                        continue;
                    }
                    let rule = Statement::Rule { conditions, conclusion: conclusion.clone() };
                    assert_eq!(Statement::parse(&rule.to_string()), Some(rule.clone()), "{rule}");
                }
            }
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
            "The cat chase the dog.",
            "The cat chases dogs.",
            "The cat chases the.",
            "The chases the dog.",
            "The cat does chase the dog.",
            "Someone is red.",
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
        let fact = Statement::parse("The cat chases the bald eagle.").unwrap();
        assert_eq!(fact.names().collect::<Vec<_>>(), ["the cat", "the bald eagle"]);
    }

    #[test]
    fn verbs_come_back_from_the_third_person() {
        for verb in ["chase", "eat", "like", "kiss", "fix", "push", "teach", "carry", "buy", "see"]
        {
            assert_eq!(plain_form(&third_person(verb)).as_deref(), Some(verb));
        }
        assert_eq!(third_person("carry"), "carries");
    }

    #[test]
    fn a_negated_literal_contradicts() {
        let literal = Literal::new("Bob", "red", true);
        assert_eq!(literal.negated().to_string(), "Bob is not red .");
        assert_eq!(literal.negated().negated(), literal);
    }
}
