//! AutoAttack (Croce and Hein 2020): four attacks of different kinds with nothing to tune, each on what the others left.

use serde::{Deserialize, Serialize};

use super::perturb::{Attack, Batch, Perturbed};
use super::{Apgd, AttackError, Fab, Objective, Square, TargetedApgd, ThreatModel, WhiteBox};

/// APGD, then targeted APGD, then FAB-T, then Square.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoAttack {
    /// The first attack.
    pub ascent: Apgd,
    /// The second.
    pub targeted: TargetedApgd,
    /// The third.
    pub boundary: Fab,
    /// The last.
    pub square: Square,
}

impl AutoAttack {
    /// The `standard` version: 100 steps of APGD up the cross entropy, 100 of APGD and 100 of FAB towards each of the nine
    /// likeliest other classes, and 5,000 queries of Square by the schedule for 10,000, as in the authors' package. Needs four
    /// classes.
    pub fn standard() -> Self {
        Self {
            ascent: Apgd::cross_entropy(100),
            targeted: TargetedApgd { steps: 100, targets: 9 },
            boundary: Fab { steps: 100, targets: 9 },
            square: Square { rescaled: false, ..Square::new(5000) },
        }
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for AutoAttack {
    fn name(&self) -> String {
        let version = if *self == Self::standard() { "standard" } else { "custom" };
        format!("AutoAttack {version}")
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        if batch.is_empty() {
            return Ok(Perturbed::untouched(batch));
        }
        let Self { ascent, targeted, boundary, square } = self;
        // The last of them is the one that some images are too small for, and the second the one that some models are.
        square.check(threat, batch.images.size())?;
        let classes = model.scores(&batch.images.select(&[0]))?.classes();
        Objective::LogitRatioTo { label: 0, target: 1 }.check(classes)?;
        let parts: [&dyn Attack<M>; 4] = [ascent, targeted, boundary, square];
        let mut found = Perturbed::untouched(batch);
        for part in parts {
            found.then(batch, |points| {
                part.perturb(model, threat, points)?.confirmed(model, points)
            })?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::{BlackBox, Images, Scores, Slopes, toy};

    const SHORT: AutoAttack = AutoAttack {
        ascent: Apgd { loss: crate::attack::Loss::CrossEntropy, steps: 1, restarts: 1 },
        targeted: TargetedApgd { steps: 10, targets: 9 },
        boundary: Fab { steps: 10, targets: 9 },
        square: Square { queries: 20, first_share: 0.8, rescaled: false },
    };

    #[test]
    fn each_attack_takes_what_the_others_left() {
        let model = toy::network_model(6, 5);
        let batch = toy::right_batch(&model, toy::noise(60, 5), &Seed::new(3));
        let threat = ThreatModel::l2(0.3);
        let found = SHORT.perturb(&model, &threat, &batch).unwrap();
        let count = |name| found.felled_by.iter().filter(|felled| **felled == Some(name)).count();
        assert!(count("APGD-CE") > 0 && count("APGD-T") > 0, "{:?}", found.felled_by);
        for (queries, felled) in found.queries.iter().zip(&found.felled_by) {
            let all = 2 + (1 + 5 * 11) + (1 + 5 * 20) + 20;
            assert_eq!(*queries == all, felled.is_none(), "{felled:?} after {queries}");
        }
        let alone = SHORT.ascent.perturb(&model, &threat, &batch).unwrap();
        assert!(found.standing().len() < alone.standing().len());
    }

    /// Nothing stands after this first attack, so the last would never see the images.
    #[test]
    fn images_too_small_for_the_last_attack_are_refused_before_the_first() {
        let rows = [0.0, 1.0, 2.0, 3.0].map(|weight| [weight, 1.0 - weight]);
        let model = toy::linear_model(&rows);
        let batch = toy::right_batch(&model, toy::images(&[&[0.5, 0.4]]), &Seed::new(3));
        let failure = SHORT.perturb(&model, &ThreatModel::l2(1.0), &batch).unwrap_err();
        assert!(matches!(failure, AttackError::ImageTooSmall { needed: 3, .. }), "{failure}");
    }

    /// The first attack could do with fewer, and leaves nothing of the farther reach.
    #[test]
    fn it_needs_four_classes() {
        let model = toy::network_model(3, 5);
        let batch = toy::right_batch(&model, toy::noise(10, 5), &Seed::new(3));
        let alone = SHORT.ascent.perturb(&model, &ThreatModel::linf(1.0), &batch).unwrap();
        assert!(alone.standing().is_empty());
        for threat in [ThreatModel::linf(0.001), ThreatModel::linf(1.0)] {
            let failure = SHORT.perturb(&model, &threat, &batch).unwrap_err();
            assert!(matches!(failure, AttackError::TooFewClasses { needed: 4, .. }), "{failure}");
        }
    }

    /// A model that errs only while it is differentiated.
    struct Slip<M>(M);

    impl<M: BlackBox> BlackBox for Slip<M> {
        fn scores(&self, images: &Images) -> Result<Scores, AttackError> {
            self.0.scores(images)
        }
    }

    impl<M: WhiteBox> WhiteBox for Slip<M> {
        fn slopes(&self, images: &Images, objectives: &[Objective]) -> Result<Slopes, AttackError> {
            let slopes = self.0.slopes(images, objectives)?;
            Ok(Slopes { scores: slopes.scores.reversed(), ..slopes })
        }
    }

    #[test]
    fn falls_that_others_would_not_see_are_left_to_the_later_attacks() {
        let model = toy::network_model(6, 5);
        let batch = toy::right_batch(&model, toy::noise(20, 5), &Seed::new(3));
        let threat = ThreatModel::linf(1e-4);
        let honest = SHORT.perturb(&model, &threat, &batch).unwrap();
        assert_eq!(honest.standing().len(), 20);
        let found = SHORT.perturb(&Slip(model), &threat, &batch).unwrap();
        assert_eq!(found.felled_by, honest.felled_by);
        assert!(found.queries.iter().all(|queries| *queries > 20), "{:?}", found.queries);
    }

    #[test]
    fn only_the_standard_is_called_standard() {
        let name = |attack: AutoAttack| Attack::<dyn WhiteBox>::name(&attack);
        assert_eq!(name(AutoAttack::standard()), "AutoAttack standard");
        assert_eq!(name(SHORT), "AutoAttack custom");
    }
}
