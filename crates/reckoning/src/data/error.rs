//! What can go wrong between a file (or a generator's configuration) and a knowledge set.

use std::path::PathBuf;

use crate::limits::at_most;

/// A failure to read, recognise, transform or generate data. Every message says where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and is readable", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A zip archive, or one of its entries, cannot be unpacked.
    #[error("{file}: not a readable zip archive ({problem}); it may be cut short: fetch it again")]
    Archive {
        /// The archive, and the entry where known.
        file: String,
        /// What the unpacker said.
        problem: String,
    },
    /// A record does not have the form its format asks for.
    #[error("{file}, line {line}: expected {expected}, found {found}")]
    Malformed {
        /// The file, as `archive.zip/entry` inside an archive.
        file: String,
        /// Line at which the record starts, from 1.
        line: usize,
        /// What the format asks for.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// The content is none of the known kinds.
    #[error(
        "{file}: not a known kind of data ({found}); expected a CLUTRR table, CLUTRR-SG, ProofWriter or native JSON \
         lines, or a zip or folder of one of them"
    )]
    UnknownKind {
        /// The file or folder.
        file: String,
        /// What its beginning looks like.
        found: String,
    },
    /// A folder or archive holds data of several kinds.
    #[error("{first} and {second} are different kinds of data; load one of them by itself")]
    MixedKinds {
        /// A file and its kind.
        first: String,
        /// Another file and its kind.
        second: String,
    },
    /// More entities than names to give them.
    #[error(
        "{set}: {needed} entities but only {available} usable names; give a generator more (data.source.names), tell fewer stories at once (data.stories), or keep the names of the file"
    )]
    TooFewNames {
        /// Identifier of the knowledge set.
        set: String,
        /// Entities of the set.
        needed: usize,
        /// Names of the pool that are not ordinary words of the set.
        available: usize,
    },
    /// A question index beyond the questions of a set.
    #[error("{set} has {available} questions; question {asked} (counted from 0) does not exist")]
    NoSuchQuestion {
        /// Identifier of the knowledge set.
        set: String,
        /// Index asked for.
        asked: usize,
        /// Questions of the set.
        available: usize,
    },
    /// A configuration value that no data can satisfy.
    #[error("configuration value `{field}` {problem}")]
    Configuration {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
    /// A generator found nothing that meets its configuration.
    #[error("{what}: nothing suitable in {attempts} attempts; {remedy}")]
    Exhausted {
        /// What was being generated.
        what: String,
        /// Attempts made.
        attempts: usize,
        /// Which settings to relax.
        remedy: &'static str,
    },
}

impl DataError {
    /// Refuses a value of the configuration that is larger than `most`.
    pub(super) fn require_at_most(
        field: &'static str,
        value: usize,
        most: usize,
    ) -> Result<(), Self> {
        at_most(value, most).map_err(|problem| Self::Configuration { field, problem })
    }

    /// A [`DataError::Malformed`] from anything that prints.
    pub(super) fn malformed(
        file: &str,
        line: usize,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            line,
            expected: expected.into(),
            found: excerpt(&found.to_string()),
        }
    }
}

/// The first characters of `text`, enough to recognise it in an error message.
pub(super) fn excerpt(text: &str) -> String {
    const LENGTH: usize = 100;
    let mut shown: String = text.chars().take(LENGTH).collect();
    if shown.len() < text.len() {
        shown.push_str(" ...");
    }
    if shown.trim().is_empty() { "nothing".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_line_and_expectation() {
        let error = DataError::malformed("a.zip/b.csv", 7, "a list", "(1, 2");
        assert_eq!(error.to_string(), "a.zip/b.csv, line 7: expected a list, found (1, 2");
    }

    #[test]
    fn excerpts_are_short_and_never_empty() {
        assert_eq!(excerpt(""), "nothing");
        assert!(excerpt(&"ä".repeat(500)).chars().count() < 110);
    }
}
