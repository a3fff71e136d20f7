//! What users get wrong, and what they are told.

use std::fs;

use super::{FAL, train};

#[test]
fn settings_and_folders_that_do_not_fit_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let told = |more: &[&str], words: &str| {
        let line = FAL.failure(folder.path(), train("run", 1, more), 2);
        assert!(line.contains(words), "{words} is not in {line}");
        assert!(!folder.path().join("run").exists(), "{words}: the folder was made");
    };
    told(&["--set", "client.rate=0.0"], "client.rate");
    told(&["--set", "client.pace=1"], "pace");
    told(&["--set", "clients.count=1000"], "1000");
    told(
        &["--set", "data.set=fashion-mnist", "--set", "data.folder=nowhere"],
        "dataset-fashion-mnist",
    );
    told(&["--data", "nowhere"], "nowhere");
    told(&["--set", "data.folder=nowhere"], "data.folder");
    told(&["--set", "network.kind=lenet"], "lenet");
    told(&["--set", "adversary.steps=9223372036854775807"], "adversary.steps");
    let work = "client.work={ kind = \"steps\", count = 9223372036854775807 }";
    told(&["--set", work], "client.work.count");
    told(&["--set", "network.hidden=[10000000000]"], "fewer or narrower layers");
    FAL.run(folder.path(), train("run", 1, &[]));
    let twice = FAL.failure(folder.path(), train("run", 1, &[]), 2);
    assert!(twice.contains("--resume"), "{twice}");
    let changed = ["train", "--resume", "--out", "run", "--seed", "3"];
    assert!(FAL.failure(folder.path(), changed, 2).contains("--seed"));
}

#[test]
fn networks_that_cannot_be_attacked_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str], words: &str| {
        let line = FAL.failure(folder.path(), [&["attack"], arguments].concat(), 2);
        assert!(line.contains(words), "{words} is not in {line}");
    };
    told(&["--network", "nowhere"], "nowhere");
    fs::write(folder.path().join("broken.safetensors"), b"no tensors").unwrap();
    told(&["--network", "broken.safetensors"], "broken.safetensors");
    FAL.run(folder.path(), train("run", 1, &[]));
    let weights = "run/network/weights.safetensors";
    told(&["--network", weights], "does not hold the weights of this network");
    let results = folder.path().join("run/results.json");
    let before = fs::read(&results).unwrap();
    for more in [&[][..], &["--resume"], &["--seed", "9"]] {
        let into = [&["--network", "run", "--out", "run"], more].concat();
        told(&into, "run holds a training");
    }
    assert_eq!(fs::read(results).unwrap(), before);
    let report = FAL.failure(folder.path(), ["report", "nowhere"], 2);
    assert!(report.contains("nowhere"), "{report}");
}

/// An update that is NaN stops the run after the last good checkpoint, with the remedy.
#[test]
fn a_federation_that_diverges_stops_and_keeps_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let diverging = train("run", 6, &["--set", "client.rate=1e30"]);
    let line = FAL.failure(folder.path(), diverging, 1);
    assert!(line.contains("no client sent a finite update"), "{line}");
    assert!(!folder.path().join("run/results.json").exists());
}
