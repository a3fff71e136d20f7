//! Algorithm 1b: the slow-fast loop with a stop-gradient between its halves.

use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::parallel::in_order;
use inner_outer::{MetaStep, Threads};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{SlowError, SlowTrainer};
use crate::diffusion::{Clip, Diffusion};
use crate::fast::WorldModel;
use crate::memory::{Lesson, SlowFast};

/// Which chunks the fast learning learns in the loop. Algorithm 1b reads as the episode's own, the paper's text as generated
/// ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChunkSource {
    /// The episode's own, the ground truth.
    #[default]
    GroundTruth,
    /// What the model generates for the episode's actions.
    Generated,
}

/// The slow-fast loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopConfig {
    /// Which chunks the fast learning learns.
    pub source: ChunkSource,
    /// Stored chunks in a slow step.
    pub batch: usize,
    /// Most slow steps of a pass, which leaves out what it has stored beyond; none for as many as that fills.
    pub most_steps: Option<usize>,
}

impl Default for LoopConfig {
    fn default() -> Self {
        Self { source: ChunkSource::default(), batch: 8, most_steps: None }
    }
}

/// One entry of `D_s`.
#[derive(Clone, Debug)]
pub struct StoredChunk<B: Backend> {
    /// `X_i`.
    pub past: Clip<B>,
    /// `X_{i+1}`, the ground truth.
    pub future: Clip<B>,
    /// `Theta_i`: the memory before it was updated with this chunk; none without fast learning.
    pub memory: Option<Vec<burn::tensor::Tensor<B, 1>>>,
}

/// One pass of algorithm 1b: `D_s` is built by the fast learning of `world`, which holds the denoiser as it is, and then
/// the denoiser learns from it in random order. An episode is its chunks `X_0, X_1, ...` of ground truth.
///
/// # Errors
/// [`SlowError::Stage`] if the trainer is not for this loop, [`SlowError::ShortEpisode`], chunks that do not fit the
/// denoiser, and losses that are not finite.
pub fn slow_fast_pass<B: Backend>(
    trainer: &mut SlowTrainer<B>,
    world: &WorldModel<B>,
    episodes: &[Vec<Clip<B>>],
    config: &LoopConfig,
    seed: &Seed,
) -> Result<Vec<MetaStep>, SlowError> {
    trainer.require(SlowFast::StopGradient, "the slow-fast loop", "stop_gradient")?;
    super::config::in_range("loop.batch", config.batch as f64, config.batch > 0, "at least 1")?;
    // Fix Phi, update Theta along every episode.
    let mut stored = stored_chunks(world, episodes, config.source, seed)?;
    // Fix every Theta_i, update Phi.
    stored.shuffle(&mut seed.child("order").rng());
    let diffusion = world.sampler().diffusion();
    let mut steps = Vec::new();
    let most = config.most_steps.unwrap_or(usize::MAX);
    for (index, batch) in stored.chunks(config.batch).take(most).enumerate() {
        let noise = seed.child("slow noise").index(index as u64);
        let lesson = |(place, chunk): (usize, &StoredChunk<B>)| {
            chunk.lesson(diffusion, &noise.index(place as u64))
        };
        let lessons = batch.iter().enumerate().map(lesson).collect::<Result<Vec<_>, _>>()?;
        steps.push(trainer.step(&lessons)?);
    }
    Ok(steps)
}

/// The first half of algorithm 1b, `D_s`: every chunk of every episode with the memory of those before it.
///
/// # Errors
/// [`SlowError::ShortEpisode`], chunks that do not fit the denoiser, and fast losses that are not finite.
pub fn stored_chunks<B: Backend>(
    world: &WorldModel<B>,
    episodes: &[Vec<Clip<B>>],
    source: ChunkSource,
    seed: &Seed,
) -> Result<Vec<StoredChunk<B>>, SlowError> {
    let mut stored = Vec::new();
    // The threads know no errors but their own, so those of an episode are handed on as values.
    let entries =
        |index: usize, chunks: &Vec<Clip<B>>| Ok(along(world, index, chunks, source, seed));
    let gather = |_, of_episode| stored.push(of_episode);
    in_order(episodes, Threads::default(), entries, gather).map_err(SlowError::State)?;
    Ok(stored.into_iter().collect::<Result<Vec<_>, SlowError>>()?.concat())
}

/// The entries of one episode.
fn along<B: Backend>(
    world: &WorldModel<B>,
    index: usize,
    chunks: &[Clip<B>],
    source: ChunkSource,
    seed: &Seed,
) -> Result<Vec<StoredChunk<B>>, SlowError> {
    if chunks.len() < 2 {
        return Err(SlowError::ShortEpisode { episode: index, chunks: chunks.len() });
    }
    let mut stored = Vec::with_capacity(chunks.len() - 1);
    // init Theta_0
    let seed = seed.child("episode").index(index as u64);
    let mut episode = world.begin(chunks[0].clone(), &seed)?;
    for pair in chunks.windows(2) {
        // D_s += (X_i, X_{i+1}, Theta_i), before Theta_i is updated.
        let memory = episode.memory().map(|memory| memory.theta.0.clone());
        let past = world.past_of(&pair[0]);
        past.check_before(&pair[1])?;
        stored.push(StoredChunk { past, future: pair[1].clone(), memory });
        match source {
            ChunkSource::GroundTruth => world.observe(&mut episode, pair[1].clone())?,
            ChunkSource::Generated => {
                world.next_chunk(&mut episode, &pair[1].phrases)?;
            }
        }
    }
    Ok(stored)
}

impl<B: Backend> StoredChunk<B> {
    /// The loss of `(Phi + Theta_i)(X_i)` against `X_{i+1}` as a lesson.
    fn lesson(&self, diffusion: &Diffusion, noise: &Seed) -> Result<Lesson<B>, SlowError> {
        let clip = self.past.followed_by(&self.future);
        let example = diffusion.conditional(
            &clip,
            self.past.frames(),
            diffusion.timesteps(),
            &mut noise.rng(),
        )?;
        let memory = self.memory.clone();
        Ok(Lesson { fast: Vec::new(), along: Vec::new(), slow: vec![example], memory })
    }
}
