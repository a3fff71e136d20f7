//! `reckoning encode`: facts into a memory file.

use std::path::{Path, PathBuf};

use experiment::cli::{Device, Failure, OrFailure, print_line, refuse_to_lose, require_not_among};
use serde_json::json;

use super::reading::{refuse_to_replace, statements};
use crate::memory::{Memory, MemoryError};
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
    /// Replace the memory that --out names
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
    arguments.check()?;
    let Arguments { system, facts, out, json, device, .. } = arguments;
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

impl Arguments {
    /// Refuses to replace what is read, what the user did not offer, and what encoding would not make again.
    fn check(&self) -> Result<(), Failure> {
        require_not_among(&self.out, &[&self.system, &self.facts], is_memory)?;
        refuse_to_replace(&self.out, self.overwrite)?;
        refuse_to_lose(&self.out, "memory", is_memory)
    }
}

fn is_memory(path: &Path) -> bool {
    matches!(Memory::inspect(path), Ok(_) | Err(MemoryError::Version { .. }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::test_systems;

    #[test]
    fn memories_alone_are_replaced_and_nothing_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["system", "results"] {
            fs::create_dir(place(name)).unwrap();
        }
        for name in ["system/model.safetensors", "facts.txt", "notes.txt"] {
            fs::write(place(name), "w1 w2 w3").unwrap();
        }
        fs::write(place("empty"), "").unwrap();
        test_systems::memory().save(&place("memory")).unwrap();
        let check = |out: &str| {
            let (system, facts, out) = (place("system"), place("facts.txt"), place(out));
            let (overwrite, json, device) = (true, false, Device::Cpu);
            Arguments { system, facts, out, overwrite, json, device }.check()
        };
        let refused = |out: &str| match check(out) {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("{out}: {other:?}"),
        };
        for out in ["system", "system/model.safetensors", "facts.txt"] {
            assert!(refused(out).contains("what this command reads"), "{out}");
        }
        for out in ["notes.txt", "results"] {
            assert!(refused(out).contains("is no memory"), "{out}");
        }
        for out in ["memory", "empty", "new", "system/new"] {
            check(out).unwrap();
        }
    }
}
