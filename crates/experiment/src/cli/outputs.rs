//! What a command writes, and where it may.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::{Failure, OrFailure};
use crate::atomic::{self, write_atomically};

/// Writes a file of the results, and its folder where that is not there.
///
/// # Errors
/// [`Failure::BadInput`] for a folder that cannot be made, [`Failure::Failed`] for a file that cannot be written.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    let refused = || {
        format!(
            "cannot write {}: check the path, its permissions and the space left",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(refused).bad_input()?;
    }
    write_atomically(path, content.as_ref()).with_context(refused).failed()
}

/// Makes a folder of results and tries whether a file can be made there, before hours go into what could not be kept.
///
/// # Errors
/// [`Failure::BadInput`] for a folder that cannot be made or written to.
pub fn require_writable(folder: &Path) -> Result<(), Failure> {
    let tried = fs::create_dir_all(folder).and_then(|()| atomic::try_writing(folder));
    let refused = || {
        format!(
            "cannot write to {}: check the path, its permissions and the space left",
            folder.display()
        )
    };
    tried.with_context(refused).bad_input()
}

/// Refuses an output in the place of one of the `inputs`, or of what lies in one that is a folder, such as a run's: writing it
/// would replace what the command reads. To be called before the work, once for each file that the command is to write, or for the
/// folder of a run that it is to begin.
///
/// Paths are compared as the system finds them, so that another spelling or a symbolic link is the same place. What is not there
/// takes nobody's place. In a folder, neither does what `is_own` knows as the command's own, such as the page of an earlier report;
/// it is asked about the place that links lead to.
///
/// ```
/// use std::path::Path;
///
/// use experiment::cli::require_not_among;
///
/// let runs = tempfile::tempdir()?;
/// let results = runs.path().join("results.json");
/// std::fs::write(&results, "{}")?;
/// let is_page = |place: &Path| place.extension().is_some_and(|ending| ending == "html");
/// assert!(require_not_among(&results, &[runs.path()], is_page).is_err());
/// assert!(require_not_among(&runs.path().join("report.html"), &[runs.path()], is_page).is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// [`Failure::BadInput`] naming the input.
pub fn require_not_among<P: AsRef<Path>>(
    out: &Path,
    inputs: &[P],
    is_own: impl Fn(&Path) -> bool,
) -> Result<(), Failure> {
    let Ok(place) = fs::canonicalize(out) else { return Ok(()) };
    let is_of = |input: PathBuf| place == input || (place.starts_with(&input) && !is_own(&place));
    // An input that is not there has an error of its own.
    match inputs.iter().find(|input| fs::canonicalize(input).is_ok_and(is_of)) {
        Some(input) => Err(anyhow!(
            "{} would take the place of what this command reads ({}); name another file or folder",
            out.display(),
            input.as_ref().display()
        ))
        .bad_input(),
        None => Ok(()),
    }
}

/// Refuses to replace a folder, or a file that holds something and is no `kind`, which a command makes: it would not make that
/// again. What is neither, such as a pipe, is written to.
///
/// # Errors
/// [`Failure::BadInput`] where `out` is there and would be lost.
pub fn refuse_to_lose(
    out: &Path,
    kind: &str,
    is_one: impl FnOnce(&Path) -> bool,
) -> Result<(), Failure> {
    let is_lost = match fs::metadata(out) {
        Ok(there) if there.is_file() => there.len() > 0 && !is_one(out),
        Ok(there) => there.is_dir(),
        Err(_) => false,
    };
    match is_lost {
        true => Err(anyhow!("{} is no {kind} and would be lost; name another file", out.display()))
            .bad_input(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_with_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/table.md");
        write_file(&path, "text").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        let within_a_file = write_file(&path.join("c.md"), "text").unwrap_err();
        assert!(matches!(within_a_file, Failure::BadInput(_)));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_known_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new/folder");
        require_writable(&new).unwrap();
        assert!(new.read_dir().unwrap().next().is_none());
        fs::write(new.join("file"), "text").unwrap();
        let within_a_file = require_writable(&new.join("file/folder")).unwrap_err();
        assert!(matches!(within_a_file, Failure::BadInput(_)));
    }

    #[test]
    fn what_a_command_makes_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for (name, text) in [("mine", "memory"), ("notes", "text"), ("empty", "")] {
            fs::write(place(name), text).unwrap();
        }
        let is_one = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text == "memory");
        let refuse = |out: &Path| refuse_to_lose(out, "memory", is_one);
        for out in [place("notes"), folder.path().to_owned()] {
            assert!(told(refuse(&out)).contains("is no memory"));
        }
        for out in ["mine", "empty", "new"] {
            refuse(&place(out)).unwrap();
        }
    }

    fn told(failure: Result<(), Failure>) -> String {
        match failure {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (run, facts) = (folder.path().join("run"), folder.path().join("facts.txt"));
        fs::create_dir_all(run.join("network")).unwrap();
        for file in [&facts, &run.join("results.json"), &run.join("network/weights")] {
            fs::write(file, "text").unwrap();
        }
        let inputs = [facts.clone(), run.clone(), folder.path().join("absent")];
        let require = |out: PathBuf| require_not_among(&out, &inputs, |_| false);
        for within in ["results.json", "network/../results.json", "network/weights", "network", ""]
        {
            let told = told(require(run.join(within)));
            let words = [run.display().to_string(), "name another file or folder".to_owned()];
            assert!(words.iter().all(|words| told.contains(words)), "{told}");
        }
        assert!(told(require(facts)).contains("facts.txt"));
        fs::write(folder.path().join("run-2"), "text").unwrap();
        for free in ["run/new.json", "other/new.json", "run-2", "absent"] {
            require(folder.path().join(free)).unwrap();
        }
        require_not_among::<PathBuf>(&run, &[], |_| false).unwrap();
    }

    #[test]
    fn what_the_command_wrote_itself_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("report.html");
        fs::write(&page, "text").unwrap();
        let is_page = |place: &Path| place.ends_with("report.html");
        require_not_among(&page, &[folder.path()], is_page).unwrap();
        told(require_not_among(&page, &[folder.path()], |_| false));
        told(require_not_among(&page, &[&page], is_page));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (run, page) = (folder.path().join("run"), folder.path().join("report.html"));
        fs::create_dir(&run).unwrap();
        fs::write(run.join("results.json"), "text").unwrap();
        std::os::unix::fs::symlink(run.join("results.json"), &page).unwrap();
        let is_page = |place: &Path| place.ends_with("report.html");
        told(require_not_among(&page, &[&run], is_page));
        let linked = folder.path().join("linked");
        std::os::unix::fs::symlink(&run, &linked).unwrap();
        told(require_not_among(&run.join("results.json"), &[&linked], is_page));
    }
}
