//! The subcommands.

pub mod bench;
mod data;
pub mod report;
pub(crate) mod train;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train a system: RECKONING, an ablation, a control or the in-context baseline
    Train(train::Arguments),
    /// Generate knowledge sets, look at a data set, or convert it
    #[command(subcommand)]
    Data(data::Arguments),
    /// Write a page with tables and figures from one or more runs
    Report(report::Arguments),
    /// Measure after how many questions encoding the facts is cheaper than reading them in context
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
            Self::Data(arguments) => data::run(arguments),
            Self::Report(arguments) => report::run(arguments),
            Self::Bench(arguments) => bench::run(arguments),
        }
    }
}
