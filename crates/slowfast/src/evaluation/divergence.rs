//! Fast learning that goes too far: a sweep finds its limit there, and goes on.

use serde::{Deserialize, Serialize};

use super::{EvaluationError, Scores};
use crate::memory::MemoryError;

/// Where fast learning stopped being finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// Number of the episode in the clips.
    pub episode: usize,
    /// Seed of the noise.
    pub seed: u64,
    /// The chunk that was learned, from 0.
    pub chunk: usize,
}

/// What a row came to in one episode with one seed. What is scored is written as its scores alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    Scored(Box<Scores>),
    Diverged(Divergence),
}

/// What a row came to in all episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcomes {
    /// Of every episode and seed; none if any diverged, since those left would be the easier ones.
    pub scores: Vec<Scores>,
    /// The first that diverged.
    pub diverged: Option<Divergence>,
}

impl Outcomes {
    /// With one more outcome.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Scored(scores) if self.diverged.is_none() => self.scores.push(*scores),
            Outcome::Scored(_) => {}
            Outcome::Diverged(divergence) => {
                self.scores.clear();
                self.diverged.get_or_insert(divergence);
            }
        }
    }
}

impl EvaluationError {
    /// The chunk, from 0, whose fast learning was not finite; none for every other failure.
    pub(super) fn diverged_at(&self) -> Option<usize> {
        use inner_outer::Error::{NonFiniteEnd, NonFiniteInnerLoss, NonFiniteState};
        match self {
            Self::Memory(MemoryError::Learning {
                chunk,
                source: NonFiniteInnerLoss { .. } | NonFiniteEnd { .. } | NonFiniteState { .. },
            }) => Some(*chunk),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fast_learning_that_is_not_finite_diverges() {
        let learning = |source| EvaluationError::Memory(MemoryError::Learning { chunk: 3, source });
        let (path, steps) = (String::new(), 1);
        let spoilt = [
            inner_outer::Error::NonFiniteEnd { path: path.clone(), steps },
            inner_outer::Error::NonFiniteState { path, steps },
        ];
        assert_eq!(spoilt.map(|source| learning(source).diverged_at()), [Some(3); 2]);
        assert_eq!(learning(inner_outer::Error::EmptyMetaBatch).diverged_at(), None);
        assert_eq!(EvaluationError::Seed(3).diverged_at(), None);
    }
}
