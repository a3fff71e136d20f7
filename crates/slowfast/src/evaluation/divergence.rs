//! Fast learning that goes too far: a sweep finds its limit there, and goes on.

use serde::{Deserialize, Serialize};

use super::EvaluationError;
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

/// What a row came to in one episode or task, with one seed: scores `S`, or where it diverged, `D`. What is scored is written as its
/// scores alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Outcome<S, D> {
    Scored(Box<S>),
    Diverged(D),
}

/// What a row came to in all of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcomes<S, D> {
    /// Of each; none if any diverged, since those left would be the easier ones.
    pub scores: Vec<S>,
    /// The first that diverged.
    pub diverged: Option<D>,
}

impl<S, D> Outcomes<S, D> {
    /// Sorts outcomes by the row that each is for, of so many.
    pub fn by_row(
        rows: usize,
        outcomes: impl IntoIterator<Item = (usize, Outcome<S, D>)>,
    ) -> Vec<Self> {
        let none = || Self { scores: Vec::new(), diverged: None };
        let mut all: Vec<Self> = (0..rows).map(|_| none()).collect();
        outcomes.into_iter().for_each(|(row, outcome)| all[row].add(outcome));
        all
    }

    fn add(&mut self, outcome: Outcome<S, D>) {
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
    pub(crate) fn diverged_at(&self) -> Option<usize> {
        use inner_outer::Error::{NonFiniteEnd, NonFiniteInnerLoss, NonFiniteState};
        match self {
            Self::Memory(MemoryError::Learning {
                chunk,
                cause: NonFiniteInnerLoss { .. } | NonFiniteEnd { .. } | NonFiniteState { .. },
            }) => Some(*chunk),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_diverges_anywhere_has_no_score_and_tells_where_it_did_first() {
        let scored = |score| Outcome::Scored(Box::new(score));
        let outcomes = [
            (0, scored(1)),
            (1, scored(2)),
            (1, Outcome::Diverged("first")),
            (0, scored(3)),
            (1, scored(4)),
            (1, Outcome::Diverged("second")),
        ];
        let found = Outcomes::by_row(3, outcomes);
        let row = |scores: &[i32], diverged| Outcomes { scores: scores.to_vec(), diverged };
        assert_eq!(found, [row(&[1, 3], None), row(&[], Some("first")), row(&[], None)]);
    }

    #[test]
    fn only_fast_learning_that_is_not_finite_diverges() {
        let learning = |cause| EvaluationError::Memory(MemoryError::Learning { chunk: 3, cause });
        let (path, steps) = (String::new(), 1);
        let spoilt = [
            inner_outer::Error::NonFiniteEnd { path: path.clone(), steps },
            inner_outer::Error::NonFiniteState { path, steps },
        ];
        assert_eq!(spoilt.map(|cause| learning(cause).diverged_at()), [Some(3); 2]);
        assert_eq!(learning(inner_outer::Error::EmptyMetaBatch).diverged_at(), None);
        assert_eq!(EvaluationError::Seed(3).diverged_at(), None);
    }
}
