//! The subcommands.

mod attack;
mod theory;
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
    /// Simulate the convergence theorem: what width, separation, local steps and heterogeneity do
    Theory(theory::Arguments),
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
            Self::Theory(arguments) => theory::run(arguments),
        }
    }
}
