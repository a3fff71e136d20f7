//! `reckoning encode`: facts into a memory file.

use std::path::PathBuf;

use experiment::cli::{Device, Failure, OrFailure, print_line};
use serde_json::json;

use super::reading::{refuse_to_replace, statements};
use crate::system::System;

/// Arguments of `encode`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a trained system, such as runs/reckoning/system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Text file with one fact a line
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
    /// Memory file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace what --out names
    #[arg(long)]
    overwrite: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Encodes the facts once; the memory can then be asked many times.
///
/// # Errors
/// Bad input: the system, the facts or the place to write.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { system, facts, out, overwrite, json, device } = arguments;
    refuse_to_replace(&out, overwrite)?;
    let facts = statements(&facts)?;
    let memory = experiment::on_device!(device, B => {
        let system = System::<B>::load(&system, &Default::default()).bad_input()?;
        system.encode(&facts).bad_input()
    })?;
    memory.save(&out).bad_input()?;
    let losses = memory.losses();
    if json {
        return print_line(
            json!({ "memory": out.to_string_lossy(), "facts": facts.len(), "losses": losses, "base": memory.base() }),
        );
    }
    let (before, after) = (losses.first().unwrap_or(&f64::NAN), losses.last().unwrap_or(&f64::NAN));
    let (count, steps, path) = (facts.len(), memory.inner_steps(), out.display());
    print_line(format!(
        "{path}: {count} facts in {steps} inner steps, loss {before:.3} before, {after:.3} after"
    ))
}
