//! `reckoning data`: generating, looking, converting, and training on what came out.

use super::binary::{failure, run, run_json};
use super::run_folder::train;

#[test]
fn generated_sets_can_be_inspected_converted_and_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let generate = [
        "data",
        "generate",
        "--count",
        "60",
        "--set",
        "data.source.hops=[2]",
        "--out",
        "sets/kin.jsonl",
    ];
    let generated = run_json(folder.path(), [generate.as_slice(), &["--json"]].concat());
    assert_eq!(generated["statistics"]["sets"], 60);

    let inspected =
        run_json(folder.path(), ["data", "inspect", "sets", "--examples", "2", "--json"]);
    assert_eq!(inspected["kind"], "native");
    assert_eq!(inspected["splits"]["kin"], generated["statistics"]);
    assert_eq!(inspected["examples"].as_array().map(Vec::len), Some(2));

    let converted =
        run_json(folder.path(), ["data", "convert", "sets", "--out", "again.jsonl", "--json"]);
    assert_eq!(converted[0]["statistics"], generated["statistics"]);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("again.jsonl"), read("sets/kin.jsonl"), "our own format stays as it is");

    let source =
        ["--set", "data.source.kind=file", "--set", "data.source.path=again.jsonl", "--json"];
    let results = run_json(folder.path(), train("run", 2, &source));
    assert_eq!(results[0]["name"], "test");
}

#[test]
fn sets_are_printed_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["data", "inspect", "--set", "data.source.kind=rules", "--count", "3", "--examples", "1"];
    let output = run(folder.path(), arguments).get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    for part in
        ["knowledge sets  3", "set rules-0-0", "    1  ", "  asked     ", "  answered  yes ("]
    {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn mistakes_are_one_line_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let generate = ["data", "generate", "--count", "2", "--out", "sets.jsonl"];
    run(folder.path(), generate);
    let refused = |arguments: &[&str], part: &str| {
        let line = failure(folder.path(), arguments, 2);
        assert!(line.contains(part), "`{part}` is not in: {line}");
    };
    refused(&generate, "pass --overwrite");
    run(folder.path(), [generate.as_slice(), &["--overwrite"]].concat());
    refused(&["data", "inspect", "absent"], "check that the path exists");
    refused(&["data", "inspect", "--set", "data.source.hops=[99]"], "from 1 to 20");
    refused(&["data", "convert", "absent", "--out", "new.jsonl"], "check that the path exists");
    refused(&["data", "generate", "--held-out", "--out", "new.jsonl"], "held_out_chains above 0");
    refused(&["data", "generate", "--out", ".", "--overwrite"], "name a file");
    assert!(!folder.path().join("new.jsonl").exists());
}
