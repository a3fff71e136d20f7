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

use std::path::PathBuf;

use clap::Subcommand;
use experiment::cli::{CommonArguments, Failure, OrFailure};

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
    common: &CommonArguments,
    defaults: &ExperimentConfig,
    data: Option<PathBuf>,
) -> Result<ExperimentConfig, Failure> {
    let mut config: ExperimentConfig = common.configuration(defaults).bad_input()?;
    config.seed = common.seed.unwrap_or(config.seed);
    if let Some(folder) = data {
        config.data.in_folder(folder);
    }
    Ok(config)
}
