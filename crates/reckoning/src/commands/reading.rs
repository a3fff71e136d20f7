//! Configurations and facts from files, and files that are not to be lost.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::anyhow;
use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure, SettingsArguments};

use crate::config::ExperimentConfig;
use crate::limits::MOST_SETS;
use crate::system::System;

/// Answers to keep while searching: each goes on by every token of the vocabulary.
const MOST_BEAMS: usize = 1_000;

/// The configuration of the arguments, with the files at `data` as its source where they are given.
///
/// # Errors
/// Bad input: a configuration that cannot be read.
pub fn configuration(
    settings: &SettingsArguments,
    data: Option<&Path>,
) -> Result<ExperimentConfig, Failure> {
    let mut defaults = ExperimentConfig::default();
    if let (Some(path), None) = (data, &settings.config) {
        // So that --set reaches the options of files.
        defaults.data.source = defaults.data.source.at(path.to_owned());
    }
    let mut config: ExperimentConfig = settings.configuration(&defaults).bad_input()?;
    if let Some(path) = data {
        config.data.source = config.data.source.at(path.to_owned());
    }
    Ok(config)
}

/// The lines of a text file that say something; a final full stop is added where there is none.
///
/// # Errors
/// Bad input: a file that cannot be read or holds no fact.
pub fn statements(path: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|cause| anyhow!("cannot read the facts in {}: {cause}", path.display()))
        .map_err(Failure::BadInput)?;
    let text = without_byte_order_mark(&text);
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(statement).collect();
    if lines.is_empty() {
        let cause = anyhow!("{} holds no fact; write one fact a line", path.display());
        return Err(Failure::BadInput(cause));
    }
    Ok(lines)
}

/// Refuses to replace a file or folder that the user did not offer.
///
/// # Errors
/// Bad input: `out` is there already, and `overwrite` is not set.
pub fn refuse_to_replace(out: &Path, overwrite: bool) -> Result<(), Failure> {
    if overwrite {
        return Ok(());
    }
    require_free(out)
        .map_err(|taken| anyhow!("{taken}: name another --out, or pass --overwrite"))
        .bad_input()
}

/// Refuses a file or folder that is there; the caller adds the remedy.
///
/// # Errors
/// Half a sentence that names it.
pub fn require_free(path: &Path) -> Result<(), String> {
    match path.exists() {
        true => Err(format!("{} is there already", path.display())),
        false => Ok(()),
    }
}

/// The number of answers to keep while searching, as it is written on the command line.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn beams(text: &str) -> Result<usize, String> {
    count(text, 1..=MOST_BEAMS)
}

/// A number of knowledge sets to make, as it is written on the command line.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn sets(text: &str) -> Result<usize, String> {
    count(text, 0..=MOST_SETS)
}

/// A count on the command line; clap's own ranges do not know `usize`.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn count(text: &str, allowed: RangeInclusive<usize>) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if allowed.contains(&count) => Ok(count),
        _ => {
            let (least, most) = allowed.into_inner();
            Err(format!("give a whole number of at least {least} and at most {most}"))
        }
    }
}

/// `text` without the invisible mark that some editors put before it.
pub fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// One statement with its full stop.
pub fn statement(text: &str) -> String {
    let text = text.trim();
    if text.ends_with('.') { text.to_owned() } else { format!("{text} .") }
}

/// One question, with the mark that the wording of the question lacks: `A ? B` ends in a full stop, a sentence in `?`. A
/// system that has no question mark asks by statements.
pub fn question<B: Backend>(text: &str, system: &System<B>) -> String {
    marked(text.trim(), system.knows_question_marks())
}

fn marked(text: &str, has_question_marks: bool) -> String {
    if !has_question_marks {
        return statement(text.trim_end_matches(['?', ' ']));
    }
    match text.ends_with(['?', '.']) {
        true => text.to_owned(),
        false if text.contains('?') => format!("{text} ."),
        false => format!("{text} ?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn marks_are_added_where_they_lack() {
        assert_eq!(statement(" A son B "), "A son B .");
        assert_eq!(statement("A son B."), "A son B.");
        assert_eq!(marked("A ? B", true), "A ? B .");
        assert_eq!(marked("How is A related to B", true), "How is A related to B ?");
        assert_eq!(marked("Gary is round.", true), "Gary is round.");
        for question in ["Gary is round", "Gary is round.", "Gary is round ?"] {
            assert_eq!(statement(&marked(question, false)).replace(" .", "."), "Gary is round.");
        }
    }

    #[test]
    fn options_of_files_can_be_set_beside_data() {
        let settings = SettingsArguments {
            set: vec!["data.source.options.surface=as-in-file".into()],
            ..SettingsArguments::default()
        };
        let config = configuration(&settings, Some(Path::new("sets.jsonl"))).unwrap();
        let Source::File { path, options } = config.data.source else { panic!("a file was given") };
        assert_eq!((path.as_path(), options.surface), (Path::new("sets.jsonl"), None));
        let without = configuration(&settings, None).unwrap_err();
        assert!(matches!(without, Failure::BadInput(_)), "a generator has no such options");
    }

    #[test]
    fn a_count_is_within_its_range() {
        assert_eq!(beams("5"), Ok(5));
        assert!(beams("0").unwrap_err().contains("at least 1 "));
        assert!(beams("-1").is_err());
        for most in ["1001", "18446744073709551615", "99999999999999999999999"] {
            assert!(beams(most).unwrap_err().ends_with("at most 1000"), "{most}");
        }
        assert_eq!(sets("1000000"), Ok(1_000_000));
        assert!(sets("1000000000000000000").unwrap_err().contains("at most 1000000"));
    }

    #[test]
    fn a_file_is_replaced_only_where_that_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory");
        refuse_to_replace(&file, false).unwrap();
        fs::write(&file, "mine").unwrap();
        assert!(matches!(refuse_to_replace(&file, false), Err(Failure::BadInput(_))));
        assert!(require_free(&file).unwrap_err().ends_with("memory is there already"));
        refuse_to_replace(&file, true).unwrap();
    }

    #[test]
    fn empty_and_missing_files_are_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("facts.txt");
        fs::write(&empty, "\n \n").unwrap();
        assert!(matches!(statements(&empty), Err(Failure::BadInput(_))));
        assert!(matches!(statements(&folder.path().join("none")), Err(Failure::BadInput(_))));
        fs::write(&empty, "\u{feff}A son B\n\nB son C .\n").unwrap();
        assert_eq!(statements(&empty).unwrap(), ["A son B .", "B son C ."]);
    }
}
