//! The subcommands.

mod data;
mod serve;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate episodes, look at them, or bring in those of others
    #[command(subcommand)]
    Data(data::Arguments),
    /// Play in a model's world on a local web page, with memory and without
    Serve(serve::Arguments),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Bad input and failed work, as the exit code tells.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Data(arguments) => data::run(arguments),
            Self::Serve(arguments) => serve::run(arguments),
        }
    }
}
