//! Real signals to real processes: this test runs itself again as a child and kills it.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use experiment::checkpoint::Checkpoints;
use experiment::cli::{self, Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;

const ROLE: &str = "EXPERIMENT_TEST_CHILD";
const FOLDER: &str = "EXPERIMENT_TEST_FOLDER";

/// Runs the test `role` of this file in another process, and waits until it says that it is at work.
fn child(role: &str, folder: &Path) -> Child {
    child_after(":", role, folder)
}

/// As [`child`], after a command of the shell that becomes it.
fn child_after(command: &str, role: &str, folder: &Path) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{command}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", role, "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    // The test harness writes its own words in front, on the same line.
    if !output.lines().map_while(Result::ok).any(|line| line.ends_with("at work")) {
        let words = child.wait_with_output().unwrap().stderr;
        panic!("the child never began: {}", String::from_utf8_lossy(&words));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn is_child(role: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|value| value == role)
}

fn folder() -> std::ffi::OsString {
    std::env::var_os(FOLDER).unwrap()
}

fn wait(mut child: Child) -> ExitStatus {
    for _ in 0..1000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the child did not end within ten seconds");
}

fn save_for_ever() {
    let run = RunDirectory::resume(folder()).unwrap();
    let checkpoints = Checkpoints::new(&run, 2).unwrap();
    let first = checkpoints.latest().unwrap().unwrap_or(0);
    for step in first + 1.. {
        checkpoints
            .save(step, &[("model", &vec![step as u8; 200_000]), ("step", &step.to_le_bytes())])
            .unwrap();
        if step == first + 1 {
            println!("at work");
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_checkpoint() {
    if is_child("a_kill_at_any_moment_leaves_a_whole_checkpoint") {
        return save_for_ever();
    }
    let folder = tempfile::tempdir().unwrap();
    drop(RunDirectory::create(folder.path(), &BTreeMap::<String, u64>::new()).unwrap());
    let mut last = 0;
    for round in 0..8_u64 {
        let mut child = child("a_kill_at_any_moment_leaves_a_whole_checkpoint", folder.path());
        std::thread::sleep(Duration::from_millis(40 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // Reading must do without the cleaning that a writer begins with.
        let run = RunDirectory::open(folder.path()).unwrap();
        let checkpoints = Checkpoints::new(&run, 2).unwrap();
        for step in checkpoints.steps().unwrap() {
            assert_eq!(checkpoints.load(step).unwrap().file("step").unwrap(), step.to_le_bytes());
        }
        let latest = checkpoints.latest().unwrap().unwrap_or(0);
        assert!(latest >= last, "a checkpoint was lost: {latest} after {last}");
        last = latest;
    }
    assert!(last > 0, "the children saved nothing");
}

/// Takes `rest` for the rest of a step, once it is asked to end, and saves.
fn work_until_interrupted(rest: Duration) -> ! {
    let code = cli::run(|| {
        let interrupt = Interrupt::install().failed()?;
        assert!(
            !Interrupt::install().failed()?.requested(),
            "installing again gives the same flag"
        );
        println!("at work");
        while !interrupt.requested() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(rest);
        std::fs::write(Path::new(&folder()).join("saved"), "state").failed()?;
        Err(Failure::Interrupted)
    });
    // `ExitCode` cannot be asked for its number; the harness would swallow it.
    std::process::exit(if code == std::process::ExitCode::from(130) { 130 } else { 99 });
}

#[test]
fn ctrl_c_and_termination_let_the_work_be_saved() {
    const ROLE: &str = "ctrl_c_and_termination_let_the_work_be_saved";
    if is_child(ROLE) {
        work_until_interrupted(Duration::ZERO);
    }
    // Shells start background jobs with Ctrl-C ignored, and this test may be part of one.
    let ignores_ctrl_c =
        Command::new("sh").args(["-c", "kill -INT $$"]).status().unwrap().success();
    let names = if ignores_ctrl_c { &["-TERM"][..] } else { &["-INT", "-TERM"] };
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let child = child(ROLE, folder.path());
        signal(&child, name);
        assert_eq!(wait(child).code(), Some(130));
        assert!(folder.path().join("saved").exists());
    }
}

#[test]
fn a_second_signal_ends_a_hanging_step() {
    const ROLE: &str = "a_second_signal_ends_a_hanging_step";
    if is_child(ROLE) {
        let interrupt = Interrupt::install().unwrap();
        println!("at work");
        loop {
            std::thread::sleep(Duration::from_millis(5));
            if interrupt.requested() {
                std::fs::write(Path::new(&folder()).join("asked"), "once").unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let child = child(ROLE, folder.path());
    signal(&child, "-TERM");
    let asked = folder.path().join("asked");
    let is_asked = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        asked.exists()
    });
    assert!(is_asked, "the child did not notice the first signal within ten seconds");
    std::thread::sleep(Duration::from_millis(1100));
    signal(&child, "-TERM");
    assert_eq!(wait(child).code(), Some(130));
}

/// `timeout` and closing terminals ask twice.
#[test]
fn signals_that_come_together_are_one_request() {
    const ROLE: &str = "signals_that_come_together_are_one_request";
    if is_child(ROLE) {
        work_until_interrupted(Duration::from_millis(300));
    }
    let folder = tempfile::tempdir().unwrap();
    let child = child(ROLE, folder.path());
    for name in ["-TERM", "-HUP", "-TERM"] {
        signal(&child, name);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(wait(child).code(), Some(130));
    assert!(folder.path().join("saved").exists());
}

/// As `nohup` starts a program.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    const ROLE: &str = "a_signal_that_was_ignored_from_the_start_stays_ignored";
    if is_child(ROLE) {
        work_until_interrupted(Duration::ZERO);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = child_after("trap '' HUP", ROLE, folder.path());
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none() && !folder.path().join("saved").exists());
    signal(&child, "-TERM");
    assert_eq!(wait(child).code(), Some(130));
    assert!(folder.path().join("saved").exists());
}
