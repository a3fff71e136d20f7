//! `slowfast demo`: what a memory does to the way back, in a few minutes with a model that comes with the program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use burn::tensor::backend::Backend;
use experiment::cli::{Device, Failure, OrFailure, print_line, seeds, write_file};
use experiment::interrupt::Interrupt;
use experiment::run_directory;
use experiment::seed::Seed;
use inner_outer::Threads;

use super::eval::{REPORT_FILE, load_model, read_inverse};
use super::{MODEL_FOLDER, RESULTS_FILE, inputs, open_clips};
use crate::animation::Animation;
use crate::autoencoder::AUTOENCODER_FILE;
use crate::clip::ClipSet;
use crate::evaluation::{
    Context as Given, Evaluation, EvaluationConfig, Evaluator, Method, NO_MEMORY,
};
use crate::generation::{GenerationSettings, generate};
use crate::inverse_dynamics::{INVERSE_DYNAMICS_FILE, InverseDynamics};
use crate::video_model::{DENOISER_FILE, VideoModel};

/// The model that comes with the program, see `models/README.md`.
const MODEL: [(&str, &[u8]); 3] = [
    (AUTOENCODER_FILE, include_bytes!("../../models/rooms/autoencoder.safetensors")),
    (DENOISER_FILE, include_bytes!("../../models/rooms/denoiser.safetensors")),
    (INVERSE_DYNAMICS_FILE, include_bytes!("../../models/rooms/inverse-dynamics.safetensors")),
];
/// The seed of scenes that the model was not trained on.
const UNSEEN: u64 = 1000;
/// The method with memory.
const MEMORY: &str = "Temp-LoRA";
/// Size of a pixel in the animations, and their frames a second.
const ENLARGED: usize = 4;
const FRAMES_PER_SECOND: f64 = 8.0;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of the model, the clips, the animations and the report; an interrupted demo goes on there
    #[arg(long, value_name = "DIR", default_value = "runs/slowfast-demo")]
    out: PathBuf,
    /// Episodes, each in a scene of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 24, value_parser = clap::value_parser!(u16).range(4..))]
    episodes: u16,
    /// Episodes that animations are made of
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    animations: u16,
    /// Seed of the noise
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = seeds())]
    seed: u64,
    /// Print the evaluation as JSON instead of text
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Walks there and back in unseen scenes: the way there is seen, the way back is generated, with memory and without.
///
/// # Errors
/// Bad input: a folder with something else. Failed: writing. Interrupted: the same command goes on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let evaluation = experiment::on_device!(arguments.device, B => demo::<B>(&arguments))?;
    if arguments.json {
        return print_line(serde_json::to_string(&evaluation.brief()).failed()?);
    }
    let out = &arguments.out;
    print_line(evaluation.table())?;
    if arguments.animations > 0 {
        let first = out.join(animation(0));
        print_line(format!("Truth, with memory, without: {}", first.display()))?;
    }
    print_line(format!("Curves and pictures: {}", out.join(REPORT_FILE).display()))?;
    print_line(format!("Go on: slowfast serve --model {}", out.join(MODEL_FOLDER).display()))
}

fn demo<B: Backend>(arguments: &Arguments) -> Result<Evaluation, Failure> {
    let interrupt = Interrupt::install().failed()?;
    let out = &arguments.out;
    let folder = out.join(MODEL_FOLDER);
    unpack(out)?;
    let model = load_model::<B>(&folder)?;
    let inverse = read_inverse::<B>(&folder)?;
    let clips = clips(out, arguments.episodes.into(), &interrupt)?;
    let config = config(arguments);
    let evaluation = evaluate(out, &model, &inverse, &clips, &config, &interrupt)?;
    for (number, episode) in
        evaluation.episodes.iter().take(arguments.animations.into()).enumerate()
    {
        let clip = side_by_side(&model, &clips, &config, *episode)?;
        let gif = clip.gif(ENLARGED, FRAMES_PER_SECOND).failed()?;
        write_file(&out.join(animation(number)), &gif)?;
    }
    // Those of an earlier call with more of them.
    for number in usize::from(arguments.animations).. {
        if fs::remove_file(out.join(animation(number))).is_err() {
            break;
        }
    }
    Ok(evaluation)
}

/// Writes the model that comes with the program, over nothing but itself.
fn unpack(out: &Path) -> Result<(), Failure> {
    let folder = out.join(MODEL_FOLDER);
    let is_other = |(name, content): &(&str, &[u8])| {
        fs::read(folder.join(name)).is_ok_and(|there| there != *content)
    };
    if out.join(run_directory::CONFIG).exists() || MODEL.iter().any(is_other) {
        let cause = anyhow!(
            "{} holds another run or another model; give a folder of its own with --out",
            out.display()
        );
        return Err(Failure::BadInput(cause));
    }
    MODEL.iter().try_for_each(|(name, content)| write_file(&folder.join(name), content))
}

/// Walks there and back in scenes of their own.
fn clips(out: &Path, episodes: usize, interrupt: &Interrupt) -> Result<ClipSet, Failure> {
    let settings = GenerationSettings {
        seed: UNSEEN,
        episodes,
        actions_there: 4,
        there_and_back: 1.0,
        validation: 0.0,
        test: 1.0,
        ..GenerationSettings::default()
    };
    // A demo of another number of episodes has other clips, and finds its own again.
    let folder = out.join(format!("clips-of-{episodes}"));
    generate(&folder, &settings, interrupt)?;
    open_clips(&folder)
}

fn config(arguments: &Arguments) -> EvaluationConfig {
    EvaluationConfig {
        seeds: vec![arguments.seed],
        episodes: arguments.episodes.into(),
        methods: vec![
            Method::without_memory(NO_MEMORY, Given::default()),
            Method::with_memory(MEMORY),
        ],
        ..EvaluationConfig::default()
    }
}

fn evaluate<B: Backend>(
    out: &Path,
    model: &VideoModel<B>,
    inverse: &InverseDynamics<B>,
    clips: &ClipSet,
    config: &EvaluationConfig,
    interrupt: &Interrupt,
) -> Result<Evaluation, Failure> {
    let (inverse, threads) = (Some(inverse), Threads::default());
    let evaluator = Evaluator { config, model, clips, inverse, threads };
    evaluator.check()?;
    // Parts of an earlier demo are taken up again only if it was the same.
    let name =
        format!("{}-seed-{}-of-{}", inputs::of_model(model)?, config.seeds[0], config.episodes);
    let parts = out.join("parts").join(name);
    fs::create_dir_all(&parts)
        .with_context(|| format!("cannot make {}", parts.display()))
        .bad_input()?;
    let evaluation = evaluator.evaluate(&parts, interrupt)?;
    let text = serde_json::to_string_pretty(&evaluation.brief()).failed()?;
    write_file(&out.join(RESULTS_FILE), &text)?;
    write_file(&out.join(REPORT_FILE), evaluation.page().failed()?.to_html())?;
    Ok(evaluation)
}

/// The truth, then the episode with memory, then without.
fn side_by_side<B: Backend>(
    model: &VideoModel<B>,
    clips: &ClipSet,
    config: &EvaluationConfig,
    episode: usize,
) -> Result<Animation, Failure> {
    let frames = config.used(clips.entry(episode).bad_input()?.frames);
    let truth = clips.window(episode, 0..frames).bad_input()?;
    let latents = model.encode(&truth).bad_input()?;
    let seed = Seed::new(config.seeds[0]).child("evaluation").index(episode as u64);
    let show = |pixels| Animation::new(pixels, truth.height, truth.width).failed();
    let mut clip = show(truth.frames.clone())?;
    for method in config.methods.iter().rev() {
        let scale = clips.index().description.pose;
        let generator =
            method.generator(model, config.sampler, config.frames_per_chunk, scale).bad_input()?;
        let given = config.given(frames);
        let made = generator.generate(&latents, &truth.poses, given, &seed).failed()?;
        clip = clip.beside(&show(model.decode(&made.latents).failed()?)?).failed()?;
    }
    Ok(clip)
}

fn animation(number: usize) -> String {
    format!("there-and-back-{}.gif", number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_of_more_episodes_has_a_place_beside_a_shorter_one() {
        let out = tempfile::tempdir().unwrap();
        let count = |episodes| {
            let clips = clips(out.path(), episodes, &Interrupt::new()).unwrap();
            clips.index().episodes.len()
        };
        assert_eq!([count(1), count(2), count(1)], [1, 2, 1]);
    }
}
