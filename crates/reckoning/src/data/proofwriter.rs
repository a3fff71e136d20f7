//! ProofWriter with an open world: sentences with blanks to fill, or the original format with its proofs.
//!
//! Whatever a file says about proofs, they are found anew by [`Theory`], so that every file has the same: the shortest
//! proof, its depth, and for unknown statements the deepest failed attempt.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::forward_chaining::{Answer, Theory};
use super::json_records::{Located, records};
use super::statements::{FORMS, Literal, Statement};
use super::words::distinct;
use super::{DataError, Fact, KnowledgeSet, LoadOptions, Question, Surface};
use crate::fingerprint::Fingerprint;

const EXPECTED: &str =
    "a ProofWriter record, with `facts` and `qa_pairs`, or with `triples`, `rules` and `questions`";

/// A record of either format.
#[derive(Deserialize)]
#[serde(untagged)]
enum Record {
    Blanks {
        #[serde(alias = "id")]
        guid: Option<String>,
        facts: Vec<Sentence>,
        qa_pairs: Vec<(String, Value)>,
    },
    Original {
        id: Option<String>,
        triples: BTreeMap<String, Stated>,
        rules: BTreeMap<String, Stated>,
        questions: BTreeMap<String, Posed>,
    },
}

/// A sentence, or one with blanks such as `<extra_id_0>` and what fills them, between the same marks.
#[derive(Deserialize)]
#[serde(untagged)]
enum Sentence {
    Whole(String),
    WithBlanks(String, String),
}

#[derive(Deserialize)]
struct Stated {
    text: String,
}

#[derive(Deserialize)]
struct Posed {
    question: String,
    answer: Value,
}

/// Reads the records of `text`; `file` is for messages.
pub(super) fn read(
    file: &str,
    text: &str,
    options: &LoadOptions,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let records = records::<Record>(file, text, EXPECTED)?;
    let read = |Located { line, id, record }: Located<Record>| {
        Place { file, line, id }.knowledge_set(record, options.surface)
    };
    records.into_iter().map(read).collect()
}

/// Where a record stands, for messages, and what to call it if it has no name.
struct Place<'a> {
    file: &'a str,
    line: usize,
    id: Fingerprint,
}

impl Place<'_> {
    fn malformed(&self, expected: impl Into<String>, found: impl std::fmt::Display) -> DataError {
        DataError::malformed(self.file, self.line, expected, found)
    }

    fn knowledge_set(
        &self,
        record: Record,
        surface: Option<Surface>,
    ) -> Result<KnowledgeSet, DataError> {
        let (id, sentences, questions) = match record {
            Record::Blanks { guid, facts, qa_pairs } => {
                let sentences = facts
                    .iter()
                    .map(|sentence| self.filled(sentence))
                    .collect::<Result<Vec<_>, _>>()?;
                (guid, sentences, qa_pairs)
            }
            Record::Original { id, triples, rules, questions } => {
                let stated =
                    numbered(triples).chain(numbered(rules)).map(|stated| stated.text).collect();
                let questions =
                    numbered(questions).map(|posed| (posed.question, posed.answer)).collect();
                (id, stated, questions)
            }
        };
        let statements: Vec<Statement> =
            sentences.iter().map(|sentence| self.statement(sentence)).collect::<Result<_, _>>()?;
        let theory = Theory::new(&statements);
        let asked: Vec<Literal> =
            questions.iter().map(|(text, _)| self.literal(text)).collect::<Result<_, _>>()?;
        let names = statements
            .iter()
            .flat_map(Statement::names)
            .chain(asked.iter().flat_map(Literal::names));
        let entities = distinct(names);
        let questions = questions
            .iter()
            .zip(&asked)
            .map(|((text, answer), asked)| self.question(text, answer, asked, &theory, surface))
            .collect::<Result<_, _>>()?;
        let facts = match surface {
            Some(_) => {
                statements.iter().map(|statement| Fact { text: statement.to_string() }).collect()
            }
            None => sentences.into_iter().map(Fact::from).collect(),
        };
        let id = id.unwrap_or_else(|| self.id.to_string());
        Ok(KnowledgeSet { id, facts, questions, entities })
    }

    fn question(
        &self,
        text: &str,
        given: &Value,
        asked: &Literal,
        theory: &Theory,
        surface: Option<Surface>,
    ) -> Result<Question, DataError> {
        let given = self.answer(given)?;
        let support = theory.support(asked);
        if support.answer != given {
            let expected = format!(
                "the answer `{}` to {text:?}, which is what follows in an open world (closed-world files are not \
                 supported)",
                support.answer.word()
            );
            return Err(self.malformed(expected, format!("`{}`", given.word())));
        }
        let text = surface.map_or_else(
            || text.to_owned(),
            |surface| surface.statement_question(&asked.to_string()),
        );
        Ok(Question {
            text,
            answer: given.word().to_owned(),
            relevant: support.statements,
            hops: support.depth,
        })
    }

    fn answer(&self, given: &Value) -> Result<Answer, DataError> {
        let word = given.as_str().map_or_else(|| given.to_string(), str::to_lowercase);
        match word.as_str() {
            "true" | "yes" => Ok(Answer::Yes),
            "false" | "no" => Ok(Answer::No),
            "unknown" | "none" => Ok(Answer::None),
            _ => Err(self.malformed("an answer that is true, false or \"Unknown\"", word)),
        }
    }

    fn statement(&self, sentence: &str) -> Result<Statement, DataError> {
        Statement::parse(sentence)
            .ok_or_else(|| self.malformed(format!("a statement of the form {FORMS}"), sentence))
    }

    fn literal(&self, question: &str) -> Result<Literal, DataError> {
        match Statement::parse(question) {
            Some(Statement::Fact(literal)) => Ok(literal),
            _ => {
                let expected = "a question of the form `NAME is [not] ATTRIBUTE.` or `The ENTITY VERBs the ENTITY.`";
                Err(self.malformed(expected, question))
            }
        }
    }

    fn filled(&self, sentence: &Sentence) -> Result<String, DataError> {
        match sentence {
            Sentence::Whole(text) => Ok(text.clone()),
            Sentence::WithBlanks(text, fillers) => fill_blanks(text, fillers).ok_or_else(|| {
                let expected = "fillers for every blank, as \"<extra_id_0> word <extra_id_1>\"";
                self.malformed(expected, format!("{text:?} with {fillers:?}"))
            }),
        }
    }
}

/// Puts what stands after each mark of `fillers` into every blank with the same mark; `None` if a blank stays.
fn fill_blanks(text: &str, fillers: &str) -> Option<String> {
    const MARK: &str = "<extra_id_";
    let mut filled = text.to_owned();
    for part in fillers.split(MARK).skip(1) {
        let (number, filler) = part.split_once('>')?;
        let filler = filler.trim();
        if !filler.is_empty() {
            filled = filled.replace(&format!("{MARK}{number}>"), filler);
        }
    }
    (!filled.contains(MARK)).then_some(filled)
}

/// Values whose keys end in a number (`triple10`), in the order of that number.
fn numbered<T>(values: BTreeMap<String, T>) -> impl Iterator<Item = T> {
    let number = |key: &str| -> u64 {
        let digits = key.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits.parse().unwrap_or(u64::MAX)
    };
    let mut values: Vec<(String, T)> = values.into_iter().collect();
    values.sort_by_key(|(key, _)| number(key));
    values.into_iter().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test_data::published;
    use crate::data::{Kind, Split, load};

    const BLANKS: &str = r#"{"guid": "b", "qa_pairs": [["Fred is big.", true], ["Fred is not big.", false], ["Fred is cold.", "Unknown"]],
        "facts": [["F<extra_id_0> is <extra_id_0>.", "<extra_id_0> red <extra_id_1>"], ["If someone is red <extra_id_0> they are big.", "<extra_id_0> then <extra_id_1>"], "Bob is cold."]}"#;
    const ORIGINAL: &str = r#"{"id": "o", "triples": {"triple10": {"text": "Bob is cold."}, "triple9": {"text": "Fred is red."}},
        "rules": {"rule1": {"text": "Red people are big."}},
        "questions": {"Q1": {"question": "Fred is big.", "answer": true, "QDep": 1}, "Q2": {"question": "Bob is not big.", "answer": "Unknown", "QDep": 1}}}"#;

    fn read_text(text: &str, surface: Option<Surface>) -> Result<KnowledgeSet, DataError> {
        read("pw", text, &LoadOptions { surface, ..LoadOptions::default() })
            .map(|mut sets| sets.remove(0))
    }

    fn facts(set: &KnowledgeSet) -> Vec<&str> {
        set.facts.iter().map(|fact| fact.text.as_str()).collect()
    }

    #[test]
    fn blanks_are_filled_and_proofs_found() {
        let set = read_text(BLANKS, Some(Surface::Compact)).unwrap();
        assert_eq!(
            facts(&set),
            ["Fred is red .", "If someone is red then they are big .", "Bob is cold ."]
        );
        let found: Vec<(&str, &[usize], usize)> = set
            .questions
            .iter()
            .map(|asked| (asked.answer.as_str(), &asked.relevant[..], asked.hops))
            .collect();
        assert_eq!(found, [("yes", &[0, 1][..], 1), ("no", &[0, 1], 1), ("none", &[0], 0)]);
        assert_eq!(set.entities, ["Fred", "Bob"]);
    }

    #[test]
    fn the_original_format_is_read_in_the_order_of_its_numbers() {
        let set = read_text(ORIGINAL, None).unwrap();
        assert_eq!(facts(&set), ["Fred is red.", "Bob is cold.", "Red people are big."]);
        assert_eq!((set.questions[1].text.as_str(), set.questions[1].hops), ("Bob is not big.", 1));
        let rewritten = read_text(ORIGINAL, Some(Surface::Sentence)).unwrap();
        assert_eq!(rewritten.questions[1].text, "Can we conclude Bob is not big ?");
    }

    /// Theories of entities that do something to each other.
    #[test]
    fn relations_are_read_and_followed() {
        let record = r#"{"triples": {"triple1": {"text": "The cat chases the bald eagle."}, "triple2": {"text": "The lion does not see the cat."}},
            "rules": {"rule1": {"text": "If something chases the bald eagle then it likes the lion."}, "rule2": {"text": "If something likes the lion and it chases the bald eagle then it is big."}},
            "questions": {"Q1": {"question": "The cat is big.", "answer": true}, "Q2": {"question": "The cat does not like the lion.", "answer": false},
                          "Q3": {"question": "The lion sees the cat.", "answer": false}, "Q4": {"question": "The bald eagle likes the lion.", "answer": "Unknown"}}}"#;
        let set = read_text(record, None).unwrap();
        assert_eq!(set.entities, ["the cat", "the bald eagle", "the lion"]);
        let found: Vec<(&str, &[usize], usize)> = set
            .questions
            .iter()
            .map(|asked| (asked.answer.as_str(), &asked.relevant[..], asked.hops))
            .collect();
        assert_eq!(
            found,
            [("yes", &[0, 2, 3][..], 2), ("no", &[0, 2], 1), ("no", &[1], 0), ("none", &[2], 1)]
        );
        let rewritten = read_text(record, Some(Surface::Sentence)).unwrap();
        assert_eq!(rewritten.questions[0].text, "Can we conclude the cat is big ?");
        assert_eq!(
            rewritten.facts[3].text,
            "If someone likes the lion and chases the bald eagle then they are big ."
        );
    }

    #[test]
    fn malformed_records_are_refused_by_line() {
        for (record, from, to, expected) in [
            (BLANKS, "<extra_id_0> red <extra_id_1>", "<extra_id_1> red <extra_id_2>", "fillers"),
            (BLANKS, "<extra_id_0> red <extra_id_1>", "<extra_id_0> <extra_id_1>", "fillers"),
            (BLANKS, "<extra_id_0> red <extra_id_1>", "<extra_id_0", "fillers"),
            (BLANKS, "Bob is cold.", "Bob chases cats.", "a statement"),
            (BLANKS, "\"Fred is big.\"", "\"If someone is red then they are big.\"", "a question"),
            (BLANKS, "\"Unknown\"", "\"perhaps\"", "an answer"),
            (BLANKS, "\"Unknown\"", "false", "closed-world"),
            (BLANKS, "\"qa_pairs\"", "\"pairs\"", "a ProofWriter record"),
            (ORIGINAL, "\"question\": \"Fred is big.\"", "\"ask\": 3", "a ProofWriter record"),
        ] {
            let bad = format!("{ORIGINAL}\n{}", record.replacen(from, to, 1));
            let error = read("pw", &bad, &LoadOptions::default()).unwrap_err().to_string();
            assert!(
                error.starts_with("pw, line 4: expected ") && error.contains(expected),
                "{to}: {error}"
            );
        }
    }

    #[test]
    fn every_published_answer_follows() {
        for (file, split, sets, questions) in [
            ("train", Split::Train, 1_681, 28_010),
            ("dev", Split::Validation, 240, 4_004),
            ("test", Split::Test, 482, 8_008),
        ] {
            let Some(path) = published(&format!("proofwriter/owa_natlang_{file}.jsonl")) else {
                return;
            };
            let dataset = load(&path, &LoadOptions::default()).unwrap();
            assert_eq!((dataset.kind, dataset.splits[&split].len()), (Kind::ProofWriter, sets));
            let asked: Vec<&Question> =
                dataset.knowledge_sets().flat_map(|set| &set.questions).collect();
            assert_eq!(asked.len(), questions);
            assert!(asked.iter().all(|question| !question.relevant.is_empty()));
        }
    }

    /// Reading checks every answer; here depth and size of proofs are held against the file's `QDep` and `QLen`.
    #[test]
    fn depth_and_size_are_those_of_the_published_proofs() {
        let Some(path) = published("proofwriter/owa_natlang_dev_with_proofs.jsonl") else { return };
        let text = std::fs::read_to_string(path).unwrap();
        let sets = read("pw", &text, &LoadOptions::default()).unwrap();
        let (mut proved, mut same_depth, mut same_size, mut unknown, mut same_failure) =
            (0, 0, 0, 0, 0);
        for (set, line) in sets.iter().zip(text.lines()) {
            let statements: Vec<Statement> =
                set.facts.iter().map(|fact| Statement::parse(&fact.text).unwrap()).collect();
            let theory = Theory::new(&statements);
            let record: Value = serde_json::from_str(line).unwrap();
            for number in 1..=set.questions.len() {
                let published = &record["questions"][format!("Q{number}")];
                let question = &set.questions[number - 1];
                let is_same_depth = usize::from(published["QDep"] == question.hops);
                if question.answer == "none" {
                    unknown += 1;
                    same_failure += is_same_depth;
                } else {
                    let Some(Statement::Fact(asked)) = Statement::parse(&question.text) else {
                        panic!("no literal")
                    };
                    proved += 1;
                    same_depth += is_same_depth;
                    same_size += usize::from(published["QLen"] == theory.support(&asked).size);
                }
            }
        }
        eprintln!(
            "answers 100 %, depth {same_depth} and size {same_size} of {proved} proofs, {same_failure} of {unknown} failures"
        );
        assert_eq!((proved, same_depth, same_size), (2_002, 2_002, 2_002));
        assert_eq!((unknown, same_failure), (2_002, 1_997));
    }
}
