//! The command line of `reckoning`.

use std::process::ExitCode;

use clap::Parser;
use reckoning::commands::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// RECKONING: a language model encodes facts into its weights and answers questions from them.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    experiment::cli::run(|| arguments.command.run())
}
