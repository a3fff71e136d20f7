//! A program of the workspace as a user starts it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::assert::Assert;
use assert_cmd::prelude::*;

/// A program, built with the profile, and into the target folder, of the test itself.
///
/// Cargo builds the programs of a test's own package only.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    /// How lines of progress begin on standard error.
    progress: &'static str,
}

impl Program {
    /// Builds the programs of the workspace and takes the one called `name`, whose lines of progress begin with `progress`.
    ///
    /// A package built alone gives other features to what it shares with the rest, so that Burn would be built once more for
    /// each.
    ///
    /// # Panics
    /// If they do not build.
    pub fn build(name: &str, progress: &'static str) -> Self {
        let test = std::env::current_exe().expect("a test knows its own path");
        let folder =
            test.ancestors().nth(2).expect("tests lie in `deps` in the folder of a profile");
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(profile) => profile,
        };
        let target = folder.parent().expect("the folder of a profile lies in the target folder");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--bins", "--profile", profile])
            .arg("--target-dir")
            .arg(target)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()
            .expect("cargo starts");
        assert!(status.success(), "the programs do not build");
        Self { path: folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)), progress }
    }

    /// A command that starts the program in `folder`.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(folder);
        command
    }

    /// Runs the program in `folder` and expects success.
    pub fn run<S: AsRef<OsStr>>(&self, folder: &Path, arguments: impl AsRef<[S]>) -> Assert {
        self.command(folder).args(arguments.as_ref()).assert().success()
    }

    /// Runs the program and reads its standard output, which must be one JSON value on one line.
    ///
    /// # Panics
    /// If it is something else.
    pub fn run_json<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: impl AsRef<[S]>,
    ) -> serde_json::Value {
        let assert = self.run(folder, arguments);
        let output = String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8");
        assert_eq!(output.lines().count(), 1, "{output}");
        serde_json::from_str(&output).expect("JSON")
    }

    /// Runs the program and expects `code` and one line on standard error, which is returned.
    pub fn failure<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: impl AsRef<[S]>,
        code: i32,
    ) -> String {
        self.only_line(self.command(folder).args(arguments.as_ref()).assert().code(code))
    }

    /// The one line that a failed program leaves on standard error, beside its progress.
    ///
    /// # Panics
    /// If there are more, or it is no error.
    pub fn only_line(&self, assert: Assert) -> String {
        let errors = String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8");
        let mut lines = errors.lines().filter(|line| !line.starts_with(self.progress));
        let line = lines.next().unwrap_or_default().to_owned();
        assert_eq!(lines.next(), None, "more than one line: {errors}");
        assert!(line.starts_with("error: "), "{line}");
        line
    }
}
