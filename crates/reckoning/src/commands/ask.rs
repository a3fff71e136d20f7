//! `reckoning ask`: a question to a memory.

use std::path::PathBuf;

use experiment::cli::{Device, Failure, OrFailure, print_line};

use super::reading::{self, question};
use crate::memory::Memory;
use crate::system::System;

/// Arguments of `ask`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of the system that encoded the memory
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Memory file that `encode` has written
    #[arg(long, value_name = "FILE")]
    memory: PathBuf,
    /// Answers to keep while searching; 1 is greedy
    #[arg(long, default_value_t = 1, value_parser = reading::beams)]
    beams: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
    /// The question, such as "Alice ? Carol"
    question: String,
}

/// Answers one question from the facts in a memory.
///
/// # Errors
/// Bad input: the system, a memory of another system, or a question with unknown words.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { system, memory, beams, json, device, question: asked } = arguments;
    let answers = experiment::on_device!(device, B => {
        let system = System::<B>::load(&system, &Default::default()).bad_input()?;
        let memory = Memory::load(&memory, system.fingerprint()).bad_input()?;
        system.remember(&memory).bad_input()?.ask(&question(&asked, &system), beams).bad_input()
    })?;
    if json {
        return print_line(serde_json::to_string(&answers).failed()?);
    }
    for answer in answers {
        print_line(format!("{} (probability {:.3})", answer.text, answer.log_probability.exp()))?;
    }
    Ok(())
}
