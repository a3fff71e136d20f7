//! The commands one after another, as a newcomer would run them.

use std::fs;

use super::{FAL, train};

#[test]
fn a_network_is_trained_attacked_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut arguments = train("runs/robust-0", 6, &[]);
    arguments.push("--json".into());
    let trained = FAL.run_json(here, arguments);
    assert_eq!((&trained["rounds"], &trained["samples"]), (&6.into(), &20.into()));
    FAL.run(here, train("runs/robust-1", 6, &["--set", "seed=2"]));
    FAL.run(here, train("runs/plain-0", 6, &["--set", "adversary.steps=0"]));

    let again = FAL.run_json(here, ["attack", "--network", "runs/robust-0", "--json"]);
    assert_eq!(again["report"]["robust"], trained["report"]["robust"]);
    let file = "runs/robust-0/network/weights.safetensors";
    let of_file = ["attack", "--network", file, "--out", "attacked", "--json"];
    let settings = ["--config", "runs/robust-0/config.toml"];
    let of_file = FAL.run_json(here, [&of_file[..], &settings[..]].concat());
    assert_eq!(of_file["report"]["robust"], trained["report"]["robust"]);
    assert!(here.join("attacked/loss-surface.svg").exists());

    let runs =
        ["report", "runs/robust-0", "runs/robust-1", "runs/plain-0", "--svg", "figures", "--json"];
    let report = FAL.run_json(here, runs);
    let names: Vec<&str> =
        report["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["robust", "plain-0"]);
    let runs = report["groups"][0]["runs"].as_array().unwrap();
    assert_eq!((&runs[0]["run"], &runs[1]["seed"]), (&"runs/robust-0".into(), &2.into()));
    assert_eq!(runs[0]["warnings"], trained["warnings"]);
    assert_eq!(runs[0]["checks"]["black_box"], trained["report"]["checks"]["black_box"]);
    let page = fs::read_to_string(here.join("report.html")).unwrap();
    for part in ["robust", "plain", "PGD-5", "then taken for", "kind = &quot;pgd&quot;"] {
        assert!(page.contains(part), "the page has no {part}");
    }
    assert!(here.join("figures/accuracy.svg").exists());
}

/// Of a run that is finished as of one that was stopped there, by the folder as by its file, and from within it.
#[test]
fn any_checkpoint_of_a_run_is_attacked() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let trained = FAL.run_json(here, [train("run", 6, &[]), vec!["--json".into()]].concat());
    let attack = |network: &str, more: &[&str]| {
        let attack = ["attack", "--network", network, "--json"];
        FAL.run_json(here, [&attack[..], more].concat())
    };
    let last = attack("run/checkpoints/step-000000000006", &[]);
    assert_eq!((&last["report"], &last["rounds"]), (&trained["report"], &6.into()));

    FAL.run(here, train("early", 6, &["--until", "4"]));
    let early = attack("early", &[]);
    assert_eq!((&early["rounds"], &early["trained_with_seed"]), (&4.into(), &1.into()));
    assert_ne!(early["report"], last["report"]);
    let checkpoint = "run/checkpoints/step-000000000004";
    let file = format!("{checkpoint}/federation.safetensors");
    for network in [checkpoint, "run/checkpoints/step-4", "early/checkpoints/step-4", &file] {
        let attacked = attack(network, &[]);
        for part in ["report", "rounds", "trained_with_seed"] {
            assert_eq!(attacked[part], early[part], "{network}");
        }
    }
    let within = FAL.run_json(&here.join(checkpoint), ["attack", "--network", ".", "--json"]);
    assert_eq!(within["report"], early["report"]);
    let kept = attack("run/checkpoints/step-4", &["--out", "attacked"]);
    let again = FAL.run_json(here, ["attack", "--resume", "--out", "attacked", "--json"]);
    assert_eq!(again, kept);

    // A copy tells its weights, and not where they come from.
    fs::copy(here.join(&file), here.join("copy.safetensors")).unwrap();
    let copy = attack("copy.safetensors", &["--config", "run/config.toml"]);
    assert_eq!((&copy["report"], &copy["rounds"]), (&early["report"], &serde_json::Value::Null));
    for (network, words) in [
        ("run/checkpoints/step-3", "no checkpoint of step 3; it has those of steps 4, 6"),
        ("copy.safetensors", "name that of its run with --config"),
    ] {
        let told = FAL.failure(here, ["attack", "--network", network], 2);
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn the_demo_shows_both_networks_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--rounds", "2", "--out", "demo"];
    let first = FAL.run(folder.path(), arguments);
    let text = String::from_utf8(first.get_output().stdout.clone()).unwrap();
    for part in ["plain", "adversarial", "AutoAttack standard", "report.html"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.matches("gradient masking (64 samples)").count(), 2, "{text}");
    let again = FAL.run_json(folder.path(), [&arguments[..], &["--json"]].concat());
    assert_eq!(again["groups"].as_array().unwrap().len(), 2);
    assert!(again["groups"][1]["runs"][0]["checks"]["white_box"]["mean"].is_number(), "{again}");
    let other = FAL.failure(folder.path(), ["demo", "--rounds", "3", "--out", "demo"], 2);
    assert!(other.contains("other settings"), "{other}");
}

/// The other commands with `--json`: one line, and nothing else on standard output.
#[test]
fn simulations_inspections_and_measurements_are_told_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let theory = ["theory", "--sweep", "width", "--out", "theory", "--json"];
    let settings = ["seeds=2", "base.rounds=2", "base.measurement.every=1", "sweep.width=[8,16]"];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", *setting]).collect();
    let simulated = FAL.run_json(here, [&theory[..], &settings[..]].concat());
    assert_eq!(simulated["sweeps"][0]["rows"].as_array().unwrap().len(), 2);
    assert_eq!(FAL.run_json(here, [&theory[..], &["--resume"]].concat()), simulated);
    // The sweep that was begun, and no other.
    let resume = ["theory", "--resume", "--out", "theory", "--json"];
    assert_eq!(FAL.run_json(here, resume), simulated);

    let inspected = FAL.run_json(here, ["data", "inspect", "--set", "clients.count=3", "--json"]);
    assert_eq!(inspected["images"], serde_json::json!([1437, 360]));
    assert_eq!(inspected["clients"].as_array().unwrap().len(), 3);

    let case = ["bench", "--network", "mlp", "--clients", "1", "--batch", "8", "--steps", "1"];
    let alone = ["--repeats", "1", "--no-peers", "--no-memory", "--json"];
    let measured = FAL.run_json(here, [&case[..], &alone[..]].concat());
    let ours = &measured["comparisons"][0]["ours"];
    assert!(ours["seconds"].as_f64().unwrap() > 0.0, "{measured}");
}
