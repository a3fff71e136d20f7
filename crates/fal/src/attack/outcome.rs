//! What an attack came to.

use experiment::statistics::{Interval, proportion_interval};
use serde::Serialize;

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
