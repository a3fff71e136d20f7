//! Tiny runs, and what their folders hold.

use std::fs;
use std::path::Path;

use serde_json::Value;
pub use workspace_tests::run_folder::metrics;
use workspace_tests::run_folder::without_seconds;

/// Settings of a system that trains within a second.
const TINY: [&str; 12] = [
    "seed=1",
    "model.width=16",
    "model.layers=1",
    "model.heads=2",
    "model.context=16",
    "inner.steps=2",
    "outer.batch=4",
    "outer.warm_up=1",
    "outer.checkpoint_every=2",
    "evaluation.every=2",
    "evaluation.sets=8",
    "evaluation.final_sets=8",
];

/// Arguments that train a tiny system for `steps` steps in the folder `out`; `more` may set the settings otherwise.
pub fn train(out: &str, steps: usize, more: &[&str]) -> Vec<String> {
    let steps = format!("outer.steps={steps}");
    let settings =
        TINY.iter().copied().chain([steps.as_str()]).flat_map(|setting| ["--set", setting]);
    let arguments = ["train", "--out", out].into_iter().chain(settings);
    arguments.chain(more.iter().copied()).map(String::from).collect()
}

/// Everything that two runs of the same configuration and seed must agree on, bit for bit.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    results: Vec<u8>,
    model: Vec<u8>,
    rates: Vec<u8>,
    /// Every logged row but for the seconds. Losses after a resumption also depend on the optimisers' state.
    metrics: Vec<Value>,
}

/// The outcome of the finished run in the folder `run`.
pub fn outcome(run: &Path) -> Outcome {
    let read =
        |name: &str| fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Outcome {
        results: read("results.json"),
        model: read("system/model.safetensors"),
        rates: read("system/rates.safetensors"),
        metrics: metrics(run).into_iter().map(without_seconds).collect(),
    }
}

/// The steps of the checkpoints in the folder `run`, in order.
pub fn checkpoints(run: &Path) -> Vec<u64> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let names = entries
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned());
    let mut steps: Vec<u64> =
        names.filter_map(|name| name.strip_prefix("step-")?.parse().ok()).collect();
    steps.sort_unstable();
    steps
}
