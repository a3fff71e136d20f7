//! The program `slowfast` as a user meets it: clips, trainings that follow one another, interruptions, and mistakes.

mod demo;
mod interruption;
mod mistakes;
mod trainings;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use workspace_tests::program::Program;
use workspace_tests::run_folder::{metrics, without_seconds};

static SLOWFAST: LazyLock<Program> = LazyLock::new(|| Program::build("slowfast", "steps: "));

/// Settings of worlds that are small and come back to where they began.
const WORLDS: [&str; 8] = [
    "world.size=16",
    "world.rays_per_pixel=1",
    "world.room_columns=1",
    "world.room_rows=1",
    "there_and_back=1.0",
    "actions_there=4",
    "validation=0.3",
    "test=0.3",
];

const AUTOENCODER: [&str; 9] = [
    "autoencoder.factor=4",
    "autoencoder.channels=2",
    "autoencoder.hidden=8",
    "autoencoder.blocks=1",
    "batch=8",
    "pace.log_every=2",
    "pace.glance_every=6",
    "glance_frames=4",
    "final_frames=4",
];

const DENOISER: [&str; 10] = [
    "denoiser.network={ kind = \"transformer\", width = 8, layers = 1, heads = 2, patch = 2 }",
    "batch=4",
    "pace.log_every=2",
    "pace.glance_every=6",
    "pace.checkpoint_every=2",
    "glance_windows=2",
    "final_windows=3",
    "sampler.steps=2",
    "autoencoder=autoencoder/autoencoder.safetensors",
    "data=clips",
];

fn settings<'s>(settings: impl IntoIterator<Item = &'s str>) -> Vec<String> {
    settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting.to_owned()]).collect()
}

/// Arguments of a training of `steps` steps in the folder `out`.
fn training(command: &str, out: &str, steps: usize, more: &[&str]) -> Vec<String> {
    let steps = format!("pace.steps={steps}");
    let arguments = [command, "--out", out].map(String::from);
    let more = more.iter().copied().chain([steps.as_str()]);
    arguments.into_iter().chain(settings(more)).collect()
}

/// A folder with `clips` and an `autoencoder` that is hardly trained.
fn prepared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let generate = ["data", "generate", "--out", "clips", "--episodes", "16"].map(String::from);
    SLOWFAST.run(folder.path(), generate.into_iter().chain(settings(WORLDS)).collect::<Vec<_>>());
    let more = [AUTOENCODER.as_slice(), &["data=clips"]].concat();
    SLOWFAST.run(folder.path(), training("train-autoencoder", "autoencoder", 6, &more));
    folder
}

/// Everything that two runs of the same configuration and seed must agree on, bit for bit.
#[derive(Debug, PartialEq)]
struct Outcome {
    results: Vec<u8>,
    files: Vec<Vec<u8>>,
    metrics: Vec<Value>,
}

fn outcome(run: &Path, files: &[&str]) -> Outcome {
    let read =
        |name: &str| fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Outcome {
        results: read("results.json"),
        files: files.iter().map(|name| read(name)).collect(),
        metrics: metrics(run).into_iter().map(without_seconds).collect(),
    }
}

const MODEL: [&str; 2] = ["model/denoiser.safetensors", "model/autoencoder.safetensors"];
