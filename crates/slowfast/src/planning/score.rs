//! How far an agent is from its way-points.

use std::ops::RangeInclusive;

use experiment::statistics::{Interval, StatisticsError, mean_interval};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::clip::Pose;
use crate::evaluation::EvaluationError;
use crate::evaluation::divergence::Outcomes;
use crate::metrics::MetricError;
use crate::world::World;

/// One task carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanScore {
    /// Number of the task.
    pub task: usize,
    /// Distance to each way-point, in cells.
    pub distances: Vec<f64>,
    /// Share of frames whose action was read as it was meant.
    pub action_accuracy: f64,
}

impl PlanScore {
    /// Mean distance to the way-points, in cells.
    pub fn distance(&self) -> f64 {
        self.distances.iter().sum::<f64>() / self.distances.len().max(1) as f64
    }

    /// Distance to the last way-point, where the agent began.
    pub fn last(&self) -> f64 {
        self.distances.last().copied().unwrap_or_default()
    }
}

/// The distances in cells between the true `poses` after each chunk of `chunk` frames, the last one may be shorter, and those
/// of an agent that begins at the first pose and carries out the `actions`. Walls stop it.
pub fn distances(world: &World, poses: &[Pose], actions: &[Action], chunk: usize) -> Vec<f64> {
    let cells = |units: i32, other: i32| {
        (f64::from(units) - f64::from(other)) / f64::from(world.pose_scale().position)
    };
    let Some(mut pose) = poses.first().copied() else { return Vec::new() };
    let last = poses.len() - 1;
    let mut found = Vec::new();
    for (number, action) in (1..poses.len()).zip(actions) {
        pose = world.step(pose, *action).pose;
        if number.is_multiple_of(chunk.max(1)) || number == last {
            let aim = poses[number];
            found.push(cells(pose.x, aim.x).hypot(cells(pose.y, aim.y)));
        }
    }
    found
}

/// Where a method's fast learning stopped being finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDivergence {
    /// Number of the task.
    pub task: usize,
    /// The imagined chunk that was learned, from 0.
    pub chunk: usize,
}

/// What a row came to in all tasks.
pub(super) type PlanOutcomes = Outcomes<PlanScore, PlanDivergence>;

/// A row of the table, with 95 % intervals over tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRow {
    /// The model; none for references.
    pub model: Option<String>,
    /// The method or reference.
    pub name: String,
    /// Where it diverged first, if it did: the row then has no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<PlanDivergence>,
    /// Mean distance to the way-points, in cells.
    pub distance: Option<Interval>,
    /// Distance to the last way-point, in cells.
    pub last: Option<Interval>,
    /// By how much the distance is above that of the baseline with the same model in the same tasks; below 0 is nearer.
    pub change: Option<Interval>,
    /// Share of frames whose action was read as it was meant.
    pub action_accuracy: Option<Interval>,
}

impl PlanRow {
    /// The row of what came of all tasks, beside the baseline in the same tasks; without a number where there are no scores.
    ///
    /// # Errors
    /// [`EvaluationError::Metric`] for distances that are no numbers.
    pub(super) fn of(
        model: Option<&str>,
        name: &str,
        Outcomes { scores, diverged }: &PlanOutcomes,
        baseline: Option<&PlanOutcomes>,
    ) -> Result<Self, EvaluationError> {
        let interval = |values: Vec<f64>, possible: RangeInclusive<f64>| match values.is_empty() {
            true => Ok(None),
            false => mean_interval(&values).map(|mean| Some(mean.within(possible))),
        };
        let all = |value: fn(&PlanScore) -> f64| scores.iter().map(value).collect::<Vec<f64>>();
        // A baseline that diverged has none to compare with.
        let pairs = scores.iter().zip(baseline.iter().flat_map(|baseline| &baseline.scores));
        let changes = pairs.map(|(one, other)| one.distance() - other.distance()).collect();
        let (any, far) = (f64::NEG_INFINITY..=f64::INFINITY, 0.0..=f64::INFINITY);
        let of = || -> Result<[Option<Interval>; 4], StatisticsError> {
            Ok([
                interval(all(PlanScore::distance), far.clone())?,
                interval(all(PlanScore::last), far.clone())?,
                interval(changes, any)?,
                interval(all(|score| score.action_accuracy), 0.0..=1.0)?,
            ])
        };
        let [distance, last, change, action_accuracy] = of().map_err(MetricError::from)?;
        let (model, name) = (model.map(str::to_owned), name.to_owned());
        Ok(Self { model, name, diverged: *diverged, distance, last, change, action_accuracy })
    }
}
