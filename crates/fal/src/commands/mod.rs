//! The subcommands.

mod attack;
mod bench;
mod data;
mod train;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train a network by federated adversarial learning, or one of its variants and baselines
    Train(train::Arguments),
    /// Attack a trained network, and check that it does not merely hide its gradients
    Attack(attack::Arguments),
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
            Self::Train(arguments) => train::run(arguments),
            Self::Attack(arguments) => attack::run(arguments),
            Self::Data(arguments) => data::run(arguments),
            Self::Bench(arguments) => bench::run(arguments),
        }
    }
}
