//! Facts from a file, and files that are not to be lost.

use std::path::Path;

use experiment::cli::Failure;

/// The lines of a text file that say something; a final full stop is added where there is none.
///
/// # Errors
/// Bad input: a file that cannot be read or holds no fact.
pub fn statements(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| anyhow::anyhow!("cannot read the facts in {}: {cause}", path.display()))
        .map_err(Failure::BadInput)?;
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(statement).collect();
    if lines.is_empty() {
        let cause = anyhow::anyhow!("{} holds no fact; write one fact a line", path.display());
        return Err(Failure::BadInput(cause));
    }
    Ok(lines)
}

/// Refuses to replace a file or folder that the user did not offer.
///
/// # Errors
/// Bad input: `out` is there already, and `overwrite` is not set.
pub fn refuse_to_replace(out: &Path, overwrite: bool) -> Result<(), Failure> {
    match out.exists() && !overwrite {
        true => Err(Failure::BadInput(anyhow::anyhow!(
            "{} is there already: name another --out, or pass --overwrite",
            out.display()
        ))),
        false => Ok(()),
    }
}

/// One statement with its full stop.
pub fn statement(text: &str) -> String {
    let text = text.trim();
    if text.ends_with('.') { text.to_owned() } else { format!("{text} .") }
}

/// One question, with the mark that the wording of the question lacks: `A ? B` ends in a full stop, a sentence in `?`.
pub fn question(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['?', '.']) {
        true => text.to_owned(),
        false if text.contains('?') => format!("{text} ."),
        false => format!("{text} ?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_added_where_they_lack() {
        assert_eq!(statement(" A son B "), "A son B .");
        assert_eq!(statement("A son B."), "A son B.");
        assert_eq!(question("A ? B"), "A ? B .");
        assert_eq!(question("How is A related to B"), "How is A related to B ?");
        assert_eq!(question("Gary is round."), "Gary is round.");
    }

    #[test]
    fn empty_and_missing_files_are_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("facts.txt");
        std::fs::write(&empty, "\n \n").unwrap();
        assert!(matches!(statements(&empty), Err(Failure::BadInput(_))));
        assert!(matches!(statements(&folder.path().join("none")), Err(Failure::BadInput(_))));
        std::fs::write(&empty, "A son B\n\nB son C .\n").unwrap();
        assert_eq!(statements(&empty).unwrap(), ["A son B .", "B son C ."]);
    }
}
