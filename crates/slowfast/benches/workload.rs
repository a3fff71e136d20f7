//! What is measured: the denoiser at its default size, with parameters that are nowhere zero, on latents of noise.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use burn::backend::Flex;
use burn::tensor::{Distribution, Tensor, TensorData};
use experiment::memory::peak_resident_bytes;
use experiment::seed::Seed;
use inner_outer::named_tensors::{parameters, write};
use inner_outer::tensors::Tensors;
use inner_outer::{ConfiguredRule, RuleChoice, Threads};
use slowfast::diffusion::{Clip, Diffusion, DiffusionConfig, Example, Sampler, SamplerConfig};
use slowfast::fast::WorldModel;
use slowfast::memory::{FastConfig, FastLearner, Lesson};
use slowfast::model::{Denoiser, DenoiserChoice, DenoiserConfig, TransformerConfig};
use slowfast::slow::{SlowConfig, SlowTrainer};
use slowfast::text::{Phrases, Vocabulary};

use super::Cost;

pub const HEADS: usize = 4;
pub const PATCH: usize = 2;
/// Windows of each of the two graphs of a training step.
const WINDOWS: usize = 8;
const PAST: usize = 8;
const FUTURE: usize = 8;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// A step of slow learning.
    Training,
    /// A chunk by 20 steps of the sampler.
    Chunk,
    /// The same, then learned by one step of Adam at rank 32, as in the paper.
    LearnedChunk,
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Training => "training",
            Self::Chunk => "chunk",
            Self::LearnedChunk => "learned-chunk",
        })
    }
}

impl Workload {
    /// Measures in this process.
    pub fn measure(self, repeats: u16, threads: Threads) -> Result<Cost> {
        match self {
            Self::Training => training(repeats, threads),
            Self::Chunk => chunk(None, repeats),
            Self::LearnedChunk => {
                let adam = ConfiguredRule { rule: RuleChoice::Adam, clip: None };
                chunk(Some(FastConfig { optimizer: adam, ..FastConfig::default() }), repeats)
            }
        }
    }
}

fn training(repeats: u16, threads: Threads) -> Result<Cost> {
    let trainer = SlowTrainer::pretraining(&SlowConfig::default(), denoiser()?, Seed::new(3))?;
    let mut trainer = trainer.with_threads(threads);
    let lesson =
        |example| Lesson { fast: Vec::new(), along: Vec::new(), slow: vec![example], memory: None };
    let lessons = examples()?.map(lesson);
    let first = trainer.step(&lessons)?;
    let seconds = fastest(repeats, || Ok(trainer.step(&lessons).map(drop)?))?;
    Ok(Cost { loss: first.outer_loss, gradient_norm: first.gradient_norm, ..cost(seconds) })
}

fn chunk(fast: Option<FastConfig>, repeats: u16) -> Result<Cost> {
    let diffusion = diffusion()?;
    let sampler = Sampler::new(diffusion.clone(), SamplerConfig::default())?;
    let fast = fast.map(|fast| FastLearner::new(fast, diffusion)).transpose()?;
    let world = WorldModel::new(denoiser()?, sampler, fast);
    let clip = clip(1, 0)?;
    let start = clip.narrow(0, PAST);
    let actions = clip.phrases.narrow(PAST, FUTURE);
    let mut episode = world.begin(start, &Seed::new(4))?;
    world.next_chunk(&mut episode, &actions)?;
    let seconds = fastest(repeats, || Ok(world.next_chunk(&mut episode, &actions).map(drop)?))?;
    Ok(cost(seconds))
}

/// Parameters and both batches of a training step as one file.
pub fn write_for_peer(path: &Path) -> Result<()> {
    let [one, other] = examples()?;
    let (windows, others) = (one.window, other.window);
    // Whole numbers too: files of parameters hold no others.
    let floats =
        |name: &str, values: TensorData| (format!("batch.{name}"), values.convert::<f32>());
    let mut tensors = parameters(&denoiser()?);
    tensors.extend([
        floats("latents", Tensor::cat(vec![windows.latents, others.latents], 0).into_data()),
        floats("levels", Tensor::cat(vec![windows.levels, others.levels], 0).into_data()),
        floats("past", Tensor::cat(vec![windows.past, others.past], 0).into_data()),
        floats("phrases", Tensor::cat(vec![windows.phrases, others.phrases], 0).into_data()),
        floats("target", Tensor::cat(vec![one.target, other.target], 0).into_data()),
        // The mean over two graphs.
        floats("weights", (Tensor::cat(vec![one.weights, other.weights], 0) * 0.5).into_data()),
    ]);
    Ok(std::fs::write(path, write(&tensors)?)?)
}

/// The denoiser with noise on every parameter.
fn denoiser() -> Result<Denoiser<Flex>> {
    let network = TransformerConfig {
        width: 128,
        layers: 4,
        heads: HEADS,
        patch: PATCH,
        ..TransformerConfig::default()
    };
    let network = DenoiserChoice::Transformer(network);
    let config = DenoiserConfig { network, frames: PAST + FUTURE, ..DenoiserConfig::default() };
    let denoiser = Denoiser::new(&config, &vocabulary(), &Seed::new(0), &Default::default())?;
    let mut random = Seed::new(1).rng();
    let mut shake = |tensor: &Tensor<Flex, 1>| {
        let noise = TensorData::random::<f32, _, _>(
            tensor.dims(),
            Distribution::Normal(0.0, 0.02),
            &mut random,
        );
        tensor.clone() + Tensor::from_data(noise, &tensor.device())
    };
    let shaken = Tensors::of(&denoiser).0.iter().map(&mut shake).collect();
    Ok(Tensors(shaken).write(denoiser))
}

/// The batches of a training step, one for each graph.
fn examples() -> Result<[Example<Flex>; 2]> {
    let diffusion = diffusion()?;
    let example = |seed: u64| -> Result<Example<Flex>> {
        let mut random = Seed::new(seed).rng();
        let clips = clip(WINDOWS, seed)?;
        Ok(diffusion.conditional(&clips, PAST, diffusion.timesteps(), &mut random)?)
    };
    Ok([example(10)?, example(11)?])
}

fn diffusion() -> Result<Diffusion> {
    Ok(Diffusion::new(&DiffusionConfig::default())?)
}

fn vocabulary() -> Vocabulary {
    Vocabulary::of_phrases(["turn left", "turn right", "go forward"])
}

fn clip(batch: usize, seed: u64) -> Result<Clip<Flex>> {
    let frames = PAST + FUTURE;
    let noise = TensorData::random::<f32, _, _>(
        [batch, frames, 4, 8, 8],
        Distribution::Normal(0.0, 1.0),
        &mut Seed::new(seed).child("latents").rng(),
    );
    let words = DenoiserConfig::default().words;
    let phrase = vocabulary().encode("turn left", words)?.tokens;
    let phrases = Phrases::repeated(&phrase, batch, frames);
    Ok(Clip { latents: Tensor::from_data(noise, &Default::default()), phrases })
}

/// Seconds of the fastest of some repeats; one to warm up came before.
fn fastest(repeats: u16, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut seconds = f64::INFINITY;
    for _ in 0..repeats {
        let start = Instant::now();
        work()?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

fn cost(seconds: f64) -> Cost {
    Cost { seconds, peak_bytes: peak_resident_bytes().unwrap_or(0), loss: 0.0, gradient_norm: 0.0 }
}
