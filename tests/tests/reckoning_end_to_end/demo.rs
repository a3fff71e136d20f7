//! The demo, and memories of another system.

use std::fs;

use super::binary::{failure, run_json};

#[test]
fn the_demo_compares_methods_and_tells_a_story() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let demo = ["demo", "--steps", "3", "--out", "demo", "--json"];
    let shown = run_json(here, demo);
    let methods: Vec<&str> = shown["accuracies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[0].as_str().unwrap())
        .collect();
    let all = ["reckoning", "in-context", "no-facts", "no-question", "random-facts"];
    assert_eq!(methods, all);
    assert_eq!(shown["accuracies"][0][1]["overall"]["n"], 1000);
    assert_eq!(shown["answers"][0][0], "Alice ? Carol .");
    let page = fs::read_to_string(here.join("demo/report.html")).unwrap();
    assert!(all.iter().all(|method| page.contains(method)));
    // Again: what is there is not trained again, and comes out the same.
    assert_eq!(run_json(here, demo), shown);
    let other = ["demo", "--steps", "4", "--out", "demo"];
    assert!(failure(here, other, 2).contains("choose another --out"));

    fs::write(here.join("facts.txt"), "Alice son Bob\nBob daughter Carol\n").unwrap();
    let system = |method: &str| format!("demo/{method}/system");
    let (own, foreign) = (system("reckoning"), system("random-facts"));
    let encode = ["encode", "--system", &own, "--facts", "facts.txt", "--out", "memory", "--json"];
    assert_eq!(run_json(here, encode)["facts"], 2);
    let ask = |system| {
        ["ask", "--system", system, "--memory", "memory", "Alice ? Carol"].map(String::from)
    };
    let refused = failure(here, ask(foreign.as_str()), 2);
    assert!(refused.contains("memory"), "{refused}");
}
