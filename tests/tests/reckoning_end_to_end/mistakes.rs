//! What users get wrong: exit code 2 and one line that names the place and the remedy.

use std::fs;
use std::path::Path;

use assert_cmd::prelude::*;

use super::binary::{failure, reckoning, run};
use super::run_folder::train;

/// Trains with `more` arguments and expects a refusal that contains every one of `parts` and leaves no folder, so that a corrected
/// command finds it free.
fn refuses(folder: &Path, more: &[&str], parts: &[&str]) {
    let line = failure(folder, train("refused", 2, more), 2);
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    assert!(!folder.join("refused").exists(), "a folder was made before the refusal: {line}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |set: &str, parts: &[&str]| refuses(folder.path(), &["--set", set], parts);
    refused("model.widht=3", &["--set model.widht=3", "`model.width`"]);
    refused("outer.steps=many", &["`outer.steps`", "--set outer.steps=many"]);
    refused("outer.steps", &["path.to.field=value"]);
    refused("method=guessing", &["`method`", "in-context"]);
    refused("inner.steps=0", &["inner.steps is 0", "no-facts"]);
    refused("model.heads=3", &["model.width = 16", "model.heads = 3"]);
    refused("inner.scope=lora", &["model.lora"]);
    refused("inner.hypergradient.kind=reptile", &["reptile", "inner.fixed_rates = true"]);
    refused("data.source.hops=[0]", &["`data.source.hops`", "from 1 to 20"]);
    refused("data.train_hops=[2]", &["data.train_hops", "data.source.hops"]);
}

#[test]
fn searches_without_beams_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ask = ["ask", "--system", "run", "--memory", "memory", "--beams", "0", "A ? B"];
    for arguments in [ask.as_slice(), &["eval", "--system", "run", "--beams", "0"]] {
        let refused = reckoning(folder.path()).args(arguments).assert().code(2);
        let told = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(told.contains("--beams") && told.contains("at least 1"), "{told}");
    }
}

#[test]
fn configuration_files_are_refused_by_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str, parts: &[&str]| {
        fs::write(folder.path().join("experiment.toml"), text).unwrap();
        refuses(folder.path(), &["--config", "experiment.toml"], parts);
    };
    refused("seed = 1\nmethod = \n", &["experiment.toml, line 2"]);
    refused("[inner]\nrates = 0.1\n", &["experiment.toml", "`inner.rates`", "`inner.rate`"]);
    fs::remove_file(folder.path().join("experiment.toml")).unwrap();
    refuses(
        folder.path(),
        &["--config", "experiment.toml"],
        &["experiment.toml", "check the path"],
    );
}

#[test]
fn data_files_are_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let source = ["--set", "data.source.kind=file", "--set", "data.source.path=facts.jsonl"];
    refuses(folder.path(), &source, &["facts.jsonl", "check that the path exists"]);
    let good = r#"{"id": "1", "facts": ["A son B ."], "questions": [{"text": "A ? B .", "answer": "son"}]}"#;
    let bad = r#"{"id": "2", "facts": "A son B .", "questions": []}"#;
    fs::write(folder.path().join("facts.jsonl"), format!("{good}\n{bad}\n")).unwrap();
    refuses(folder.path(), &source, &["facts.jsonl, line 2", "expected"]);
    fs::write(folder.path().join("facts.jsonl"), "once upon a time\n").unwrap();
    refuses(folder.path(), &source, &["not a known kind of data", "once upon a time"]);
}

#[test]
fn a_folder_that_is_a_run_is_kept_and_one_that_is_none_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = train("taken", 2, &[]);
    run(folder.path(), &arguments);
    let results = folder.path().join("taken/results.json");
    let before = fs::metadata(&results).unwrap().modified().unwrap();
    assert!(failure(folder.path(), &arguments, 2).contains("pass --resume"));
    assert_eq!(fs::metadata(&results).unwrap().modified().unwrap(), before);
    let line = failure(folder.path(), ["train", "--resume", "--out", "absent"], 2);
    assert!(line.contains("absent holds no run"), "{line}");
}

#[test]
fn a_run_is_not_resumed_with_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let generate = |seed: &str| {
        let generate = ["data", "generate", "--count", "40", "--out", "sets.jsonl", "--set", seed];
        run(folder.path(), generate);
    };
    generate("data.source.seed=1");
    let source = ["data.source.kind=file", "data.source.path=sets.jsonl", "data.held_out=0.3"];
    let source = source.map(|set| ["--set", set]).concat();
    run(folder.path(), train("run", 2, &source));
    let resume = ["train", "--resume", "--out", "run"];
    run(folder.path(), resume);
    fs::remove_file(folder.path().join("sets.jsonl")).unwrap();
    generate("data.source.seed=2");
    let line = failure(folder.path(), resume, 2);
    assert!(line.contains("begun with other data"), "{line}");
}

#[test]
fn a_run_is_not_resumed_from_another_system() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), train("first", 2, &[]));
    run(folder.path(), train("second", 2, &["--set", "start_from=first/system"]));
    let resume = ["train", "--resume", "--out", "second"];
    run(folder.path(), resume);
    fs::remove_dir_all(folder.path().join("first")).unwrap();
    run(folder.path(), train("first", 3, &[]));
    let line = failure(folder.path(), resume, 2);
    assert!(line.contains("another model"), "{line}");
}

#[test]
fn a_damaged_checkpoint_is_named_with_the_one_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), train("damaged", 4, &[]));
    let learner = folder.path().join("damaged/checkpoints/step-000000000004/learner.bin");
    let mut bytes = fs::read(&learner).unwrap();
    bytes[100] ^= 1;
    fs::write(&learner, bytes).unwrap();
    let line = failure(folder.path(), ["train", "--resume", "--out", "damaged"], 1);
    assert!(
        line.contains("learner.bin") && line.contains("delete it to go on from step 2"),
        "{line}"
    );
}

#[test]
fn reports_of_no_runs_and_of_one_run_twice_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), train("run", 2, &[]));
    let twice = failure(folder.path(), ["report", "run", "./run"], 2);
    assert!(twice.contains("name each run once"), "{twice}");
    let absent = failure(folder.path(), ["report", "run", "absent"], 2);
    assert!(absent.contains("absent holds no run"), "{absent}");
    assert!(!folder.path().join("report.html").exists());
}
