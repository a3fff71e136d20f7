//! What the client descends and what its adversary climbs.
//!
//! | loss | the client descends | the adversary climbs |
//! |---|---|---|
//! | [`LossChoice::CrossEntropy`] (Madry et al. 2018) | `CE(f(x'), y)` | the same |
//! | [`LossChoice::Trades`] (Zhang et al. 2019) | `CE(f(x), y) + beta KL(p(x), p(x'))` | `KL(p(x), p(x'))` |
//! | [`LossChoice::Mart`] (Wang et al. 2020) | `BCE(f(x'), y) + beta KL(p(x), p(x')) (1 - p_y(x))` | `CE(f(x'), y)` |
//! | [`LossChoice::Calibrated`] (CalFAT, Chen et al. 2022) | `CE(s c(f(x')), y)` | `KL(c(f(x)), c(f(x')))` |
//! | [`LossChoice::Regression`] (the theorem's, Li, Song and Yang 2023) | `sqrt(1 + r^2) - 1` or `r` | the same |
//!
//! `p` is the softmax of the scores `f`, `x'` the perturbed sample. `c` adds the weighted logarithms of the client's class
//! counts to the scores, so that classes that the client hardly has are not unlearned; `s` is a factor. Both are those of
//! the code of CalFAT's authors, in which the adversary climbs without the factor; with it ([`Scope::Both`]) networks
//! withstood more on Fashion-MNIST, and as much on MNIST. `r` is the Euclidean distance between `f(x')` and the vector that is 1
//! at the label `y` and 0 elsewhere. Every loss is a mean over samples.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use inner_outer::layers::cross_entropy;
use serde::{Deserialize, Serialize};

use crate::theory::RegressionLoss;
use crate::training_error::{TrainingError, require};

/// Keeps the derivative of a distance finite where it is zero; far below the square of any distance that is not.
const TINY_SQUARE: f64 = 1e-30;

/// Keeps logarithms of probabilities finite (the constant of MART's authors).
const TINY: f64 = 1e-4;

/// A loss of adversarial training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossChoice {
    /// The cross entropy.
    #[default]
    CrossEntropy,
    /// TRADES: the cross entropy of the sample, and how far the perturbation moves the prediction.
    Trades {
        /// Weight of robustness, at least 0; 6 in the paper.
        #[serde(default = "six")]
        beta: f64,
    },
    /// MART: a cross entropy with margin, and a divergence that counts more for samples that are misclassified.
    Mart {
        /// Weight of robustness, at least 0; 5 in the paper.
        #[serde(default = "five")]
        beta: f64,
    },
    /// CalFAT: scores calibrated by the client's class counts.
    Calibrated {
        /// Weight of the logarithm of a class count, at least 0.
        #[serde(default = "one_tenth")]
        weight: f64,
        /// Factor of the client's scores, above 0. With `weight * scale = 1` the calibration is that of Bayes' rule.
        #[serde(default = "ten")]
        scale: f64,
        /// Whose scores have the factor.
        #[serde(default)]
        scaled: Scope,
        /// Samples that a class counts as which the client lacks, above 0; 1 in the authors' code.
        #[serde(default = "one")]
        absent: f64,
    },
    /// The theorem's loss of regression for several classes: of the distance between the scores and the vector that is 1 at the
    /// label and 0 elsewhere. As the theorem asks for it, it is convex and 1-Lipschitz in the scores and zero at the target; with
    /// a single score it is [`RegressionLoss::of`].
    Regression {
        /// What is made of the distance.
        #[serde(default)]
        shape: RegressionLoss,
    },
}

/// Who takes scores times the factor of [`LossChoice::Calibrated`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The client alone, as in the authors' code.
    #[default]
    Client,
    /// The client and its adversary, which then climbs what the client descends.
    Both,
}

fn six() -> f64 {
    6.0
}

fn five() -> f64 {
    5.0
}

fn one_tenth() -> f64 {
    0.1
}

fn ten() -> f64 {
    10.0
}

fn one() -> f64 {
    1.0
}

impl LossChoice {
    /// CalFAT with the constants of its authors' code.
    pub fn calfat() -> Self {
        Self::Calibrated {
            weight: one_tenth(),
            scale: ten(),
            scaled: Scope::default(),
            absent: one(),
        }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`].
    pub fn check(&self) -> Result<(), TrainingError> {
        let weight = |setting, value: f64| {
            require(value.is_finite() && value >= 0.0, setting, value, "at least 0")
        };
        match *self {
            Self::CrossEntropy | Self::Regression { .. } => Ok(()),
            Self::Trades { beta } | Self::Mart { beta } => weight("loss.beta", beta),
            Self::Calibrated { weight: of_counts, scale, absent, .. } => {
                weight("loss.weight", of_counts)?;
                require(scale.is_finite() && scale > 0.0, "loss.scale", scale, "above 0")?;
                require(absent.is_finite() && absent > 0.0, "loss.absent", absent, "above 0")
            }
        }
    }

    /// Whether the adversary climbs away from the prediction for the unperturbed sample.
    pub fn climbs_divergence(&self) -> bool {
        matches!(self, Self::Trades { .. } | Self::Calibrated { .. })
    }

    /// The scores of a client with the logarithms `counts` of its class counts, `[classes]`: calibrated, where that is the
    /// loss.
    pub fn calibrate<B: Backend>(
        &self,
        scores: Tensor<B, 2>,
        counts: &Tensor<B, 1>,
    ) -> Tensor<B, 2> {
        match *self {
            Self::Calibrated { weight, .. } => scores + counts.clone().unsqueeze() * weight,
            _ => scores,
        }
    }

    /// The logarithm of what a class of `count` samples counts as.
    pub fn log_count(&self, count: usize) -> f64 {
        let absent = match *self {
            Self::Calibrated { absent, .. } => absent,
            _ => one(),
        };
        if count == 0 { absent.ln() } else { (count as f64).ln() }
    }

    /// What the adversary climbs, `[1]`: calibrated scores of perturbed samples, `[batch, classes]`, their `labels`, and the
    /// calibrated scores of the `clean` samples where [`Self::climbs_divergence`].
    pub fn of_adversary<B: Backend>(
        &self,
        scores: Tensor<B, 2>,
        labels: Tensor<B, 1, Int>,
        clean: Option<Tensor<B, 2>>,
    ) -> Tensor<B, 1> {
        let scaled = |scores| match *self {
            Self::Calibrated { scale, scaled: Scope::Both, .. } => scores * scale,
            _ => scores,
        };
        match (clean, *self) {
            (Some(clean), _) => divergence(scaled(clean), scaled(scores)).mean(),
            (None, Self::Regression { shape }) => regression(shape, scores, labels),
            (None, _) => cross_entropy(scores, labels),
        }
    }

    /// What the client descends, `[1]`: calibrated scores of perturbed samples, `[batch, classes]`, their `labels`, and the
    /// way to the calibrated scores of the unperturbed ones.
    pub fn of_client<B: Backend>(
        &self,
        scores: Tensor<B, 2>,
        labels: Tensor<B, 1, Int>,
        clean: impl FnOnce() -> Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        match *self {
            Self::CrossEntropy => cross_entropy(scores, labels),
            Self::Regression { shape } => regression(shape, scores, labels),
            Self::Calibrated { scale, .. } => cross_entropy(scores * scale, labels),
            Self::Trades { beta } => {
                let clean = clean();
                cross_entropy(clean.clone(), labels) + divergence(clean, scores).mean() * beta
            }
            Self::Mart { beta } => {
                let clean = clean();
                let missed = probability(softmax(clean.clone(), 1), labels.clone()).neg() + 1.0;
                let weighted = divergence(clean, scores.clone()) * missed;
                boosted_cross_entropy(scores, labels) + weighted.mean() * beta
            }
        }
    }
}

/// `KL(softmax(from), softmax(to))` of each row: `[batch, classes]` twice to `[batch]`.
fn divergence<B: Backend>(from: Tensor<B, 2>, to: Tensor<B, 2>) -> Tensor<B, 1> {
    let (from, to) = (log_softmax(from, 1), log_softmax(to, 1));
    (from.clone().exp() * (from - to)).sum_dim(1).squeeze_dim(1)
}

/// The probability of each row's label: `[batch, classes]` to `[batch]`.
fn probability<B: Backend>(probabilities: Tensor<B, 2>, labels: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    probabilities.gather(1, labels.unsqueeze_dim(1)).squeeze_dim(1)
}

/// `-log p_y - log(1 - max_{k != y} p_k)`, mean over rows, `[1]`.
fn boosted_cross_entropy<B: Backend>(
    scores: Tensor<B, 2>,
    labels: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let probabilities = softmax(scores.clone(), 1);
    let own = labels.clone().one_hot::<2>(scores.dims()[1]).float();
    let rival = (probabilities * (own.neg() + 1.0)).max_dim(1);
    let margin = (rival.neg() + (1.0 + TINY)).log().neg().mean();
    cross_entropy(scores, labels) + margin
}

/// `shape` of the distance from the scores to 1 at the label and 0 elsewhere, mean over rows: `[batch, classes]` to `[1]`.
fn regression<B: Backend>(
    shape: RegressionLoss,
    scores: Tensor<B, 2>,
    labels: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let targets = labels.one_hot::<2>(scores.dims()[1]).float();
    let squares = (scores - targets).powi_scalar(2).sum_dim(1).squeeze_dim::<1>(1);
    let distances = squares.clamp_min(TINY_SQUARE).sqrt();
    let targets = distances.zeros_like();
    shape.of(distances, targets).mean()
}

#[cfg(test)]
mod tests;
