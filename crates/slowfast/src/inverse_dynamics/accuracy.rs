//! How often the inverse dynamics are right.

use std::fmt;

use burn::tensor::backend::Backend;
use experiment::statistics::{Interval, grouped_mean_interval};
use serde::{Deserialize, Serialize};

use super::{InverseDynamics, InverseDynamicsError, MotionPairs};
use crate::action::Action;

/// Accuracy on the pairs of one action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionAccuracy {
    /// What happened, in words.
    pub action: String,
    /// Pairs in which it did.
    pub pairs: usize,
    /// Share of them that are recognised.
    pub accuracy: Interval,
}

/// Accuracy on true frames, with 95 % intervals over scenes: pairs of one scene are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InverseDynamicsAccuracy {
    /// Pairs of consecutive frames.
    pub pairs: usize,
    /// Share whose action is recognised, turn and walk.
    pub action: Interval,
    /// Share whose turn is recognised.
    pub turn: Interval,
    /// Share whose walk is recognised.
    pub walk: Interval,
    /// By action, for those that happened.
    pub by_action: Vec<ActionAccuracy>,
}

impl InverseDynamicsAccuracy {
    /// Judges a network by pairs of frames.
    ///
    /// # Errors
    /// [`InverseDynamicsError::NoPairs`].
    pub fn of<B: Backend>(
        inverse: &InverseDynamics<B>,
        pairs: &MotionPairs,
    ) -> Result<Self, InverseDynamicsError> {
        let found = inverse.most_likely(&pairs.values);
        let judged: Vec<(usize, Action, Action)> = (0..pairs.len())
            .map(|pair| (pairs.scenes[pair], pairs.actions[pair], found[pair]))
            .collect();
        let share = |keep: &dyn Fn(Action) -> bool, right: &dyn Fn(Action, Action) -> bool| {
            let kept = judged.iter().filter(|(_, expected, _)| keep(*expected));
            over_scenes(kept.map(|(scene, expected, found)| (*scene, right(*expected, *found))))
        };
        let nothing = || InverseDynamicsError::NoPairs("judging".to_owned());
        let everything =
            |right: &dyn Fn(Action, Action) -> bool| share(&|_| true, right).ok_or_else(nothing);
        let by_action = Action::ALL.into_iter().filter_map(|action| {
            let count = pairs.actions.iter().filter(|found| **found == action).count();
            let accuracy =
                share(&|expected| expected == action, &|expected, found| expected == found)?;
            Some(ActionAccuracy { action: action.to_string(), pairs: count, accuracy })
        });
        Ok(Self {
            pairs: pairs.len(),
            action: everything(&|expected, found| expected == found)?,
            turn: everything(&|expected, found| expected.turn == found.turn)?,
            walk: everything(&|expected, found| expected.walk == found.walk)?,
            by_action: by_action.collect(),
        })
    }
}

/// The share of hits, each with the number of its scene; none without any.
fn over_scenes(hits: impl Iterator<Item = (usize, bool)>) -> Option<Interval> {
    let share = grouped_mean_interval(hits.map(|(scene, hit)| (scene, f64::from(u8::from(hit)))));
    share.ok().map(|interval| interval.within(0.0..=1.0))
}

impl fmt::Display for InverseDynamicsAccuracy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} pairs of frames", self.pairs)?;
        for (name, share) in [("action", self.action), ("turn", self.turn), ("walk", self.walk)] {
            writeln!(formatter, "{name:<24} {}", share.percent())?;
        }
        for ActionAccuracy { action, pairs, accuracy } in &self.by_action {
            writeln!(formatter, "{action:<24} {} of {pairs}", accuracy.percent())?;
        }
        Ok(())
    }
}
