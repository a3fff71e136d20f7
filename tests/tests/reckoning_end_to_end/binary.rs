//! The program under test, built once.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use assert_cmd::assert::Assert;
use workspace_tests::program::Program;

static PROGRAM: LazyLock<Program> = LazyLock::new(|| Program::build("reckoning", "training: "));

/// [`Program::command`].
pub fn reckoning(folder: &Path) -> Command {
    PROGRAM.command(folder)
}

/// [`Program::run`].
pub fn run<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>) -> Assert {
    PROGRAM.run(folder, arguments)
}

/// [`Program::run_json`].
pub fn run_json<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>) -> serde_json::Value {
    PROGRAM.run_json(folder, arguments)
}

/// [`Program::failure`].
pub fn failure<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>, code: i32) -> String {
    PROGRAM.failure(folder, arguments, code)
}

/// [`Program::only_line`].
pub fn only_line(assert: Assert) -> String {
    PROGRAM.only_line(assert)
}
