//! Rows of the table, with intervals over scenes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use experiment::statistics::{Interval, grouped_mean_interval};
use serde::{Deserialize, Serialize};

use super::{Cost, Divergence, EvaluationError, Scores};
use crate::metrics::{MetricError, frechet_between_halves};

/// A method over all episodes. Intervals are of 95 %, over scenes, since the episodes of one scene are alike; several seeds of an
/// episode are one value, their mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The method.
    pub name: String,
    /// Where it diverged first, if it did: the row then has no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<Divergence>,
    /// PSNR of generated frames, in decibels.
    pub psnr: Option<Interval>,
    /// Structural similarity of generated frames.
    pub structural_similarity: Option<Interval>,
    /// `PD-random` of generated frames.
    pub perceptual_distance: Option<Interval>,
    /// Jumps of the picture.
    pub scene_cuts: Option<Interval>,
    /// Change from frame to frame.
    pub motion: Option<Interval>,
    /// SRC with the encoder that the results name.
    pub consistency: Option<Interval>,
    /// PSNR at revisited poses, over the scenes with any.
    pub revisit_psnr: Option<Interval>,
    /// PSNR at revisited poses outside of the context.
    pub outside_psnr: Option<Interval>,
    /// By how much `revisit_psnr` is above that of the baseline in the same episodes.
    pub revisit_gain: Option<Interval>,
    /// By how much `outside_psnr` is above that of the baseline in the same episodes.
    pub outside_gain: Option<Interval>,
    /// Share of frames that moved as they should have.
    pub action_accuracy: Option<Interval>,
    /// Share of frames that turned as they should have.
    pub turn_accuracy: Option<Interval>,
    /// `FVD-random`: to the true windows; for the truth between two halves of them.
    pub frechet_random: Option<f64>,
    /// `FVD-motion`, with the features of the inverse dynamics.
    pub frechet_motion: Option<f64>,
    /// Windows that both distances rest on.
    pub windows: usize,
    /// Seconds and memory of a chunk.
    pub cost: Option<Cost>,
}

/// One value an episode, which is named by its scene and its number.
type Values = BTreeMap<(String, usize), f64>;

/// The means over seeds of one measure, for the episodes that have it.
fn over_seeds(scores: &[Scores], value: &dyn Fn(&Scores) -> Option<f64>) -> Values {
    let mut sums: BTreeMap<(String, usize), (f64, f64)> = BTreeMap::new();
    for score in scores {
        if let Some(value) = value(score) {
            let (sum, count) = sums.entry((score.scene.clone(), score.episode)).or_default();
            (*sum, *count) = (*sum + value, *count + 1.0);
        }
    }
    sums.into_iter().map(|(episode, (sum, count))| (episode, sum / count)).collect()
}

fn interval(values: &Values) -> Result<Option<Interval>, EvaluationError> {
    if values.is_empty() {
        return Ok(None);
    }
    let of_scenes = values.iter().map(|((scene, _), value)| (scene, *value));
    Ok(Some(grouped_mean_interval(of_scenes).map_err(MetricError::from)?))
}

/// The mean of the differences in the episodes that both have.
pub(super) fn paired(one: &Values, other: &Values) -> Result<Option<Interval>, EvaluationError> {
    let both = one.iter().filter_map(|(key, value)| Some((key.clone(), value - other.get(key)?)));
    interval(&both.collect())
}

impl Row {
    /// The row of a method beside those of the truth and of the baseline; without any number where there are no scores.
    ///
    /// # Errors
    /// [`EvaluationError::Metric`] for measures that are no numbers.
    pub fn of(
        name: &str,
        scores: &[Scores],
        truth: &[Scores],
        baseline: Option<&[Scores]>,
        cost: Option<Cost>,
    ) -> Result<Self, EvaluationError> {
        let optional =
            |value: &dyn Fn(&Scores) -> Option<f64>| interval(&over_seeds(scores, value));
        let always = |value: fn(&Scores) -> f64, possible: RangeInclusive<f64>| {
            let found = optional(&|score| Some(value(score)))?;
            Ok::<_, EvaluationError>(found.map(|interval| interval.within(possible)))
        };
        let gain = |value: &dyn Fn(&Scores) -> Option<f64>| match baseline {
            Some(baseline) => paired(&over_seeds(scores, value), &over_seeds(baseline, value)),
            None => Ok(None),
        };
        let share = |interval: Option<Interval>| interval.map(|share| share.within(0.0..=1.0));
        let random = |score: &Scores| score.random_features.clone();
        let motion = |score: &Scores| score.motion_features.clone();
        Ok(Self {
            name: name.to_owned(),
            diverged: None,
            psnr: optional(&|score| Some(score.psnr))?,
            structural_similarity: always(|score| score.structural_similarity, -1.0..=1.0)?,
            perceptual_distance: always(|score| score.perceptual_distance, 0.0..=2.0)?,
            scene_cuts: always(|score| score.scene_cuts, 0.0..=f64::INFINITY)?,
            motion: always(|score| score.motion, 0.0..=255.0)?,
            consistency: optional(&|score| score.consistency)?
                .map(|cosine| cosine.within(-100.0..=100.0)),
            revisit_psnr: optional(&|score| score.revisit_psnr)?,
            outside_psnr: optional(&|score| score.outside_psnr)?,
            revisit_gain: gain(&|score| score.revisit_psnr)?,
            outside_gain: gain(&|score| score.outside_psnr)?,
            action_accuracy: share(optional(&|score| score.action_accuracy)?),
            turn_accuracy: share(optional(&|score| score.turn_accuracy)?),
            frechet_random: frechet(scores, truth, &random)?,
            frechet_motion: frechet(scores, truth, &motion)?,
            windows: scores.iter().map(|score| score.random_features.len()).sum(),
            cost,
        })
    }
}

/// The distance between halves of a method's features and of the truth's, for each seed alone, since the distance falls with the
/// number of windows, which the truth has once; their mean. None with too few windows. Halves share no scene, or they would be more
/// alike than two samples of one kind.
fn frechet(
    scores: &[Scores],
    truth: &[Scores],
    features: &dyn Fn(&Scores) -> Vec<Vec<f64>>,
) -> Result<Option<f64>, EvaluationError> {
    let scenes: BTreeSet<&str> = truth.iter().map(|score| score.scene.as_str()).collect();
    let halves = |scores: &[&Scores]| -> [Vec<Vec<f64>>; 2] {
        let mut halves = [Vec::new(), Vec::new()];
        for score in scores {
            // In blocks, not in turn: routes may come in turn too.
            let number = scenes.iter().position(|scene| *scene == score.scene).unwrap_or(0);
            halves[2 * number / scenes.len().max(1)].extend(features(score));
        }
        halves
    };
    let expected = halves(&truth.iter().collect::<Vec<_>>());
    let seeds: BTreeSet<u64> = scores.iter().map(|score| score.seed).collect();
    let mut distances = Vec::new();
    for seed in seeds {
        let of_seed: Vec<&Scores> = scores.iter().filter(|score| score.seed == seed).collect();
        let found = halves(&of_seed);
        if found.iter().chain(&expected).any(|half| half.len() < 2) {
            return Ok(None);
        }
        distances.push(frechet_between_halves(&found, &expected)?);
    }
    let count = distances.len() as f64;
    Ok((!distances.is_empty()).then(|| distances.iter().sum::<f64>() / count))
}
