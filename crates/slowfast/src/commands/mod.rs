//! The subcommands.

mod data;
mod demo;
mod eval;
mod generate;
mod inputs;
mod memory_gain;
mod next_chunk;
mod plan;
mod serve;
mod slow_fast;
mod train;
mod train_autoencoder;
mod train_inverse_dynamics;
mod training;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use experiment::cli::{Failure, OrFailure, print_note, require_not_among};

use crate::autoencoder::AUTOENCODER_FILE;
use crate::clip::{ClipError, ClipSet, TrainingScenes};
use crate::diffusion::SamplerConfig;
use crate::size::{MOST, at_most};
use crate::text::Vocabulary;
use crate::video_model::DENOISER_FILE;

/// The judgement within a run directory.
const RESULTS_FILE: &str = "results.json";
/// The model within a run directory.
const MODEL_FOLDER: &str = "model";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See in a few minutes what a memory does to the way back, with a model that comes with the program
    Demo(demo::Arguments),
    /// Generate episodes, look at them, or bring in those of others
    #[command(subcommand)]
    Data(data::Arguments),
    /// Train the autoencoder between pixels and latents
    TrainAutoencoder(train_autoencoder::Arguments),
    /// Train the denoiser on windows of video: slow learning
    Train(train::Arguments),
    /// Train slow and fast learning together, so that the denoiser learns to use its memory
    Loop(slow_fast::Arguments),
    /// Generate an episode by its actions, with memory and without
    Generate(generate::Arguments),
    /// Play in a model's world on a local web page, with memory and without
    Serve(serve::Arguments),
    /// Compare memories, contexts and honest baselines on unseen episodes
    Eval(eval::Arguments),
    /// Let models imagine the way there and back, and carry out in the simulator what they imagined
    Plan(plan::Arguments),
    /// Train the network that tells which action lies between two frames
    TrainInverseDynamics(train_inverse_dynamics::Arguments),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Bad input and failed work, as the exit code tells.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(arguments) => demo::run(arguments),
            Self::Data(arguments) => data::run(arguments),
            Self::TrainAutoencoder(arguments) => train_autoencoder::run(arguments),
            Self::Train(arguments) => train::run(arguments),
            Self::Loop(arguments) => slow_fast::run(arguments),
            Self::Generate(arguments) => generate::run(arguments),
            Self::Serve(arguments) => serve::run(arguments),
            Self::Eval(arguments) => eval::run(arguments),
            Self::Plan(arguments) => plan::run(arguments),
            Self::TrainInverseDynamics(arguments) => train_inverse_dynamics::run(arguments),
        }
    }
}

/// The clips in a folder.
///
/// # Errors
/// Bad input: no clips, or damaged ones.
fn open_clips(folder: &Path) -> Result<ClipSet, Failure> {
    ClipSet::open(folder).bad_input()
}

/// Tells of words in the clips' phrases that the model does not know: they are left out of what it is told.
///
/// # Errors
/// Bad input: clips that cannot be read.
fn note_unknown_words(clips: &ClipSet, model: &Vocabulary) -> Result<(), Failure> {
    let phrases = (0..clips.index().episodes.len()).map(|episode| clips.episode(episode));
    let phrases: Vec<_> = phrases
        .map(|episode| Ok(episode?.phrases))
        .collect::<Result<_, ClipError>>()
        .bad_input()?;
    let unknown = model.unknown_words(phrases.iter().flatten().map(|phrase| &phrase.text));
    note_words("the clips' phrases", "the model", unknown);
    Ok(())
}

/// Tells of words in `phrases` that `model` does not know, if there are any.
fn note_words(phrases: &str, model: &str, unknown: BTreeSet<String>) {
    if !unknown.is_empty() {
        let words = unknown.into_iter().collect::<Vec<_>>().join(", ");
        print_note(format!(
            "{phrases} have words that {model} does not know and is not told: {words}"
        ));
    }
}

/// Tells of scenes among the `judged`, which should be unseen, that `learner` was trained on, and that it may have been if it does
/// not tell all.
fn note_trained_scenes(
    learner: &str,
    judged: &TrainingScenes,
    trained_on: &TrainingScenes,
    tells_all: bool,
) {
    trained_scenes(learner, judged, trained_on, tells_all).iter().for_each(print_note);
}

fn trained_scenes(
    learner: &str,
    judged: &TrainingScenes,
    trained_on: &TrainingScenes,
    tells_all: bool,
) -> Vec<String> {
    let (shared, count) = (trained_on.shared_with(judged), judged.count());
    let known = (shared > 0).then(|| {
        format!(
            "{learner} was trained on {shared} of the {count} scenes that are judged, which flatters the result; generate clips \
             with another --seed for unseen scenes"
        )
    });
    let untold = (!tells_all).then(|| {
        format!(
            "{learner} does not tell all scenes that it was trained on, as files of earlier versions do not, and some of the \
             {count} that are judged may be among them; make sure that they are not, or train it again"
        )
    });
    known.into_iter().chain(untold).collect()
}

/// Refuses a guidance by memory that would change nothing, for the reason `why`.
///
/// # Errors
/// Bad input: one that is not 1.
fn no_memory_guidance(sampler: &SamplerConfig, why: &str) -> Result<(), Failure> {
    let SamplerConfig { memory_guidance: found, .. } = *sampler;
    match found == 1.0 {
        true => Ok(()),
        false => Err(Failure::BadInput(anyhow::anyhow!(
            "`sampler.memory_guidance` is {found}, but must be 1 here: {why}; leave it out"
        ))),
    }
}

/// What a training of the denoiser leaves in its folder.
fn model_files() -> [PathBuf; 4] {
    let within = |file: &str| Path::new(MODEL_FOLDER).join(file);
    [RESULTS_FILE.into(), MODEL_FOLDER.into(), within(AUTOENCODER_FILE), within(DENOISER_FILE)]
}

/// Refuses a folder in which a run's `files` would take the place of what the run has `read`.
///
/// # Errors
/// Bad input, as [`require_not_among`].
fn require_apart(
    out: &Path,
    files: &[impl AsRef<Path>],
    read: &[Option<&PathBuf>],
) -> Result<(), Failure> {
    let read: Vec<&PathBuf> = read.iter().copied().flatten().collect();
    files.iter().try_for_each(|file| require_not_among(&out.join(file), &read, |_| false))
}

/// Checks a count of the configuration.
///
/// # Errors
/// Bad input: 0, and more than there is of anything.
fn positive(field: &'static str, count: usize) -> Result<(), Failure> {
    match count {
        0 => Err(Failure::BadInput(anyhow::anyhow!("`{field}` is 0: choose at least 1"))),
        _ => at_most(MOST, &[(field, count)]).bad_input(),
    }
}

/// Every graph counts as much, and so must hold as many windows.
fn even_graphs(batch: usize, graphs: usize) -> Result<(), Failure> {
    positive("batch", batch)?;
    positive("graphs", graphs)?;
    match batch.is_multiple_of(graphs) {
        true => Ok(()),
        false => Err(Failure::BadInput(anyhow::anyhow!(
            "`batch` is {batch} and `graphs` {graphs}: choose a batch that is a multiple of the graphs"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::clip::Split;
    use crate::inverse_dynamics::tests::clips;

    #[test]
    fn scenes_that_were_trained_on_are_told_where_unseen_ones_are_expected() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(folder.path());
        let of = |split| TrainingScenes::of(&clips, clips.episodes_of(split)).unwrap();
        let (trained, test) = (of(Split::Train), of(Split::Test));
        let told =
            |trained_on: &TrainingScenes| trained_scenes("the model", &test, trained_on, true);
        assert!(told(&trained).is_empty());
        let mut more = trained;
        more.add(&TrainingScenes::of(&clips, clips.episodes_of(Split::Test).take(1)).unwrap());
        let told = told(&more).concat();
        assert!(told.contains("1 of the 4 scenes") && told.contains("--seed"), "{told}");
    }

    #[test]
    fn whoever_does_not_tell_is_not_taken_for_one_that_saw_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(folder.path());
        let test = TrainingScenes::of(&clips, clips.episodes_of(Split::Test)).unwrap();
        let told = trained_scenes("the model", &test, &TrainingScenes::default(), false).concat();
        assert!(told.contains("the model does not tell") && told.contains("the 4 "), "{told}");
        // What it does tell is told too.
        assert_eq!(trained_scenes("the model", &test, &test, false).len(), 2);
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    /// What a command without clips is refused for.
    fn refusal(arguments: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (data, out) = (path("clips"), path("run"));
        let everywhere = ["--data", &data, "--out", &out];
        let line = [&["slowfast"], arguments, &everywhere].concat();
        match Line::parse_from(line).command.run() {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn a_run_does_not_take_the_place_of_what_it_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir_all(folder.path().join("run/model")).unwrap();
        for name in ["model/denoiser.safetensors", "model/autoencoder.safetensors", "results.json"]
        {
            std::fs::write(folder.path().join("run").join(name), "numbers").unwrap();
        }
        let (run, absent, model) = (path("run"), path("absent"), path("run/model"));
        let named = format!("one={run}");
        let autoencoder = path("run/model/autoencoder.safetensors");
        for line in [
            ["loop", "--data", &absent, "--model", &run],
            ["loop", "--data", &absent, "--model", &model],
            ["train", "--data", &absent, "--autoencoder", &autoencoder],
            ["train-autoencoder", "--data", &run, "--seed", "1"],
            ["train-inverse-dynamics", "--data", &run, "--seed", "1"],
            ["eval", "--data", &absent, "--model", &run],
            ["plan", "--inverse-dynamics", &absent, "--model", &named],
        ] {
            let line = [&["slowfast"][..], &line, &["--out", &run]].concat();
            let refused = Line::parse_from(&line).command.run();
            let Err(Failure::BadInput(cause)) = refused else { panic!("{line:?}: {refused:?}") };
            assert!(cause.to_string().contains("would take the place"), "{line:?}: {cause}");
        }
        assert!(!folder.path().join("run/config.toml").exists());
    }

    /// What would end in no memory, or in a number that overflows.
    #[test]
    fn counts_beyond_any_machine_are_refused_before_the_clips_are_opened() {
        let most = i64::MAX;
        for (command, fields) in [
            ("train", vec!["batch", "graphs", "frames_per_action", "glance_windows"]),
            ("train", vec!["final_windows", "windows.most_past", "windows.future"]),
            ("train-autoencoder", vec!["batch", "glance_frames", "final_frames"]),
            ("train-inverse-dynamics", vec!["pairs", "batch", "glance_pairs", "final_pairs"]),
            ("loop", vec!["episodes", "chunks.start", "chunks.frames", "final_episodes"]),
            ("loop", vec!["method.second_order.written", "method.second_order.fast.steps"]),
        ] {
            for field in fields {
                let set = format!("{field}={most}");
                let told = refusal(&[command, "--set", &set]);
                let last = field.rsplit("second_order.").next().unwrap();
                assert!(told.contains(last) || told.starts_with("in `method"), "{field}: {told}");
                assert!(!told.contains("index.json"), "{field}: {told}");
            }
        }
    }

    #[test]
    fn a_guidance_by_memory_that_would_change_nothing_is_refused() {
        let guided = ["--set", "sampler.memory_guidance=2"];
        let refused = |more: &[&str]| refusal(&[more, &guided].concat());
        let (setting, absent) = ("`sampler.memory_guidance` is 2", "index.json");
        let stop_gradient =
            |source: &str| format!("method={{ kind = \"stop-gradient\", source = \"{source}\" }}");
        assert!(refused(&["train"]).contains(setting));
        assert!(refusal(&["train"]).contains(absent));
        assert!(refused(&["loop"]).contains(setting));
        assert!(refused(&["loop", "--set", &stop_gradient("ground-truth")]).contains(setting));
        let generated = refused(&["loop", "--set", &stop_gradient("generated")]);
        assert!(generated.contains(absent), "{generated}");
    }
}
