//! What every attack takes and gives.

use experiment::seed::Seed;

use super::images::Samples;
use super::model::Scores;
use super::objective::prediction;
use super::{AttackError, BlackBox, Images, ThreatModel};

/// An attack on models of kind `M`: [`BlackBox`](super::BlackBox) or [`WhiteBox`](super::WhiteBox).
///
/// [`Campaign`](super::Campaign) calls it with the images that the model still gets right, in batches, from several
/// threads. What it does to an image may depend on that image, its label and its seed alone.
pub trait Attack<M: ?Sized>: Sync {
    /// The attack with its budget, such as `PGD-20`.
    fn name(&self) -> String;

    /// Looks for images that `threat` allows and `model` gets wrong.
    ///
    /// # Errors
    /// Those of the model, and [`AttackError::Setting`] and the like for a budget or a model that the attack cannot use.
    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError>;
}

/// The name of an attack with its budget: `PGD-20`, with several restarts `PGD-20x5`.
pub(super) fn budgeted(label: &str, steps: usize, restarts: usize) -> String {
    match restarts {
        0 | 1 => format!("{label}-{steps}"),
        _ => format!("{label}-{steps}x{restarts}"),
    }
}

/// Images to attack.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The images.
    pub images: Images,
    /// The true class of each.
    pub labels: Vec<usize>,
    /// The root of each image's random streams.
    pub seeds: Vec<Seed>,
}

impl Batch {
    /// The samples at `indices`, each with the stream of its index under `seed`.
    pub(super) fn of(samples: &Samples, indices: &[usize], seed: &Seed) -> Self {
        Self {
            images: samples.images().select(indices),
            labels: indices.iter().map(|&index| samples.labels()[index]).collect(),
            seeds: indices.iter().map(|&index| seed.index(index as u64)).collect(),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The images at `indices`.
    fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: self.images.select(indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            seeds: indices.iter().map(|&index| self.seeds[index].clone()).collect(),
        }
    }
}

/// What an attack made of a batch.
#[derive(Clone, Debug)]
pub struct Perturbed {
    /// For each image the one that fooled the model, else one that the attack ended with.
    pub images: Images,
    /// The attack that fooled the model, if one did.
    pub felled_by: Vec<Option<&'static str>>,
    /// How often the model was asked about each image; a gradient counts once.
    pub queries: Vec<usize>,
}

impl Perturbed {
    /// The images as they are.
    pub fn untouched(batch: &Batch) -> Self {
        Self {
            images: batch.images.clone(),
            felled_by: vec![None; batch.len()],
            queries: vec![0; batch.len()],
        }
    }

    /// The positions of the images that no attack has felled.
    pub fn standing(&self) -> Vec<usize> {
        (0..self.felled_by.len()).filter(|&index| self.felled_by[index].is_none()).collect()
    }

    /// Runs `attempt` on the images of `batch` that still stand, and takes over the images that it felled. An image that
    /// stands after several attempts is that of the first.
    ///
    /// # Errors
    /// The error of the attempt.
    pub fn then(
        &mut self,
        batch: &Batch,
        attempt: impl FnOnce(&Batch) -> Result<Self, AttackError>,
    ) -> Result<(), AttackError> {
        let standing = self.standing();
        if standing.is_empty() {
            return Ok(());
        }
        let found = attempt(&batch.select(&standing))?;
        for (from, &index) in standing.iter().enumerate() {
            let first = self.queries[index] == 0;
            if first || found.felled_by[from].is_some() {
                self.images.set(index, found.images.get(from));
            }
            self.felled_by[index] = found.felled_by[from];
            self.queries[index] += found.queries[from];
        }
        Ok(())
    }

    /// Takes back what `model`, asked for scores alone, gets right: what it said while it was differentiated may differ in the
    /// last digits, and later attempts would never see the image.
    ///
    /// # Errors
    /// Those of the model.
    pub(super) fn confirmed<M: BlackBox + ?Sized>(
        mut self,
        model: &M,
        batch: &Batch,
    ) -> Result<Self, AttackError> {
        let fallen: Vec<usize> =
            (0..batch.len()).filter(|&index| self.felled_by[index].is_some()).collect();
        if !fallen.is_empty() {
            let scores = model.scores(&self.images.select(&fallen))?;
            for (&index, scores) in fallen.iter().zip(scores.iter()) {
                if prediction(scores) == batch.labels[index] {
                    self.felled_by[index] = None;
                }
            }
        }
        Ok(self)
    }

    /// Counts one query for each image at `indices`, and notes those that `scores` shows to be misclassified.
    pub(super) fn note(
        &mut self,
        attack: &'static str,
        batch: &Batch,
        indices: &[usize],
        scores: &Scores,
    ) {
        for (&index, scores) in indices.iter().zip(scores.iter()) {
            self.queries[index] += 1;
            if prediction(scores) != batch.labels[index] {
                self.felled_by[index] = Some(attack);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::toy;

    fn outcome(batch: &Batch, shift: f32, felled: &[bool]) -> Perturbed {
        let mut found = Perturbed::untouched(batch);
        for (index, felled) in felled.iter().enumerate() {
            let moved: Vec<f32> = batch.images.get(index).iter().map(|x| x + shift).collect();
            found.images.set(index, &moved);
            found.felled_by[index] = felled.then_some("test");
            found.queries[index] = 3;
        }
        found
    }

    #[test]
    fn later_attempts_see_only_what_stands() {
        let samples = toy::samples(&[&[0.0, 0.0], &[1.0, 1.0], &[2.0, 2.0]], &[0, 1, 2]);
        let batch = Batch::of(&samples, &[0, 1, 2], &Seed::new(1));
        let mut found = Perturbed::untouched(&batch);
        found.then(&batch, |points| Ok(outcome(points, 0.25, &[false, true, false]))).unwrap();
        found
            .then(&batch, |points| {
                assert_eq!((points.labels.clone(), points.len()), (vec![0, 2], 2));
                assert_eq!(points.seeds[1], Seed::new(1).index(2));
                Ok(outcome(points, 0.5, &[false, true]))
            })
            .unwrap();
        assert_eq!(found.images, toy::images(&[&[0.25, 0.25], &[1.25, 1.25], &[2.5, 2.5]]));
        assert_eq!(found.standing(), [0]);
        assert_eq!(found.queries, [6, 3, 6]);
        found.then(&batch, |_| Err(AttackError::NoGradient)).unwrap_err();
    }

    #[test]
    fn nothing_is_attempted_when_all_have_fallen() {
        let samples = toy::samples(&[&[0.0, 0.0]], &[0]);
        let batch = Batch::of(&samples, &[0], &Seed::new(1));
        let mut found = outcome(&batch, 0.5, &[true]);
        found.then(&batch, |_| Err(AttackError::NoGradient)).unwrap();
        assert!(found.standing().is_empty() && !batch.is_empty());
    }
}
