//! The subcommands.

mod attack;
mod bench;
mod data;
mod demo;
mod flower_client;
mod judgement;
mod report;
mod theory;
mod train;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Subcommand;
use experiment::cli::{Failure, OrFailure, SettingsArguments};
use experiment::metrics;

use crate::config::ExperimentConfig;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train five clients on built-in digits, plainly and adversarially, and attack both networks
    Demo(demo::Arguments),
    /// Train a network by federated adversarial learning, or one of its variants and baselines
    Train(train::Arguments),
    /// Attack a trained network, and check that it does not merely hide its gradients
    Attack(attack::Arguments),
    /// Train and evaluate as a node of Flower, whenever a ServerApp asks
    FlowerClient(flower_client::Arguments),
    /// Write a page with tables and figures from one or more runs
    Report(report::Arguments),
    /// Simulate the convergence theorem: what width, separation, local steps and heterogeneity do
    Theory(theory::Arguments),
    /// Look at a set of images and how it is divided among clients
    Data(data::Arguments),
    /// Measure the time and memory of a round, beside PyTorch's
    Bench(bench::Arguments),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Bad input and failed work, as the exit code tells.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(arguments) => demo::run(arguments),
            Self::Train(arguments) => train::run(arguments),
            Self::Attack(arguments) => attack::run(arguments),
            Self::FlowerClient(arguments) => flower_client::run(arguments),
            Self::Report(arguments) => report::run(arguments),
            Self::Theory(arguments) => theory::run(arguments),
            Self::Data(arguments) => data::run(arguments),
            Self::Bench(arguments) => bench::run(arguments),
        }
    }
}

/// What results from `defaults` and the arguments, of which `data` is the folder of the images.
///
/// # Errors
/// Bad input: the file or a setting.
fn configured(
    settings: &SettingsArguments,
    defaults: &ExperimentConfig,
    data: Option<PathBuf>,
) -> Result<ExperimentConfig, Failure> {
    let mut config: ExperimentConfig = settings.configuration(defaults).bad_input()?;
    config.seed = settings.seed.unwrap_or(config.seed);
    if let Some(folder) = data {
        config.data.in_folder(folder);
    }
    Ok(config)
}

/// A training's results and pictures are of its own test images, attacks and division: those of another command do not take their
/// place.
fn refuse_training(out: &Path) -> Result<(), Failure> {
    match out.join(metrics::FILE_NAME).exists() {
        true => Err(anyhow!(
            "{} holds a training, whose results stay as they are; name another folder with --out",
            out.display()
        ))
        .bad_input(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of an argument, where the command has it.
    fn help(command: &[&str], argument: &str) -> Option<String> {
        let mut program = Command::augment_subcommands(clap::Command::new("fal"));
        program.build();
        let find = |of: &clap::Command, name: &&str| of.find_subcommand(name).unwrap().clone();
        let command = command.iter().fold(program, |of, name| find(&of, name));
        let found = command.get_arguments().find(|found| found.get_id() == argument)?;
        found.get_help().map(ToString::to_string)
    }

    #[test]
    fn those_that_can_be_resumed_say_so_and_no_others() {
        for command in ["train", "attack", "theory"] {
            assert!(help(&[command], "resume").is_some(), "{command}");
        }
        for command in [&["data", "inspect"][..], &["flower-client"], &["demo"], &["bench"]] {
            assert_eq!(help(command, "resume"), None, "{command:?}");
        }
        assert_eq!(help(&["flower-client"], "out"), None, "the server keeps the weights");
    }

    #[test]
    fn a_folder_that_is_taken_where_none_is_named_is_told() {
        for (command, folder) in [("train", "runs/fal"), ("theory", "runs/fal-theory")] {
            let told = help(&[command], "out").unwrap();
            assert!(told.ends_with(&format!(" [default: {folder}]")), "{told}");
        }
        assert!(
            !help(&["attack"], "out").unwrap().contains("default"),
            "it need not keep anything"
        );
    }
}
