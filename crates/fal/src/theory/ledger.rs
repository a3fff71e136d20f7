//! The simulations that are done, one a line of a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use experiment::atomic::write_atomically;
use serde::{Deserialize, Serialize};

use super::{Course, Simulation};

/// A simulation with what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// What was simulated.
    pub simulation: Simulation,
    /// What was measured.
    pub course: Course,
}

/// A file with a line of JSON for every finished simulation. It is replaced as a whole, so a kill leaves no half line.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    text: String,
    finished: Vec<Finished>,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot use {}: check the path, its permissions and the space left", path.display())]
    FileSystem {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A line that holds no finished simulation.
    #[error("{}, line {line}: {cause}: delete that line, and its simulation is run again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

impl Ledger {
    /// The ledger in the file `path`, empty where there is none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = path.to_owned();
        let text = match fs::read_to_string(&path) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => String::new(),
            read => {
                read.map_err(|source| LedgerError::FileSystem { path: path.clone(), source })?
            }
        };
        let mut ledger = Self { path, text: String::new(), finished: Vec::new() };
        for line in text.lines() {
            ledger.take(line)?;
        }
        Ok(ledger)
    }

    fn take(&mut self, line: &str) -> Result<(), LedgerError> {
        let finished = serde_json::from_str(line).map_err(|cause| LedgerError::Corrupt {
            path: self.path.clone(),
            line: self.finished.len() + 1,
            cause,
        })?;
        self.finished.push(finished);
        self.text += line;
        self.text.push('\n');
        Ok(())
    }

    /// Adds a finished simulation, and is on the disk when it returns.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn add(&mut self, finished: &Finished) -> Result<(), LedgerError> {
        let line = serde_json::to_string(finished).map_err(|cause| LedgerError::Corrupt {
            path: self.path.clone(),
            line: self.finished.len() + 1,
            cause,
        })?;
        // Read back from the line, so that a resumed run sees the same digits as one that was not interrupted.
        self.take(&line)?;
        write_atomically(&self.path, self.text.as_bytes())
            .map_err(|source| LedgerError::FileSystem { path: self.path.clone(), source })
    }

    /// Whether no simulation is done.
    pub fn is_empty(&self) -> bool {
        self.finished.is_empty()
    }

    /// What a simulation came to, if it is done.
    pub fn course(&self, simulation: &Simulation) -> Option<&Course> {
        let found = self.finished.iter().find(|finished| finished.simulation == *simulation);
        found.map(|finished| &finished.course)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Measure, TheorySettings};
    use super::*;

    fn finished(seed: u64) -> Finished {
        let simulation = Simulation { settings: TheorySettings::default(), seed };
        let measure = Measure {
            round: 3,
            robust_loss: 0.1 + 0.2,
            least_robust_loss: 1.0 / 3.0,
            clean_loss: 1e-300,
            drift: 0.0,
            pseudo_gap: 2.5e-7,
            perturbed_pseudo_gap: 1.0,
        };
        Finished {
            simulation,
            course: Course { separation: 0.3, margin: -0.1, measures: vec![measure] },
        }
    }

    #[test]
    fn what_was_finished_is_found_again_to_the_last_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("simulations.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        assert!(ledger.course(&finished(0).simulation).is_none());
        for seed in 0..3 {
            ledger.add(&finished(seed)).unwrap();
        }
        let again = Ledger::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
        for seed in 0..3 {
            let simulation = finished(seed).simulation;
            assert_eq!(again.course(&simulation), ledger.course(&simulation));
            assert!(again.course(&simulation).is_some());
        }
        assert!(again.course(&finished(3).simulation).is_none());
    }

    #[test]
    fn broken_lines_and_folders_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("simulations.jsonl");
        Ledger::open(&path).unwrap().add(&finished(0)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{}", &text[..40])).unwrap();
        let broken = Ledger::open(&path).unwrap_err().to_string();
        assert!(broken.contains("line 2") && broken.contains("delete that line"), "{broken}");
        let mut nowhere = Ledger::open(&folder.path().join("absent/file")).unwrap();
        let refused = nowhere.add(&finished(0)).unwrap_err();
        assert!(matches!(refused, LedgerError::FileSystem { .. }));
        assert!(matches!(Ledger::open(folder.path()), Err(LedgerError::FileSystem { .. })));
    }
}
