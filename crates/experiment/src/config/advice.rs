//! What to write in place of a value that its field cannot take, where more can be said than serde says.

use toml::{Table, Value};

use super::Origin;

/// What is wrong with a value, and what to do about it.
pub(super) struct Advice {
    pub reason: String,
    pub remedy: String,
}

impl Advice {
    /// For the value of `field`, which serde refused for `reason` and which came from `origin`.
    pub fn new(field: &str, reason: String, origin: &Origin, resolved: &Table) -> Self {
        let text = plain_text(origin).filter(|text| quotes(&reason, text));
        text.and_then(for_text)
            .or_else(|| for_section(field, &reason, origin, resolved))
            .unwrap_or_else(|| Self { reason, remedy: "mend the value there".to_owned() })
    }
}

/// The value of an override where it is not TOML, and so was taken as text.
pub(super) fn plain_text(origin: &Origin) -> Option<&str> {
    let Origin::Override(text) = origin else { return None };
    let (_, value) = text.split_once('=')?;
    let value = value.trim();
    value.parse::<Value>().is_err().then_some(value)
}

/// Whether serde's message is about `text`.
pub(super) fn quotes(reason: &str, text: &str) -> bool {
    reason.contains(&format!("{text:?}")) || reason.contains(&format!("`{text}`"))
}

/// For a value that was hardly meant as the text that it was taken as.
fn for_text(text: &str) -> Option<Advice> {
    if text.starts_with(['{', '[']) {
        let failure = text.parse::<Value>().err()?;
        let reason = format!("{text} is not TOML ({})", failure.message());
        let remedy = "mend it; texts in it need quotes, as in { kind = \"name\" }".to_owned();
        return Some(Advice { reason, remedy });
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text).replace('_', "");
    let is_whole = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_whole || digits.parse::<i64>().is_ok() {
        return None;
    }
    let (least, most) = (i64::MIN, i64::MAX);
    let reason =
        format!("{text} is beyond the integers of TOML, which reach from {least} to {most}");
    Some(Advice { reason, remedy: "give a number within these".to_owned() })
}

/// For a word in place of a section that has a `kind`.
fn for_section(field: &str, reason: &str, origin: &Origin, resolved: &Table) -> Option<Advice> {
    let word = value_at(field, resolved)?.as_str()?;
    let complaint = format!("invalid type: string {word:?}, expected internally tagged enum ");
    if !reason.starts_with(&complaint) {
        return None;
    }
    let remedy = match origin {
        Origin::Override(_) if !field.contains('[') => format!("write {field}.kind={word}"),
        _ => format!("write {{ kind = {word:?} }}"),
    };
    Some(Advice { reason: format!("it is a section with a kind, not the text {word:?}"), remedy })
}

/// What stands at the dotted path `field`, such as `attacks[1].steps`.
fn value_at<'t>(field: &str, table: &'t Table) -> Option<&'t Value> {
    let mut keys = field.split(['.', '[']).map(|key| key.trim_end_matches(']'));
    let first = table.get(keys.next()?);
    keys.fold(first, |found, key| match found? {
        Value::Table(table) => table.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}
