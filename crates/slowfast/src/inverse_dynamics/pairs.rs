//! Pairs of frames to learn from and to be judged by.

use experiment::seed::Seed;
use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::{BlockMatching, InverseDynamicsError, happened};
use crate::action::Action;
use crate::clip::{Alignment, ClipSet, Episode, Split, WindowPlace, WindowSampler};

/// Frames of a run of pairs that are read at once.
const RUN: usize = 9;
/// Greatest change of a value by noise, in levels.
const NOISE: i16 = 12;

/// Where blocks went in many pairs of frames, and what happened in each.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionPairs {
    /// [`BlockMatching::values`] for each pair, one after the other.
    pub values: Vec<f32>,
    /// What happened in each.
    pub actions: Vec<Action>,
    /// The number of the scene of each.
    pub scenes: Vec<usize>,
}

/// What one run of frames gives.
type Found = Vec<(Vec<f32>, Action, usize)>;

impl MotionPairs {
    /// About `count` pairs of the training clips, each forwards and backwards, and one more for each run of consecutive frames, in
    /// which nothing happens: a run has nine frames, or as many as the shortest episode if that has fewer. A share `softened` of the
    /// pairs are blurred and noised.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Clip`].
    pub fn to_learn(
        clips: &ClipSet,
        matching: BlockMatching,
        count: usize,
        softened: f64,
        seed: &Seed,
    ) -> Result<Self, InverseDynamicsError> {
        let runs = Runs::draw(clips, Split::Train, count, seed)?;
        runs.measured(|run, index, place| {
            let mut random = seed.child("softness").index(index).rng();
            let size = [run.height, run.width];
            let mut found = Vec::new();
            for frame in 1..run.len() {
                let frames = [run.frame(frame - 1), run.frame(frame)].map(<[u8]>::to_vec);
                let soft = random.random_bool(softened).then(|| random.random_range(1..=2));
                let mut made = |frame: &Vec<u8>| match soft {
                    Some(radius) => noised(blurred(frame, size, radius), &mut random),
                    None => frame.clone(),
                };
                let [before, after] = [made(&frames[0]), made(&frames[1])];
                let again = made(&frames[0]);
                let action = runs.action(run, frame);
                let mut add = |before: &[u8], after: &[u8], action| {
                    found.push((matching.between(before, after, size), action, place.episode));
                };
                add(&before, &after, action);
                add(&after, &before, action.inverse());
                if frame == 1 {
                    add(&before, &again, Action::STAY);
                }
            }
            found
        })
    }

    /// About `count` pairs of a split as they are, spread over its episodes.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Clip`].
    pub fn to_judge(
        clips: &ClipSet,
        split: Split,
        matching: BlockMatching,
        count: usize,
        seed: &Seed,
    ) -> Result<Self, InverseDynamicsError> {
        let runs = Runs::draw(clips, split, count, &seed.child("judged"))?;
        runs.measured(|run, _, place| {
            let size = [run.height, run.width];
            let pair = |frame: usize| {
                let (before, after) = (run.frame(frame - 1), run.frame(frame));
                (matching.between(before, after, size), runs.action(run, frame), place.episode)
            };
            (1..run.len()).map(pair).collect()
        })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The numbers of the pairs of each action that happened.
    pub fn by_action(&self) -> Vec<Vec<usize>> {
        let numbered = |action: Action| {
            let all = self.actions.iter().enumerate();
            all.filter(|(_, found)| **found == action).map(|(number, _)| number).collect()
        };
        let groups: Vec<Vec<usize>> = Action::ALL.into_iter().map(numbered).collect();
        groups.into_iter().filter(|group| !group.is_empty()).collect()
    }
}

/// Runs of consecutive frames from anywhere in a split.
struct Runs<'c> {
    clips: &'c ClipSet,
    places: Vec<WindowPlace>,
    length: usize,
}

impl<'c> Runs<'c> {
    fn draw(
        clips: &'c ClipSet,
        split: Split,
        count: usize,
        seed: &Seed,
    ) -> Result<Self, InverseDynamicsError> {
        let shortest =
            clips.episodes_of(split).map(|episode| clips.index().episodes[episode].frames);
        let length = shortest.filter(|frames| *frames > 1).min().unwrap_or(RUN).min(RUN);
        let windows = WindowSampler::new(clips, split, length, Alignment::ANY, seed)?;
        let places = windows.batch(0, count.div_ceil(length - 1));
        Ok(Self { clips, places, length })
    }

    fn action(&self, run: &Episode, frame: usize) -> Action {
        let scale = self.clips.index().description.pose;
        happened(run.poses[frame - 1], run.poses[frame], scale)
    }

    fn measured(
        &self,
        measure: impl Fn(&Episode, u64, &WindowPlace) -> Found + Sync,
    ) -> Result<MotionPairs, InverseDynamicsError> {
        let of = |(index, place): (usize, &WindowPlace)| -> Result<Found, InverseDynamicsError> {
            let range = place.start..place.start + self.length;
            let run = self.clips.window(place.episode, range)?;
            Ok(measure(&run, index as u64, place))
        };
        // In the order of the places, whichever thread measured them.
        let found: Vec<_> = self.places.par_iter().enumerate().map(of).collect();
        let mut pairs = MotionPairs { values: vec![], actions: vec![], scenes: vec![] };
        for part in found {
            for (values, action, episode) in part? {
                pairs.values.extend(values);
                pairs.actions.push(action);
                pairs.scenes.push(self.clips.scene(episode)?);
            }
        }
        Ok(pairs)
    }
}

/// A frame whose pixels are means over squares.
fn blurred(frame: &[u8], [height, width]: [usize; 2], radius: usize) -> Vec<u8> {
    let mean = |row: usize, column: usize, colour: usize| {
        let rows = row.saturating_sub(radius)..(row + radius + 1).min(height);
        let columns = column.saturating_sub(radius)..(column + radius + 1).min(width);
        let count = (rows.len() * columns.len()) as u32;
        let pixels = rows.flat_map(|row| columns.clone().map(move |column| row * width + column));
        let sum: u32 = pixels.map(|pixel| u32::from(frame[3 * pixel + colour])).sum();
        (sum / count) as u8
    };
    let places = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    places.flat_map(|(row, column)| (0..3).map(move |colour| mean(row, column, colour))).collect()
}

/// A frame with noise of a random strength.
fn noised(mut frame: Vec<u8>, random: &mut impl Rng) -> Vec<u8> {
    let strength = random.random_range(0..=NOISE);
    for value in &mut frame {
        let changed = i16::from(*value) + random.random_range(-strength..=strength);
        *value = changed.clamp(0, 255) as u8;
    }
    frame
}
