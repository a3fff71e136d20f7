//! What a memory is worth: the slow loss of chunks that show again what was seen, with and without it.

use std::fmt;

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use experiment::statistics::{Interval, grouped_mean_interval};
use inner_outer::Threads;
use inner_outer::parallel::in_order;
use inner_outer::tensors::to_f64;
use serde::Serialize;

use crate::diffusion::SamplerConfig;
use crate::fast::WorldModel;
use crate::memory::FastConfig;
use crate::slow::Recall;
use crate::video_model::VideoModel;

/// Draws of noise and timestep for each chunk.
const DRAWS: usize = 8;

/// Episodes of scenes that nobody learns from.
pub(super) struct MemoryGain<B: Backend> {
    /// Each with the number of its scene.
    episodes: Vec<(usize, Recall<B>)>,
    seed: Seed,
}

/// The slow loss of chunks that revisit what an episode saw, with 95 % intervals over scenes. The chunks before are the
/// true ones.
#[derive(Clone, Debug, Serialize)]
pub struct Gain {
    /// With an empty memory.
    pub without: Interval,
    /// With the memory of all chunks before.
    pub with: Interval,
    /// How much less it is with the memory, episode by episode.
    pub gain: Interval,
    /// Episodes.
    pub episodes: usize,
}

impl fmt::Display for Gain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { without, with, gain, episodes } = self;
        write!(
            formatter,
            "slow loss of revisits: {without:.4} without memory, {with:.4} with it, gain {gain:.4}, over {episodes} episodes of {} scenes",
            gain.n
        )
    }
}

impl<B: Backend> MemoryGain<B> {
    pub fn new(episodes: Vec<(usize, Recall<B>)>, seed: Seed) -> Self {
        Self { episodes, seed }
    }

    /// Measures a model with its fast learning, unless it is interrupted.
    pub fn measure(
        &self,
        model: &VideoModel<B>,
        sampler: SamplerConfig,
        fast: &FastConfig,
        interrupt: &Interrupt,
    ) -> Result<Gain, Failure> {
        let world = model.world(sampler, Some(fast.clone())).failed()?;
        let mut losses = Vec::with_capacity(self.episodes.len());
        let measured = |index: usize, (_, recall): &(usize, Recall<B>)| {
            interrupt.heed()?;
            self.episode(&world, recall, &self.seed.index(index as u64))
        };
        in_order(&self.episodes, Threads::default(), measured, |_, both| losses.push(both))?;
        let interval = |value: fn(&[f64; 2]) -> f64| {
            let scenes = self.episodes.iter().map(|(scene, _)| *scene);
            grouped_mean_interval(scenes.zip(losses.iter().map(value))).failed()
        };
        Ok(Gain {
            without: interval(|losses| losses[0])?,
            with: interval(|losses| losses[1])?,
            gain: interval(|losses| losses[0] - losses[1])?,
            episodes: losses.len(),
        })
    }

    /// The mean loss of an episode's revisits without and with the memory of the chunks before.
    fn episode(
        &self,
        world: &WorldModel<B>,
        recall: &Recall<B>,
        seed: &Seed,
    ) -> Result<[f64; 2], Failure> {
        let diffusion = world.sampler().diffusion();
        let mut episode = world.begin(recall.chunks[0].clone(), seed).failed()?;
        let empty = world.with_memory_of(&episode).failed()?;
        let mut sums = [0.0; 2];
        for number in 1..=recall.asked.iter().copied().max().unwrap_or(0) {
            if recall.asked.contains(&number) {
                let past = world.past_of(&recall.chunks[number - 1]);
                let clip = past.followed_by(&recall.chunks[number]).repeated(DRAWS);
                let mut random = seed.child("loss").index(number as u64).rng();
                let timesteps = diffusion.timesteps();
                let example =
                    diffusion.conditional(&clip, past.frames(), timesteps, &mut random).failed()?;
                let full = world.with_memory_of(&episode).failed()?;
                for (sum, denoiser) in sums.iter_mut().zip([&empty, &full]) {
                    *sum += to_f64(&example.loss(denoiser))[0];
                }
            }
            world.observe(&mut episode, recall.chunks[number].clone()).failed()?;
        }
        Ok(sums.map(|sum| sum / recall.asked.len() as f64))
    }
}
