//! How far an agent is from its way-points.

use experiment::statistics::{Interval, mean_interval};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::clip::Pose;
use crate::evaluation::EvaluationError;
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

/// A row of the table, with 95 % intervals over tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRow {
    /// The model; none for references.
    pub model: Option<String>,
    /// The method or reference.
    pub name: String,
    /// Mean distance to the way-points, in cells.
    pub distance: Interval,
    /// Distance to the last way-point, in cells.
    pub last: Interval,
    /// By how much the distance is above that of the baseline with the same model in the same tasks; below 0 is nearer.
    pub change: Option<Interval>,
    /// Share of frames whose action was read as it was meant.
    pub action_accuracy: Interval,
}

impl PlanRow {
    /// The row of some scores, one a task, beside those of the baseline in the same tasks.
    ///
    /// # Errors
    /// [`EvaluationError::Metric`] without tasks.
    pub fn of(
        model: Option<&str>,
        name: &str,
        scores: &[PlanScore],
        baseline: Option<&[PlanScore]>,
    ) -> Result<Self, EvaluationError> {
        let interval = |values: Vec<f64>| -> Result<Interval, EvaluationError> {
            Ok(mean_interval(&values).map_err(MetricError::from)?)
        };
        let far = |interval: Interval| interval.within(0.0..=f64::INFINITY);
        let change = baseline.map(|baseline| {
            let pairs = scores.iter().zip(baseline);
            interval(pairs.map(|(one, other)| one.distance() - other.distance()).collect())
        });
        let accuracy = interval(scores.iter().map(|score| score.action_accuracy).collect())?;
        Ok(Self {
            model: model.map(str::to_owned),
            name: name.to_owned(),
            distance: far(interval(scores.iter().map(PlanScore::distance).collect())?),
            last: far(interval(scores.iter().map(PlanScore::last).collect())?),
            change: change.transpose()?,
            action_accuracy: accuracy.within(0.0..=1.0),
        })
    }
}
