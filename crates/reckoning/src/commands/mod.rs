//! The subcommands.

mod ask;
pub mod bench;
mod chat;
mod data;
mod demo;
mod encode;
mod eval;
mod export;
mod reading;
pub mod report;
pub(crate) mod train;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train small systems on built-in kinship data in a few minutes, compare them, and ask about a story
    Demo(demo::Arguments),
    /// Train a system: RECKONING, an ablation, a control or the in-context baseline
    Train(train::Arguments),
    /// Score a trained system on a data set: exact match, label likelihood, recall of facts
    Eval(eval::Arguments),
    /// Write facts into a memory file
    Encode(encode::Arguments),
    /// Answer a question from a memory file
    Ask(ask::Arguments),
    /// Tell facts and ask questions, line by line
    Chat(chat::Arguments),
    /// Write the language model as Hugging Face saves a GPT-2
    Export(export::Arguments),
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
            Self::Demo(arguments) => demo::run(arguments),
            Self::Train(arguments) => train::run(arguments),
            Self::Eval(arguments) => eval::run(arguments),
            Self::Encode(arguments) => encode::run(arguments),
            Self::Ask(arguments) => ask::run(arguments),
            Self::Chat(arguments) => chat::run(arguments),
            Self::Export(arguments) => export::run(arguments),
            Self::Data(arguments) => data::run(arguments),
            Self::Report(arguments) => report::run(arguments),
            Self::Bench(arguments) => bench::run(arguments),
        }
    }
}
