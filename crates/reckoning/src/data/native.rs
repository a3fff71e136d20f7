//! Our own format: a [`KnowledgeSet`] as one JSON object a line.
//!
//! ```json
//! {"id": "1", "facts": ["A son B ."], "questions": [{"text": "A ? B .", "answer": "son", "relevant": [0], "hops": 1}], "entities": ["A", "B"]}
//! ```
//! `relevant`, `hops` and `entities` may be missing.

use std::collections::HashMap;
use std::io::Write;

use super::error::excerpt;
use super::json_records::{Located, records};
use super::{DataError, KnowledgeSet};

const EXPECTED: &str =
    "a knowledge set with `id`, `facts` (texts) and `questions` (with `text` and `answer`)";

/// Writes `sets`, a line each; [`super::load`] reads them again.
///
/// # Errors
/// Whatever the writer fails with.
pub fn write<'a>(
    mut writer: impl Write,
    sets: impl IntoIterator<Item = &'a KnowledgeSet>,
) -> std::io::Result<()> {
    for set in sets {
        serde_json::to_writer(&mut writer, set)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

/// Where each identifier stands in the files of a split that have been read.
pub(super) type Places = HashMap<String, String>;

/// Reads the sets of `text`; `file` is for messages.
///
/// # Errors
/// [`DataError::Malformed`] for a record of another form, a relevant fact that does not exist, a set without facts or questions,
/// or with an empty one, and an identifier that another set has.
pub fn read(file: &str, text: &str) -> Result<Vec<KnowledgeSet>, DataError> {
    read_beside(file, text, &mut Places::new())
}

/// [`read`] of a file whose split has others, too: no identifier may be one of `known`, to which those of this file are added.
pub(super) fn read_beside(
    file: &str,
    text: &str,
    known: &mut Places,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let records = records::<KnowledgeSet>(file, text, EXPECTED)?;
    for Located { line, record: set, .. } in &records {
        let facts = set.facts.len();
        let relevant = set.questions.iter().flat_map(|question| &question.relevant);
        if let Some(fact) = relevant.copied().find(|fact| *fact >= facts) {
            return Err(DataError::malformed(
                file,
                *line,
                format!("`relevant` to number facts from 0 to below {facts}"),
                fact,
            ));
        }
        if let Some((expected, found)) = lack(set) {
            return Err(DataError::malformed(file, *line, expected, found));
        }
        if let Some(earlier) = known.insert(set.id.clone(), format!("{file}, line {line}")) {
            return Err(DataError::Malformed {
                file: file.to_owned(),
                line: *line,
                expected: "an `id` that no other set has, since sets are divided by it; give this one another"
                    .to_owned(),
                found: format!("`{}`, as in {earlier}", excerpt(&set.id)),
            });
        }
    }
    Ok(records.into_iter().map(|found| found.record).collect())
}

/// What a set should have, and what is there instead; nothing where it lacks nothing.
fn lack(set: &KnowledgeSet) -> Option<(&'static str, String)> {
    let is_empty = |text: &str| text.trim().is_empty();
    if set.facts.is_empty() || set.questions.is_empty() {
        let (facts, questions) = (set.facts.len(), set.questions.len());
        let expected = "at least one of `facts` and of `questions`; add some, or leave the set out";
        return Some((expected, format!("{facts} facts and {questions} questions")));
    }
    if let Some(fact) = set.facts.iter().position(|fact| is_empty(&fact.text)) {
        let expected = "a text in each of `facts`; write it, or leave the fact out";
        return Some((expected, format!("an empty one (number {fact}, from 0)")));
    }
    let question =
        set.questions.iter().position(|asked| is_empty(&asked.text) || is_empty(&asked.answer))?;
    let expected =
        "a `text` and an `answer` in each of `questions`; write them, or leave the question out";
    Some((expected, format!("an empty one (question {question}, from 0)")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{Fact, Question};

    #[test]
    fn what_may_be_missing_may_be_missing() {
        let text = r#"{"id": "1", "facts": ["A son B ."], "questions": [{"text": "A ? B .", "answer": "son"}]}"#;
        let sets = read("file", text).unwrap();
        assert_eq!((sets[0].questions[0].hops, sets[0].entities.len()), (0, 0));
    }

    #[test]
    fn wrong_records_are_refused_by_line() {
        for bad in [
            r#"{"id": "2", "questions": []}"#,
            r#"{"id": "2", "facts": [1], "questions": []}"#,
            r#"{"id": "2", "facts": [], "questions": [], "relevent": [0]}"#,
            r#"{"id": "2", "facts": ["a"], "questions": [{"text": "?", "answer": "b", "relevent": [0]}]}"#,
            r#"{"id": "2", "facts": ["a"], "questions": [{"text": "?", "answer": "b", "relevant": [1]}]}"#,
        ] {
            let error = read("file", &format!("{GOOD}\n{bad}\n")).unwrap_err();
            assert!(error.to_string().starts_with("file, line 2: expected "), "{error}");
        }
    }

    const GOOD: &str =
        r#"{"id": "1", "facts": ["a"], "questions": [{"text": "?", "answer": "b"}]}"#;

    #[test]
    fn sets_without_something_to_say_or_to_ask_are_refused_by_line() {
        for (bad, named) in [
            (r#"{"id": "2", "facts": [], "questions": [{"text": "?", "answer": "b"}]}"#, "0 facts"),
            (r#"{"id": "2", "facts": ["a"], "questions": []}"#, "0 questions"),
            (
                r#"{"id": "2", "facts": ["a", " "], "questions": [{"text": "?", "answer": "b"}]}"#,
                "number 1",
            ),
            (
                r#"{"id": "2", "facts": ["a"], "questions": [{"text": "", "answer": "b"}]}"#,
                "question 0",
            ),
            (
                r#"{"id": "2", "facts": ["a"], "questions": [{"text": "?", "answer": "\n"}]}"#,
                "question 0",
            ),
        ] {
            let error = read("file", &format!("{GOOD}\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with("file, line 2: expected "), "{error}");
            assert!(error.contains(named) && error.contains("leave the"), "{error}");
        }
    }

    #[test]
    fn an_identifier_is_of_one_set_alone() {
        let error = read("file", &format!("{GOOD}\n\n{GOOD}\n")).unwrap_err().to_string();
        assert!(error.starts_with("file, line 3: expected an `id`"), "{error}");
        assert!(error.ends_with("found `1`, as in file, line 1"), "{error}");
        let mut known = Places::new();
        read_beside("one", GOOD, &mut known).unwrap();
        let error = read_beside("two", GOOD, &mut known).unwrap_err().to_string();
        assert!(error.contains("two, line 1") && error.contains("one, line 1"), "{error}");
    }

    prop_compose! {
        fn any_set()(
            id in "\\PC{0,8}",
            facts in prop::collection::vec("[a-z]\\PC{0,20}", 1..5),
            questions in prop::collection::vec(("[a-z]\\PC{0,20}", "[a-z]\\PC{0,8}", prop::collection::vec(0_usize..1, 0..2), 0_usize..9), 1..4),
            entities in prop::collection::vec("\\PC{0,5}", 0..3),
        ) -> KnowledgeSet {
            let facts = facts.into_iter().map(Fact::from).collect();
            let questions = questions.into_iter().map(|(text, answer, relevant, hops)| Question { text, answer, relevant, hops });
            KnowledgeSet { id, facts, questions: questions.collect(), entities }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(sets in prop::collection::vec(any_set(), 0..4)) {
            let of_its_own = |(number, set): (usize, KnowledgeSet)| KnowledgeSet {
                id: format!("{number}{}", set.id),
                ..set
            };
            let sets: Vec<KnowledgeSet> = sets.into_iter().enumerate().map(of_its_own).collect();
            let mut file = Vec::new();
            write(&mut file, &sets).unwrap();
            prop_assert_eq!(read("file", std::str::from_utf8(&file).unwrap()).unwrap(), sets);
        }
    }
}
