//! What a client sends.

use serde::{Deserialize, Serialize};

use super::ServerError;

/// What a client reports after its local steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Number of the client.
    pub client: usize,
    /// `W_c - U`: its parameters less those it began with.
    pub delta: Vec<f32>,
    /// Samples it learned from.
    pub samples: usize,
    /// Local steps it took.
    pub steps: usize,
    /// Its mean loss in this round, on adversarial samples where it made some.
    pub loss: f64,
}

impl Update {
    /// Euclidean norm of the update.
    pub fn norm(&self) -> f64 {
        self.delta.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
    }

    /// Shortens the update to a norm of `limit` if it is longer.
    pub(super) fn clip(&mut self, limit: f64) {
        let norm = self.norm();
        if norm > limit {
            self.delta.iter_mut().for_each(|x| *x = (f64::from(*x) * limit / norm) as f32);
        }
    }

    fn is_finite(&self) -> bool {
        // Without a way out at the first, so that many are looked at at once.
        self.delta.iter().fold(true, |all, x| all & x.is_finite())
    }
}

/// What came of the clients that a round heard of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// The finite updates.
    pub updates: Vec<Update>,
    /// How many others were not finite. They may be of bad clients, so that a rule may withstand so many fewer among the rest
    /// where these are too few to withstand all.
    pub set_aside: usize,
}

impl From<Vec<Update>> for Received {
    /// Updates beside which nothing was set aside.
    fn from(updates: Vec<Update>) -> Self {
        Self { updates, set_aside: 0 }
    }
}

/// Divides updates into those that are finite and the clients whose are not, so that a liar or a client that diverged
/// cannot stop a round. Tell of the clients that were set aside.
pub fn set_aside_non_finite(updates: Vec<Update>) -> (Vec<Update>, Vec<usize>) {
    let (kept, aside): (Vec<_>, Vec<_>) = updates.into_iter().partition(Update::is_finite);
    (kept, aside.into_iter().map(|update| update.client).collect())
}

/// Of no updates nothing can be made.
pub(super) fn require_some(updates: usize) -> Result<(), ServerError> {
    if updates == 0 { Err(ServerError::NoUpdates) } else { Ok(()) }
}

/// There must be updates, all finite and of the model's length.
pub(super) fn require_fit(updates: &[Update], expected: usize) -> Result<(), ServerError> {
    require_some(updates.len())?;
    for Update { client, delta, .. } in updates {
        require_length(|| format!("the update of client {client}"), expected, delta.len())?;
    }
    match updates.iter().find(|update| !update.is_finite()) {
        Some(update) => Err(ServerError::NotFinite { client: update.client, what: "an update" }),
        None => Ok(()),
    }
}

/// What the server is about to keep must be finite.
pub(super) fn require_finite(what: &'static str, values: &[f32]) -> Result<(), ServerError> {
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(ServerError::Overflow { what }),
    }
}

pub(super) fn require_length(
    what: impl FnOnce() -> String,
    expected: usize,
    found: usize,
) -> Result<(), ServerError> {
    if expected == found {
        Ok(())
    } else {
        Err(ServerError::Length { what: what(), expected, found })
    }
}

#[cfg(test)]
pub(super) fn updates_of(deltas: &[&[f32]]) -> Vec<Update> {
    let update = |(client, delta): (usize, &&[f32])| Update {
        client,
        delta: delta.to_vec(),
        samples: 1,
        steps: 1,
        loss: 0.0,
    };
    deltas.iter().enumerate().map(update).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_updates_are_shortened_and_short_ones_kept() {
        let mut updates = updates_of(&[&[3.0, 4.0], &[0.3, 0.4], &[0.0, 0.0]]);
        assert_eq!(updates[0].norm(), 5.0);
        updates.iter_mut().for_each(|update| update.clip(2.5));
        assert_eq!(updates[0].delta, [1.5, 2.0]);
        assert_eq!(updates[1..], updates_of(&[&[], &[0.3, 0.4], &[0.0, 0.0]])[1..]);
    }

    #[test]
    fn what_is_not_finite_is_set_aside_or_refused() {
        let updates = updates_of(&[&[1.0], &[f32::NAN], &[f32::INFINITY], &[2.0]]);
        let refused = require_fit(&updates, 1);
        assert_eq!(refused, Err(ServerError::NotFinite { client: 1, what: "an update" }));
        let (kept, aside) = set_aside_non_finite(updates);
        assert_eq!((kept.len(), aside), (2, vec![1, 2]));
        require_fit(&kept, 1).unwrap();
    }

    #[test]
    fn updates_must_be_there_and_fit() {
        assert_eq!(require_fit(&[], 1), Err(ServerError::NoUpdates));
        let short = require_fit(&updates_of(&[&[1.0, 2.0], &[1.0]]), 2);
        assert!(matches!(short, Err(ServerError::Length { expected: 2, found: 1, .. })));
    }
}
