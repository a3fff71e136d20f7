//! Trainings that are killed or asked to stop, and go on as if nothing had happened.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use workspace_tests::run_folder::wait_for_rows;

use super::{DENOISER, MODEL, Outcome, SLOWFAST, outcome, prepared, training};

/// Many more than are waited for, so that no run has ended before it is killed.
const STEPS: usize = 48;

#[test]
fn a_training_that_is_killed_twice_ends_like_one_that_is_not() {
    let folder = prepared();
    let expected = undisturbed(folder.path());
    let killed = folder.path().join("killed");
    for (start_again, row) in [(false, 5), (true, 13)] {
        let mut child = start(folder.path(), "killed", start_again);
        wait_for_rows(&mut child, &killed, row);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!killed.join("results.json").exists(), "it was killed too late to show anything");
    }
    SLOWFAST.run(folder.path(), ["train", "--resume", "--out", "killed"]);
    assert_eq!(outcome(&killed, &MODEL), expected);
}

#[test]
fn a_training_that_is_asked_to_stop_goes_on_from_there() {
    let folder = prepared();
    let expected = undisturbed(folder.path());
    let stopped = folder.path().join("stopped");
    let mut child = start(folder.path(), "stopped", false);
    wait_for_rows(&mut child, &stopped, 7);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    SLOWFAST.run(folder.path(), ["train", "--resume", "--out", "stopped"]);
    // Lines of metrics end where it was stopped, so they may be others.
    let found = outcome(&stopped, &MODEL);
    assert_eq!((found.results, found.files), (expected.results, expected.files));
}

fn undisturbed(folder: &Path) -> Outcome {
    SLOWFAST.run(folder, training("train", "undisturbed", STEPS, &DENOISER));
    outcome(&folder.join("undisturbed"), &MODEL)
}

fn start(folder: &Path, out: &str, resume: bool) -> Child {
    let arguments = match resume {
        true => ["train", "--resume", "--out", out].map(String::from).to_vec(),
        false => training("train", out, STEPS, &DENOISER),
    };
    let mut command = SLOWFAST.command(folder);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
