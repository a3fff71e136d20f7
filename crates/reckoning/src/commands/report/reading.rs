//! What lies in folders: runs, whether they have ended or not, evaluations and benchmarks.

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
use serde::de::DeserializeOwned;

use crate::commands::bench::{BENCH_FILE, Benchmark};
use crate::commands::eval::SCORES_FILE;
use crate::commands::train::{RESULTS_FILE, SYSTEM_FOLDER};
use crate::config::{ExperimentConfig, SystemSettings};
use crate::evaluate::Accuracy;
use crate::figures::{LearnedRates, Named, Run};
use crate::trained::{TrainedSystem, TrainedSystemError, shape};

/// What folders hold.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs of `train`.
    pub runs: Vec<Run>,
    /// What `eval` wrote.
    pub evaluations: Vec<Named>,
    /// What `bench` wrote, by the name of the folder.
    pub benchmarks: Vec<(String, Benchmark)>,
    /// What is not there, and why.
    pub notes: Vec<String>,
}

/// A folder that cannot be read. Every message names the folder or file and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadingError {
    /// The folder holds nothing to report on.
    #[error(
        "{} holds no run, evaluation or benchmark (no config.toml, {SCORES_FILE} or {BENCH_FILE}); check the path",
        .0.display()
    )]
    Nothing(PathBuf),
    /// The run is one of another program.
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
    /// Scores or measurements are damaged.
    #[error("{}: {reason}; delete the file and run `reckoning {command}` again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The subcommand that writes it.
        command: &'static str,
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

/// What is in `folders`, in that order. A folder may hold a run and its evaluation.
///
/// # Errors
/// [`ReadingError`] for the first folder that holds nothing readable.
pub fn read_folders(folders: &[PathBuf]) -> Result<Found, ReadingError> {
    let (mut found, mut seen) = (Found::default(), BTreeSet::new());
    for folder in folders {
        let canonical = match fs::canonicalize(folder) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
                return Err(ReadingError::Nothing(folder.clone()));
            }
            path => path.map_err(access(folder))?,
        };
        if !seen.insert(canonical.clone()) {
            return Err(ReadingError::Twice(folder.clone()));
        }
        let name =
            canonical.file_name().unwrap_or(canonical.as_os_str()).to_string_lossy().into_owned();
        let scores = read_json(&folder.join(SCORES_FILE), "eval")?;
        let benchmark = read_json(&folder.join(BENCH_FILE), "bench")?;
        let is_empty = scores.is_none() && benchmark.is_none();
        found.evaluations.extend(scores.map(|scores| (name.clone(), scores)));
        found.benchmarks.extend(benchmark.map(|benchmark| (name.clone(), benchmark)));
        match RunDirectory::open(folder) {
            Err(RunError::NotARun(_)) if is_empty => {
                return Err(ReadingError::Nothing(folder.clone()));
            }
            Err(RunError::NotARun(_)) => {}
            run => found.runs.push(read_run(&run?, name, &mut found.notes)?),
        }
    }
    Ok(found)
}

/// The content of a file; `None` where it is not there.
fn read_json<T: DeserializeOwned>(
    path: &Path,
    command: &'static str,
) -> Result<Option<T>, ReadingError> {
    let text = match fs::read_to_string(path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(access(path))?,
    };
    let damaged = |failure: serde_json::Error| ReadingError::Damaged {
        path: path.to_owned(),
        reason: failure.to_string(),
        command,
    };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

fn read_run(
    directory: &RunDirectory,
    name: String,
    notes: &mut Vec<String>,
) -> Result<Run, ReadingError> {
    let config: ExperimentConfig = directory.config()?;
    let system = directory.path().join(SYSTEM_FOLDER);
    let model = system.exists().then(|| shape::<SystemSettings>(&system)).transpose();
    let model = model.unwrap_or_else(|failure| {
        notes.push(format!("The model of {name} is shown as it was configured: {failure}"));
        None
    });
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
    Ok(Run { name, config, model, metrics, accuracies, rates })
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
    let adapted = system.settings.problem(system.config.layers).adapted();
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
    use crate::examination::test_evaluation;
    use crate::figures::test_benchmark as benchmark;
    use crate::test_systems::{config as shape_of_model, model, rates};
    use crate::tokenizer::WordTokenizer;
    use crate::trained::DESCRIPTION;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        drop(RunDirectory::create(folder.path(), &ExperimentConfig::default()).unwrap());
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn read(folder: &tempfile::TempDir) -> Result<Found, ReadingError> {
        read_folders(&[folder.path().to_owned()])
    }

    #[test]
    fn a_run_that_has_just_begun_is_read_with_a_note() {
        let Found { runs, notes, .. } = read(&folder_with(&[])).unwrap();
        assert!(
            runs[0].metrics.is_empty() && runs[0].accuracies.is_empty() && runs[0].rates.is_none()
        );
        assert!(notes[0].ends_with("has no results yet: it is at step 0 of 1000."), "{notes:?}");
    }

    #[test]
    fn a_model_has_the_shape_that_was_trained() {
        let folder = folder_with(&[]);
        let system = folder.path().join(SYSTEM_FOLDER);
        let model = model(0);
        let trained = TrainedSystem::<Flex, SystemSettings> {
            config: shape_of_model(),
            rates: rates(&model),
            model,
            tokenizer: WordTokenizer::from_words(["A"]).unwrap().into(),
            settings: SystemSettings::default(),
        };
        trained.save(&system).unwrap();
        let found = read(&folder).unwrap();
        assert_eq!(found.runs[0].model, Some(shape_of_model()));
        assert_eq!(found.runs[0].config, ExperimentConfig::default(), "by which runs are grouped");
        fs::write(system.join(DESCRIPTION), "format = 9").unwrap();
        let found = read(&folder).unwrap();
        assert!(found.notes[0].contains("as it was configured"), "{:?}", found.notes);
        assert_eq!(found.runs[0].model, None);
    }

    #[test]
    fn scores_and_measurements_are_found_with_and_without_a_run() {
        let scores = serde_json::to_string(&test_evaluation(true)).unwrap();
        let both = read(&folder_with(&[(SCORES_FILE, &scores)])).unwrap();
        assert_eq!((both.runs.len(), both.evaluations.len(), both.benchmarks.len()), (1, 1, 0));
        assert_eq!(both.evaluations[0].1, test_evaluation(true));
        let bench = tempfile::tempdir().unwrap();
        fs::write(bench.path().join(BENCH_FILE), serde_json::to_string(&benchmark()).unwrap())
            .unwrap();
        let found = read(&bench).unwrap();
        assert!(found.runs.is_empty() && found.benchmarks[0].1 == benchmark());
        fs::write(bench.path().join(BENCH_FILE), "{}").unwrap();
        let damaged = read(&bench).unwrap_err().to_string();
        assert!(damaged.contains("bench.json") && damaged.contains("reckoning bench"), "{damaged}");
    }

    #[test]
    fn what_is_nothing_or_damaged_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read(&empty), Err(ReadingError::Nothing(_))));
        let absent = read_folders(&[empty.path().join("absent")]);
        assert!(matches!(absent, Err(ReadingError::Nothing(_))));
        let results = read(&folder_with(&[(RESULTS_FILE, "[{}]")])).unwrap_err();
        assert!(results.to_string().contains("resume the run"), "{results}");
        let metrics = read(&folder_with(&[(metrics::FILE_NAME, "{}\n")])).unwrap_err();
        assert!(matches!(metrics, ReadingError::Metrics(_)), "{metrics}");
    }

    #[test]
    fn one_folder_by_two_names_is_refused() {
        let folder = folder_with(&[]);
        let again = folder.path().join(".");
        let failure = read_folders(&[folder.path().to_owned(), again]).unwrap_err();
        assert!(matches!(failure, ReadingError::Twice(_)), "{failure}");
    }

    #[test]
    fn rates_of_elements_are_averaged() {
        assert_eq!(by_step(&[1.0, 3.0, 5.0, 7.0], [2, 2]), [2.0, 6.0]);
        assert_eq!(by_step(&[1.0, 3.0], [2, 1]), [1.0, 3.0]);
    }
}
