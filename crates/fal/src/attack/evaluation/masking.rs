//! Whether a model is robust, or merely hides its gradients from the attack (Athalye et al. 2018, Carlini et al. 2019).

use std::fmt;

use experiment::statistics::{Interval, proportion_interval};
use serde::{Deserialize, Serialize};

use super::surface::{LossSurface, check_points};
use crate::attack::error::require;
use crate::attack::objective::prediction;
use crate::attack::{
    AttackError, Campaign, Fate, Loss, Norm, Pgd, Samples, Scores, Square, ThreatModel, WhiteBox,
};

/// How many times as many steps should not help much.
const MORE: usize = 5;
/// Starts of the ascent up the margin that is compared with a black box: of an honest model too one start alone misses samples.
const STARTS: usize = 5;
/// What share of the attacked samples another attack may be ahead by.
const LITTLE: f64 = 0.05;
/// What share of them other attacks may be ahead of the cross entropy by, from whose single start the best of six is ahead anyway.
const MISLED: f64 = 0.1;
/// At how many samples a share begins to count: of an honest model too an attack misses single samples.
const SEVERAL: usize = 2;
/// Fewer attacked samples than this show too little: of a model that hides its gradients at a tenth of all samples, one draw of
/// twenty in eight holds none of these.
const FEW: usize = 20;
/// How far the sum of scores may be from one where they are probabilities.
const ROUNDING: f32 = 1e-4;

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

/// Signs that tell a robust model from one that hides its gradients, and numbers that can be believed from others. All should
/// hold; [`Self::warnings`] names those that do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskingChecks {
    /// What was spent.
    pub budget: CheckBudget,
    /// Samples that the model gets right, so that they are attacked; none in files of older programs, which did not keep it.
    #[serde(default)]
    pub attacked: Option<usize>,
    /// Whether the model gives all samples, which are of several classes, the same class.
    #[serde(default)]
    pub answers_alike: bool,
    /// Whether the scores are probabilities, which a confident model has at 0 and 1 wherever an attack looks.
    #[serde(default)]
    pub probabilities: bool,
    /// Accuracy under projected gradient ascent of the given steps.
    pub few_steps: Interval,
    /// Accuracy under five times as many: hardly less.
    pub many_steps: Interval,
    /// An epsilon with which any image can be made any other.
    pub large_epsilon: f64,
    /// Accuracy under many steps with that epsilon: nothing.
    pub without_limit: Interval,
    /// Accuracy under many steps up the cross entropy and, from several starts, up the margin, whichever fells: hardly less than
    /// up the cross entropy alone.
    pub white_box: Interval,
    /// Accuracy under a black-box attack: hardly less than up the cross entropy.
    pub black_box: Interval,
    /// Samples that the black-box attack felled and the gradients did not: hardly any.
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
        budget.check()?;
        let samples = samples.drawn(budget.samples, &campaign.seed.child("checks"));
        let all: Vec<usize> = (0..samples.len()).collect();
        let scores =
            campaign.in_batches(&all, |indices| model.scores(&samples.images().select(indices)))?;
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
            attacked: Some(few.fates.iter().filter(|fate| **fate != Fate::Misclassified).count()),
            answers_alike: are_alike(samples.labels(), &scores),
            probabilities: scores.iter().flat_map(Scores::iter).all(are_probabilities),
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
        let many = MORE * steps;
        let mut warnings = Vec::new();
        if self.probabilities {
            warnings.push("the scores look like probabilities: give the attacks logits, or Square and the ratios of scores are blind".into());
        }
        if self.answers_alike {
            warnings.push("the model gives images of all classes the same class: its accuracies say nothing of attacks".into());
            return warnings;
        }
        if let Some(attacked) = self.attacked.filter(|attacked| *attacked < FEW) {
            warnings.push(format!(
                "of {} samples that were to be checked the model gets {attacked} right: too few are attacked for the checks to show whether it hides its gradients",
                self.few_steps.n
            ));
        }
        if let Some(gain) = self.gain(self.few_steps, self.many_steps, LITTLE) {
            warnings.push(format!(
                "{many} steps fell {gain} of the samples more than {steps}: the ascent has not converged, use more steps"
            ));
        }
        let others =
            if self.white_box.mean < self.black_box.mean { self.white_box } else { self.black_box };
        if let Some(gain) = self.gain(self.many_steps, others, MISLED) {
            warnings.push(format!(
                "other attacks fell {gain} of the samples more than {many} steps up the cross entropy: it misleads FGSM and PGD, trust AutoAttack"
            ));
        }
        if self.without_limit.mean > 0.0 {
            warnings.push(format!(
                "{} stand although epsilon allows every image: the gradients do not lead to mistakes",
                self.without_limit.percent()
            ));
        }
        if let Some(share) = self.several(self.black_box_only, LITTLE) {
            warnings.push(format!(
                "the black-box attack with {queries} queries alone fells {share} of the samples, which no gradient does: they are masked, trust Square"
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

    /// How many samples more fall under the second of two attacks, where it is not little.
    fn gain(&self, first: Interval, second: Interval, little: f64) -> Option<String> {
        let standing = |found: Interval| (found.mean * found.n as f64).round() as usize;
        self.several(standing(first).saturating_sub(standing(second)), little)
    }

    /// So many of the attacked samples, in percent, where they are not few.
    fn several(&self, samples: usize, few: f64) -> Option<String> {
        let attacked = self.attacked.unwrap_or(self.few_steps.n);
        let share = samples as f64 / attacked as f64;
        (samples >= SEVERAL && share > few).then(|| format!("{:.1} %", 100.0 * share))
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

impl CheckBudget {
    /// # Errors
    /// [`AttackError::Setting`] for what can check nothing.
    fn check(&self) -> Result<(), AttackError> {
        let Self { samples, steps, queries, surface_points } = *self;
        require(samples > 0, "CheckBudget::samples", 0.0, "at least 1")?;
        require(steps > 0, "CheckBudget::steps", 0.0, "at least 1")?;
        require(queries > 0, "CheckBudget::queries", 0.0, "at least 1")?;
        check_points(surface_points)
    }
}

/// Whether samples of several classes all have the largest score at the same class.
fn are_alike(labels: &[usize], scores: &[Scores]) -> bool {
    let mut predictions = scores.iter().flat_map(Scores::iter).map(prediction);
    let first = predictions.next();
    predictions.all(|class| Some(class) == first) && labels.iter().any(|label| *label != labels[0])
}

fn are_probabilities(scores: &[f32]) -> bool {
    let sum: f32 = scores.iter().sum();
    scores.iter().all(|score| (0.0..=1.0).contains(score)) && (sum - 1.0).abs() < ROUNDING
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

    /// Nothing is attacked then, so that nothing can be said of gradients, and that is said.
    #[test]
    fn a_model_that_gets_all_wrong_was_not_checked() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(24, 5));
        let wrong = samples.labels().iter().map(|label| (label + 1) % 6).collect();
        let samples = Samples::new(samples.images().clone(), wrong).unwrap();
        let checks = MaskingChecks::run(&campaign(), BUDGET, &model, &samples).unwrap();
        assert_eq!((checks.few_steps.mean, checks.attacked), (0.0, Some(0)));
        let warnings = checks.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("gets 0 right"), "{checks}");
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

    /// Squares fell half of the images, and gradients the other half.
    #[test]
    fn a_model_that_hides_some_of_its_gradients_is_caught() {
        let share = |standing| proportion_interval(standing, 60).unwrap();
        let checks = MaskingChecks {
            white_box: share(30),
            black_box: share(30),
            black_box_only: 30,
            ..good(60)
        };
        assert!(
            checks.warnings().iter().any(|warning| warning.contains("trust Square")),
            "{checks}"
        );
    }

    #[test]
    fn a_model_that_answers_alike_is_named() {
        let rows = [[0.1_f32; 32]; 5].map(|row| row.map(|weight| -weight));
        let model = toy::linear_model(&[&[[0.1; 32]][..], &rows[..]].concat());
        let samples =
            Samples::new(toy::noise(24, 5), (0..24).map(|index| index % 6).collect()).unwrap();
        let checks = MaskingChecks::run(&campaign(), BUDGET, &model, &samples).unwrap();
        assert_eq!((checks.attacked, checks.answers_alike), (Some(4), true));
        assert_eq!(checks.warnings().len(), 1, "{checks}");
        assert!(checks.to_string().contains("the same class"), "{checks}");
    }

    #[test]
    fn probabilities_are_no_logits() {
        assert!(are_probabilities(&[0.25, 0.0, 0.75]));
        for logits in [[0.25, 0.25, 0.25], [-0.25, 0.25, 1.0], [1.5, -0.25, -0.25]] {
            assert!(!are_probabilities(&logits), "{logits:?}");
        }
    }

    /// Of a model of whose 20 samples as many as `attacked` are right.
    fn good(attacked: usize) -> MaskingChecks {
        let share = |standing| proportion_interval(standing, attacked).unwrap();
        let surface = LossSurface {
            shares: vec![-1.0, 0.0, 1.0],
            losses: vec![vec![0.0, 0.1, 0.2], vec![0.0, 0.1, 0.2], vec![0.0, 0.1, 0.2]],
        };
        MaskingChecks {
            budget: BUDGET,
            attacked: Some(attacked),
            answers_alike: false,
            probabilities: false,
            few_steps: share(10),
            many_steps: share(9),
            large_epsilon: 1.0,
            without_limit: share(0),
            white_box: share(8),
            black_box: share(9),
            black_box_only: 1,
            surface,
        }
    }

    #[test]
    fn each_sign_has_its_warning() {
        let share = |standing| proportion_interval(standing, 20).unwrap();
        let warning = |change: &dyn Fn(&mut MaskingChecks)| {
            let mut checks = good(20);
            change(&mut checks);
            checks.warnings().join("; ")
        };
        assert_eq!(warning(&|_| ()), "");
        assert!(warning(&|checks| checks.few_steps = share(11)).contains("use more steps"));
        assert!(warning(&|checks| checks.without_limit = share(1)).contains("every image"));
        assert!(warning(&|checks| checks.black_box_only = 2).contains("trust Square"));
        assert!(warning(&|checks| checks.black_box = share(6)).contains("trust AutoAttack"));
        assert!(warning(&|checks| checks.white_box = share(6)).contains("trust AutoAttack"));
        assert!(warning(&|checks| checks.probabilities = true).contains("logits"));
        assert!(warning(&|checks| checks.surface.losses[1][2] = 0.05).contains("does not rise"));
        assert!(warning(&|checks| checks.surface.losses[0][1] = 0.3).contains("random direction"));
    }

    /// Two of 64 are little, two of the six that the model gets right are not.
    #[test]
    fn shares_are_of_the_samples_that_are_attacked() {
        let warnings =
            |attacked| MaskingChecks { black_box_only: 2, attacked, ..good(64) }.warnings();
        assert_eq!(warnings(Some(64)), Vec::<String>::new());
        assert_eq!(warnings(None), Vec::<String>::new(), "of an older program");
        assert!(warnings(Some(20))[0].contains("10.0 %"), "{:?}", warnings(Some(20)));
        let of_few = warnings(Some(6));
        assert!(of_few[0].contains("64 samples") && of_few[0].contains("gets 6 right"));
        assert!(of_few[1].contains("33.3 %"), "{of_few:?}");
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
