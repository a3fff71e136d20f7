//! The command line of `fal`.

use std::process::ExitCode;

use clap::Parser;
use fal::commands::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Federated adversarial learning: clients train on adversarial samples, a server aggregates what they learned.
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
