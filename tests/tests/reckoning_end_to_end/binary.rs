//! The program under test, built once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use assert_cmd::assert::Assert;
use assert_cmd::prelude::*;

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(build);

/// A command that starts the program in `folder`.
///
/// Cargo builds the programs of a test's own package only, so the first call builds this one.
pub fn reckoning(folder: &Path) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.current_dir(folder);
    command
}

/// Builds the program with the profile, and into the target folder, of the test itself.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests lie in `deps` in the folder of a profile");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = folder.parent().expect("the folder of a profile lies in the target folder");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "reckoning",
            "--bin",
            "reckoning",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "`reckoning` does not build");
    folder.join(format!("reckoning{}", std::env::consts::EXE_SUFFIX))
}

/// Runs the program in `folder` and expects success.
pub fn run<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>) -> Assert {
    reckoning(folder).args(arguments.as_ref()).assert().success()
}

/// Runs the program and reads its standard output, which must be one JSON value on one line.
pub fn run_json<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>) -> serde_json::Value {
    let assert = run(folder, arguments);
    let output = String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8");
    assert_eq!(output.lines().count(), 1, "{output}");
    serde_json::from_str(&output).expect("JSON")
}

/// Runs the program and expects `code` and one line on standard error, which is returned.
pub fn failure<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>, code: i32) -> String {
    only_line(reckoning(folder).args(arguments.as_ref()).assert().code(code))
}

/// The one line that a failed program leaves on standard error, beside its progress.
pub fn only_line(assert: Assert) -> String {
    let errors = String::from_utf8(assert.get_output().stderr.clone()).expect("UTF-8");
    let mut lines = errors.lines().filter(|line| !line.starts_with("training: "));
    let line = lines.next().unwrap_or_default().to_owned();
    assert_eq!(lines.next(), None, "more than one line: {errors}");
    assert!(line.starts_with("error: "), "{line}");
    line
}
