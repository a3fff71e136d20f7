//! The subcommands.

mod attack;
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
        }
    }
}
