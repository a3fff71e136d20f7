//! Runs that are killed, asked to stop, or run out of space, and go on as if nothing had happened.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::prelude::*;
use predicates::prelude::*;

use workspace_tests::run_folder::wait_for_rows;

use super::binary::{only_line, reckoning, run};
use super::run_folder::{Outcome, checkpoints, metrics, outcome, train};

/// Many more than are waited for, so that no run has ended before it is killed.
const STEPS: usize = 60;

#[test]
fn a_run_that_is_killed_three_times_ends_like_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = undisturbed(folder.path());
    let killed = folder.path().join("killed");
    for (round, rows) in [5, 16, 27].into_iter().enumerate() {
        let mut child = start(folder.path(), "killed", round > 0);
        wait_for_rows(&mut child, &killed, rows);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!killed.join("results.json").exists(), "it was killed too late to show anything");
    }
    run(folder.path(), ["train", "--resume", "--out", "killed"]);
    assert_eq!(outcome(&killed), undisturbed);
}

#[test]
fn a_run_that_is_asked_to_stop_saves_a_checkpoint_and_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = undisturbed(folder.path());
    let stopped = folder.path().join("stopped");
    let mut child = start(folder.path(), "stopped", false);
    wait_for_rows(&mut child, &stopped, 7);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last_row = metrics(&stopped).last().and_then(|row| row["step"].as_u64());
    assert_eq!(checkpoints(&stopped).last().copied(), last_row, "no step was lost");
    run(folder.path(), ["train", "--resume", "--out", "stopped"]);
    assert_eq!(outcome(&stopped), undisturbed);
}

/// A limit on the size of files stands for a full disk: logged rows are small enough for it, checkpoints are not.
#[test]
fn a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = undisturbed(folder.path());
    let full = folder.path().join("full");
    let mut child = start(folder.path(), "full", false);
    wait_for_rows(&mut child, &full, 9);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = checkpoints(&full);
    assert!(!before.is_empty());

    let program = reckoning(folder.path()).get_program().to_owned();
    let limited = "trap '' XFSZ; ulimit -f 40; exec \"$0\" train --resume --out full";
    let assert =
        Command::new("sh").args(["-c", limited]).arg(program).current_dir(folder.path()).assert();
    let line = only_line(assert.code(1));
    assert!(
        predicate::str::contains("space left")
            .and(predicate::str::contains("learner.bin"))
            .eval(&line),
        "{line}"
    );
    assert_eq!(checkpoints(&full), before);

    run(folder.path(), ["train", "--resume", "--out", "full"]);
    assert_eq!(outcome(&full), undisturbed);
}

#[test]
fn two_programs_do_not_write_one_run() {
    let folder = tempfile::tempdir().unwrap();
    // It must not end before the second has asked, however long that takes to start.
    let mut child = spawn(folder.path(), train("busy", 1_000_000, &[]));
    wait_for_rows(&mut child, &folder.path().join("busy"), 1);
    let second =
        reckoning(folder.path()).args(["train", "--resume", "--out", "busy"]).assert().code(2);
    let line = only_line(second);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("another process is writing"), "{line}");
}

fn undisturbed(folder: &Path) -> Outcome {
    reckoning(folder).args(train("undisturbed", STEPS, &[])).assert().success();
    outcome(&folder.join("undisturbed"))
}

fn start(folder: &Path, out: &str, resume: bool) -> Child {
    let arguments = match resume {
        true => ["train", "--resume", "--out", out].map(String::from).to_vec(),
        false => train(out, STEPS, &[]),
    };
    spawn(folder, arguments)
}

fn spawn(folder: &Path, arguments: Vec<String>) -> Child {
    let mut command = reckoning(folder);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
