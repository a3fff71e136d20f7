//! Runs that are killed or asked to stop in the middle of a round, and go on as if nothing had happened.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use workspace_tests::run_folder::wait_for_rows;

use super::{FAL, Outcome, outcome, train};

const ROUNDS: usize = 24;
/// Everything that a server and its clients can remember from round to round.
const REMEMBERING: [&str; 8] = [
    "--set",
    "client.drift.kind=scaffold",
    "--set",
    "client.momentum=0.0",
    "--set",
    "server.aggregator={ kind = \"mean\", weighting = \"uniform\" }",
    "--set",
    "clients.participation={ fraction = 0.7, dropout = 0.2, straggling = 0.3 }",
];

#[test]
fn a_run_that_is_killed_twice_ends_like_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let expected = undisturbed(folder.path());
    let killed = folder.path().join("killed");
    for (start_again, row) in [(false, 5), (true, 13)] {
        let mut child = start(folder.path(), "killed", start_again);
        wait_for_rows(&mut child, &killed, row);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!killed.join("results.json").exists(), "it was killed too late to show anything");
    }
    FAL.run(folder.path(), ["train", "--resume", "--out", "killed"]);
    assert_eq!(outcome(&killed), expected);
}

#[test]
fn a_run_that_is_asked_to_stop_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let expected = undisturbed(folder.path());
    let stopped = folder.path().join("stopped");
    let mut child = start(folder.path(), "stopped", false);
    wait_for_rows(&mut child, &stopped, 7);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    FAL.run(folder.path(), ["train", "--resume", "--out", "stopped"]);
    assert_eq!(outcome(&stopped), expected);
}

/// In two parts, of which the first ends between two checkpoints.
#[test]
fn a_run_in_parts_ends_like_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let expected = undisturbed(here);
    let first = [&REMEMBERING[..], &["--until", "7", "--json"]].concat();
    let stopped = FAL.run_json(here, train("parts", ROUNDS, &first));
    assert_eq!(stopped, serde_json::json!({ "rounds": 7 }));
    assert!(!here.join("parts/results.json").exists());
    FAL.run(here, ["train", "--resume", "--out", "parts", "--until", "7"]);
    assert!(here.join("parts/checkpoints/step-000000000007").exists());
    let behind = FAL.failure(here, ["train", "--resume", "--out", "parts", "--until", "6"], 2);
    assert!(behind.contains("7 rounds are done"), "{behind}");
    FAL.run(here, ["train", "--resume", "--out", "parts"]);
    assert_eq!(outcome(&here.join("parts")), expected);
}

/// One attack, then one that is long enough to be interrupted: in a small ball most images stand.
const ATTACKS: [&str; 2] = [
    "evaluation.attacks=[{ kind = \"fgsm\" }, { kind = \"pgd\", steps = 3000, restarts = 3 }]",
    "evaluation.radius=0.001",
];

#[test]
fn an_attack_that_is_asked_to_stop_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    FAL.run(here, train("run", 3, &[]));
    let [attacks, radius] = ATTACKS;
    let attack =
        |out| ["attack", "--network", "run", "--set", attacks, "--set", radius, "--out", out];
    FAL.run(here, attack("undisturbed"));
    let read = |file: &str| fs::read(here.join(file)).unwrap();

    let mut child = FAL.command(here);
    let mut child = child.args(attack("stopped")).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !is_first_attack_done(&here.join("stopped/judgement")) {
        assert!(started.elapsed() < Duration::from_secs(120), "the first attack never ended");
        sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!here.join("stopped/results.json").exists());
    let again = FAL.run(here, ["attack", "--resume", "--out", "stopped"]);
    let text = String::from_utf8(again.get_output().stdout.clone()).unwrap();
    assert!(text.lines().next().unwrap().ends_with("run after 3 rounds"), "{text}");
    for file in ["results.json", "loss-surface.svg"] {
        assert_eq!(read(&format!("stopped/{file}")), read(&format!("undisturbed/{file}")));
    }

    FAL.run(here, train("other", 2, &[]));
    let other = ["attack", "--network", "other", "--resume", "--out", "stopped"];
    let other = FAL.failure(here, other, 2);
    assert!(other.contains("another model"), "{other}");
}

/// What is done lies in a folder that is named after the network.
fn is_first_attack_done(judgement: &Path) -> bool {
    let networks = fs::read_dir(judgement).into_iter().flatten().flatten();
    networks.into_iter().any(|network| network.path().join("0.json").exists())
}

/// What the rounds before were trained with stays what the run says of itself.
#[test]
fn a_run_whose_configuration_was_changed_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    FAL.run(here, train("run", ROUNDS, &["--until", "2"]));
    let config = here.join("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let other = text.replacen("rate = ", "rate = 1", 1);
    assert_ne!(other, text);
    fs::write(&config, other).unwrap();
    let refused = FAL.failure(here, ["train", "--resume", "--out", "run"], 2);
    assert!(refused.contains("config.toml") && refused.contains("--config"), "{refused}");
    fs::write(&config, text).unwrap();
    FAL.run(here, ["train", "--resume", "--out", "run", "--until", "3"]);
}

fn undisturbed(folder: &Path) -> Outcome {
    FAL.run(folder, train("undisturbed", ROUNDS, &REMEMBERING));
    outcome(&folder.join("undisturbed"))
}

fn start(folder: &Path, out: &str, resume: bool) -> Child {
    let arguments = match resume {
        true => ["train", "--resume", "--out", out].map(String::from).to_vec(),
        false => train(out, ROUNDS, &REMEMBERING),
    };
    let mut command = FAL.command(folder);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
