//! Whether a model is robust, or merely hides its gradients from the attack (Athalye et al. 2018, Carlini et al. 2019).

use std::fmt;

use experiment::statistics::{Interval, proportion_interval};
use serde::{Deserialize, Serialize};

use super::surface::LossSurface;
use crate::attack::error::require;
use crate::attack::{
    AttackError, Campaign, Loss, Norm, Pgd, Samples, Square, ThreatModel, WhiteBox,
};

/// How many times as many steps should not help much.
const MORE: usize = 5;
/// Starts of the ascent up the margin that is compared with a black box: of an honest model too one start alone misses samples.
const STARTS: usize = 5;
/// By how much of the samples they may help.
const LITTLE: f64 = 0.05;
/// By how much of the samples a black-box attack may be ahead: gradients miss single samples of an honest model too.
const SINGLE_SAMPLES: f64 = 0.02;

/// How much the checks may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckBudget {
    /// Samples that are checked, drawn at random.
    pub samples: usize,
    /// Steps of the projected gradient ascent that is checked; five times as many are compared.
    pub steps: usize,
    /// Queries of the black-box attack.
    pub queries: usize,
    /// Points on each side of the loss surface, an odd number.
    pub surface_points: usize,
}

impl Default for CheckBudget {
    /// 64 samples, 20 steps, 1,000 queries, 9 by 9 points.
    fn default() -> Self {
        Self { samples: 64, steps: 20, queries: 1000, surface_points: 9 }
    }
}

/// Four signs that tell a robust model from one that hides its gradients. All should hold; [`Self::warnings`] names those
/// that do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskingChecks {
    /// What was spent.
    pub budget: CheckBudget,
    /// Accuracy under projected gradient ascent of the given steps.
    pub few_steps: Interval,
    /// Accuracy under five times as many: hardly less.
    pub many_steps: Interval,
    /// An epsilon with which any image can be made any other.
    pub large_epsilon: f64,
    /// Accuracy under many steps with that epsilon: nothing.
    pub without_limit: Interval,
    /// Accuracy under many steps up the cross entropy and, from several starts, up the margin, whichever fells.
    pub white_box: Interval,
    /// Accuracy under a black-box attack: no less, but for single samples.
    pub black_box: Interval,
    /// Samples that the black-box attack felled and the gradients did not.
    pub black_box_only: usize,
    /// The mean loss around the samples: it rises towards the attacked images and further than in a random direction. At an
    /// epsilon of 0 it says nothing.
    pub surface: LossSurface,
}

impl MaskingChecks {
    /// Checks the gradients of `model` on some of the samples.
    ///
    /// # Errors
    /// As [`Campaign::run`], and [`AttackError::Setting`] for an unusable budget.
    pub fn run<M: WhiteBox + ?Sized>(
        campaign: &Campaign,
        budget: CheckBudget,
        model: &M,
        samples: &Samples,
    ) -> Result<Self, AttackError> {
        require(budget.samples > 0, "CheckBudget::samples", 0.0, "at least 1")?;
        let samples = samples.drawn(budget.samples, &campaign.seed.child("checks"));
        let few = campaign.run(&Pgd::new(budget.steps), model, &samples)?;
        let ascent = Pgd::new(MORE * budget.steps);
        let many = campaign.run(&ascent, model, &samples)?;
        let threat = unlimited(campaign.threat, samples.images().size().elements());
        let without_limit =
            Campaign { threat, ..campaign.clone() }.run(&ascent, model, &samples)?;
        let margin = Pgd { loss: Loss::Margin, restarts: STARTS, ..ascent };
        let margin = campaign.run(&margin, model, &samples)?;
        let white_box = both(&many.stands(), &margin.stands());
        let black_box = campaign.run(&Square::new(budget.queries), model, &samples)?;
        Ok(Self {
            budget,
            few_steps: few.robust_accuracy(),
            many_steps: many.robust_accuracy(),
            large_epsilon: threat.epsilon,
            without_limit: without_limit.robust_accuracy(),
            black_box_only: count(&white_box) - count(&both(&white_box, &black_box.stands())),
            white_box: proportion_interval(count(&white_box), samples.len())
                .expect("samples are never empty"),
            black_box: black_box.robust_accuracy(),
            surface: LossSurface::of(campaign, budget.surface_points, model, &samples, &many)?,
        })
    }

    /// Each check with the accuracy that it found.
    pub fn rows(&self) -> Vec<[String; 2]> {
        let CheckBudget { steps, queries, .. } = self.budget;
        let row = |name: String, found: Interval| [name, found.percent().to_string()];
        vec![
            row(format!("PGD-{steps}"), self.few_steps),
            row(format!("PGD-{}", MORE * steps), self.many_steps),
            row(format!("epsilon {:.3}, any image", self.large_epsilon), self.without_limit),
            row("by gradients".to_owned(), self.white_box),
            row(format!("Square-{queries}, without gradients"), self.black_box),
        ]
    }

    /// The signs that do not hold, each with what it may mean; none for a model whose numbers can be believed.
    pub fn warnings(&self) -> Vec<String> {
        let CheckBudget { steps, queries, .. } = self.budget;
        let mut warnings = Vec::new();
        let gain = self.few_steps.mean - self.many_steps.mean;
        if gain > LITTLE {
            warnings.push(format!(
                "{} steps fell {:.1} % of the samples more than {steps}: the ascent has not converged, use more steps",
                MORE * steps,
                100.0 * gain
            ));
        }
        if self.without_limit.mean > 0.0 {
            warnings.push(format!(
                "{} stand although epsilon allows every image: the gradients do not lead to mistakes",
                self.without_limit.percent()
            ));
        }
        if self.white_box.mean - self.black_box.mean > SINGLE_SAMPLES {
            warnings.push(format!(
                "the black-box attack with {queries} queries leaves fewer samples than the gradients: they are masked, trust Square"
            ));
        }
        if self.surface.has_extent() && !self.surface.rises() {
            warnings.push("the mean loss does not rise towards the attacked images: its surface is rough or flat".into());
        }
        if self.surface.is_random_direction_worse() {
            warnings.push("a random direction raises the mean loss more than the attack: its gradients point nowhere".into());
        }
        warnings
    }
}

impl fmt::Display for MaskingChecks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CheckBudget { steps, queries, .. } = self.budget;
        writeln!(formatter, "gradient masking ({} samples):", self.few_steps.n)?;
        writeln!(
            formatter,
            "  PGD-{steps} {}, PGD-{} {}",
            self.few_steps.percent(),
            MORE * steps,
            self.many_steps.percent()
        )?;
        writeln!(
            formatter,
            "  epsilon {:.3} {}",
            self.large_epsilon,
            self.without_limit.percent()
        )?;
        writeln!(
            formatter,
            "  by gradients {}, Square-{queries} {}, {} samples felled by it alone",
            self.white_box.percent(),
            self.black_box.percent(),
            self.black_box_only
        )?;
        let warnings = self.warnings();
        if warnings.is_empty() {
            return write!(formatter, "  no sign of masking");
        }
        write!(formatter, "  WARNING: {}", warnings.join("\n  WARNING: "))
    }
}

/// The same attacker with an epsilon that spans the pixel range.
fn unlimited(threat: ThreatModel, elements: usize) -> ThreatModel {
    let range = f64::from(threat.high) - f64::from(threat.low);
    let epsilon = match threat.norm {
        Norm::Linf => range,
        Norm::L2 => range * (elements as f64).sqrt(),
    };
    ThreatModel { epsilon: epsilon.max(threat.epsilon), ..threat }
}

/// Which samples stand under both of two attacks.
fn both(first: &[bool], second: &[bool]) -> Vec<bool> {
    first.iter().zip(second).map(|(first, second)| *first && *second).collect()
}

fn count(stands: &[bool]) -> usize {
    stands.iter().filter(|stands| **stands).count()
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::toy;

    const BUDGET: CheckBudget =
        CheckBudget { samples: 24, steps: 10, queries: 150, surface_points: 5 };

    fn campaign() -> Campaign {
        Campaign::new(ThreatModel::linf(0.05), Seed::new(2))
    }

    #[test]
    fn an_honest_model_gives_no_warning() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(40, 5));
        let checks = MaskingChecks::run(&campaign(), BUDGET, &model, &samples).unwrap();
        assert_eq!(checks.warnings(), Vec::<String>::new(), "{checks}");
        assert_eq!((checks.without_limit.mean, checks.few_steps.n), (0.0, 24));
        assert!(checks.to_string().ends_with("no sign of masking"));
    }

    #[test]
    fn an_epsilon_of_zero_is_no_sign_of_masking() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(40, 5));
        for threat in [ThreatModel::linf(0.0), ThreatModel::l2(0.0)] {
            let campaign = Campaign::new(threat, Seed::new(2));
            let checks = MaskingChecks::run(&campaign, BUDGET, &model, &samples).unwrap();
            assert_eq!(checks.warnings(), Vec::<String>::new(), "{checks}");
            assert!(!checks.surface.has_extent() && checks.surface.to_svg().is_ok());
        }
    }

    /// Nothing is attacked then, so nothing is said of gradients.
    #[test]
    fn a_model_that_gets_all_wrong_is_no_sign_of_masking() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(24, 5));
        let wrong = samples.labels().iter().map(|label| (label + 1) % 6).collect();
        let samples = Samples::new(samples.images().clone(), wrong).unwrap();
        let checks = MaskingChecks::run(&campaign(), BUDGET, &model, &samples).unwrap();
        assert_eq!(checks.few_steps.mean, 0.0);
        assert_eq!(checks.warnings(), Vec::<String>::new(), "{checks}");
    }

    #[test]
    fn a_model_that_hides_its_gradients_is_caught() {
        let model = toy::masked_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(24, 5));
        let checks = MaskingChecks::run(&campaign(), BUDGET, &model, &samples).unwrap();
        let text = checks.to_string();
        assert!(checks.without_limit.mean > 0.0 && checks.black_box_only > 0, "{text}");
        assert!(checks.black_box.mean < checks.white_box.mean, "{text}");
        assert!(
            text.contains("WARNING: the black-box attack") && text.contains("allows every image")
        );
    }

    #[test]
    fn each_sign_has_its_warning() {
        let share = |successes| proportion_interval(successes, 20).unwrap();
        let surface = LossSurface {
            shares: vec![-1.0, 0.0, 1.0],
            losses: vec![vec![0.0, 0.1, 0.2], vec![0.0, 0.1, 0.2], vec![0.0, 0.1, 0.2]],
        };
        let good = MaskingChecks {
            budget: BUDGET,
            few_steps: share(10),
            many_steps: share(9),
            large_epsilon: 1.0,
            without_limit: share(0),
            white_box: share(9),
            black_box: share(9),
            black_box_only: 0,
            surface,
        };
        let warning = |change: &dyn Fn(&mut MaskingChecks)| {
            let mut checks = good.clone();
            change(&mut checks);
            checks.warnings().join("; ")
        };
        assert_eq!(warning(&|_| ()), "");
        assert!(warning(&|checks| checks.many_steps = share(8)).contains("use more steps"));
        assert!(warning(&|checks| checks.without_limit = share(1)).contains("every image"));
        assert!(warning(&|checks| checks.black_box = share(8)).contains("trust Square"));
        assert!(warning(&|checks| checks.surface.losses[1][2] = 0.05).contains("does not rise"));
        assert!(warning(&|checks| checks.surface.losses[0][1] = 0.3).contains("random direction"));
    }

    #[test]
    fn an_unlimited_attacker_can_show_any_image() {
        assert_eq!(unlimited(ThreatModel::linf(0.1).pixels(-1.0, 1.0), 9).epsilon, 2.0);
        assert_eq!(unlimited(ThreatModel::l2(0.1), 9).epsilon, 3.0);
        assert_eq!(unlimited(ThreatModel::l2(9.0), 9).epsilon, 9.0);
    }

    #[test]
    fn empty_budgets_are_refused() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(2, 5));
        for budget in [
            CheckBudget { samples: 0, ..BUDGET },
            CheckBudget { steps: 0, ..BUDGET },
            CheckBudget { queries: 0, ..BUDGET },
            CheckBudget { surface_points: 2, ..BUDGET },
        ] {
            let failure = MaskingChecks::run(&campaign(), budget, &model, &samples);
            assert!(matches!(failure, Err(AttackError::Setting { .. })), "{budget:?}");
        }
    }
}
