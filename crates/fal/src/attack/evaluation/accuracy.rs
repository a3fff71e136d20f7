//! Accuracy under attack.

use std::fmt;

use experiment::statistics::Interval;
use serde::{Deserialize, Serialize};

use super::masking::{CheckBudget, MaskingChecks};
use crate::attack::{Attack, AttackError, Campaign, Samples, Tally, ThreatModel, WhiteBox};

/// Attacks a model with several attacks and checks its gradients.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How the attacks are run.
    pub campaign: Campaign,
    /// How much the checks may cost.
    pub checks: CheckBudget,
}

/// The share of samples that a model gets right although they are attacked, with Wilson's 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustAccuracy {
    /// The attack with its budget.
    pub attack: String,
    /// What the attacker may do.
    pub threat: ThreatModel,
    /// The share of samples that the model gets right before and after the attack: an upper bound of what it would get right
    /// under the worst attack.
    pub accuracy: Interval,
    /// How many samples each part of the attack felled.
    pub felled: Vec<(String, usize)>,
    /// How often the model was asked about a sample, on average.
    pub mean_queries: f64,
}

/// The robust accuracies of a model, with the checks without which they are not to be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RobustnessReport {
    /// The share of samples that the model gets right without an attack.
    pub clean: Interval,
    /// One number for each attack.
    pub robust: Vec<RobustAccuracy>,
    /// Whether the model may merely hide its gradients.
    pub checks: MaskingChecks,
}

impl Evaluation {
    /// Runs all `attacks`, each on all samples that `model` gets right, and the checks.
    ///
    /// # Errors
    /// As [`Campaign::run`], and [`AttackError::Setting`] for an unusable [`CheckBudget`].
    pub fn run<M: WhiteBox + ?Sized>(
        &self,
        attacks: &[&dyn Attack<M>],
        model: &M,
        samples: &Samples,
    ) -> Result<RobustnessReport, AttackError> {
        let robust = attacks.iter().map(|attack| self.attack(*attack, model, samples));
        Ok(RobustnessReport {
            clean: self.campaign.clean_accuracy(model, samples)?,
            robust: robust.collect::<Result<_, _>>()?,
            checks: self.check(model, samples)?,
        })
    }

    /// The number of one attack.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn attack<M: WhiteBox + ?Sized>(
        &self,
        attack: &dyn Attack<M>,
        model: &M,
        samples: &Samples,
    ) -> Result<RobustAccuracy, AttackError> {
        let outcome = self.campaign.run(attack, model, samples)?;
        Ok(RobustAccuracy::of(attack.name(), self.campaign.threat, Tally::of(&outcome)))
    }

    /// The checks of the model's gradients.
    ///
    /// # Errors
    /// As [`MaskingChecks::run`].
    pub fn check<M: WhiteBox + ?Sized>(
        &self,
        model: &M,
        samples: &Samples,
    ) -> Result<MaskingChecks, AttackError> {
        MaskingChecks::run(&self.campaign, self.checks, model, samples)
    }
}

impl RobustAccuracy {
    /// The number of an `attack` that came to `tally`.
    ///
    /// # Panics
    /// Without samples.
    pub fn of(attack: String, threat: ThreatModel, tally: Tally) -> Self {
        let accuracy = tally.robust_accuracy();
        let mean_queries = tally.queries as f64 / tally.samples as f64;
        Self { attack, threat, accuracy, felled: tally.felled, mean_queries }
    }
}

impl fmt::Display for RobustAccuracy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attack, threat, accuracy, mean_queries, .. } = self;
        write!(formatter, "{attack} ({threat}): {}, {mean_queries:.0} queries", accuracy.percent())
    }
}

impl fmt::Display for RobustnessReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "clean: {}", self.clean.percent())?;
        for number in &self.robust {
            writeln!(formatter, "{number}")?;
        }
        write!(formatter, "{}", self.checks)
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::{Fgsm, Pgd, toy};

    #[test]
    fn every_number_comes_with_its_interval_and_the_checks() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(24, 5));
        let campaign = Campaign::new(ThreatModel::linf(0.05), Seed::new(2));
        let checks = CheckBudget { samples: 8, steps: 5, queries: 30, surface_points: 3 };
        let evaluation = Evaluation { campaign, checks };
        let report = evaluation.run(&[&Fgsm, &Pgd::new(10)], &model, &samples).unwrap();
        assert_eq!((report.clean.mean, report.robust.len()), (1.0, 2));
        let [fgsm, pgd] = &report.robust[..] else { panic!("two attacks") };
        assert!(pgd.accuracy.mean <= fgsm.accuracy.mean && pgd.accuracy.low < pgd.accuracy.mean);
        assert!(pgd.mean_queries > fgsm.mean_queries);
        assert_eq!(
            pgd.felled,
            [("PGD".to_owned(), 24 - (24.0 * pgd.accuracy.mean).round() as usize)]
        );
        let text = report.to_string();
        for part in [
            "clean: 100.0 %",
            "FGSM (Linf 0.05): ",
            "PGD-10 (Linf 0.05): ",
            "gradient masking (8 samples)",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("\"norm\":\"linf\"") && json.contains("\"surface\""));
    }

    #[test]
    fn without_attacks_there_is_still_the_clean_accuracy() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(8, 5));
        let campaign = Campaign::new(ThreatModel::linf(0.05), Seed::new(2));
        let checks = CheckBudget { samples: 8, steps: 5, queries: 30, surface_points: 3 };
        let report = Evaluation { campaign, checks }.run(&[], &model, &samples).unwrap();
        assert_eq!((report.clean.mean, report.robust.len()), (1.0, 0));
    }
}
