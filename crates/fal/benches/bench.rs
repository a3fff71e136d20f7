//! `fal bench` by Cargo: seconds a round and peak memory of federated adversarial training, beside PyTorch's.
//!
//! ```text
//! cargo bench -p fal                                     everything; needs an idle machine
//! cargo bench -p fal -- --network cnn --clients 5 --no-peers
//! PYTHON=path/to/python cargo bench -p fal -- --check    do both sides compute the same update?
//! ```

use std::process::ExitCode;

use clap::Parser;
use fal::commands::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // Cargo passes `--bench`; the processes that measure are started as those of `fal` are, with the subcommand's name.
    let given = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let given: Vec<String> = given.skip_while(|argument| argument == "bench").collect();
    let program = Program::parse_from(["fal".into(), "bench".into()].into_iter().chain(given));
    experiment::cli::run(|| program.command.run())
}
