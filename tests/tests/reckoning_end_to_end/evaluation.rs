//! `reckoning eval`: what was trained on is never asked, and every score has its parts.

use std::fs;
use std::path::Path;

use super::binary::{failure, run, run_json};
use super::run_folder::train;

/// Kinship sets of 2 and 3 hops with and without irrelevant facts in `sets.jsonl`, other ones in `other.jsonl`, and a
/// system that recalls facts, trained on the first.
fn trained(folder: &Path) {
    for (seed, count, name) in [("1", "300", "sets.jsonl"), ("2", "40", "other.jsonl")] {
        let hops = "data.source.hops=[2, 3]";
        let seed = format!("data.source.seed={seed}");
        let generate = ["data", "generate", "--count", count, "--set", hops, "--set", &seed];
        run(folder, [generate.as_slice(), &["--out", name]].concat());
    }
    let source = ["data.source.kind=file", "data.source.path=sets.jsonl", "data.held_out=0.5"];
    let recall = ["objective.recall.kind=joint", "model.context=64", "evaluation.final_sets=0"];
    let set: Vec<&str> = [source, recall].concat().iter().flat_map(|set| ["--set", *set]).collect();
    run(folder, train("run", 2, &set));
}

#[test]
fn a_trained_file_is_asked_in_part_and_another_one_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path());
    let eval = ["eval", "--system", "run/system", "--beams", "2"];
    let of = |data: &str, more: &[&str]| {
        run_json(folder.path(), [eval.as_slice(), &["--data", data, "--json"], more].concat())
    };
    // Another name and place do not make it another file.
    fs::copy(folder.path().join("sets.jsonl"), folder.path().join("copied.jsonl")).unwrap();
    let seen = of("copied.jsonl", &["--out", "scores"]);
    let again = [&eval[..], &["--data", "copied.jsonl", "--out", "scores"]].concat();
    let refused = failure(folder.path(), again, 2);
    assert!(refused.contains("--overwrite"), "{refused}");
    let test = &seen["scores"]["tests"][0];
    assert_eq!((test["name"].as_str(), test["part"].as_str()), (Some("test"), Some("held-out")));
    let asked = test["scores"]["overall"]["exact_match"]["n"].as_u64().unwrap();
    assert!((100..200).contains(&asked), "{asked}");
    let remark = seen["remarks"][0].as_str().unwrap();
    assert!(remark.starts_with("no question is known to say and ask the same"), "{remark}");
    let results: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("run/results.json")).unwrap())
            .unwrap();
    assert_eq!(results[0]["overall"]["n"], asked, "the questions that training tests on");

    let scores = &test["scores"];
    let (two, three) = (&scores["by_hops"]["2"], &scores["by_hops"]["3"]);
    let sum =
        two["exact_match"]["n"].as_u64().unwrap() + three["exact_match"]["n"].as_u64().unwrap();
    assert_eq!(sum, asked);
    for score in ["exact_match", "likeliest_label", "recall_f1", "recall_lenient"] {
        for end in ["mean", "low", "high"] {
            assert!(two[score][end].is_number(), "{score} {end} in {two}");
        }
    }
    assert!(scores["by_distractors"].as_object().is_some_and(|parts| !parts.is_empty()));

    let other = of("other.jsonl", &[]);
    let test = &other["scores"]["tests"][0];
    assert_eq!((test["name"].as_str(), test["part"].as_str()), (Some("other"), Some("whole")));
    assert_eq!(test["scores"]["overall"]["exact_match"]["n"], 40);
    let remark = other["remarks"][0].as_str().unwrap();
    assert!(remark.contains("not in this data: 1 of 1;"), "{remark}");

    run(folder.path(), ["report", "run", "scores"]);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("Generated answers") && page.contains("… 3 hops"));
    assert!(page.contains("Note: no question is known to say and ask the same"));
    assert!(page.contains("Recalled facts by hops"));
}

#[test]
fn scores_are_printed_with_their_parts() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path());
    let eval = ["eval", "--system", "run/system", "--beams", "1", "--data", "other.jsonl"];
    let output = run(folder.path(), eval).get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("other (whole, not trained on): exact match "), "{text}");
    assert!(lines[1].starts_with("  2 hops: ") && lines[2].starts_with("  3 hops: "), "{text}");
    assert!(lines[1].contains("recall F1 ") && lines[1].contains("official lenient "), "{text}");
}

#[test]
fn a_file_that_was_trained_on_as_a_whole_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sets = folder.path().join("sets");
    fs::create_dir(&sets).unwrap();
    for (seed, name) in [("1", "sets/train.jsonl"), ("2", "sets/test.jsonl")] {
        let seed = format!("data.source.seed={seed}");
        let generate = ["data", "generate", "--count", "30", "--set", &seed, "--out", name];
        run(folder.path(), generate);
    }
    let source = ["--set", "data.source.kind=file", "--set", "data.source.path=sets"];
    run(folder.path(), train("run", 2, &source));
    let eval = |data: &str| ["eval", "--system", "run/system", "--data", data].map(String::from);
    let line = failure(folder.path(), eval("sets/train.jsonl"), 2);
    assert!(line.contains("trained on all of the split `train`"), "{line}");
    let alone =
        run_json(folder.path(), [eval("sets/test.jsonl").as_slice(), &["--json".into()]].concat());
    assert_eq!(alone["scores"]["tests"][0]["part"], "whole");
}
