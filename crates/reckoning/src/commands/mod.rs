//! The subcommands.

mod train;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train a system: RECKONING, an ablation, a control or the in-context baseline
    Train(train::Arguments),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Bad input and failed work, as the exit code tells.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Train(arguments) => train::run(arguments),
        }
    }
}
