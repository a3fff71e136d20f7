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
    told(&["--set", "data.set=mnist", "--set", "data.folder="], "data.folder is empty");
    told(&["--set", "server.aggregator=krum"], "write server.aggregator.kind=krum");
    told(&["--set", "server.aggregator.kind=krum"], "`server.aggregator.byzantine` is missing");
    told(&["--set", "server.aggregator={kind=krum,byzantine=1}"], "is not TOML");
    told(&["--set", "client.batch=18446744073709551615"], "is beyond the integers of TOML");
    // That of the tiny settings, which another kind set beside it does not take away in silence.
    told(&["--set", "network.kind=lenet"], "there is no field `network.hidden`");
    let small = ["train", "--out", "run", "--set", "network.kind=lenet"];
    assert!(FAL.failure(folder.path(), small, 2).contains("lenet"));
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
    fs::create_dir(folder.path().join("empty")).unwrap();
    told(&["--network", "empty"], "no run and no network at empty");
    fs::write(folder.path().join("broken.safetensors"), b"no tensors").unwrap();
    told(&["--network", "broken.safetensors"], "broken.safetensors");
    FAL.run(folder.path(), train("run", 1, &[]));
    let weights = "run/network/weights.safetensors";
    told(&["--network", weights], "does not hold the weights of this network");
    for network in ["run", "run/network"] {
        let other = ["--network", network, "--set", "network.hidden=[3]"];
        told(&other, "the settings of `network` are not those of the trained network");
    }
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

#[test]
fn theory_without_room_for_its_points_leaves_the_folder_free() {
    let folder = tempfile::tempdir().unwrap();
    let theory = |separation: &str| {
        let settings = [separation, "sweep.separation=[0.1]", "seeds=1", "base.rounds=1"];
        let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
        let arguments = ["theory", "--out", "theory", "--sweep", "local-steps"].into_iter();
        arguments.chain(settings).map(String::from).collect::<Vec<_>>()
    };
    let line = FAL.failure(folder.path(), theory("base.separation=1.7"), 2);
    assert!(line.contains("lower the separation"), "{line}");
    assert!(!folder.path().join("theory").exists());
    FAL.run(folder.path(), theory("base.separation=0.1"));
}

#[test]
fn theory_that_diverges_is_told_to_lower_its_rates() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["base.local_rate=1e30", "seeds=1", "base.rounds=2", "sweep.width=[8]"];
    let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
    let arguments = ["theory", "--out", "theory", "--sweep", "width"].into_iter();
    let line = FAL.failure(folder.path(), arguments.chain(settings).collect::<Vec<_>>(), 1);
    assert!(line.contains("lower `base.local_rate` or `base.global_rate`"), "{line}");
    assert!(!line.contains("data"), "{line}");
}

#[test]
fn commands_that_are_done_in_one_go_offer_no_resumption() {
    let folder = tempfile::tempdir().unwrap();
    let offers = |command: &[&str]| {
        let help = FAL.run(folder.path(), [command, &["--help"]].concat());
        String::from_utf8(help.get_output().stdout.clone()).unwrap().contains("--resume")
    };
    assert!(offers(&["train"]) && offers(&["attack"]) && offers(&["theory"]));
    assert!(!offers(&["data", "inspect"]) && !offers(&["flower-client"]));
}

#[test]
fn addresses_that_are_none_are_told_before_anything_is_joined() {
    let folder = tempfile::tempdir().unwrap();
    for (address, words) in
        [("http://h:8000", "scheme"), ("h:99999", "1 to 65535"), ("h", "no port")]
    {
        let join = ["flower-client", "--client", "0", "--superlink", address];
        let line = FAL.failure(folder.path(), join, 2);
        assert!(line.contains(words), "{words} is not in {line}");
    }
}

#[test]
fn keys_and_certificates_that_are_none_are_the_user_s_mistake() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("none.pem"), "no key and no certificate").unwrap();
    for option in ["--key", "--root-certificates"] {
        let join = ["flower-client", "--client", "0", "--superlink", "h:8000", option, "none.pem"];
        let line = FAL.failure(folder.path(), join, 2);
        assert!(line.contains("none.pem"), "{line}");
    }
}

/// Of updates that are NaN nothing is aggregated.
#[test]
fn a_federation_that_diverges_stops_with_a_remedy_and_without_results() {
    let folder = tempfile::tempdir().unwrap();
    let diverging = train("run", 6, &["--set", "client.rate=1e30"]);
    let line = FAL.failure(folder.path(), diverging, 1);
    assert!(line.contains("no client sent a finite update"), "{line}");
    assert!(!folder.path().join("run/results.json").exists());
}
