//! Who takes part in a round.

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::index;
use serde::{Deserialize, Serialize};

use super::ServerError;
use super::error::require;

/// Who takes part, who is lost, who is late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Participation {
    /// Share of clients that a round asks, above 0 and at most 1; rounded to whole clients, at least one.
    pub fraction: f64,
    /// Probability that a client that was asked is lost and sends nothing, at least 0, below 1.
    pub dropout: f64,
    /// Probability that a client is slow and has only a part of its local steps done when the round ends, from 0 to 1. The
    /// part is uniform, as in the experiments of FedProx.
    pub straggling: f64,
}

/// A client that reports back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Number of the client.
    pub client: usize,
    /// The part of its local steps that it has done, above 0; 1 for all.
    pub work: f64,
}

/// What happens in a round. Both lists are in ascending order of clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// Who reports back.
    pub participants: Vec<Participant>,
    /// Who was asked, but is lost.
    pub dropped: Vec<usize>,
}

impl Default for Participation {
    /// Everybody, always.
    fn default() -> Self {
        Self { fraction: 1.0, dropout: 0.0, straggling: 0.0 }
    }
}

impl Participation {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        let Self { fraction, dropout, straggling } = *self;
        let share = fraction > 0.0 && fraction <= 1.0;
        require(share, "fraction", fraction, "above 0 and at most 1")?;
        require((0.0..1.0).contains(&dropout), "dropout", dropout, "at least 0 and below 1")?;
        require((0.0..=1.0).contains(&straggling), "straggling", straggling, "from 0 to 1")
    }

    /// How many of `clients` are asked in a round.
    pub fn participants(&self, clients: usize) -> usize {
        let wished = (self.fraction.clamp(0.0, 1.0) * clients as f64).round() as usize;
        wished.clamp(clients.min(1), clients)
    }

    /// Round `round`, counted from 0, with `clients` in all. What happens to a client does not depend on the others.
    pub fn round(&self, clients: usize, round: u64, seed: &Seed) -> Roster {
        let seed = seed.child("participation").index(round);
        let count = self.participants(clients);
        let mut asked = index::sample(&mut seed.child("asked").rng(), clients, count).into_vec();
        asked.sort_unstable();
        let mut roster = Roster { participants: Vec::new(), dropped: Vec::new() };
        for client in asked {
            let mut luck = seed.child("luck").index(client as u64).rng();
            let (lost, slow, part): (f64, f64, f64) = luck.random();
            if lost < self.dropout {
                roster.dropped.push(client);
            } else {
                // A part drawn from [0, 1) is turned round, so that nobody has done nothing.
                let work = if slow < self.straggling { 1.0 - part } else { 1.0 };
                roster.participants.push(Participant { client, work });
            }
        }
        roster
    }
}

impl Participant {
    /// How many of its local steps the client has done, rounded up.
    pub fn steps(&self, local_steps: usize) -> usize {
        (self.work * local_steps as f64).ceil() as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn everybody(clients: usize) -> Vec<Participant> {
        (0..clients).map(|client| Participant { client, work: 1.0 }).collect()
    }

    #[test]
    fn by_default_everybody_takes_part() {
        let roster = Participation::default().round(5, 3, &Seed::new(0));
        assert_eq!(roster, Roster { participants: everybody(5), dropped: vec![] });
        assert!(Participation::default().round(0, 0, &Seed::new(0)).participants.is_empty());
    }

    proptest! {
        #[test]
        fn rounds_are_seeded_and_whole(
            number: u64, round in 0..50_u64, clients in 1..200_usize,
            fraction in 0.001..=1.0_f64, dropout in 0.0..0.9_f64, straggling in 0.0..=1.0_f64,
        ) {
            let participation = Participation { fraction, dropout, straggling };
            participation.check().unwrap();
            let roster = participation.round(clients, round, &Seed::new(number));
            prop_assert_eq!(&roster, &participation.round(clients, round, &Seed::new(number)));
            let expected = ((fraction * clients as f64).round() as usize).max(1);
            prop_assert_eq!(roster.participants.len() + roster.dropped.len(), expected);
            let order = roster.participants.iter().map(|participant| participant.client);
            prop_assert!(order.clone().zip(order.skip(1)).all(|(left, right)| left < right));
            for participant in &roster.participants {
                prop_assert!(participant.client < clients && !roster.dropped.contains(&participant.client));
                prop_assert!((1..=7).contains(&participant.steps(7)));
            }
        }
    }

    #[test]
    fn shares_come_out_over_many_rounds() {
        let participation = Participation { fraction: 0.2, dropout: 0.3, straggling: 0.5 };
        let (mut asked, mut dropped, mut slow) = (vec![0; 10], 0, 0);
        for round in 0..2000 {
            let roster = participation.round(10, round, &Seed::new(1));
            dropped += roster.dropped.len();
            for participant in roster.participants {
                asked[participant.client] += 1;
                slow += usize::from(participant.work < 1.0);
            }
        }
        assert!((1100..1300).contains(&dropped), "{dropped}");
        assert!((1300..1500).contains(&slow), "{slow}");
        assert!(asked.iter().all(|count| (220..340).contains(count)), "{asked:?}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let every = Participation::default();
        for (participation, name) in [
            (Participation { fraction: 0.0, ..every }, "fraction"),
            (Participation { fraction: 1.1, ..every }, "fraction"),
            (Participation { dropout: 1.0, ..every }, "dropout"),
            (Participation { straggling: f64::NAN, ..every }, "straggling"),
        ] {
            let refused = participation.check();
            assert!(
                matches!(refused, Err(ServerError::OutOfRange { setting, .. }) if setting == name)
            );
        }
    }
}
