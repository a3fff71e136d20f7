//! An episode generated along true actions, after frames that were seen.

use std::ops::Range;
use std::time::Instant;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;

use super::{Context, EvaluationError};
use crate::clip::{Pose, PoseScale};
use crate::diffusion::{Clip, DiffusionError};
use crate::fast::WorldModel;
use crate::memory::Episode;

/// A world model and what its chunks are conditioned on.
#[derive(Clone, Debug)]
pub struct Generator<B: Backend> {
    /// The model, which remembers or not.
    pub world: WorldModel<B>,
    /// What chunks are conditioned on.
    pub context: Context,
    /// Frames of a chunk.
    pub chunk: usize,
    /// Units of the poses.
    pub scale: PoseScale,
}

/// An episode as latents, and how long its generated chunks took.
#[derive(Clone, Debug)]
pub struct Generated<B: Backend> {
    /// All frames, given and generated, `[1, frames, channels, height, width]`.
    pub latents: Tensor<B, 5>,
    /// Seconds to sample each generated chunk.
    pub sampling: Vec<f64>,
    /// Seconds to learn each generated chunk; none without memory.
    pub learning: Vec<f64>,
}

impl<B: Backend> Generator<B> {
    /// Generates the frames from number `given` on along the actions of the `truth`, a clip of the true frames seen from
    /// `poses`. The given frames but the first are learned, where there is a memory, as if they had been generated.
    ///
    /// With [`Context::LastChunk`] and one frame given this is algorithm 1a, bit for bit.
    ///
    /// # Errors
    /// [`EvaluationError::Given`], and what the model refuses.
    pub fn generate(
        &self,
        truth: &Clip<B>,
        poses: &[Pose],
        given: usize,
        seed: &Seed,
    ) -> Result<Generated<B>, EvaluationError> {
        let frames = truth.frames();
        if given == 0 || given > frames || poses.len() != frames {
            return Err(EvaluationError::Given { given, frames });
        }
        let mut episode = self.world.begin(truth.narrow(0, 1), seed)?;
        let (mut sampling, mut learning) = (Vec::new(), Vec::new());
        let mut next = 1;
        while next < frames {
            let is_given = next < given;
            let end = (next + self.chunk).min(if is_given { given } else { frames });
            let started = Instant::now();
            let chunk = match is_given {
                true => truth.narrow(next, end - next),
                false => self.sample(&episode, truth, next..end, poses)?,
            };
            let sampled = started.elapsed().as_secs_f64();
            self.world.observe(&mut episode, chunk)?;
            if !is_given {
                sampling.push(sampled);
                learning.push(started.elapsed().as_secs_f64() - sampled);
            }
            next = end;
        }
        if episode.memory().is_none() {
            learning.clear();
        }
        Ok(Generated { latents: episode.latents(), sampling, learning })
    }

    fn sample(
        &self,
        episode: &Episode<B>,
        truth: &Clip<B>,
        future: Range<usize>,
        poses: &[Pose],
    ) -> Result<Clip<B>, EvaluationError> {
        let before = episode.chunks().last().map_or(episode.start(), |chunk| &chunk.clip);
        let last = self.world.past_of(before).frames();
        let past = self.past(episode, last, future.clone(), poses);
        let actions = truth.phrases.narrow(future.start, future.len());
        // The stream of algorithm 1a, which all methods share: they are compared under the same noise.
        let noise = episode.seed().child("noise").index(episode.chunks().len() as u64);
        let latents = self.world.sample(episode, &past, &actions, &mut noise.rng())?;
        Ok(Clip { latents, phrases: actions })
    }

    fn past(
        &self,
        episode: &Episode<B>,
        last: usize,
        future: Range<usize>,
        poses: &[Pose],
    ) -> Clip<B> {
        let history = episode.clip();
        let chosen = self.context.frames(last, future, poses, self.scale);
        let parts = chosen.iter().map(|frame| history.narrow(*frame, 1));
        parts.reduce(|before, frame| before.followed_by(&frame)).unwrap_or(history)
    }
}

impl From<DiffusionError> for EvaluationError {
    fn from(source: DiffusionError) -> Self {
        Self::Memory(source.into())
    }
}
