//! Run directories as they lie on the disk, whether their runs have ended or not.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use experiment::metrics::{self, MetricsError, Row};
use experiment::run_directory::{RunDirectory, RunError};
use inner_outer::Problem;
use inner_outer::tensors::{parameter_paths, to_f64};

use crate::Reckoning;
use crate::commands::train::{RESULTS_FILE, SYSTEM_FOLDER};
use crate::config::{ExperimentConfig, SystemSettings};
use crate::evaluate::Accuracy;
use crate::figures::{LearnedRates, Run};
use crate::trained::{TrainedSystem, TrainedSystemError};

/// A run directory that cannot be read. Every message names the folder or file and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadingError {
    /// The folder holds no run, or one of another program.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The logged values are damaged.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The results are damaged.
    #[error("{}: {reason}; delete the file and resume the run, which evaluates it again", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot read {}: {source}; check its permissions", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The same folder was named twice, which would count its seed twice.
    #[error("{} is named twice; name each run once", .0.display())]
    Twice(PathBuf),
}

/// The runs in `folders`, in that order, and notes on what is not there.
///
/// # Errors
/// [`ReadingError`] for the first folder that holds no readable run.
pub fn read_runs(folders: &[PathBuf]) -> Result<(Vec<Run>, Vec<String>), ReadingError> {
    let (mut runs, mut notes, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for folder in folders {
        let directory = RunDirectory::open(folder)?;
        let canonical = fs::canonicalize(folder).map_err(access(folder))?;
        if !seen.insert(canonical.clone()) {
            return Err(ReadingError::Twice(folder.clone()));
        }
        let name =
            canonical.file_name().unwrap_or(canonical.as_os_str()).to_string_lossy().into_owned();
        runs.push(read_run(&directory, name, &mut notes)?);
    }
    Ok((runs, notes))
}

fn read_run(
    directory: &RunDirectory,
    name: String,
    notes: &mut Vec<String>,
) -> Result<Run, ReadingError> {
    let config: ExperimentConfig = directory.config()?;
    let metrics = read_metrics(directory)?;
    let accuracies = read_results(&directory.path().join(RESULTS_FILE))?;
    if accuracies.is_empty() {
        let step = metrics.last().map_or(0, |row| row.step);
        notes.push(format!(
            "{name} has no results yet: it is at step {step} of {}.",
            config.outer.steps
        ));
    }
    let rates = learned_rates(directory.path(), &config).unwrap_or_else(|failure| {
        notes.push(format!("The learned rates of {name} are not shown: {failure}"));
        None
    });
    Ok(Run { name, config, metrics, accuracies, rates })
}

/// The logged rows; none for a run that has not logged any.
fn read_metrics(directory: &RunDirectory) -> Result<Vec<Row>, ReadingError> {
    let path = directory.path().join(metrics::FILE_NAME);
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(metrics::read(&path)?)
}

/// The accuracies of a finished run; none for one that has not ended.
fn read_results(path: &Path) -> Result<Vec<Accuracy>, ReadingError> {
    let text = match fs::read_to_string(path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(access(path))?,
    };
    serde_json::from_str(&text).map_err(|failure| ReadingError::Results {
        path: path.to_owned(),
        reason: failure.to_string(),
    })
}

fn access(path: &Path) -> impl FnOnce(io::Error) -> ReadingError {
    let path = path.to_owned();
    move |source| ReadingError::Access { path, source }
}

/// The inner rates of the trained system; `None` for a run that learns none or has not ended.
fn learned_rates(
    folder: &Path,
    config: &ExperimentConfig,
) -> Result<Option<LearnedRates>, TrainedSystemError> {
    let folder = folder.join(SYSTEM_FOLDER);
    if !config.method.has_inner_loop() || config.inner.fixed_rates || !folder.exists() {
        return Ok(None);
    }
    let system = TrainedSystem::<Flex, SystemSettings>::load(&folder, &Default::default())?;
    Ok(Some(named_rates(&system)))
}

fn named_rates<B: Backend>(system: &TrainedSystem<B, SystemSettings>) -> LearnedRates {
    let scope = system.settings.inner.scope;
    let adapted = Reckoning { scope, layers: system.config.layers, retention: 0.0 }.adapted();
    let paths = parameter_paths(&system.model).into_iter().filter(|path| adapted.contains(path));
    let tensors: Vec<String> = paths.collect();
    let rates = system.rates.tensors.iter();
    let values: Vec<Vec<f64>> =
        rates.map(|rates| by_step(&to_f64(&rates.val()), rates.dims())).collect();
    match values.len() == tensors.len() {
        true => LearnedRates { tensors, values },
        false => LearnedRates { tensors: vec!["all tensors".into()], values },
    }
}

/// The mean over elements for each step.
fn by_step(values: &[f64], [_, elements]: [usize; 2]) -> Vec<f64> {
    values.chunks(elements).map(|step| step.iter().sum::<f64>() / elements as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        drop(RunDirectory::create(folder.path(), &ExperimentConfig::default()).unwrap());
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn read(folder: &tempfile::TempDir) -> Result<(Vec<Run>, Vec<String>), ReadingError> {
        read_runs(&[folder.path().to_owned()])
    }

    #[test]
    fn a_run_that_has_just_begun_is_read_with_a_note() {
        let (runs, notes) = read(&folder_with(&[])).unwrap();
        assert!(
            runs[0].metrics.is_empty() && runs[0].accuracies.is_empty() && runs[0].rates.is_none()
        );
        assert!(notes[0].ends_with("has no results yet: it is at step 0 of 1000."), "{notes:?}");
    }

    #[test]
    fn what_is_no_run_or_damaged_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read(&empty), Err(ReadingError::Run(RunError::NotARun(_)))));
        let results = read(&folder_with(&[(RESULTS_FILE, "[{}]")])).unwrap_err();
        assert!(results.to_string().contains("resume the run"), "{results}");
        let metrics = read(&folder_with(&[(metrics::FILE_NAME, "{}\n")])).unwrap_err();
        assert!(matches!(metrics, ReadingError::Metrics(_)), "{metrics}");
    }

    #[test]
    fn one_folder_by_two_names_is_refused() {
        let folder = folder_with(&[]);
        let again = folder.path().join(".");
        let failure = read_runs(&[folder.path().to_owned(), again]).unwrap_err();
        assert!(matches!(failure, ReadingError::Twice(_)), "{failure}");
    }

    #[test]
    fn rates_of_elements_are_averaged() {
        assert_eq!(by_step(&[1.0, 3.0, 5.0, 7.0], [2, 2]), [2.0, 6.0]);
        assert_eq!(by_step(&[1.0, 3.0], [2, 1]), [1.0, 3.0]);
    }
}
