//! What an attack came to.

use experiment::statistics::{Interval, proportion_interval};
use serde::{Deserialize, Serialize};

use super::Images;

/// What became of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The model is right about it, before and after the attack.
    Stands,
    /// The model was wrong about it already; it was not attacked.
    Misclassified,
    /// This attack found an image that the model is wrong about.
    FelledBy(&'static str),
}

/// What became of all images.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// For each sample an image that the threat model allows: one that fools the model where the sample fell.
    pub images: Images,
    /// What became of each sample.
    pub fates: Vec<Fate>,
    /// How often the model was asked about each: once before the attack, and then by it.
    pub queries: Vec<usize>,
}

impl Outcome {
    /// Whether the model is right about each sample, before and after the attack.
    pub fn stands(&self) -> Vec<bool> {
        self.fates.iter().map(|fate| *fate == Fate::Stands).collect()
    }

    /// The share of samples that the model gets right without an attack.
    pub fn clean_accuracy(&self) -> Interval {
        self.share(|fate| fate != Fate::Misclassified)
    }

    /// The share of samples that the model gets right before and after the attack.
    pub fn robust_accuracy(&self) -> Interval {
        self.share(|fate| fate == Fate::Stands)
    }

    /// How many samples each attack felled, in the order of first success.
    pub fn felled(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for fate in &self.fates {
            if let Fate::FelledBy(attack) = *fate {
                match counts.iter_mut().find(|(name, _)| *name == attack) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((attack, 1)),
                }
            }
        }
        counts
    }

    fn share(&self, holds: impl Fn(Fate) -> bool) -> Interval {
        let count = self.fates.iter().filter(|fate| holds(**fate)).count();
        proportion_interval(count, self.fates.len()).expect("samples are never empty")
    }
}

/// The numbers of an [`Outcome`]; those of several parts of the samples add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many samples there are.
    pub samples: usize,
    /// How many the model gets right before and after the attack.
    pub standing: usize,
    /// How many each part of the attack felled, in the order of first success.
    pub felled: Vec<(String, usize)>,
    /// How often the model was asked, all samples together.
    pub queries: usize,
}

impl Tally {
    /// The numbers of `outcome`.
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            samples: outcome.fates.len(),
            standing: outcome.fates.iter().filter(|fate| **fate == Fate::Stands).count(),
            felled: outcome.felled().into_iter().map(|(name, n)| (name.to_owned(), n)).collect(),
            queries: outcome.queries.iter().sum(),
        }
    }

    /// Adds the numbers of other samples, which come after these.
    pub fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.standing += other.standing;
        self.queries += other.queries;
        for (attack, count) in other.felled {
            match self.felled.iter_mut().find(|(name, _)| *name == attack) {
                Some((_, sum)) => *sum += count,
                None => self.felled.push((attack, count)),
            }
        }
    }

    /// The share of samples that the model gets right before and after the attack, with Wilson's 95 % interval.
    ///
    /// # Panics
    /// Without samples.
    pub fn robust_accuracy(&self) -> Interval {
        proportion_interval(self.standing, self.samples).expect("there are samples")
    }
}
