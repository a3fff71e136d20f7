//! Clients that lie.

use std::collections::BTreeSet;

use experiment::seed::Seed;
use rand::seq::index;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::error::require;
use super::{ServerError, Update};

/// What a bad client does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AttackerChoice {
    /// Sends the opposite of what it learned, `-factor delta`.
    SignFlip {
        /// Above 0.
        #[serde(default = "one")]
        factor: f64,
    },
    /// Sends more of what it learned, `factor delta`; with a factor of the number of clients it replaces the model
    /// (Bagdasaryan et al. 2020).
    Scaled {
        /// Above 0.
        factor: f64,
    },
    /// Sends normal noise in place of what it learned (Blanchard et al. 2017).
    Gaussian {
        /// Standard deviation of each value, above 0.
        deviation: f64,
    },
    /// Learns from labels that are wrong, `classes - 1 - label`, and sends what it learned (Fang et al. 2020).
    LabelFlip,
}

/// How many clients are bad, and what they do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attackers {
    /// Share of clients that are bad, from 0 to 1; rounded to whole clients, at least one unless it is 0.
    pub share: f64,
    /// What they do.
    pub behaviour: AttackerChoice,
}

fn one() -> f64 {
    1.0
}

impl AttackerChoice {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        let positive = |setting, value: f64| {
            require(value.is_finite() && value > 0.0, setting, value, "finite and above 0")
        };
        match *self {
            Self::SignFlip { factor } | Self::Scaled { factor } => positive("factor", factor),
            Self::Gaussian { deviation } => positive("deviation", deviation),
            Self::LabelFlip => Ok(()),
        }
    }

    /// Makes of an honest update what the client sends in round `round`. Label flippers send it as it is: they learned
    /// from [`Self::labels`].
    pub fn corrupt(&self, update: &mut Update, round: u64, seed: &Seed) {
        let scale = |update: &mut Update, factor: f64| {
            update.delta.iter_mut().for_each(|x| *x = (f64::from(*x) * factor) as f32);
        };
        match *self {
            Self::SignFlip { factor } => scale(update, -factor),
            Self::Scaled { factor } => scale(update, factor),
            Self::Gaussian { deviation } => {
                let stream = seed.child("noise").index(round).index(update.client as u64);
                let noise = StandardNormal.sample_iter(stream.rng());
                let noise = noise.map(|x: f64| (deviation * x) as f32);
                update.delta.iter_mut().zip(noise).for_each(|(x, noise)| *x = noise);
            }
            Self::LabelFlip => {}
        }
    }

    /// The labels that the client learns from: its own, unless it flips them.
    pub fn labels(&self, labels: &[u8], classes: usize) -> Vec<u8> {
        match self {
            Self::LabelFlip => {
                let last = classes.saturating_sub(1) as u8;
                labels.iter().map(|label| last.saturating_sub(*label)).collect()
            }
            _ => labels.to_vec(),
        }
    }
}

impl Attackers {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        require((0.0..=1.0).contains(&self.share), "share", self.share, "from 0 to 1")?;
        self.behaviour.check()
    }

    /// Whether the share is at least one of so many clients, unless it is 0.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check_for(&self, clients: usize) -> Result<(), ServerError> {
        let somebody = self.share == 0.0 || self.count(clients) > 0;
        let range = "0, or so large that it is rounded to at least one of the clients";
        require(somebody, "share", self.share, range)
    }

    fn count(&self, clients: usize) -> usize {
        (self.share.clamp(0.0, 1.0) * clients as f64).round() as usize
    }

    /// Which of `clients` are bad, the same in every round.
    pub fn among(&self, clients: usize, seed: &Seed) -> BTreeSet<usize> {
        let mut rng = seed.child("attackers").rng();
        index::sample(&mut rng, clients, self.count(clients)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::update::updates_of;
    use super::*;

    fn corrupted(choice: AttackerChoice, round: u64) -> Vec<f32> {
        let mut update = updates_of(&[&[1.0, -2.0, 0.5]]).remove(0);
        choice.corrupt(&mut update, round, &Seed::new(0));
        update.delta
    }

    #[test]
    fn lies_are_what_they_are_called() {
        let flipped = corrupted(AttackerChoice::SignFlip { factor: 2.0 }, 0);
        assert_eq!(flipped, [-2.0, 4.0, -1.0]);
        assert_eq!(corrupted(AttackerChoice::Scaled { factor: 10.0 }, 0), [10.0, -20.0, 5.0]);
        assert_eq!(corrupted(AttackerChoice::LabelFlip, 0), [1.0, -2.0, 0.5]);
        let noise = AttackerChoice::Gaussian { deviation: 3.0 };
        assert_eq!(corrupted(noise, 0), corrupted(noise, 0));
        assert_ne!(corrupted(noise, 0), corrupted(noise, 1));
        let mut long = updates_of(&[&[7.0; 4000]]).remove(0);
        noise.corrupt(&mut long, 0, &Seed::new(1));
        assert!((long.norm() / (3.0 * 4000_f64.sqrt()) - 1.0).abs() < 0.05);
    }

    #[test]
    fn only_flippers_see_other_labels() {
        assert_eq!(AttackerChoice::LabelFlip.labels(&[0, 3, 9], 10), [9, 6, 0]);
        let honest = AttackerChoice::SignFlip { factor: 1.0 }.labels(&[0, 3, 9], 10);
        assert_eq!(honest, [0, 3, 9]);
    }

    #[test]
    fn the_share_is_of_clients_and_the_choice_is_seeded() {
        let attackers = Attackers { share: 0.4, behaviour: AttackerChoice::LabelFlip };
        let chosen = attackers.among(10, &Seed::new(0));
        assert_eq!(chosen.len(), 4);
        assert!(chosen.iter().all(|client| *client < 10));
        assert_eq!(chosen, attackers.among(10, &Seed::new(0)));
        assert!((1..20).any(|number| attackers.among(10, &Seed::new(number)) != chosen));
        assert!(Attackers { share: 0.0, ..attackers }.among(10, &Seed::new(0)).is_empty());
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let refused = |share, behaviour| match (Attackers { share, behaviour }).check() {
            Err(ServerError::OutOfRange { setting, .. }) => setting,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(1.5, AttackerChoice::LabelFlip), "share");
        assert_eq!(refused(0.2, AttackerChoice::SignFlip { factor: 0.0 }), "factor");
        assert_eq!(refused(0.2, AttackerChoice::Scaled { factor: f64::NAN }), "factor");
        assert_eq!(refused(0.2, AttackerChoice::Gaussian { deviation: -1.0 }), "deviation");
        let read = serde_json::from_str::<Attackers>;
        let text = r#"{"share": 0.2, "behaviour": {"kind": "sign-flip"}}"#;
        let expected = AttackerChoice::SignFlip { factor: 1.0 };
        assert_eq!(read(text).unwrap(), Attackers { share: 0.2, behaviour: expected });
    }
}
