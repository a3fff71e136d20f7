//! Programs of others to be measured beside: Python scripts, run by the interpreter in the environment variable `PYTHON`, else
//! `python3`.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::DeserializeOwned;

/// An interpreter that has what a script needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    interpreter: String,
}

impl Python {
    /// The interpreter, if it can import `modules`, such as `torch, numpy`; `requirements` is the file that lists them.
    ///
    /// # Errors
    /// A message for the reader that says what is missing and how to get it.
    pub fn with(modules: &str, requirements: &str) -> Result<Self> {
        let interpreter = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let remedy =
            format!("install {requirements}, or name an interpreter that has it in PYTHON");
        let trial = Command::new(&interpreter).args(["-c", &format!("import {modules}")]).output();
        let trial = trial.with_context(|| format!("cannot run `{interpreter}`; {remedy}"))?;
        if !trial.status.success() {
            let message = String::from_utf8_lossy(&trial.stderr);
            let reason = message.lines().last().unwrap_or("no message");
            bail!("`{interpreter}` cannot import {modules} ({reason}); {remedy}");
        }
        Ok(Self { interpreter })
    }

    /// An interpreter that nobody tried.
    pub fn untried(interpreter: &str) -> Self {
        Self { interpreter: interpreter.to_owned() }
    }

    /// A command that begins with the interpreter, to which a script is to be added.
    pub fn command(&self) -> Command {
        Command::new(&self.interpreter)
    }

    /// The JSON values that a script, given as its text, prints, one a line. What it says on standard error is passed on.
    ///
    /// # Errors
    /// If it cannot be run, fails, or prints something else.
    pub fn lines<T: DeserializeOwned>(&self, script: &str, arguments: &[String]) -> Result<Vec<T>> {
        let Output { status, stdout, .. } = self
            .command()
            .args(["-c", script])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run the peer's script")?;
        ensure!(status.success(), "the peer's script ended with {status}");
        let text = String::from_utf8_lossy(&stdout);
        let read = |line| serde_json::from_str(line).with_context(|| format!("it printed {line}"));
        text.lines().map(read).collect()
    }

    /// The one JSON value that a script prints.
    ///
    /// # Errors
    /// As [`Self::lines`], and if there is not exactly one.
    pub fn value<T: DeserializeOwned>(&self, script: &str, arguments: &[String]) -> Result<T> {
        let lines = self.lines(script, arguments)?;
        let [only] = <[T; 1]>::try_from(lines).map_err(|lines| {
            anyhow!("the peer's script printed {} lines instead of one", lines.len())
        })?;
        Ok(only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_that_cannot_run_the_script_fails() {
        for interpreter in ["no such interpreter", "false"] {
            let refused = Python::untried(interpreter).lines::<u8>("print(1)", &[]);
            assert!(refused.is_err(), "{interpreter}");
        }
    }

    #[test]
    fn lines_that_are_not_one_are_counted() {
        let shell = Python::untried("sh");
        for (script, lines) in [("true", 0), ("echo 1; echo 2; echo 3", 3)] {
            let refused = shell.value::<u8>(script, &[]).unwrap_err().to_string();
            assert!(refused.contains(&format!("printed {lines} lines")), "{refused}");
        }
        assert_eq!(shell.value::<u8>("echo 7", &[]).unwrap(), 7);
    }

    #[test]
    fn what_is_printed_is_read() {
        // `echo` prints its arguments in place of running them.
        let echo = Python::untried("echo");
        let error = echo.value::<u8>("1", &[]).unwrap_err();
        assert!(format!("{error:#}").contains("it printed -c 1"), "{error:#}");
    }
}
