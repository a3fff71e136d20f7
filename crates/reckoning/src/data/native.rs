//! Our own format: a [`KnowledgeSet`] as one JSON object a line.
//!
//! ```json
//! {"id": "1", "facts": ["A son B ."], "questions": [{"text": "A ? B .", "answer": "son", "relevant": [0], "hops": 1}], "entities": ["A", "B"]}
//! ```
//! `relevant`, `hops` and `entities` may be missing.

use std::io::Write;

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

/// Reads the sets of `text`; `file` is for messages.
///
/// # Errors
/// [`DataError::Malformed`] for a record of another form, or a relevant fact that does not exist.
pub fn read(file: &str, text: &str) -> Result<Vec<KnowledgeSet>, DataError> {
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
    }
    Ok(records.into_iter().map(|found| found.record).collect())
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
        let good = r#"{"id": "1", "facts": [], "questions": []}"#;
        for bad in [
            r#"{"id": "1", "questions": []}"#,
            r#"{"id": "1", "facts": [1], "questions": []}"#,
            r#"{"id": "1", "facts": [], "questions": [], "relevent": [0]}"#,
            r#"{"id": "1", "facts": ["a"], "questions": [{"text": "?", "answer": "b", "relevent": [0]}]}"#,
            r#"{"id": "1", "facts": ["a"], "questions": [{"text": "?", "answer": "b", "relevant": [1]}]}"#,
        ] {
            let error = read("file", &format!("{good}\n{bad}\n")).unwrap_err();
            assert!(error.to_string().starts_with("file, line 2: expected "), "{error}");
        }
    }

    prop_compose! {
        fn any_set()(
            id in "\\PC{0,8}",
            facts in prop::collection::vec("\\PC{0,20}", 1..5),
            questions in prop::collection::vec(("\\PC{0,20}", "\\PC{0,8}", prop::collection::vec(0_usize..1, 0..2), 0_usize..9), 0..4),
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
            let mut file = Vec::new();
            write(&mut file, &sets).unwrap();
            prop_assert_eq!(read("file", std::str::from_utf8(&file).unwrap()).unwrap(), sets);
        }
    }
}
