//! JSON records of a text with the lines they start on: one a line, over several lines, or in one array.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::DataError;
use super::error::excerpt;
use crate::fingerprint::Fingerprint;

/// A record with the line it starts on.
pub(super) struct Located<T> {
    pub line: usize,
    /// What its text alone says: an identifier for a record without one, wherever its file lies.
    pub id: Fingerprint,
    pub record: T,
}

/// Every record of `text`; `file` is for messages.
pub(super) fn records<T: DeserializeOwned>(
    file: &str,
    text: &str,
    expected: &'static str,
) -> Result<Vec<Located<T>>, DataError> {
    let mut lines = Lines { text, line: 1, counted: 0 };
    let mut records = Vec::new();
    for value in Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.map_err(|error| {
            let text = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            DataError::malformed(file, error.line(), format!("a JSON record ({error})"), text)
        })?;
        let elements = match value.get().starts_with('[') {
            true => serde_json::from_str(value.get()).expect("an array that was read once"),
            false => vec![value],
        };
        for element in elements {
            let line = lines.of(element);
            let id = Fingerprint::of_parts(&[element.get().as_bytes()]);
            records.push(Located { line, id, record: typed(file, line, expected, element)? });
        }
    }
    Ok(records)
}

fn typed<T: DeserializeOwned>(
    file: &str,
    line: usize,
    expected: &str,
    value: &RawValue,
) -> Result<T, DataError> {
    // Finding where a record ends checks less than reading it: lone surrogates, numbers beyond all bounds and deep nesting pass.
    let value: Value = serde_json::from_str(value.get()).map_err(|error| {
        DataError::malformed(file, line, format!("a JSON record ({error})"), value.get())
    })?;
    let shown = excerpt(&value.to_string());
    serde_json::from_value(value).map_err(|error| DataError::Malformed {
        file: file.to_owned(),
        line,
        expected: format!("{expected} ({error})"),
        found: shown,
    })
}

/// The first record, with which a kind of data is recognised; `None` where the text does not start with JSON.
pub(super) fn first_value(text: &str) -> Option<Value> {
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    match values.next()?.ok()? {
        Value::Array(elements) => elements.into_iter().next(),
        value => Some(value),
    }
}

/// Counts lines of a text from front to back.
struct Lines<'a> {
    text: &'a str,
    line: usize,
    counted: usize,
}

impl Lines<'_> {
    /// The line, from 1, that a part of the text starts on, which must not lie before the last one.
    fn of(&mut self, part: &RawValue) -> usize {
        let offset = part.get().as_ptr().addr() - self.text.as_ptr().addr();
        self.line += self.text[self.counted..offset].matches('\n').count();
        self.counted = offset;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Result<Vec<(usize, Vec<u32>)>, DataError> {
        #[derive(serde::Deserialize)]
        struct Record {
            numbers: Vec<u32>,
        }
        let records = records::<Record>("file", text, "an object with `numbers`")?;
        Ok(records.into_iter().map(|found| (found.line, found.record.numbers)).collect())
    }

    #[test]
    fn records_may_be_lines_or_spread_or_an_array() {
        let lines = "\r\n{\"numbers\": [1]}\r\n\r\n{\"numbers\": [2], \"extra\": 0}\r\n";
        assert_eq!(numbers(lines).unwrap(), [(2, vec![1]), (4, vec![2])]);
        assert_eq!(
            numbers("{\n \"numbers\":\n [1]}\n{\"numbers\": []}").unwrap(),
            [(1, vec![1]), (4, vec![])]
        );
        assert_eq!(
            numbers("\n[{\"numbers\": [1]},\n\n {\"numbers\":\n [2]}, {\"numbers\": []}]").unwrap(),
            [(2, vec![1]), (4, vec![2]), (5, vec![])]
        );
        assert_eq!(numbers(" \n").unwrap(), []);
    }

    #[test]
    fn errors_name_the_line() {
        let deep = format!("\n{{\"numbers\": {}{}}}", "[".repeat(200), "]".repeat(200));
        for (text, line) in [
            ("{\"numbers\": [1]}\n{\"numbers\": [2", 2),
            ("{\"numbers\": [1]}\n\n{\"numbers\": \"a\"}", 3),
            ("{\"others\": [1]}", 1),
            ("[\n{\"numbers\": [1]},\n{\"numbers\": 0}]", 3),
            ("\n\nnot json", 3),
            ("{\"numbers\": [1]}\n{\"numbers\": [], \"text\": \"\\ud800\"}", 2),
            ("[{\"numbers\": [1]},\n{\"numbers\": [1e999]}]", 2),
            (deep.as_str(), 2),
        ] {
            match numbers(text) {
                Err(DataError::Malformed { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_record_is_known_by_its_text_alone() {
        let ids = |text: &str| -> Vec<Fingerprint> {
            records::<Value>("file", text, "").unwrap().into_iter().map(|found| found.id).collect()
        };
        let (lines, array) = (ids("{\"a\": 1}\n{\"a\": 2}\n"), ids("[{\"a\": 1},\n {\"a\": 2}]"));
        assert_eq!(lines, array);
        assert_ne!(lines[0], lines[1]);
    }

    #[test]
    fn the_first_value_looks_into_arrays() {
        assert_eq!(first_value("[{\"a\": 1}, 2]"), Some(serde_json::json!({"a": 1})));
        assert_eq!(first_value("id,story"), None);
        assert_eq!(first_value(""), None);
    }
}
