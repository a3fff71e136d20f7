//! `reckoning bench`: measuring, and reporting what was measured.

use std::fs;

use super::binary::{failure, run_json};

const SMALL: [&str; 12] = [
    "bench",
    "--facts",
    "2",
    "--fact-tokens",
    "8",
    "--questions",
    "1,3",
    "--repeats",
    "1",
    "--set",
    "model.width=16",
    "--json",
];

#[test]
fn times_and_memory_are_measured_drawn_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--inner-steps", "2", "--memory-steps", "1,4", "--out", "measured"];
    let measured = run_json(folder.path(), [SMALL.as_slice(), &arguments].concat());
    assert_eq!(measured["seconds"].as_array().map(Vec::len), Some(3 * 2));
    assert_eq!(measured["break_even"].as_array().map(Vec::len), Some(2));
    let memory = measured["memory"].as_array().unwrap();
    let kinds: Vec<_> = memory
        .iter()
        .map(|used| (used["hypergradient"].as_str().unwrap(), used["inner_steps"].as_u64()))
        .collect();
    let both = |kind| [(kind, Some(1)), (kind, Some(4))];
    assert_eq!(kinds, [both("unrolled"), both("first-order")].concat());
    assert!(memory.iter().all(|used| used["peak_bytes"].as_u64() > used["before_bytes"].as_u64()));

    let report = run_json(folder.path(), ["report", "measured", "--json"]);
    assert_eq!(report["benchmarks"][0][0], "measured");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for name in ["break-even", "memory"] {
        let path = folder.path().join(format!("measured/{name}.svg"));
        assert!(page.contains(&fs::read_to_string(path).unwrap()), "{name}");
    }
}

#[test]
fn one_part_alone_can_be_measured_and_nothing_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let seconds = run_json(folder.path(), [SMALL.as_slice(), &["--only", "seconds"]].concat());
    assert_eq!(seconds["memory"].as_array().map(Vec::len), Some(0));
    assert!(!folder.path().join("runs/bench/memory.svg").exists());
    let line = failure(folder.path(), ["bench", "--questions", "0"], 2);
    assert!(line.contains("at least 1"), "{line}");
    let lora = failure(folder.path(), ["bench", "--set", "inner.scope=lora"], 2);
    assert!(lora.contains("model.lora.rank"), "{lora}");
}
