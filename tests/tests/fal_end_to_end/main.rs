//! The program `fal` as a user meets it: runs, attacks, reports, interruptions, and mistakes.

mod commands;
mod inputs;
mod interruption;
mod mistakes;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use workspace_tests::program::Program;
use workspace_tests::run_folder::{metrics, without_seconds};

static FAL: LazyLock<Program> = LazyLock::new(|| Program::build("fal", "rounds: "));

/// Settings of a federation that trains within a second.
const TINY: [&str; 11] = [
    "seed=1",
    "data.train=120",
    "clients.count=3",
    "network.hidden=[12]",
    "adversary.steps=2",
    "client.batch=8",
    "checkpoint_every=2",
    "evaluation.every=2",
    "evaluation.samples=20",
    "evaluation.final_samples=20",
    "evaluation.attacks=[{ kind = \"pgd\", steps = 5 }]",
];

/// Arguments that train a tiny federation for `rounds` rounds in the folder `out`; `more` may set the settings otherwise.
fn train(out: &str, rounds: usize, more: &[&str]) -> Vec<String> {
    let rounds = format!("rounds={rounds}");
    let settings =
        TINY.iter().copied().chain([rounds.as_str()]).flat_map(|setting| ["--set", setting]);
    let arguments = ["train", "--out", out].into_iter().chain(settings);
    arguments.chain(more.iter().copied()).map(String::from).collect()
}

/// Everything that two runs of the same configuration and seed must agree on, bit for bit.
#[derive(Debug, PartialEq)]
struct Outcome {
    results: Vec<u8>,
    weights: Vec<u8>,
    pictures: Vec<Vec<u8>>,
    metrics: Vec<Value>,
}

fn outcome(run: &Path) -> Outcome {
    let read =
        |name: &str| fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Outcome {
        results: read("results.json"),
        weights: read("network/weights.safetensors"),
        pictures: ["gallery.svg", "partition.svg", "loss-surface.svg"].map(read).to_vec(),
        metrics: metrics(run).into_iter().map(without_seconds).collect(),
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let of_threads = |threads: &str| {
        let out = format!("threads-{threads}");
        let mut command = FAL.command(folder.path());
        command.env("RAYON_NUM_THREADS", threads).args(train(&out, 4, &[]));
        assert!(command.output().unwrap().status.success());
        outcome(&folder.path().join(out))
    };
    let one = of_threads("1");
    for threads in ["2", "8"] {
        assert_eq!(of_threads(threads), one, "{threads} threads");
    }
}
