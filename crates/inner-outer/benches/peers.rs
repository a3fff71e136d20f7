//! The PyTorch peers of `torch_peer/`.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use experiment::peer::Python;
use serde::de::DeserializeOwned;

use crate::measurement::Measurement;
use crate::options::Options;

/// The interpreter, if it has what the peers need.
///
/// # Errors
/// As [`Python::with`].
pub fn python() -> Result<Python> {
    Python::with("torch, higher", "crates/inner-outer/benches/torch_peer/requirements.txt")
}

/// Time and memory of the peers.
pub fn measure(python: &Python, options: &Options) -> Result<Vec<Measurement>> {
    let mut arguments = vec!["--inner-steps".to_string()];
    arguments.extend(options.inner_steps().iter().map(usize::to_string));
    arguments.extend(["--tasks".into(), options.tasks().to_string()]);
    arguments.extend(["--threads".into(), options.threads().get().to_string()]);
    arguments.extend(["--repeats".into(), options.repeats().to_string()]);
    let output = script(python, "bench.py", &arguments)?;
    // A peer that ran out of memory leaves its line out and has said so.
    lines(&output)
}

/// The JSON objects that a script prints, one a line.
pub fn reference<T: DeserializeOwned>(python: &Python) -> Result<Vec<T>> {
    let output = script(python, "reference.py", &[])?;
    ensure!(output.status.success(), "reference.py ended with {}", output.status);
    lines(&output)
}

fn script(python: &Python, name: &str, arguments: &[String]) -> Result<Output> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/torch_peer");
    let mut command = python.command();
    command.arg(folder.join(name)).args(arguments).stderr(Stdio::inherit());
    command.output().with_context(|| format!("cannot run {name}"))
}

fn lines<T: DeserializeOwned>(output: &Output) -> Result<Vec<T>> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_string())).collect()
}
