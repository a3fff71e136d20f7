//! From training to a page of results.

use std::fs;

use super::binary::{run, run_json};
use super::run_folder::train;

#[test]
fn a_tiny_system_is_trained_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let results =
        run_json(folder.path(), train("run", 6, &["--set", "evaluation.hops=[2, 3]", "--json"]));
    let names: Vec<_> =
        results.as_array().unwrap().iter().map(|accuracy| accuracy["name"].as_str()).collect();
    assert_eq!(names, [Some("2 hops"), Some("3 hops")]);
    assert_eq!(results[0]["overall"]["n"], 8);
    for file in ["config.toml", "metrics.jsonl", "results.json", "system/model.safetensors"] {
        assert!(folder.path().join("run").join(file).is_file(), "{file}");
    }

    let report = run_json(folder.path(), ["report", "run", "--svg", "figures", "--json"]);
    assert_eq!(report["groups"][0]["label"], "run");
    assert_eq!(report["groups"][0]["accuracy"]["3 hops"]["n"], 8);
    assert_eq!(report["notes"].as_array().map(Vec::len), Some(0));
    let drawings = [
        "accuracy-by-hops",
        "validation-accuracy",
        "outer-loss",
        "inner-loss",
        "learned-rates-run",
    ];
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(page.matches("<svg ").count(), drawings.len());
    assert!(!page.contains("<script") && !page.contains("src="), "the page needs nothing else");
    for name in drawings {
        let drawing =
            fs::read_to_string(folder.path().join(format!("figures/{name}.svg"))).unwrap();
        assert!(page.contains(&drawing), "{name}");
    }
}

#[test]
fn seeds_are_one_line_and_methods_are_several() {
    let folder = tempfile::tempdir().unwrap();
    let systems = [
        ("exact-seed-1", "seed=1"),
        ("exact-seed-2", "seed=2"),
        ("in-context", "method=in-context"),
    ];
    for (name, set) in systems {
        run(folder.path(), train(name, 2, &["--set", set]));
    }
    let runs = systems.map(|(name, _)| name);
    let arguments = [["report", "--out", "deep/page.html", "--json"].as_slice(), &runs].concat();
    let report = run_json(folder.path(), &arguments);
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(
        (groups[0]["label"].as_str(), groups[1]["label"].as_str()),
        (Some("exact"), Some("in-context"))
    );
    assert_eq!(groups[0]["runs"].as_array().map(Vec::len), Some(2));
    let page = fs::read_to_string(folder.path().join("deep/page.html")).unwrap();
    assert!(page.contains("2 systems") && page.contains("<td>method</td>"));
}
