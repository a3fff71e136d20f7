//! Auto-PGD (Croce and Hein 2020, algorithm 1): gradient ascent with momentum that chooses its own step size.

use serde::{Deserialize, Serialize};

use super::climber::Climber;
use super::error::require;
use super::objective::{Loss, Objective, rivals};
use super::perturb::{Attack, Batch, Perturbed, budgeted};
use super::{AttackError, Images, ThreatModel, WhiteBox};

/// APGD away from the true class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apgd {
    /// What is made larger.
    pub loss: Loss,
    /// Gradient steps of each start.
    pub steps: usize,
    /// How many random starts, each for the images that still stand.
    pub restarts: usize,
}

/// APGD towards one other class after the other, likeliest first, with the targeted difference of logits ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetedApgd {
    /// Gradient steps towards each class.
    pub steps: usize,
    /// How many classes are tried; all others where there are fewer.
    pub targets: usize,
}

impl Apgd {
    /// APGD up the cross entropy from one start.
    pub fn cross_entropy(steps: usize) -> Self {
        Self { loss: Loss::CrossEntropy, steps, restarts: 1 }
    }

    /// APGD up the difference of logits ratio from one start.
    pub fn logit_ratio(steps: usize) -> Self {
        Self { loss: Loss::LogitRatio, steps, restarts: 1 }
    }

    fn label(&self) -> &'static str {
        match self.loss {
            Loss::CrossEntropy => "APGD-CE",
            Loss::Margin => "APGD-CW",
            Loss::LogitRatio => "APGD-DLR",
        }
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for Apgd {
    fn name(&self) -> String {
        budgeted(self.label(), self.steps, self.restarts)
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        require(self.steps > 0, "Apgd::steps", self.steps as f64, "at least 1")?;
        require(self.restarts > 0, "Apgd::restarts", self.restarts as f64, "at least 1")?;
        let mut found = Perturbed::untouched(batch);
        for restart in 0..self.restarts {
            found.then(batch, |points| {
                let objectives: Vec<_> =
                    points.labels.iter().map(|&label| self.loss.away_from(label)).collect();
                let ascent = Ascent { label: self.label(), model, threat, steps: self.steps };
                ascent.run(points, &objectives, restart)
            })?;
        }
        Ok(found)
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for TargetedApgd {
    fn name(&self) -> String {
        format!("APGD-T-{}x{}", self.steps, self.targets)
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        require(self.steps > 0, "TargetedApgd::steps", self.steps as f64, "at least 1")?;
        require(self.targets > 0, "TargetedApgd::targets", self.targets as f64, "at least 1")?;
        let scores = model.scores(&batch.images)?;
        let mut found = Perturbed::untouched(batch);
        for rank in 0..self.targets.min(scores.classes() - 1) {
            let objectives = scores.iter().zip(&batch.labels).map(|(scores, &label)| {
                Objective::LogitRatioTo { label, target: rivals(scores, label)[rank] }
            });
            let objectives: Vec<_> = objectives.collect();
            let standing = found.standing();
            found.then(batch, |points| {
                let objectives: Vec<_> = standing.iter().map(|&index| objectives[index]).collect();
                let ascent = Ascent { label: "APGD-T", model, threat, steps: self.steps };
                ascent.run(points, &objectives, rank)
            })?;
        }
        found.queries.iter_mut().for_each(|queries| *queries += 1);
        Ok(found)
    }
}

/// One run from a random start.
struct Ascent<'a, M: ?Sized> {
    label: &'static str,
    model: &'a M,
    threat: &'a ThreatModel,
    steps: usize,
}

impl<M: WhiteBox + ?Sized> Ascent<'_, M> {
    /// The run number `start` over the images of `batch`; an image stops at the first point that fools the model.
    fn run(
        &self,
        batch: &Batch,
        objectives: &[Objective],
        start: usize,
    ) -> Result<Perturbed, AttackError> {
        let mut found = Perturbed::untouched(batch);
        let begin = |index| {
            let original: &[f32] = batch.images.get(index);
            let mut rng = batch.seeds[index].child(self.label).index(start as u64).rng();
            let direction = self.threat.norm.random_direction(original.len(), &mut rng);
            let image = self.threat.moved(original, original, &direction, self.threat.epsilon);
            Climber::new(index, original, image, 2.0 * self.threat.epsilon)
        };
        let mut climbers: Vec<Climber<'_>> = (0..batch.len()).map(begin).collect();
        self.look(&mut climbers, batch, objectives, &mut found)?;

        let mut checkpoints = checkpoints(self.steps).into_iter().peekable();
        let mut last = 0;
        for step in 1..=self.steps {
            climbers.iter_mut().for_each(|climber| climber.advance(self.threat));
            self.look(&mut climbers, batch, objectives, &mut found)?;
            if let Some(checkpoint) = checkpoints.next_if_eq(&step) {
                climbers.iter_mut().for_each(|climber| climber.reconsider(checkpoint - last));
                last = checkpoint;
            }
        }
        for climber in climbers {
            found.images.set(climber.index, &climber.best.image);
        }
        Ok(found)
    }

    /// Shows all climbers where they are, and lets those go that have fooled the model.
    fn look(
        &self,
        climbers: &mut Vec<Climber<'_>>,
        batch: &Batch,
        objectives: &[Objective],
        found: &mut Perturbed,
    ) -> Result<(), AttackError> {
        if climbers.is_empty() {
            return Ok(());
        }
        let indices: Vec<usize> = climbers.iter().map(|climber| climber.index).collect();
        let size = batch.images.size();
        let images = Images::gather(size, climbers.iter().map(|climber| &climber.image[..]));
        let objectives: Vec<_> = indices.iter().map(|&index| objectives[index]).collect();
        let slopes = self.model.slopes(&images, &objectives)?;
        found.note(self.label, batch, &indices, &slopes.scores);
        for (climber, (loss, gradient)) in
            climbers.iter_mut().zip(slopes.losses.iter().zip(slopes.gradients.iter()))
        {
            climber.see(*loss, gradient);
        }
        climbers.retain(|climber| {
            let fooled = found.felled_by[climber.index].is_some();
            if fooled {
                found.images.set(climber.index, &climber.image);
            }
            !fooled
        });
        Ok(())
    }
}

/// The steps after which climbers reconsider: `ceil(p_j steps)` with `p_0 = 0`, `p_1 = 0.22` and
/// `p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06)`.
fn checkpoints(steps: usize) -> Vec<usize> {
    // In hundredths, so that rounding moves no checkpoint.
    let (mut checkpoints, mut share, mut gap) = (Vec::new(), 22, 22);
    while share <= 100 {
        checkpoints.push((share * steps).div_ceil(100));
        gap = (gap - 3).max(6);
        share += gap;
    }
    checkpoints.dedup();
    checkpoints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::pgd::Pgd;
    use crate::attack::toy;
    use experiment::seed::Seed;

    #[test]
    fn checkpoints_are_the_paper_s() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(1), [1]);
        assert!(checkpoints(7).is_sorted_by(|a, b| a < b));
    }

    fn batch(count: usize, classes: usize) -> (Batch, impl WhiteBox) {
        let model = toy::network_model(classes, 5);
        (toy::right_batch(&model, toy::noise(count, 5), &Seed::new(3)), model)
    }

    /// The mean margin that the true class keeps, with all images, fooled or not.
    fn lead(model: &impl WhiteBox, batch: &Batch, found: &Perturbed) -> f32 {
        let scores = model.scores(&found.images).unwrap();
        let leads = scores.iter().zip(&batch.labels);
        leads.map(|(scores, &label)| super::super::objective::lead(scores, label)).sum::<f32>()
            / batch.len() as f32
    }

    #[test]
    fn it_fells_at_least_what_pgd_fells() {
        let (batch, model) = batch(60, 6);
        for threat in [ThreatModel::linf(0.04), ThreatModel::l2(0.18)] {
            let count = |attack: &dyn Attack<_>| {
                attack.perturb(&model, &threat, &batch).unwrap().standing().len()
            };
            let (pgd, apgd) = (count(&Pgd::new(50)), count(&Apgd::cross_entropy(50)));
            assert!(
                apgd <= pgd && apgd > 0 && apgd < batch.len(),
                "{threat}: {apgd} against {pgd}"
            );
        }
    }

    #[test]
    fn on_standing_images_it_climbs_as_high_as_pgd() {
        let (batch, model) = batch(30, 6);
        let threat = ThreatModel::l2(0.02);
        let pgd = Pgd::margin(100).perturb(&model, &threat, &batch).unwrap();
        let apgd = Apgd { loss: Loss::Margin, ..Apgd::cross_entropy(100) };
        let apgd = apgd.perturb(&model, &threat, &batch).unwrap();
        let (pgd, apgd) = (lead(&model, &batch, &pgd), lead(&model, &batch, &apgd));
        assert!(apgd <= pgd + 1e-4, "{apgd} against {pgd}");
    }

    #[test]
    fn targets_lead_elsewhere_than_the_true_class_alone() {
        let (batch, model) = batch(20, 6);
        let threat = ThreatModel::linf(0.5);
        let away = Apgd::logit_ratio(30).perturb(&model, &threat, &batch).unwrap();
        let towards = TargetedApgd { steps: 30, targets: 5 };
        let towards = towards.perturb(&model, &threat, &batch).unwrap();
        assert!(away.standing().is_empty() && towards.standing().is_empty());
        assert_ne!(away.images, towards.images);
        assert_eq!(towards.felled_by[0], Some("APGD-T"));
    }

    #[test]
    fn too_few_classes_are_named() {
        for (classes, needed) in [(2, 3), (3, 4)] {
            let (batch, model) = batch(4, classes);
            let threat = ThreatModel::linf(0.1);
            let attack: &dyn Attack<_> = if needed == 3 {
                &Apgd::logit_ratio(5)
            } else {
                &TargetedApgd { steps: 5, targets: 9 }
            };
            let failure = attack.perturb(&model, &threat, &batch).unwrap_err();
            assert!(
                matches!(failure, AttackError::TooFewClasses { classes: found, needed: least, .. } if (found, least) == (classes, needed)),
                "{failure}"
            );
        }
    }

    #[test]
    fn empty_budgets_are_refused() {
        let (batch, model) = batch(4, 6);
        let threat = ThreatModel::linf(0.1);
        let none: [&dyn Attack<_>; 4] = [
            &Apgd::cross_entropy(0),
            &Apgd { restarts: 0, ..Apgd::cross_entropy(5) },
            &TargetedApgd { steps: 0, targets: 9 },
            &TargetedApgd { steps: 5, targets: 0 },
        ];
        for attack in none {
            let failure = attack.perturb(&model, &threat, &batch).unwrap_err();
            assert!(matches!(failure, AttackError::Setting { .. }), "{failure}");
        }
    }
}
