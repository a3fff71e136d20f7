//! What one generated episode is worth.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{EvaluationConfig, EvaluationError};
use crate::clip::{Episode, PoseScale};
use crate::inverse_dynamics::{InverseDynamics, happened};
use crate::metrics::{
    FeatureEncoder, PooledColours, RandomFilters, Revisit, Video, motion, psnr,
    revisit_consistency, revisit_psnr, revisits, scene_cuts, structural_similarity,
};

/// Frames whose features are pooled for the distances between distributions.
pub const FEATURE_WINDOW: usize = 8;

/// The measures of one episode. Those of the given frames count in nothing but scene cuts and consistency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Number of the episode in the clips.
    pub episode: usize,
    /// Name of its scene.
    pub scene: String,
    /// Seed of the noise.
    pub seed: u64,
    /// Frames given.
    pub given: usize,
    /// Mean PSNR of the generated frames to the simulator's, in decibels.
    pub psnr: f64,
    /// Mean structural similarity of the generated frames.
    pub structural_similarity: f64,
    /// `PD-random` of the generated frames.
    pub perceptual_distance: f64,
    /// Jumps of the picture in the whole episode.
    pub scene_cuts: f64,
    /// Mean change from frame to frame, in levels of 0 to 255.
    pub motion: f64,
    /// 100 times the cosine similarity of generated frames with the first ones from their poses.
    pub consistency: Option<f64>,
    /// PSNR to the simulator at generated frames whose pose was seen before.
    pub revisit_psnr: Option<f64>,
    /// The same for those that were first seen before their chunk, and whose view the chunk before did not show.
    pub outside_psnr: Option<f64>,
    /// Generated frames whose pose was seen before, and those of them outside of the context.
    pub revisits: [usize; 2],
    /// Share of generated frames that moved as they should have, as the inverse dynamics see it.
    pub action_accuracy: Option<f64>,
    /// Share of generated frames that turned as they should have.
    pub turn_accuracy: Option<f64>,
    /// PSNR of each generated frame.
    pub frame_psnr: Vec<f64>,
    /// Features of `FVD-random`, one row a window.
    pub random_features: Vec<Vec<f64>>,
    /// Features of `FVD-motion`, one row a window; empty without inverse dynamics.
    pub motion_features: Vec<Vec<f64>>,
    /// Some frames as a PNG in base 64, where they were wished.
    pub strip: Option<String>,
}

/// What scores are given by.
pub struct Judge<'j, B: Backend> {
    /// Units of the poses.
    pub scale: PoseScale,
    /// What tells actions from frames; without it there are no accuracies.
    pub inverse: Option<&'j InverseDynamics<B>>,
    /// The settings.
    pub config: &'j EvaluationConfig,
    /// The filters of `PD-random` and `FVD-random`.
    pub filters: RandomFilters,
    /// The encoder of the consistency.
    pub encoder: PooledColours,
}

impl<'j, B: Backend> Judge<'j, B> {
    /// A judge of episodes.
    pub fn new(
        config: &'j EvaluationConfig,
        scale: PoseScale,
        inverse: Option<&'j InverseDynamics<B>>,
    ) -> Self {
        let (filters, encoder) = (RandomFilters::default(), PooledColours::default());
        Self { scale, inverse, config, filters, encoder }
    }

    /// Name of the encoder of the consistency.
    pub fn encoder(&self) -> &str {
        self.encoder.name()
    }

    /// Measures the frames `found`, of which the first `given` were given, against the true episode.
    ///
    /// # Errors
    /// [`EvaluationError::Given`] unless at least one frame was given, all of `found`; those of the measures.
    pub fn measure(
        &self,
        found: &[u8],
        truth: &Episode,
        given: usize,
    ) -> Result<Scores, EvaluationError> {
        let (height, width) = (truth.height, truth.width);
        let first = given * truth.frame_bytes();
        if given == 0 || first > found.len().min(truth.frames.len()) {
            let frames = found.len().min(truth.frames.len()) / truth.frame_bytes();
            return Err(EvaluationError::Given { given, frames });
        }
        let video = |bytes| Video::new(bytes, height, width);
        let (whole, expected_whole) = (video(found)?, Video::of(truth)?);
        let (made, expected) = (video(&found[first..])?, video(&truth.frames[first..])?);
        let moving = video(&found[first - truth.frame_bytes()..])?;
        let again = self.revisits(truth, given);
        let outside: Vec<Revisit> =
            again.iter().copied().filter(|pair| self.is_outside(truth, *pair)).collect();
        let psnr_of = |pairs: &[Revisit]| {
            let any = !pairs.is_empty();
            any.then(|| revisit_psnr(whole, expected_whole, pairs)).transpose()
        };
        let consistency =
            (!again.is_empty()).then(|| revisit_consistency(whole, &again, &self.encoder));
        let followed = self.followed(moving, truth, given)?;
        let frames = made.frames().zip(expected.frames());
        let frame_psnr = frames.map(|(one, other)| psnr(video(one)?, video(other)?));
        Ok(Scores {
            episode: 0,
            scene: String::new(),
            seed: 0,
            given,
            psnr: psnr(made, expected)?,
            structural_similarity: structural_similarity(made, expected)?,
            perceptual_distance: self.filters.distance(made, expected)?,
            scene_cuts: scene_cuts(whole) as f64,
            motion: motion(moving)?,
            consistency: consistency.transpose()?,
            revisit_psnr: psnr_of(&again)?,
            outside_psnr: psnr_of(&outside)?,
            revisits: [again.len(), outside.len()],
            action_accuracy: followed.map(|(action, _)| action),
            turn_accuracy: followed.map(|(_, turn)| turn),
            frame_psnr: frame_psnr.collect::<Result<_, _>>()?,
            random_features: self.filters.of_windows(made, FEATURE_WINDOW),
            motion_features: self.motion_features(moving)?,
            strip: None,
        })
    }

    /// The generated frames whose pose was seen before.
    fn revisits(&self, truth: &Episode, given: usize) -> Vec<Revisit> {
        let all = revisits(&truth.poses, self.scale, self.config.revisit);
        all.into_iter().filter(|pair| pair.again >= given).collect()
    }

    /// Whether the view was seen before its chunk, and no frame of the chunk before shows nearly the same: what a chunk shows twice
    /// is generated at once, with nothing in between to remember. All methods are judged by the chunks of the configuration, whatever
    /// they are conditioned on: else their numbers would be of different frames.
    fn is_outside(&self, truth: &Episode, pair: Revisit) -> bool {
        let chunk = self.config.frames_per_chunk;
        let begins = (pair.again - 1) / chunk * chunk + 1;
        if pair.first >= begins {
            return false;
        }
        let mut shown = begins.saturating_sub(chunk)..begins;
        let pose = truth.poses[pair.again];
        !shown.any(|frame| self.config.near.agree(truth.poses[frame], pose, self.scale))
    }

    /// The shares of frames after the first that moved, and that turned, as the truth did.
    fn followed(
        &self,
        moving: Video<'_>,
        truth: &Episode,
        given: usize,
    ) -> Result<Option<(f64, f64)>, EvaluationError> {
        let Some(inverse) = self.inverse else { return Ok(None) };
        let inferred = inverse.actions(moving)?;
        let poses = &truth.poses[given - 1..];
        let happened = poses.windows(2).map(|pair| happened(pair[0], pair[1], self.scale));
        let (mut actions, mut turns) = (0.0, 0.0);
        for (found, expected) in inferred.iter().zip(happened) {
            actions += f64::from(u8::from(*found == expected));
            turns += f64::from(u8::from(found.turn == expected.turn));
        }
        let count = inferred.len() as f64;
        Ok(Some((actions / count, turns / count)))
    }

    fn motion_features(&self, moving: Video<'_>) -> Result<Vec<Vec<f64>>, EvaluationError> {
        let Some(inverse) = self.inverse else { return Ok(Vec::new()) };
        let pairs = inverse.features(moving)?;
        let mean = |window: &[Vec<f64>]| {
            let columns = 0..window[0].len();
            let sum = |column: usize| window.iter().map(|row| row[column]).sum::<f64>();
            columns.map(|column| sum(column) / window.len() as f64).collect()
        };
        Ok(pairs.chunks_exact(FEATURE_WINDOW).map(mean).collect())
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::seed::Seed;

    use super::*;
    use crate::action::{Action, Turn};
    use crate::clip::Route;
    use crate::world::{Plan, World, WorldSettings};

    /// Three turns and back, four frames each: frame 13 shows what frame 11 did, both in the chunk of the frames 9 to 16.
    #[test]
    fn what_a_chunk_shows_twice_is_not_outside_of_the_context() {
        let settings = WorldSettings { size: 16, rays_per_pixel: 1, ..WorldSettings::default() };
        let (world, seed) = (World::new(&settings, &Seed::new(1)).unwrap(), Seed::new(2));
        let turn = Action::turn(Turn::Left);
        let actions = [[turn; 3], [turn.inverse(); 3]].concat();
        let plan = Route::Retrace.plan(&world, 0, 3, 4, &seed).unwrap();
        let truth = world.record(&Plan { actions, ..plan }, &seed);
        let config = EvaluationConfig { frames_per_chunk: 8, ..EvaluationConfig::default() };
        let judge = Judge::<Flex>::new(&config, world.pose_scale(), None);
        let again = judge.revisits(&truth, 9);
        assert!(again.contains(&Revisit { first: 11, again: 13 }));
        let outside = again.iter().filter(|pair| judge.is_outside(&truth, **pair));
        let outside: Vec<usize> = outside.map(|pair| pair.again).collect();
        // The frames 9 to 16 of the chunk before come no nearer to frame 19 than three turns, and less near to those after it.
        assert_eq!(outside, [19, 20, 21, 22, 23, 24]);
        let scores = judge.measure(&truth.frames, &truth, 9).unwrap();
        assert_eq!(scores.revisits, [12, 6]);
    }
}
