//! Finished runs, and those that differ only in their seed together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use experiment::metrics::{self, MetricsError, Row};
use experiment::run_directory::{RunDirectory, RunError};
use experiment::statistics::{Interval, mean_over_runs};
use serde::Deserialize;

use crate::attack::MaskingChecks;
use crate::attendance::Attendance;
use crate::config::ExperimentConfig;

/// The judgement within a run directory.
pub const RESULTS_FILE: &str = "results.json";
/// In the folder of an attack: the path of what is attacked, so that `--resume` need not be told.
pub const ATTACKED_FILE: &str = "attacked.json";

/// What a run was judged to be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Judgement {
    /// What `fal attack` was given.
    #[serde(default)]
    pub network: Option<PathBuf>,
    /// Rounds of communication; none for weights that do not tell.
    #[serde(default)]
    pub rounds: Option<u64>,
    /// The seed that what was attacked was trained with, where it is a run.
    #[serde(default)]
    pub trained_with_seed: Option<u64>,
    /// Test images.
    pub samples: usize,
    /// Accuracies.
    pub report: Accuracies,
    /// Signs that gradients are hidden; none for numbers that can be believed.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Accuracy clean and under each attack.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Accuracies {
    /// On the images as they are.
    pub clean: Interval,
    /// Under each attack.
    pub robust: Vec<UnderAttack>,
    /// The checks against hidden gradients.
    #[serde(default)]
    pub checks: Option<MaskingChecks>,
}

/// Accuracy under one attack.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UnderAttack {
    /// The attack with its budget.
    pub attack: String,
    /// Share of samples that the network gets right before and after it.
    pub accuracy: Interval,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    /// Its folder.
    pub path: PathBuf,
    /// Its configuration.
    pub config: ExperimentConfig,
    /// Its rounds; none where it is `fal attack` that judged.
    pub rows: Vec<Row>,
    /// Its judgement.
    pub judgement: Judgement,
}

/// A run that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum FinishedError {
    /// No run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No results.
    #[error("{} has no results yet; finish it with `fal {command} --resume --out {}`", folder.display(), folder.display())]
    Unfinished {
        /// The folder.
        folder: PathBuf,
        /// What began there.
        command: &'static str,
    },
    /// A training's results without its rounds.
    #[error("{} holds results of a training, but no {}; copy that file there, too", folder.display(), metrics::FILE_NAME)]
    NoRounds {
        /// The folder.
        folder: PathBuf,
    },
    /// Results of another kind.
    #[error("{} holds no results of `fal train` or `fal attack` ({cause}); name another folder", path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        cause: serde_json::Error,
    },
    /// One run twice.
    #[error("{} and {} are of one network, configuration and seed {seed}; name one of them", paths[0].display(), paths[1].display())]
    Twice {
        /// Their folders.
        paths: [PathBuf; 2],
        /// Their seed.
        seed: u64,
    },
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    FileSystem {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

impl FinishedRun {
    /// Reads a run directory.
    ///
    /// # Errors
    /// [`FinishedError`] with what is missing.
    pub fn read(folder: &Path) -> Result<Self, FinishedError> {
        let config = RunDirectory::open(folder)?.config()?;
        let metrics = folder.join(metrics::FILE_NAME);
        let is_attack = folder.join(ATTACKED_FILE).exists();
        let command = if is_attack { "attack" } else { "train" };
        let path = folder.join(RESULTS_FILE);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                FinishedError::Unfinished { folder: folder.to_owned(), command }
            }
            _ => FinishedError::FileSystem { path: path.clone(), source },
        })?;
        let judgement = serde_json::from_slice(&bytes)
            .map_err(|cause| FinishedError::Results { path, cause })?;
        let rows = match metrics.exists() {
            true => metrics::read(&metrics)?,
            // Rounds that went wrong would be untold.
            false if !is_attack => {
                return Err(FinishedError::NoRounds { folder: folder.to_owned() });
            }
            false => Vec::new(),
        };
        Ok(Self { path: folder.to_owned(), config, rows, judgement })
    }

    /// The seed of the training.
    pub fn seed(&self) -> u64 {
        self.judgement.trained_with_seed.unwrap_or(self.config.seed)
    }

    /// What did not go as it was to go; none where it is `fal attack` that judged.
    pub fn attendance(&self) -> Option<Attendance> {
        (!self.rows.is_empty()).then(|| Attendance::of(&self.rows))
    }

    /// Everything that the run's numbers are to be read with, by the rules of now where the checks are there.
    pub fn warnings(&self) -> Vec<String> {
        let Judgement { report, warnings, .. } = &self.judgement;
        let checks = report.checks.as_ref();
        let mut warnings = checks.map_or_else(|| warnings.clone(), MaskingChecks::warnings);
        let of_rounds = self.attendance().map(|attendance| attendance.warnings());
        let of_rounds = of_rounds.unwrap_or_default().into_iter();
        let new: Vec<_> = of_rounds.filter(|warning| !warnings.contains(warning)).collect();
        warnings.extend(new);
        warnings
    }

    /// Whether both are samples of the same. The configuration beside weights that do not tell how they came about says nothing
    /// of them, so that they are like themselves alone.
    fn differs_only_in_seed(&self, other: &Self) -> bool {
        let of = |run: &Self| {
            let Judgement { network, rounds, .. } = &run.judgement;
            let weights = network.clone().filter(|_| rounds.is_none());
            (ExperimentConfig { seed: 0, ..run.config.clone() }, *rounds, weights)
        };
        of(self) == of(other)
    }
}

/// Runs that differ only in their seed, judged after as many rounds.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are called: the folder's name, without what tells the seeds apart, or its path where that name is another's too.
    pub name: String,
    /// The runs, at least one.
    pub runs: Vec<FinishedRun>,
}

/// Puts runs together that differ only in their seed and were judged after as many rounds, in the order of the first of each.
///
/// # Errors
/// [`FinishedError::Twice`] for two runs of one configuration and seed, which are no two samples of anything.
pub fn grouped(runs: Vec<FinishedRun>) -> Result<Vec<Group>, FinishedError> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let like = groups.iter_mut().find(|group| group.runs[0].differs_only_in_seed(&run));
        let Some(group) = like else {
            groups.push(Group { name: String::new(), runs: vec![run] });
            continue;
        };
        if let Some(twin) = group.runs.iter().find(|other| other.seed() == run.seed()) {
            let paths = [twin.path.clone(), run.path.clone()];
            return Err(FinishedError::Twice { paths, seed: run.seed() });
        }
        group.runs.push(run);
    }
    let names: Vec<String> = groups.iter().map(|group| name_of(&group.runs)).collect();
    for (group, name) in groups.iter_mut().zip(&names) {
        let is_shared = names.iter().filter(|other| *other == name).count() > 1;
        group.name = match is_shared {
            true => group.runs[0].path.display().to_string(),
            false => name.clone(),
        };
    }
    Ok(groups)
}

/// The folder's name without what tells the seeds apart: `-seed-0`, or any number at its end where there are several runs.
fn name_of(runs: &[FinishedRun]) -> String {
    let path = &runs[0].path;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let without_number = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let bare = match without_number.strip_suffix("-seed-") {
        Some(bare) => bare,
        None if runs.len() > 1 => without_number.trim_end_matches('-'),
        None => &name,
    };
    if bare.is_empty() { name.into_owned() } else { bare.to_owned() }
}

/// The names of all accuracies that any of the groups has, in the order of their first appearance.
pub fn columns(groups: &[Group]) -> Vec<String> {
    let mut columns = Vec::new();
    for (name, _) in groups.iter().flat_map(Group::accuracies) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns
}

impl Group {
    /// Clean accuracy and that under each attack, by name: over the images of the one run (Wilson), over seeds and images where
    /// there are several.
    pub fn accuracies(&self) -> Vec<(String, Interval)> {
        let first = &self.runs[0].judgement.report;
        let mut found = vec![("clean".to_owned(), self.over_runs(|report| Some(report.clean)))];
        found.extend(first.robust.iter().map(|UnderAttack { attack, .. }| {
            let of = |report: &Accuracies| {
                report
                    .robust
                    .iter()
                    .find(|robust| robust.attack == *attack)
                    .map(|found| found.accuracy)
            };
            (attack.clone(), self.over_runs(of))
        }));
        found
    }

    fn over_runs(&self, of: impl Fn(&Accuracies) -> Option<Interval>) -> Interval {
        let found: Vec<Interval> =
            self.runs.iter().filter_map(|run| of(&run.judgement.report)).collect();
        mean_over_runs(&found).map_or(found[0], |mean| mean.within(0.0..=1.0))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::attendance::{DROPPED, PARTICIPANTS, PASSED_OVER, SET_ASIDE, UNCONVERGED};

    pub(crate) fn run(name: &str, seed: u64, clean: f64) -> FinishedRun {
        let interval = |mean: f64| Interval { mean, low: mean - 0.1, high: mean + 0.1, n: 100 };
        let robust = vec![UnderAttack { attack: "PGD-20".into(), accuracy: interval(clean / 2.0) }];
        let row = |step: u64| Row {
            step,
            seconds: step as f64,
            values: [
                ("clean accuracy".to_owned(), clean),
                ("attacked accuracy".to_owned(), clean / 2.0),
                ("loss".to_owned(), 1.0 / step as f64),
            ]
            .into(),
        };
        FinishedRun {
            path: PathBuf::from("runs").join(name),
            config: ExperimentConfig { seed, ..ExperimentConfig::default() },
            rows: (1..=3).map(row).collect(),
            judgement: Judgement {
                network: None,
                rounds: Some(3),
                trained_with_seed: None,
                samples: 100,
                report: Accuracies { clean: interval(clean), robust, checks: None },
                warnings: Vec::new(),
            },
        }
    }

    #[test]
    fn runs_of_several_seeds_are_one_group() {
        let mut other = run("plain", 0, 0.9);
        other.config.adversary.steps = 0;
        let groups =
            grouped(vec![run("robust-seed-0", 0, 0.8), other, run("robust-seed-1", 1, 0.7)])
                .unwrap();
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["robust", "plain"]);
        let accuracies = groups[0].accuracies();
        assert_eq!(accuracies[0].0, "clean");
        assert!((accuracies[0].1.mean - 0.75).abs() < 1e-12 && accuracies[0].1.n == 2);
        assert!((accuracies[1].1.mean - 0.375).abs() < 1e-12);
        assert_eq!(groups[1].accuracies()[0].1.n, 100);
    }

    #[test]
    fn other_rounds_and_other_weights_are_other_groups() {
        let judged = |name: &str, seed: u64, rounds: Option<u64>, network: &str| {
            let mut run = run(name, seed, 0.8);
            run.judgement.rounds = rounds;
            run.judgement.network = Some(network.into());
            run
        };
        let after = vec![judged("at-1", 0, Some(1), "a"), judged("at-4", 0, Some(4), "a")];
        assert_eq!(grouped(after).unwrap().len(), 2);
        let seeds = vec![judged("at-4-0", 0, Some(4), "a"), judged("at-4-1", 1, Some(4), "b")];
        assert_eq!(grouped(seeds).unwrap().len(), 1);
        let weights = |other| vec![judged("one", 0, None, "a"), judged("other", 0, None, other)];
        assert_eq!(grouped(weights("b")).unwrap().len(), 2);
        assert!(grouped(weights("a")).is_err());
    }

    /// `fal attack --seed` draws other images and beginnings, and trains nothing anew.
    #[test]
    fn the_seed_of_an_attack_is_not_that_of_the_training() {
        let attacked = |name: &str, seed: u64, trained_with: u64| {
            let mut run = run(name, seed, 0.8);
            run.judgement.trained_with_seed = Some(trained_with);
            run
        };
        let refusal = grouped(vec![attacked("a", 0, 0), attacked("b", 1, 0)]).unwrap_err();
        assert!(refusal.to_string().contains("seed 0"), "{refusal}");
        let groups = grouped(vec![attacked("a", 1, 0), attacked("b", 1, 1)]).unwrap();
        assert_eq!(groups[0].runs.len(), 2);
    }

    #[test]
    fn a_run_counts_once_and_keeps_its_name_among_others() {
        let twice = grouped(vec![run("a", 0, 0.8), run("b", 1, 0.7), run("a-copy", 0, 0.8)]);
        let refusal = twice.unwrap_err().to_string();
        assert!(refusal.contains("a-copy") && refusal.contains("seed 0"), "{refusal}");

        let with_steps = |name: &str, steps: usize| {
            let mut run = run(name, 0, 0.8);
            run.config.adversary.steps = steps;
            run
        };
        let groups = grouped(vec![with_steps("fal-k1", 1), with_steps("fal-k2", 2)]).unwrap();
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["fal-k1", "fal-k2"]);
        let several = grouped(vec![run("fal-k-0", 0, 0.8), run("fal-k-1", 1, 0.7)]).unwrap();
        assert_eq!(several[0].name, "fal-k");
        let alike =
            vec![with_steps("a/fat-seed-0", 1), with_steps("b/fat-seed-0", 2), run("c", 0, 0.8)];
        let names: Vec<String> =
            grouped(alike).unwrap().into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["runs/a/fat-seed-0", "runs/b/fat-seed-0", "c"]);
    }

    #[test]
    fn a_folder_without_a_finished_run_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| FinishedRun::read(path).unwrap_err();
        assert!(matches!(read(folder.path()), FinishedError::Run(_)));
        let path = folder.path().join("run");
        let run = RunDirectory::create(&path, &ExperimentConfig::default()).unwrap();
        run.metrics(None).unwrap().log(1, &[("loss", 1.0)]).unwrap();
        assert!(read(&path).to_string().contains("`fal train --resume"));
        let attack = folder.path().join("attack");
        RunDirectory::create(&attack, &ExperimentConfig::default()).unwrap();
        fs::write(attack.join(ATTACKED_FILE), "\"run\"").unwrap();
        assert!(read(&attack).to_string().contains("`fal attack --resume"));
        fs::write(path.join(RESULTS_FILE), "{}").unwrap();
        assert!(matches!(read(&path), FinishedError::Results { .. }));
    }

    #[test]
    fn rounds_are_added_up_and_what_is_wrong_with_them_is_told_once() {
        let mut run = run("a", 0, 0.8);
        let named = [PARTICIPANTS, PASSED_OVER, DROPPED, SET_ASIDE, UNCONVERGED];
        for (row, values) in
            run.rows.iter_mut().zip([[4, 0, 2, 1, 0], [1, 1, 5, 0, 0], [0, 1, 4, 2, 1]])
        {
            row.values.extend(named.map(str::to_owned).into_iter().zip(values.map(f64::from)));
        }
        let expected = Attendance {
            passed_over: 2,
            nothing_finite: 1,
            dropped: Some(11),
            set_aside: 3,
            set_aside_clients: BTreeMap::new(),
            unconverged: 1,
            received: 5,
            rounds: 3,
        };
        assert_eq!(run.attendance(), Some(expected.clone()));
        run.judgement.warnings = vec!["masked".to_owned(), expected.warnings()[0].clone()];
        let warnings = run.warnings();
        assert_eq!(warnings.len(), 5, "{warnings:?}");
        assert!(warnings[1].starts_with("in 1 of 3 rounds no update that came was finite"));
        assert!(warnings[2].starts_with("1 of 3 rounds were passed over"), "{warnings:?}");
        assert!(warnings[3].starts_with("3 of 8 updates were not finite and are left out: "));
        assert!(warnings[4].starts_with("in 1 of 3 rounds the geometric median"), "{warnings:?}");
        assert!(expected.to_string().contains("11 answers lost"), "{expected}");
    }

    /// Their metrics have neither `dropped` nor, where no round was passed over, `passed over`.
    #[test]
    fn older_runs_are_added_up_as_far_as_they_tell() {
        let mut run = run("a", 0, 0.8);
        let attendance = run.attendance().unwrap();
        assert_eq!(attendance, Attendance { rounds: 3, dropped: None, ..Attendance::default() });
        assert!(run.warnings().is_empty() && attendance.to_string().contains("unknown answers"));
        run.rows.clear();
        assert_eq!(run.attendance(), None);
    }

    #[test]
    fn a_judgement_without_rounds_is_one_of_an_attack() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attack");
        RunDirectory::create(&path, &ExperimentConfig::default()).unwrap();
        let clean = r#"{"mean": 0.5, "low": 0.4, "high": 0.6, "n": 10}"#;
        let results = format!(r#"{{"samples": 10, "report": {{"clean": {clean}, "robust": []}}}}"#);
        fs::write(path.join(RESULTS_FILE), results).unwrap();
        let refused = FinishedRun::read(&path).unwrap_err();
        assert!(matches!(refused, FinishedError::NoRounds { .. }), "{refused}");
        fs::write(path.join(ATTACKED_FILE), "\"run\"").unwrap();
        let run = FinishedRun::read(&path).unwrap();
        assert!(run.rows.is_empty());
        assert_eq!(run.judgement.report.clean.mean, 0.5);
    }
}
