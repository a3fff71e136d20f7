//! `reckoning train`: an experiment in a run directory that can be killed and resumed.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoints;
use experiment::cli::{
    CommonArguments, Failure, OrFailure, print_line, print_note, require_not_among, tell_default,
    write_file,
};
use experiment::interrupt::Interrupt;
use experiment::metrics::Metrics;
use experiment::progress::Progress;
use experiment::run_directory::RunDirectory;
use inner_outer::MetaStep;

use super::reading;
use crate::config::{ExperimentConfig, Source};
use crate::evaluate::{Accuracy, SEEN, UNSEEN};
use crate::train::Trainer;

const LEARNER_FILE: &str = "learner.bin";
/// The trained system within a run directory.
pub const SYSTEM_FOLDER: &str = "system";
/// Accuracies of a finished run.
pub(crate) const RESULTS_FILE: &str = "results.json";
const CHECKPOINTS_KEPT: usize = 2;

/// The run where none is named.
const USUAL_OUT: &str = "runs/reckoning";

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Data to train on instead of the configuration's: a file, archive or folder of a known kind
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
}

/// Trains, and leaves the run directory with checkpoints, metrics and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the data or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| USUAL_OUT.into());
    common.refuse_beside_resume(&[("--data", arguments.data.is_some())])?;
    let resumed = common.resumed(&out)?;
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => {
            let config = configuration(&arguments)?;
            require_apart(&out, &config)?;
            config
        }
    };
    let accuracies = experiment::on_device!(common.settings.device, B => {
        // Data and configuration are tried before the folder is made, so that a corrected command finds it free.
        let trainer = Trainer::<B>::new(&config, &Default::default()).bad_input()?;
        trainer.corpus.remarks.iter().for_each(print_note);
        let run = match resumed {
            Some(run) => run,
            None => RunDirectory::create(&out, &config).bad_input()?,
        };
        train(trainer, &run, &Interrupt::install().failed()?)
    })?;
    if common.settings.json {
        return print_line(serde_json::to_string(&accuracies).failed()?);
    }
    accuracies.iter().try_for_each(|accuracy| print_line(summary(accuracy)))
}

fn configuration(arguments: &Arguments) -> Result<ExperimentConfig, Failure> {
    let common = &arguments.common;
    let mut config = reading::configuration(&common.settings, arguments.data.as_deref())?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.check().map_err(anyhow::Error::msg).bad_input()?;
    Ok(config)
}

/// Refuses a run that would write over what it reads.
fn require_apart(out: &Path, config: &ExperimentConfig) -> Result<(), Failure> {
    if let Some(start) = &config.start_from {
        require_not_among(&out.join(SYSTEM_FOLDER), &[start], |_| false)?;
    }
    match &config.data.source {
        Source::File { path, .. } if path.is_file() => {
            require_not_among(&out.join(RESULTS_FILE), &[path], |_| false)
        }
        _ => Ok(()),
    }
}

/// One line for one test set.
pub fn summary(accuracy: &Accuracy) -> String {
    let Accuracy { name, overall, seen, unseen, .. } = accuracy;
    let mut line = format!("{name}: {} of {} questions", overall.percent(), overall.n);
    for (kind, part) in [(SEEN, seen), (UNSEEN, unseen)] {
        if let Some(part) = part {
            line += &format!("; {} of {} {kind}", part.percent(), part.n);
        }
    }
    line
}

/// The loop: steps, metrics, validation, checkpoints; then the test sets.
///
/// # Errors
/// Bad input: a run that was begun with other data or from another system. Failed: training itself. Interrupted: after a
/// checkpoint.
pub fn train<B: Backend>(
    mut trainer: Trainer<B>,
    run: &RunDirectory,
    interrupt: &Interrupt,
) -> Result<Vec<Accuracy>, Failure> {
    run.require_inputs(&trainer.inputs).bad_input()?;
    let checkpoints = Checkpoints::new(run, CHECKPOINTS_KEPT).failed()?;
    let latest = checkpoints.latest().failed()?;
    if let Some(step) = latest {
        let checkpoint = checkpoints.load(step).failed()?;
        trainer = trainer.with_state(checkpoint.file(LEARNER_FILE).failed()?).failed()?;
    }
    let mut metrics = run.metrics(latest).failed()?;
    let outer = trainer.config().outer.clone();
    let progress =
        Progress::resumed(outer.steps as u64, "training", trainer.learner.steps_taken() as u64);
    while trainer.learner.steps_taken() < outer.steps {
        let report = trainer.step().failed()?;
        let done = report.step + 1;
        log_step(&mut metrics, &report)?;
        if done.is_multiple_of(trainer.config().evaluation.every)
            && done < outer.steps
            && let Some(accuracy) = trainer.validate().failed()?
        {
            let validation = accuracy.overall.percent();
            progress.message(format!("loss {:.3}, validation {validation}", report.outer_loss));
            metrics.log(done as u64, &[("validation accuracy", accuracy.overall.mean)]).failed()?;
        }
        progress.advance(1);
        let stop = interrupt.requested();
        if stop || done.is_multiple_of(outer.checkpoint_every) || done == outer.steps {
            let state = trainer.learner.state().failed()?;
            checkpoints.save(done as u64, &[(LEARNER_FILE, &state)]).failed()?;
        }
        if stop {
            return Err(Failure::Interrupted);
        }
    }
    trainer.system().save(&run.path().join(SYSTEM_FOLDER)).failed()?;
    let mut accuracies = Vec::new();
    for (name, sets) in &trainer.corpus.tests {
        interrupt.heed()?;
        progress.message(format!("asking {name}"));
        accuracies.extend(Accuracy::of(name, &trainer.outcomes(sets).failed()?));
    }
    progress.finish();
    write_results(run.path(), &accuracies)?;
    Ok(accuracies)
}

fn log_step(metrics: &mut Metrics, report: &MetaStep) -> Result<(), Failure> {
    let mut values = vec![
        ("outer loss".to_owned(), report.outer_loss),
        ("gradient norm".to_owned(), report.gradient_norm),
        ("rate".to_owned(), report.rate),
    ];
    let inner = report.inner_losses.iter().enumerate();
    values.extend(inner.map(|(step, loss)| (format!("inner loss {step}"), *loss)));
    let borrowed: Vec<(&str, f64)> =
        values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    metrics.log(report.step as u64 + 1, &borrowed).failed()
}

fn write_results(folder: &Path, accuracies: &[Accuracy]) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(accuracies).failed()?;
    write_file(&folder.join(RESULTS_FILE), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_does_not_write_over_what_it_reads() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut config = ExperimentConfig::default();
        require_apart(&out, &config).unwrap();
        config.start_from = Some(out.join("system/../system"));
        std::fs::create_dir_all(out.join(SYSTEM_FOLDER)).unwrap();
        assert!(matches!(require_apart(&out, &config), Err(Failure::BadInput(_))));
        config.start_from = Some(folder.path().join("other/system"));
        require_apart(&out, &config).unwrap();
        std::fs::write(out.join(RESULTS_FILE), "{}").unwrap();
        config.data.source = config.data.source.at(out.join(RESULTS_FILE));
        assert!(matches!(require_apart(&out, &config), Err(Failure::BadInput(_))));
        config.data.source = config.data.source.at(folder.path().to_owned());
        require_apart(&out, &config).unwrap();
    }

    #[test]
    fn results_that_cannot_be_written_are_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing can be renamed over a folder that is not empty.
        std::fs::create_dir_all(folder.path().join(RESULTS_FILE).join("inside")).unwrap();
        match write_results(folder.path(), &[]) {
            Err(Failure::Failed(cause)) => {
                let told = cause.to_string();
                assert!(told.contains("results.json: check the path"), "{told}");
            }
            other => panic!("expected a failure, found {other:?}"),
        }
    }
}
