//! What an attack makes larger: losses of one image's scores, with their derivatives in closed form.
//!
//! Because the loss of an image is a function of that image's scores alone, one backward pass through the model serves
//! a whole batch: it starts from these derivatives.

use serde::{Deserialize, Serialize};

use super::AttackError;

/// Keeps the ratio of differences of scores defined where they are all equal.
const TINY: f64 = 1e-12;

/// A loss that leads away from the true class, whichever other class that may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// `-log softmax(z)_y`.
    CrossEntropy,
    /// The margin of Carlini and Wagner (2017): `max_{j != y} z_j - z_y`, positive exactly where the model errs.
    Margin,
    /// The difference of logits ratio of Croce and Hein (2020), equation 6: the margin over the difference of the largest
    /// and the third largest score. It does not change when scores are scaled. Needs three classes.
    LogitRatio,
}

impl Loss {
    /// The loss of an image whose true class is `label`.
    pub fn away_from(self, label: usize) -> Objective {
        match self {
            Self::CrossEntropy => Objective::CrossEntropy { label },
            Self::Margin => Objective::Margin { label },
            Self::LogitRatio => Objective::LogitRatio { label },
        }
    }
}

/// The loss of one image, as a function of its scores `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// `-log softmax(z)_label`.
    CrossEntropy {
        /// The true class.
        label: usize,
    },
    /// `max_{j != label} z_j - z_label`.
    Margin {
        /// The true class.
        label: usize,
    },
    /// The margin over `z_(1) - z_(3)`, where `z_(i)` is the `i`-th largest score.
    LogitRatio {
        /// The true class.
        label: usize,
    },
    /// `z_target - z_label` over `z_(1) - (z_(3) + z_(4)) / 2` (Croce and Hein 2020, equation 7). Needs four classes.
    LogitRatioTo {
        /// The true class.
        label: usize,
        /// The class to reach.
        target: usize,
    },
    /// `z_target - z_label`.
    Difference {
        /// The true class.
        label: usize,
        /// The class to reach.
        target: usize,
    },
}

impl Objective {
    /// The loss at `scores`. `direction` receives its derivative times a positive number that makes the largest entry 1,
    /// since attacks follow directions: the cross entropy of a confident model would vanish in single precision. The
    /// derivative of [`Objective::Difference`] has that size already.
    ///
    /// # Errors
    /// [`AttackError::TooFewClasses`] where the loss compares more classes than there are scores.
    ///
    /// # Panics
    /// If there is no score of the label or the target.
    pub fn evaluate(self, scores: &[f32], direction: &mut [f32]) -> Result<f64, AttackError> {
        self.check(scores.len())?;
        let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
        let mut derivative = vec![0.0; scores.len()];
        let loss = match self {
            Self::CrossEntropy { label } => cross_entropy(&scores, label, &mut derivative),
            Self::Margin { label } => {
                let other = strongest_other(&scores, label);
                difference(&scores, other, label, &mut derivative)
            }
            Self::Difference { label, target } => {
                difference(&scores, target, label, &mut derivative)
            }
            Self::LogitRatio { label } => {
                let other = strongest_other(&scores, label);
                let ranked = ranking(&scores);
                let spread = [(ranked[0], 1.0), (ranked[2], -1.0)];
                ratio(&scores, (other, label), &spread, &mut derivative)
            }
            Self::LogitRatioTo { label, target } => {
                let ranked = ranking(&scores);
                let spread = [(ranked[0], 1.0), (ranked[2], -0.5), (ranked[3], -0.5)];
                ratio(&scores, (target, label), &spread, &mut derivative)
            }
        };
        let largest = derivative.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let scale = if largest > 0.0 { largest.recip() } else { 0.0 };
        for (direction, derivative) in direction.iter_mut().zip(derivative) {
            *direction = (derivative * scale) as f32;
        }
        Ok(loss)
    }

    /// # Errors
    /// [`AttackError::TooFewClasses`] where the loss compares more classes than there are.
    pub(super) fn check(self, classes: usize) -> Result<(), AttackError> {
        let (loss, needed) = match self {
            Self::CrossEntropy { .. } => ("cross entropy", 2),
            Self::Margin { .. } => ("margin", 2),
            Self::Difference { .. } => ("difference of two scores", 2),
            Self::LogitRatio { .. } => ("difference of logits ratio", 3),
            Self::LogitRatioTo { .. } => ("targeted difference of logits ratio", 4),
        };
        if classes >= needed {
            Ok(())
        } else {
            Err(AttackError::TooFewClasses { loss, classes, needed })
        }
    }
}

/// The class with the largest score, the first of them where several are equal.
pub(crate) fn prediction(scores: &[f32]) -> usize {
    let larger = |best, class| if scores[class] > scores[best] { class } else { best };
    (0..scores.len()).fold(0, larger)
}

/// By how much the true class leads: `z_label - max_{j != label} z_j`.
pub(super) fn lead(scores: &[f32], label: usize) -> f32 {
    let others = scores.iter().enumerate().filter(|(class, _)| *class != label);
    scores[label] - others.map(|(_, score)| *score).fold(f32::NEG_INFINITY, f32::max)
}

/// The classes other than `label`, those with larger scores first.
pub(super) fn rivals(scores: &[f32], label: usize) -> Vec<usize> {
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let mut ranked = ranking(&scores);
    ranked.retain(|class| *class != label);
    ranked
}

fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..scores.len()).collect();
    classes.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    classes
}

fn strongest_other(scores: &[f64], label: usize) -> usize {
    let others = (0..scores.len()).filter(|class| *class != label);
    others
        .reduce(|best, class| if scores[class] > scores[best] { class } else { best })
        .unwrap_or(label)
}

/// Told by the others' lead over the label: one minus the label's share, and the others' shares beside it, are zero for a
/// confident model.
fn cross_entropy(scores: &[f64], label: usize, derivative: &mut [f64]) -> f64 {
    let strongest = scores[strongest_other(scores, label)];
    for (derivative, score) in derivative.iter_mut().zip(scores) {
        *derivative = (score - strongest).exp();
    }
    derivative[label] = 0.0;
    let others: f64 = derivative.iter().sum();
    derivative[label] = -others;
    let lead = strongest + others.ln() - scores[label];
    lead.max(0.0) + (-lead.abs()).exp().ln_1p()
}

fn difference(scores: &[f64], above: usize, below: usize, derivative: &mut [f64]) -> f64 {
    derivative[above] += 1.0;
    derivative[below] -= 1.0;
    scores[above] - scores[below]
}

/// `(z_above - z_below) / (sum of weight z_class over spread)`, the denominator of which is not negative.
fn ratio(
    scores: &[f64],
    (above, below): (usize, usize),
    spread: &[(usize, f64)],
    derivative: &mut [f64],
) -> f64 {
    let denominator =
        spread.iter().map(|(class, weight)| weight * scores[*class]).sum::<f64>() + TINY;
    let ratio = difference(scores, above, below, derivative) / denominator;
    for (class, weight) in spread {
        derivative[*class] -= ratio * weight;
    }
    derivative.iter_mut().for_each(|entry| *entry /= denominator);
    ratio
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objectives() -> [Objective; 5] {
        let (label, target) = (1, 3);
        [
            Objective::CrossEntropy { label },
            Objective::Margin { label },
            Objective::LogitRatio { label },
            Objective::LogitRatioTo { label, target },
            Objective::Difference { label, target },
        ]
    }

    fn loss(objective: Objective, scores: &[f32]) -> f64 {
        objective.evaluate(scores, &mut vec![0.0; scores.len()]).unwrap()
    }

    proptest! {
        /// Along any change of the scores the loss moves as central differences say, up to one positive factor.
        #[test]
        fn directions_are_derivatives(scores in prop::collection::vec(-3.0..3.0_f32, 5)) {
            let gaps = |i: usize| (0..i).map(move |j| (i, j));
            let distinct = (0..5).flat_map(gaps).all(|(i, j)| (scores[i] - scores[j]).abs() > 0.05);
            prop_assume!(distinct);
            for objective in objectives() {
                let mut direction = vec![0.0; 5];
                objective.evaluate(&scores, &mut direction).unwrap();
                let step = 2.0_f32.powi(-8);
                let slope = |class: usize| {
                    let (mut up, mut down) = (scores.clone(), scores.clone());
                    up[class] += step;
                    down[class] -= step;
                    (loss(objective, &up) - loss(objective, &down)) / f64::from(2.0 * step)
                };
                let slopes: Vec<f64> = (0..5).map(slope).collect();
                let largest = slopes.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
                for (slope, direction) in slopes.iter().zip(&direction) {
                    prop_assert!((slope / largest - f64::from(*direction)).abs() < 2e-3, "{objective:?} {slopes:?} {direction:?}");
                }
            }
        }

        #[test]
        fn a_ratio_of_scores_does_not_depend_on_their_scale(scores in prop::collection::vec(-3.0..3.0_f32, 5)) {
            let scaled: Vec<f32> = scores.iter().map(|score| 8.0 * score).collect();
            for objective in [Objective::LogitRatio { label: 0 }, Objective::LogitRatioTo { label: 0, target: 2 }] {
                let (plain, scaled) = (loss(objective, &scores), loss(objective, &scaled));
                prop_assert!((plain - scaled).abs() <= 1e-6 * plain.abs());
            }
        }
    }

    #[test]
    fn losses_are_the_papers() {
        let scores = [4.0, 1.0, 2.0, 0.0];
        assert_eq!(loss(Objective::Margin { label: 0 }, &scores), -2.0);
        assert!((loss(Objective::LogitRatio { label: 0 }, &scores) + 2.0 / 3.0).abs() < 1e-9);
        let targeted = Objective::LogitRatioTo { label: 0, target: 3 };
        assert!((loss(targeted, &scores) + 4.0 / 3.5).abs() < 1e-9);
        let total: f64 = [4.0_f64, 1.0, 2.0, 0.0].iter().map(|z| z.exp()).sum();
        let expected = total.ln() - 1.0;
        assert!((loss(Objective::CrossEntropy { label: 1 }, &scores) - expected).abs() < 1e-12);
    }

    /// In single precision the softmax of the first scores is exactly one for the label, and its gradient zero; of the last in
    /// double precision too.
    #[test]
    fn a_confident_model_still_has_a_direction() {
        for lead in [60.0, 2000.0, 1e30] {
            let mut direction = [0.0; 3];
            let scores = [lead, 0.0, -1.0];
            Objective::CrossEntropy { label: 0 }.evaluate(&scores, &mut direction).unwrap();
            assert_eq!(direction[0], -1.0);
            assert!(direction[1] > 0.7 && direction[2] > 0.2, "{lead}: {direction:?}");
        }
    }

    /// Where one minus a share is zero the loss still tells a larger share from a smaller.
    #[test]
    fn the_loss_of_a_confident_model_moves() {
        let losses = [100.0, 99.0, 98.0]
            .map(|lead| loss(Objective::CrossEntropy { label: 0 }, &[lead, 0.0, 0.0]));
        assert!(losses[0] > 0.0 && losses.is_sorted_by(|a, b| a < b), "{losses:?}");
        let wrong = loss(Objective::CrossEntropy { label: 0 }, &[-2000.0, 0.0, 0.0]);
        assert!((wrong - (2000.0 + 2.0_f64.ln())).abs() < 1e-9, "{wrong}");
    }

    #[test]
    fn equal_scores_have_a_finite_loss() {
        for objective in objectives() {
            let mut direction = [0.0; 5];
            let loss = objective.evaluate(&[0.5; 5], &mut direction).unwrap();
            assert!(loss.is_finite(), "{objective:?}");
            assert!(direction.iter().all(|x| x.is_finite()), "{objective:?}");
        }
    }

    #[test]
    fn too_few_classes_are_named() {
        for (scores, allowed) in [(vec![1.0; 2], 2), (vec![1.0; 3], 3), (vec![1.0; 4], 4)] {
            let pairs = [
                (Objective::CrossEntropy { label: 0 }, 2),
                (Objective::Margin { label: 0 }, 2),
                (Objective::Difference { label: 0, target: 1 }, 2),
                (Objective::LogitRatio { label: 0 }, 3),
                (Objective::LogitRatioTo { label: 0, target: 1 }, 4),
            ];
            for (objective, needed) in pairs {
                let outcome = objective.evaluate(&scores, &mut vec![0.0; scores.len()]);
                assert_eq!(outcome.is_ok(), needed <= allowed, "{objective:?}");
            }
        }
    }

    #[test]
    fn predictions_leads_and_rivals() {
        let scores = [1.0, 3.0, 3.0, 2.0];
        assert_eq!(prediction(&scores), 1);
        assert_eq!((lead(&scores, 1), lead(&scores, 0)), (0.0, -2.0));
        assert_eq!(rivals(&scores, 1), [2, 3, 0]);
    }
}
