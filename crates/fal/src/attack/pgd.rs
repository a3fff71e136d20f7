//! Steps along the gradient: FGSM (Goodfellow et al. 2015) and projected gradient ascent, PGD (Madry et al. 2018).

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::error::require;
use super::objective::Loss;
use super::perturb::{Attack, Batch, Perturbed, budgeted};
use super::{AttackError, Images, Norm, ThreatModel, WhiteBox};

/// One step of length epsilon from the image itself, up the cross entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fgsm;

/// `x <- P(x + step * steepest(gradient))`, where `P` projects to what the threat model allows: signs for Linf, the
/// normalised gradient for L2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pgd {
    /// What is made larger. The margin makes it the attack of Carlini and Wagner in a ball.
    pub loss: Loss,
    /// Gradient steps of each start.
    pub steps: usize,
    /// Length of a step, divided by epsilon.
    pub relative_step: f64,
    /// Starts at a random point of the ball instead of the image itself.
    pub random_start: bool,
    /// How many starts, each for the images that still stand.
    pub restarts: usize,
}

impl Pgd {
    /// PGD up the cross entropy from one random start, with steps of a quarter of epsilon.
    pub fn new(steps: usize) -> Self {
        let loss = Loss::CrossEntropy;
        Self { loss, steps, relative_step: 0.25, random_start: true, restarts: 1 }
    }

    /// The same up the margin of Carlini and Wagner.
    pub fn margin(steps: usize) -> Self {
        Self { loss: Loss::Margin, ..Self::new(steps) }
    }

    fn label(&self) -> &'static str {
        match self.loss {
            Loss::CrossEntropy => "PGD",
            Loss::Margin => "CW-PGD",
            Loss::LogitRatio => "DLR-PGD",
        }
    }

    fn check(&self) -> Result<(), AttackError> {
        let Self { steps, relative_step, restarts, random_start, .. } = *self;
        require(steps > 0, "Pgd::steps", steps as f64, "at least 1")?;
        let usable = relative_step.is_finite() && relative_step > 0.0;
        require(usable, "Pgd::relative_step", relative_step, "a positive number")?;
        let range =
            "1, or more with `Pgd::random_start`: other starts at the same point find the same";
        require(
            restarts == 1 || (restarts > 1 && random_start),
            "Pgd::restarts",
            restarts as f64,
            range,
        )
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for Fgsm {
    fn name(&self) -> String {
        "FGSM".into()
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        let one_step = Pgd { relative_step: 1.0, random_start: false, ..Pgd::new(1) };
        ascend("FGSM", &one_step, model, threat, batch, batch.images.clone())
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for Pgd {
    /// With what is unlike [`Pgd::new`], so that no two attacks of a report have one name.
    fn name(&self) -> String {
        let usual = Self::new(self.steps);
        let mut name = budgeted(self.label(), self.steps, self.restarts);
        if self.relative_step != usual.relative_step {
            name += &format!(", steps of {} epsilon", self.relative_step);
        }
        if !self.random_start {
            name += ", from the image";
        }
        name
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        self.check()?;
        let mut found = Perturbed::untouched(batch);
        for restart in 0..self.restarts {
            found.then(batch, |points| {
                let starts = match self.random_start {
                    true => random_starts(threat, points, restart),
                    false => points.images.clone(),
                };
                ascend(self.label(), self, model, threat, points, starts)
            })?;
        }
        Ok(found)
    }
}

/// A point of the ball for each image: a random direction, and a length uniform in 0 to epsilon; every pixel uniform for
/// Linf.
fn random_starts(threat: &ThreatModel, batch: &Batch, restart: usize) -> Images {
    let mut starts = batch.images.clone();
    for (index, seed) in batch.seeds.iter().enumerate() {
        let mut rng = seed.child("PGD").index(restart as u64).rng();
        let original = batch.images.get(index);
        let start = match threat.norm {
            Norm::Linf => {
                let direction: Vec<f32> =
                    original.iter().map(|_| rng.random_range(-1.0..=1.0)).collect();
                threat.moved(original, original, &direction, threat.epsilon)
            }
            Norm::L2 => {
                let direction = threat.norm.random_direction(original.len(), &mut rng);
                threat.moved(original, original, &direction, threat.epsilon * rng.random::<f64>())
            }
        };
        starts.set(index, &start);
    }
    starts
}

/// Takes the steps of `pgd` from `starts`; an image stops at the first point that fools the model.
fn ascend<M: WhiteBox + ?Sized>(
    label: &'static str,
    pgd: &Pgd,
    model: &M,
    threat: &ThreatModel,
    batch: &Batch,
    starts: Images,
) -> Result<Perturbed, AttackError> {
    let mut found = Perturbed { images: starts, ..Perturbed::untouched(batch) };
    for _ in 0..pgd.steps {
        let moving = found.standing();
        if moving.is_empty() {
            return Ok(found);
        }
        let objectives: Vec<_> =
            moving.iter().map(|&index| pgd.loss.away_from(batch.labels[index])).collect();
        let slopes = model.slopes(&found.images.select(&moving), &objectives)?;
        found.note(label, batch, &moving, &slopes.scores);
        for (gradient, &index) in slopes.gradients.iter().zip(&moving) {
            if found.felled_by[index].is_none() {
                let (original, from) = (batch.images.get(index), found.images.get(index));
                let steepest = threat.norm.steepest(gradient);
                let length = pgd.relative_step * threat.epsilon;
                let moved = threat.moved(original, from, &steepest, length);
                found.images.set(index, &moved);
            }
        }
    }
    let moved = found.standing();
    if !moved.is_empty() {
        let scores = model.scores(&found.images.select(&moved))?;
        found.note(label, batch, &moved, &scores);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::toy;

    /// Class 1 wins where `x_0 + 3 x_1 > 1`: the point (0.3, 0.1) is 0.4 away in Linf steps of (1, 1) / 4.
    fn line() -> (impl WhiteBox, Batch) {
        let model = toy::linear_model(&[[-1.0, 0.0, 0.0, 1.0], [0.0, 3.0, 0.0, 0.0]]);
        let samples = toy::samples(&[&[0.3, 0.1, 0.5, 1.0]], &[0]);
        (model, Batch::of(&samples, &[0], &Seed::new(1)))
    }

    #[test]
    fn fgsm_takes_one_step_of_epsilon() {
        let (model, batch) = line();
        let small = Fgsm.perturb(&model, &ThreatModel::linf(0.05), &batch).unwrap();
        let expected = [0.35, 0.15, 0.5, 0.95];
        for (pixel, expected) in small.images.get(0).iter().zip(expected) {
            assert!((pixel - expected).abs() < 1e-6, "{:?}", small.images.get(0));
        }
        assert_eq!((small.felled_by[0], small.queries[0]), (None, 2));
        let large = Fgsm.perturb(&model, &ThreatModel::linf(0.2), &batch).unwrap();
        assert_eq!(large.felled_by[0], Some("FGSM"));
    }

    #[test]
    fn steps_and_restarts_are_counted_as_queries() {
        let (model, batch) = line();
        let pgd = Pgd { restarts: 3, ..Pgd::new(4) };
        let found = pgd.perturb(&model, &ThreatModel::linf(0.01), &batch).unwrap();
        assert_eq!((found.queries[0], found.felled_by[0]), (3 * 5, None));
        assert_eq!(Attack::<dyn WhiteBox>::name(&pgd), "PGD-4x3");
        assert_eq!(Attack::<dyn WhiteBox>::name(&Pgd::margin(20)), "CW-PGD-20");
    }

    #[test]
    fn restarts_start_elsewhere() {
        let (_, batch) = line();
        for threat in [ThreatModel::linf(0.1), ThreatModel::l2(0.1)] {
            let starts = [0, 1].map(|restart| random_starts(&threat, &batch, restart));
            assert_ne!(starts[0], starts[1]);
            assert!(threat.allows(batch.images.get(0), starts[0].get(0)));
        }
    }

    #[test]
    fn unusable_settings_are_refused() {
        let (model, batch) = line();
        for pgd in [
            Pgd { steps: 0, ..Pgd::new(5) },
            Pgd { relative_step: 0.0, ..Pgd::new(5) },
            Pgd { relative_step: f64::NAN, ..Pgd::new(5) },
            Pgd { restarts: 0, ..Pgd::new(5) },
            Pgd { restarts: 2, random_start: false, ..Pgd::new(5) },
        ] {
            let failure = pgd.perturb(&model, &ThreatModel::linf(0.1), &batch).unwrap_err();
            assert!(matches!(failure, AttackError::Setting { .. }), "{pgd:?}");
        }
        let ratio = Pgd { loss: Loss::LogitRatio, ..Pgd::new(5) };
        let failure = ratio.perturb(&model, &ThreatModel::linf(0.1), &batch).unwrap_err();
        assert!(matches!(failure, AttackError::TooFewClasses { needed: 3, .. }));
    }
}
