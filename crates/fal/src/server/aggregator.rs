//! How many updates become one.

use serde::{Deserialize, Serialize};

use super::error::require;
use super::update::{require_fit, require_some};
use super::{ServerError, Update, krum, mean, robust};

/// What a client counts for in a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// As much as any other.
    Uniform,
    /// As much as it has samples.
    #[default]
    Samples,
}

/// One update of many.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The update.
    pub delta: Vec<f32>,
    /// False where an iteration still moved by more than its tolerance at the last step that it may take; true for rules that do
    /// not iterate.
    pub is_converged: bool,
}

/// Names of rules in errors.
const KRUM: &str = "krum";
const MULTI_KRUM: &str = "multi-krum";

/// A way to make one update of many. Where nothing else is said, every client counts the same.
///
/// Where updates were set aside because they were not finite, a rule withstands as many bad ones (`byzantine`, and those of
/// `share`) among the rest, for those set aside may be of honest clients. Only if too few are left for that it withstands
/// fewer, by at most as many as were set aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AggregatorChoice {
    /// The mean.
    Mean {
        /// What a client counts for.
        #[serde(default)]
        weighting: Weighting,
    },
    /// FedNova (Wang et al. 2020): the mean, by samples, of updates divided by their local steps, times the mean of those
    /// steps; clients that take more steps do not pull more.
    Nova,
    /// Slack aggregation of SFAT (Zhu et al. 2023): the `top` clients with the smallest adversarial loss count
    /// `(1 + alpha) / (1 - alpha)` times as much as others. The first round is a plain mean. The loss is the mean over all
    /// local steps of the round. The authors' code ranks by the sum of the losses of the samples of the last local pass over its
    /// number of batches, which gives the same order where every client has as many, full batches; of unlike clients those with
    /// small batches come first there.
    Slack {
        /// Above 0, below 1; 1/11 to 3/13 for the factors 1.2 to 1.6 of the authors.
        alpha: f64,
        /// How many clients count more, at least 1 and fewer than take part.
        #[serde(default = "one")]
        top: usize,
    },
    /// The median of each coordinate (Yin et al. 2018).
    Median,
    /// The mean of each coordinate without its largest and smallest values (Yin et al. 2018).
    TrimmedMean {
        /// Share of updates that is left out at each end, above 0 and below 1/2.
        share: f64,
    },
    /// The update with the nearest neighbours (Blanchard et al. 2017). Needs `2 byzantine + 3` updates.
    Krum {
        /// Bad clients to withstand.
        byzantine: usize,
    },
    /// The mean of the updates with the nearest neighbours (Blanchard et al. 2017).
    MultiKrum {
        /// Bad clients to withstand.
        byzantine: usize,
        /// Updates to keep; all but `byzantine` where it is not stated.
        #[serde(default)]
        keep: Option<usize>,
    },
    /// Repeated Krum, then the mean of each coordinate's values nearest to their median (El Mhamdi et al. 2018). Needs
    /// `4 byzantine + 3` updates.
    Bulyan {
        /// Bad clients to withstand.
        byzantine: usize,
    },
    /// The point with the smallest sum of distances to the updates, by the smoothed Weiszfeld algorithm (Pillutla et al.
    /// 2022).
    GeometricMedian {
        /// Steps at most.
        #[serde(default = "one_hundred")]
        iterations: usize,
        /// Distances below this count as this, so that no weight is infinite; at least 1e-30.
        #[serde(default = "a_millionth")]
        smoothing: f64,
        /// A step that is shorter than this is the last, relative to the length of the median or to its middle distance from the
        /// updates, whichever is larger; at least 0. With 0 all steps are wanted, and it does not count as unconverged that they
        /// are taken.
        #[serde(default = "a_millionth")]
        tolerance: f64,
    },
}

/// The reciprocals of smaller distances may add up to infinity.
const LEAST_SMOOTHING: f64 = 1e-30;

fn one() -> usize {
    1
}

fn one_hundred() -> usize {
    100
}

fn a_millionth() -> f64 {
    1e-6
}

/// How many of so many updates Multi-Krum keeps: all but the bad ones where it is not stated.
fn kept(keep: Option<usize>, updates: usize, byzantine: usize) -> usize {
    keep.unwrap_or(updates.saturating_sub(byzantine))
}

/// How many bad updates to withstand among those that are left where `set_aside` were not finite: as many as are feared,
/// `byzantine`, for what is not finite may be of honest clients that diverged. If what is left suffices for `most` alone, then
/// fewer, by at most as many as were set aside.
pub(super) fn withstood(byzantine: usize, set_aside: usize, most: usize) -> usize {
    byzantine.min(most).max(byzantine.saturating_sub(set_aside))
}

impl Default for AggregatorChoice {
    fn default() -> Self {
        Self::Mean { weighting: Weighting::default() }
    }
}

impl AggregatorChoice {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        match *self {
            Self::Slack { alpha, top } => {
                require(alpha > 0.0 && alpha < 1.0, "alpha", alpha, "above 0 and below 1")?;
                require(top > 0, "top", top as f64, "at least 1")
            }
            Self::TrimmedMean { share } => {
                require(share > 0.0 && share < 0.5, "share", share, "above 0 and below 1/2")
            }
            Self::MultiKrum { keep: Some(0), .. } => require(false, "keep", 0.0, "at least 1"),
            Self::GeometricMedian { iterations, smoothing, tolerance } => {
                require(iterations > 0, "iterations", iterations as f64, "at least 1")?;
                let usable = smoothing.is_finite() && smoothing >= LEAST_SMOOTHING;
                require(usable, "smoothing", smoothing, "finite and at least 1e-30")?;
                require(tolerance >= 0.0, "tolerance", tolerance, "at least 0")
            }
            _ => Ok(()),
        }
    }

    /// Whether the rule can do anything with the updates of so many clients. Their number alone is looked at, so that it takes
    /// no time however many they are.
    ///
    /// # Errors
    /// Those of [`Self::check`]; [`ServerError::NoUpdates`], [`ServerError::TooFewUpdates`], [`ServerError::Keep`] and
    /// [`ServerError::TrimsNobody`] as [`Self::aggregate`] has them; [`ServerError::OutOfRange`] for slack that all of them would
    /// be given.
    pub fn check_for(&self, clients: usize) -> Result<(), ServerError> {
        self.check()?;
        require_some(clients)?;
        match *self {
            Self::Slack { top, .. } => {
                let range =
                    "below the number of clients that take part, for else all count the same";
                require(top < clients, "top", top as f64, range)
            }
            Self::TrimmedMean { share } => robust::trimmed(clients, share).map(drop),
            Self::Krum { byzantine } => krum::require_nearest(KRUM, clients, byzantine, 1),
            Self::MultiKrum { byzantine, keep } => {
                let keep = kept(keep, clients, byzantine);
                krum::require_nearest(MULTI_KRUM, clients, byzantine, keep)
            }
            Self::Bulyan { byzantine } => krum::require_bulyan(clients, byzantine),
            Self::Mean { .. } | Self::Nova | Self::Median | Self::GeometricMedian { .. } => Ok(()),
        }
    }

    /// One update of many, in round `round`, counted from 0.
    ///
    /// # Errors
    /// As [`Self::combine`].
    pub fn aggregate(&self, round: u64, updates: &[Update]) -> Result<Vec<f32>, ServerError> {
        self.combine(round, updates, 0).map(|aggregate| aggregate.delta)
    }

    /// One update of many, beside which `set_aside` others were not finite, in round `round`, counted from 0.
    ///
    /// # Errors
    /// Those of [`Self::check`]; [`ServerError::NoUpdates`]; [`ServerError::Length`] and [`ServerError::NotFinite`] for
    /// updates that cannot be added up; [`ServerError::NoWeight`] for means over nothing; [`ServerError::TooFewUpdates`],
    /// [`ServerError::Keep`] and [`ServerError::TrimsNobody`] where a rule would not protect.
    pub fn combine(
        &self,
        round: u64,
        updates: &[Update],
        set_aside: usize,
    ) -> Result<Aggregate, ServerError> {
        self.check()?;
        let parameters = updates.first().map_or(0, |update| update.delta.len());
        require_fit(updates, parameters)?;
        let deltas: Vec<&[f32]> = updates.iter().map(|update| update.delta.as_slice()).collect();
        let left = deltas.len();
        let by_krum = |byzantine| withstood(byzantine, set_aside, left.saturating_sub(3) / 2);
        let delta = match *self {
            Self::Mean { weighting: Weighting::Uniform } => mean::uniform(&deltas),
            Self::Mean { weighting: Weighting::Samples } => {
                mean::weighted(&deltas, &mean::by_samples(updates)?)
            }
            Self::Nova => mean::normalised(&deltas, updates)?,
            Self::Slack { .. } if round == 0 => mean::uniform(&deltas),
            Self::Slack { alpha, top } => {
                mean::weighted(&deltas, &mean::slack(updates, alpha, top)?)
            }
            Self::Median => robust::median(&deltas),
            Self::TrimmedMean { share } => robust::trimmed_mean(&deltas, share, set_aside)?,
            Self::Krum { byzantine } => {
                deltas[krum::nearest(KRUM, &deltas, by_krum(byzantine), 1)?[0]].to_vec()
            }
            Self::MultiKrum { byzantine, keep } => {
                let byzantine = by_krum(byzantine);
                // A number that is stated is of all clients, of whom some may be missing.
                let keep = match kept(keep, left, byzantine) {
                    keep if set_aside > 0 => keep.min(left.saturating_sub(byzantine)),
                    keep => keep,
                };
                let nearest = krum::nearest(MULTI_KRUM, &deltas, byzantine, keep)?;
                let nearest: Vec<_> = nearest.into_iter().map(|index| deltas[index]).collect();
                mean::uniform(&nearest)
            }
            Self::Bulyan { byzantine } => {
                let byzantine = withstood(byzantine, set_aside, left.saturating_sub(3) / 4);
                krum::bulyan(&deltas, byzantine)?
            }
            Self::GeometricMedian { iterations, smoothing, tolerance } => {
                return Ok(robust::geometric_median(&deltas, iterations, smoothing, tolerance));
            }
        };
        Ok(Aggregate { delta, is_converged: true })
    }
}
