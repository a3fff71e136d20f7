//! The PyTorch peers of `torch_peer/`, run by the interpreter in the environment variable `PYTHON`, else `python3`.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use crate::measurement::Measurement;
use crate::options::Options;

/// The interpreter, if it has what the peers need.
///
/// # Errors
/// A message for the reader that says what is missing and how to get it.
pub fn python() -> Result<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let remedy =
        "install benches/torch_peer/requirements.txt, or name an interpreter that has it in PYTHON";
    let trial = Command::new(&python).args(["-c", "import torch, higher"]).output();
    let trial = trial.with_context(|| format!("cannot run `{python}`; {remedy}"))?;
    if !trial.status.success() {
        let message = String::from_utf8_lossy(&trial.stderr);
        let reason = message.lines().last().unwrap_or("no message");
        bail!("`{python}` cannot import torch and higher ({reason}); {remedy}");
    }
    Ok(python)
}

/// Time and memory of the peers.
pub fn measure(python: &str, options: &Options) -> Result<Vec<Measurement>> {
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
pub fn reference<T: DeserializeOwned>(python: &str) -> Result<Vec<T>> {
    let output = script(python, "reference.py", &[])?;
    ensure!(output.status.success(), "reference.py ended with {}", output.status);
    lines(&output)
}

fn script(python: &str, name: &str, arguments: &[String]) -> Result<Output> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/torch_peer");
    let mut command = Command::new(python);
    command.arg(folder.join(name)).args(arguments).stderr(Stdio::inherit());
    command.output().with_context(|| format!("cannot run {name}"))
}

fn lines<T: DeserializeOwned>(output: &Output) -> Result<Vec<T>> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_string())).collect()
}
