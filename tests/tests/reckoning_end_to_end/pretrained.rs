//! Starting from a GPT-2 as Hugging Face saves it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::binary::{failure, reckoning, run, run_json};
use super::run_folder::train;

/// Answers that the tiny tokenizer covers in full, and that fit its model's 16 tokens even where facts are recalled.
const ANSWERS: [&str; 3] = ["other", "the bear", "of"];

/// A line for each of `count` knowledge sets.
fn sets(count: usize) -> String {
    let set = |number: usize| {
        let answer = ANSWERS[number % ANSWERS.len()];
        let question = json!({ "text": "Anna is", "answer": answer, "relevant": [0], "hops": 1 });
        let fact = format!("Anna is {answer}.");
        json!({ "id": number.to_string(), "facts": [fact], "questions": [question] }).to_string()
    };
    (0..count).map(set).collect::<Vec<_>>().join("\n")
}

fn gpt2() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/gpt2_tiny")
}

/// Arguments that train from the folder `start` on the sets, which are written to `folder`.
fn arguments(folder: &Path, out: &str, start: &Path, more: &[&str]) -> Vec<String> {
    fs::create_dir_all(folder.join("sets")).unwrap();
    for (name, count) in [("train", 40), ("test", 2)] {
        fs::write(folder.join(format!("sets/{name}.jsonl")), sets(count)).unwrap();
    }
    let start = format!("start_from={}", start.display());
    let settings = [&start, "data.source.kind=file", "data.source.path=sets", "data.held_out=0.3"];
    let settings: Vec<&str> = settings.iter().flat_map(|set| ["--set", *set]).collect();
    train(out, 3, &[settings.as_slice(), more].concat())
}

#[test]
fn every_method_trains_from_a_gpt2() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["reckoning", "in-context", "no-facts", "no-question", "random-facts", "language"]
    {
        let set = format!("method={method}");
        let more = ["--set", set.as_str(), "--json"];
        let results = run_json(folder.path(), arguments(folder.path(), method, &gpt2(), &more));
        assert_eq!(results[0]["overall"]["n"], 2, "{method}");
        let tokenizer = fs::read(folder.path().join(method).join("system/tokenizer.json")).unwrap();
        assert_eq!(tokenizer, fs::read(gpt2().join("tokenizer.json")).unwrap(), "{method}");
    }
    let system = fs::read_to_string(folder.path().join("reckoning/system/reckoning.toml")).unwrap();
    assert!(system.contains("vocabulary = 50") && system.contains("tied_head = true"), "{system}");
}

#[test]
fn the_trained_system_evaluates_encodes_answers_and_is_started_from_again() {
    let folder = tempfile::tempdir().unwrap();
    let recall = ["--set", "objective.recall.kind=joint"];
    run(folder.path(), arguments(folder.path(), "run", &gpt2(), &recall));
    let eval = ["eval", "--system", "run/system", "--data", "sets", "--json"];
    let evaluation = run_json(folder.path(), eval);
    assert!(evaluation["scores"]["tests"][0]["scores"]["overall"]["recall_f1"]["mean"].is_number());
    fs::write(folder.path().join("facts.txt"), "Anna is other.\nThe bear is Anna.\n").unwrap();
    let encode =
        ["encode", "--system", "run/system", "--facts", "facts.txt", "--out", "memory", "--json"];
    assert_eq!(run_json(folder.path(), encode)["facts"], 2);
    assert!(failure(folder.path(), encode, 2).contains("--overwrite"));
    run(folder.path(), [encode.as_slice(), &["--overwrite"]].concat());
    let ask = ["ask", "--system", "run/system", "--memory", "memory", "--json", "Anna is"];
    assert!(run_json(folder.path(), ask)[0]["text"].is_string());
    let lora = [
        "--set",
        "inner.scope=lora",
        "--set",
        "model.lora.rank=2",
        "--set",
        "model.lora.alpha=4.0",
    ];
    let again = arguments(folder.path(), "again", &folder.path().join("run/system"), &lora);
    run(folder.path(), again);
    // The adapters of the second stage are those that a third one finds.
    let third = ["--set", "inner.scope=lora"];
    run(
        folder.path(),
        arguments(folder.path(), "third", &folder.path().join("again/system"), &third),
    );
}

#[test]
fn an_exported_model_is_one_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), arguments(folder.path(), "run", &gpt2(), &[]));
    let export = ["export", "--system", "run/system", "--out", "exported", "--json"];
    assert_eq!(run_json(folder.path(), export)["folder"], "exported");
    assert!(failure(folder.path(), export, 2).contains("is there already"));
    let exported = folder.path().join("exported");
    fs::copy(gpt2().join("tokenizer.json"), exported.join("tokenizer.json")).unwrap();
    run(folder.path(), arguments(folder.path(), "again", &exported, &[]));
}

#[test]
fn a_talk_goes_on_after_what_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), arguments(folder.path(), "run", &gpt2(), &[]));
    let mut chat = reckoning(folder.path())
        .args(["chat", "--system", "run/system", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said =
        b"Anna is other.\n\xff\xfe\n:save\n:save memory\n:save memory\nAnna is?\n:facts\n:quit\n";
    chat.stdin.take().unwrap().write_all(said).unwrap();
    let replies = chat.wait_with_output().unwrap();
    assert!(replies.status.success());
    let replies = String::from_utf8(replies.stdout).unwrap();
    let replies: Vec<Value> =
        replies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused: Vec<bool> = replies.iter().map(|reply| reply["error"].is_string()).collect();
    assert_eq!(refused, [false, true, true, false, true, false, false], "{replies:?}");
    let taken = replies[4]["error"].as_str().unwrap();
    assert!(taken.contains("memory is there already"), "{taken}");
    assert_eq!(replies[6]["reply"], "1. Anna is other.");
    assert!(folder.path().join("memory").exists());
}

#[test]
fn folders_that_cannot_be_started_from_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start");
    let refused = |parts: &[&str]| {
        let line = failure(folder.path(), arguments(folder.path(), "run", &start, &[]), 2);
        parts.iter().for_each(|part| assert!(line.contains(part), "`{part}` is not in: {line}"));
    };
    refused(&["start_from", "there is no folder"]);
    fs::create_dir(&start).unwrap();
    refused(&["neither reckoning.toml nor config.json"]);
    fs::copy(gpt2().join("config.json"), start.join("config.json")).unwrap();
    refused(&["model.safetensors"]);
    fs::copy(gpt2().join("model.safetensors"), start.join("model.safetensors")).unwrap();
    refused(&["tokenizer.json"]);
    fs::copy(gpt2().join("tokenizer.json"), start.join("tokenizer.json")).unwrap();
    let config = fs::read_to_string(start.join("config.json")).unwrap();
    fs::write(start.join("config.json"), config.replace("gelu_new", "relu")).unwrap();
    refused(&["activation_function", "gelu_new"]);
    let scope = ["--set", "inner.scope.last-layers=3"];
    let line = failure(folder.path(), arguments(folder.path(), "run", &gpt2(), &scope), 2);
    assert!(line.contains("the model has 2 layers"), "{line}");
}
