//! JSON records of a text with the lines they start on: one a line, over several lines, or in one array.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::DataError;
use super::error::excerpt;

/// Every record of `text`, as (line, value); `file` is for messages.
pub(super) fn records<T: DeserializeOwned>(
    file: &str,
    text: &str,
    expected: &'static str,
) -> Result<Vec<(usize, T)>, DataError> {
    let mut records = Vec::new();
    for value in values(file, text) {
        let (line, value) = value?;
        match value {
            Value::Array(elements) => {
                for element in elements {
                    records.push((line, typed(file, line, expected, element)?));
                }
            }
            value => records.push((line, typed(file, line, expected, value)?)),
        }
    }
    Ok(records)
}

fn typed<T: DeserializeOwned>(
    file: &str,
    line: usize,
    expected: &str,
    value: Value,
) -> Result<T, DataError> {
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
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next()?.ok()? {
        Value::Array(elements) => elements.into_iter().next(),
        value => Some(value),
    }
}

fn values<'a>(
    file: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Result<(usize, Value), DataError>> + 'a {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut counted = 0;
    let mut line = 1;
    std::iter::from_fn(move || {
        let start = values.byte_offset();
        let value = values.next()?;
        // The gap before a record belongs to none: count lines up to its first visible character.
        let visible = start + text[start..].len() - text[start..].trim_start().len();
        line += text[counted..visible].matches('\n').count();
        counted = visible;
        Some(value.map(|value| (line, value)).map_err(|error| {
            let text = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            DataError::malformed(file, error.line(), format!("a JSON record ({error})"), text)
        }))
    })
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
        Ok(records.into_iter().map(|(line, record)| (line, record.numbers)).collect())
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
            numbers("\n[{\"numbers\": [1]}, {\"numbers\": [2]}]").unwrap(),
            [(2, vec![1]), (2, vec![2])]
        );
        assert_eq!(numbers(" \n").unwrap(), []);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in [
            ("{\"numbers\": [1]}\n{\"numbers\": [2", 2),
            ("{\"numbers\": [1]}\n\n{\"numbers\": \"a\"}", 3),
            ("{\"others\": [1]}", 1),
            ("\n\nnot json", 3),
        ] {
            match numbers(text) {
                Err(DataError::Malformed { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_first_value_looks_into_arrays() {
        assert_eq!(first_value("[{\"a\": 1}, 2]"), Some(serde_json::json!({"a": 1})));
        assert_eq!(first_value("id,story"), None);
        assert_eq!(first_value(""), None);
    }
}
