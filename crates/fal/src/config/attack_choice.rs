//! Attacks as a configuration names them.

use serde::{Deserialize, Serialize};

use crate::training_error::{TrainingError, require, require_some, require_step};

/// An attack of the last judgement. Every count is from 1 to a million.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AttackChoice {
    /// One step.
    Fgsm,
    /// Projected ascent of the cross entropy.
    Pgd {
        /// Steps.
        steps: usize,
        /// Starts, each for the images that still stand; only with `random_start` more than 1.
        #[serde(default = "one")]
        restarts: usize,
        /// Length of a step, divided by the radius; above 0 and at most a million.
        #[serde(default = "a_quarter")]
        relative_step: f64,
        /// Starts at a random point of the ball instead of the image itself.
        #[serde(default = "yes")]
        random_start: bool,
    },
    /// Projected ascent of the margin of Carlini and Wagner.
    CarliniWagner {
        /// Steps.
        steps: usize,
    },
    /// APGD up the cross entropy.
    ApgdCe {
        /// Steps of each start.
        #[serde(default = "one_hundred")]
        steps: usize,
        /// Starts, each for the images that still stand.
        #[serde(default = "one")]
        restarts: usize,
    },
    /// APGD up the difference of logits ratio.
    ApgdDlr {
        /// Steps of each start.
        #[serde(default = "one_hundred")]
        steps: usize,
        /// Starts, each for the images that still stand.
        #[serde(default = "one")]
        restarts: usize,
    },
    /// APGD towards other classes, up the targeted difference of logits ratio.
    ApgdT {
        /// Steps towards each class.
        #[serde(default = "one_hundred")]
        steps: usize,
        /// Classes that are tried, likeliest first; all others where there are fewer.
        #[serde(default = "nine")]
        targets: usize,
    },
    /// FAB towards other classes.
    FabT {
        /// Steps towards each class.
        #[serde(default = "one_hundred")]
        steps: usize,
        /// Classes that are tried, likeliest first; all others where there are fewer.
        #[serde(default = "nine")]
        targets: usize,
    },
    /// Random search.
    Square {
        /// Questions to the network.
        queries: usize,
    },
    /// AutoAttack, the standard version.
    AutoAttack,
}

fn one() -> usize {
    1
}

fn nine() -> usize {
    9
}

fn one_hundred() -> usize {
    100
}

fn a_quarter() -> f64 {
    0.25
}

fn yes() -> bool {
    true
}

impl AttackChoice {
    /// PGD from one random start, with steps of a quarter of the radius.
    pub fn pgd(steps: usize) -> Self {
        Self::Pgd { steps, restarts: one(), relative_step: a_quarter(), random_start: yes() }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`] and [`TrainingError::Excluded`].
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        let steps = |count| require_some("evaluation.attacks.steps", count);
        let restarts = |count| require_some("evaluation.attacks.restarts", count);
        match *self {
            Self::Pgd { steps: count, restarts: starts, relative_step, random_start } => {
                steps(count)?;
                restarts(starts)?;
                require_step("evaluation.attacks.relative_step", relative_step)?;
                match random_start || starts == 1 {
                    true => Ok(()),
                    false => Err(TrainingError::Excluded(
                        "starts at the image itself all find the same; leave restarts of that attack out, or its random_start = false",
                    )),
                }
            }
            Self::ApgdCe { steps: count, restarts: starts }
            | Self::ApgdDlr { steps: count, restarts: starts } => {
                steps(count)?;
                restarts(starts)
            }
            Self::ApgdT { steps: count, targets } | Self::FabT { steps: count, targets } => {
                steps(count)?;
                require_some("evaluation.attacks.targets", targets)
            }
            Self::CarliniWagner { steps: count } => steps(count),
            Self::Square { queries } => require_some("evaluation.attacks.queries", queries),
            Self::Fgsm | Self::AutoAttack => Ok(()),
        }
    }

    /// Whether the attack can be made on images of so many classes.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`].
    pub fn check_classes(&self, classes: usize) -> Result<(), TrainingError> {
        let needed = match self {
            Self::AutoAttack | Self::ApgdT { .. } => 4,
            Self::ApgdDlr { .. } => 3,
            _ => 2,
        };
        let range = "enough for the attacks: 4 for `auto-attack` and `apgd-t`, 3 for `apgd-dlr`, which compare the best scores, 2 for others; choose others in evaluation.attacks";
        require(classes >= needed, "number of classes", classes as f64, range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ExperimentConfig;

    #[test]
    fn every_attack_can_be_named_alone() {
        let attack = |text: &str| {
            let set = [format!("evaluation.attacks=[{text}]")];
            let config: ExperimentConfig =
                experiment::config::load(&ExperimentConfig::default(), None, &set).unwrap();
            config.check().unwrap();
            config.evaluation.attacks[0]
        };
        use AttackChoice::*;
        for (text, expected) in [
            (r#"{kind="fgsm"}"#, Fgsm),
            (r#"{kind="pgd",steps=7}"#, AttackChoice::pgd(7)),
            (
                r#"{kind="pgd",steps=7,relative_step=0.1,random_start=false}"#,
                Pgd { steps: 7, restarts: 1, relative_step: 0.1, random_start: false },
            ),
            (r#"{kind="carlini-wagner",steps=3}"#, CarliniWagner { steps: 3 }),
            (r#"{kind="apgd-ce"}"#, ApgdCe { steps: 100, restarts: 1 }),
            (r#"{kind="apgd-dlr",restarts=5}"#, ApgdDlr { steps: 100, restarts: 5 }),
            (r#"{kind="apgd-t"}"#, ApgdT { steps: 100, targets: 9 }),
            (r#"{kind="fab-t",steps=10}"#, FabT { steps: 10, targets: 9 }),
            (r#"{kind="square",queries=50}"#, Square { queries: 50 }),
            (r#"{kind="auto-attack"}"#, AutoAttack),
        ] {
            assert_eq!(attack(text), expected);
        }
    }
}
