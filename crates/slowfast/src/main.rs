//! The command line of `slowfast`.

use std::process::ExitCode;

use clap::Parser;
use slowfast::commands::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SlowFast: a small action-driven video world model with episodic memory in a Temp-LoRA.
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
