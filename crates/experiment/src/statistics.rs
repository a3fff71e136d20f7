//! Means and proportions with 95 % confidence intervals, so that no result is a bare number.

mod combined;
mod groups;
mod interval;

pub use combined::{mean_over_runs, pooled_interval};
pub use groups::{grouped_mean_interval, grouped_proportion_interval, grouped_ratio_interval};
pub use interval::{Interval, Percent};

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

/// How sure the intervals are: 95 %.
pub const CONFIDENCE: f64 = 0.95;

/// Observations of which no interval can be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatisticsError {
    /// There was nothing to average.
    #[error("no observations: an interval needs at least one run or trial")]
    Empty,
    /// One of the values was NaN or infinite.
    #[error("observation {index} is {value}: leave failed runs out by name, or report them apart")]
    NotFinite {
        /// Position in the slice, from 0.
        index: usize,
        /// The value found there.
        value: f64,
    },
    /// More trials succeeded than were made.
    #[error("{successes} successes in {n} trials: count each trial once")]
    MoreSuccessesThanTrials {
        /// Number of successes.
        successes: usize,
        /// Number of trials.
        n: usize,
    },
}

/// The mean of `values` (one a seed, say) with the interval of Student's t distribution,
/// `mean ± t(0.975, n - 1) s / sqrt(n)`, where `s` is the sample standard deviation.
///
/// # Errors
/// [`StatisticsError::Empty`] and [`StatisticsError::NotFinite`].
pub fn mean_interval(values: &[f64]) -> Result<Interval, StatisticsError> {
    if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(StatisticsError::NotFinite { index, value });
    }
    let n = values.len();
    if n == 0 {
        return Err(StatisticsError::Empty);
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    if n == 1 {
        return Ok(Interval { mean, low: f64::NEG_INFINITY, high: f64::INFINITY, n });
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let half_width = student_t_quantile(n - 1) * (variance / n as f64).sqrt();
    Ok(Interval { mean, low: mean - half_width, high: mean + half_width, n })
}

/// The proportion `successes / n` with Wilson's score interval, which stays inside 0..1 and is honest near its ends
/// (Wilson 1927).
///
/// # Errors
/// [`StatisticsError::Empty`] and [`StatisticsError::MoreSuccessesThanTrials`].
pub fn proportion_interval(successes: usize, n: usize) -> Result<Interval, StatisticsError> {
    if n == 0 {
        return Err(StatisticsError::Empty);
    }
    if successes > n {
        return Err(StatisticsError::MoreSuccessesThanTrials { successes, n });
    }
    let mean = successes as f64 / n as f64;
    let (low, high) = wilson_ends(mean, n as f64);
    Ok(Interval { mean, low, high, n })
}

/// The ends of Wilson's interval around a share of `trials`, which need not be a whole number.
fn wilson_ends(mean: f64, trials: f64) -> (f64, f64) {
    let z = normal_quantile();
    let shrinkage = 1.0 + z * z / trials;
    let centre = (mean + z * z / (2.0 * trials)) / shrinkage;
    let half_width =
        z / shrinkage * (mean * (1.0 - mean) / trials + (z / (2.0 * trials)).powi(2)).sqrt();
    // At 0 and at 1 an end is exactly the mean; rounding must not put it beyond.
    ((centre - half_width).clamp(0.0, mean), (centre + half_width).clamp(mean, 1.0))
}

/// The ratio of two sums, `sum of a / sum of b` over pairs `(a, b)` that belong together, such as hits and guesses a
/// question, with the interval of Student's t distribution by linearisation:
/// `ratio ± t(0.975, n - 1) sqrt(n / (n - 1) * sum (a - ratio b)^2) / sum b` (Cochran 1977, section 2.11).
///
/// # Errors
/// [`StatisticsError::Empty`] without pairs or where all `b` sum to zero, and [`StatisticsError::NotFinite`].
pub fn ratio_interval(pairs: &[(f64, f64)]) -> Result<Interval, StatisticsError> {
    require_finite(pairs.iter().copied())?;
    let n = pairs.len();
    let (above, below) = totals(pairs);
    if n == 0 || below == 0.0 {
        return Err(StatisticsError::Empty);
    }
    let mean = above / below;
    if n == 1 {
        return Ok(Interval { mean, low: f64::NEG_INFINITY, high: f64::INFINITY, n });
    }
    let squares: f64 = pairs.iter().map(|(a, b)| (a - mean * b).powi(2)).sum();
    let error = (squares * n as f64 / (n - 1) as f64).sqrt() / below.abs();
    let half_width = student_t_quantile(n - 1) * error;
    Ok(Interval { mean, low: mean - half_width, high: mean + half_width, n })
}

fn require_finite(pairs: impl IntoIterator<Item = (f64, f64)>) -> Result<(), StatisticsError> {
    let values = pairs.into_iter().enumerate().flat_map(|(index, (a, b))| [(index, a), (index, b)]);
    match values.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => Err(StatisticsError::NotFinite { index, value }),
        None => Ok(()),
    }
}

/// The two-sided 95 % quantile of Student's t distribution with `degrees` degrees of freedom.
fn student_t_quantile(degrees: usize) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees as f64)
        .expect("the degrees of freedom are positive: there are at least two values");
    // The library's inverse is off in the fifth digit for many degrees; its distribution function is exact, so
    // Newton's steps bring the rest.
    (0..3).fold(distribution.inverse_cdf(upper_tail()), |quantile, _| {
        quantile - (distribution.cdf(quantile) - upper_tail()) / distribution.pdf(quantile)
    })
}

fn normal_quantile() -> f64 {
    Normal::standard().inverse_cdf(upper_tail())
}

fn upper_tail() -> f64 {
    0.5 + CONFIDENCE / 2.0
}

/// The sums of both parts.
fn totals(pairs: &[(f64, f64)]) -> (f64, f64) {
    pairs.iter().fold((0.0, 0.0), |(above, below), (a, b)| (above + a, below + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn assert_close(actual: f64, expected: f64, tolerance: f64) {
        assert!(
            (actual - expected).abs() <= tolerance * expected.abs(),
            "{actual} is not {expected}"
        );
    }

    /// The 97.5 % quantiles, which agree with printed tables in all the digits that those have.
    #[test]
    fn the_t_quantile_is_the_table_s() {
        let table = [
            (1, 12.706_204_736_432_095),
            (2, 4.302_652_729_911_275),
            (3, 3.182_446_305_284_263),
            (4, 2.776_445_105_198_054_4),
            (9, 2.262_157_162_798_205),
            (29, 2.045_229_642_132_703),
            (99, 1.984_216_951_586_419),
            (1_000_000, 1.959_966_357_124_379),
        ];
        for (degrees, quantile) in table {
            assert_close(student_t_quantile(degrees), quantile, 1e-9);
        }
    }

    #[test]
    fn the_mean_interval_is_the_textbook_s() {
        let interval = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let half_width = 2.776_445_105_198 * 0.5_f64.sqrt();
        assert_eq!((interval.mean, interval.n), (3.0, 5));
        assert_close(interval.low, 3.0 - half_width, 1e-9);
        assert_close(interval.high, 3.0 + half_width, 1e-9);
    }

    /// Newcombe (1998), table I: the score method for 81/263, 15/148, 0/20 and 1/29.
    #[test]
    fn the_wilson_interval_is_newcombe_s() {
        for (successes, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = proportion_interval(successes, n).unwrap();
            assert!((interval.low - low).abs() < 6e-5, "{interval:?}");
            assert!((interval.high - high).abs() < 6e-5, "{interval:?}");
        }
    }

    /// Pairs (1, 2), (3, 4), (5, 4): ratio 9/10, residuals -0.8, -0.6, 1.4.
    #[test]
    fn the_ratio_interval_is_the_textbook_s() {
        let interval = ratio_interval(&[(1.0, 2.0), (3.0, 4.0), (5.0, 4.0)]).unwrap();
        let half_width = 4.302_652_729_911_275 * (2.96_f64 * 3.0 / 2.0).sqrt() / 10.0;
        assert_eq!((interval.mean, interval.n), (0.9, 3));
        assert_close(interval.high - interval.mean, half_width, 1e-9);
        assert_close(interval.mean - interval.low, half_width, 1e-9);
        assert_eq!(ratio_interval(&[]), Err(StatisticsError::Empty));
        assert_eq!(ratio_interval(&[(0.0, 0.0)]), Err(StatisticsError::Empty));
        assert_eq!(
            ratio_interval(&[(1.0, 2.0)]).unwrap().to_string(),
            "0.500 (n = 1, no interval)"
        );
        let failure = ratio_interval(&[(1.0, 1.0), (1.0, f64::NAN)]);
        assert!(matches!(failure, Err(StatisticsError::NotFinite { index: 1, .. })));
    }

    #[test]
    fn unusable_observations_are_named() {
        assert_eq!(mean_interval(&[]), Err(StatisticsError::Empty));
        assert!(matches!(
            mean_interval(&[1.0, f64::NAN]),
            Err(StatisticsError::NotFinite { index: 1, .. })
        ));
        // By their places among all, not among the sums of groups.
        let infinite = [("a", 1.0), ("a", f64::INFINITY), ("a", f64::NEG_INFINITY)];
        let failure = grouped_mean_interval(infinite).unwrap_err();
        assert_eq!(failure, StatisticsError::NotFinite { index: 1, value: f64::INFINITY });
        assert_eq!(proportion_interval(0, 0), Err(StatisticsError::Empty));
        let failure = proportion_interval(3, 2).unwrap_err();
        assert_eq!(failure, StatisticsError::MoreSuccessesThanTrials { successes: 3, n: 2 });
    }

    proptest! {
        #[test]
        fn a_proportion_lies_in_its_interval(n in 1_usize..5000, share in 0.0..=1.0_f64) {
            let successes = (n as f64 * share) as usize;
            let interval = proportion_interval(successes, n).unwrap();
            let mirrored = proportion_interval(n - successes, n).unwrap();
            prop_assert!(0.0 <= interval.low && interval.low <= interval.mean);
            prop_assert!(interval.mean <= interval.high && interval.high <= 1.0);
            prop_assert!((interval.low - (1.0 - mirrored.high)).abs() < 1e-12);
        }

        #[test]
        fn a_ratio_to_ones_is_a_mean(values in prop::collection::vec(-10.0..10.0_f64, 2..20)) {
            let pairs: Vec<(f64, f64)> = values.iter().map(|value| (*value, 1.0)).collect();
            let (ratio, mean) = (ratio_interval(&pairs).unwrap(), mean_interval(&values).unwrap());
            prop_assert!((ratio.mean - mean.mean).abs() < 1e-9 && (ratio.low - mean.low).abs() < 1e-9);
        }

        #[test]
        fn the_mean_interval_moves_and_scales_with_its_values(
            values in prop::collection::vec(-10.0..10.0_f64, 2..20), shift in -5.0..5.0_f64, scale in 0.1..10.0_f64,
        ) {
            let plain = mean_interval(&values).unwrap();
            let moved: Vec<f64> = values.iter().map(|value| scale * value + shift).collect();
            let moved = mean_interval(&moved).unwrap();
            prop_assert!((moved.mean - (scale * plain.mean + shift)).abs() < 1e-9);
            prop_assert!((moved.high - (scale * plain.high + shift)).abs() < 1e-8);
        }
    }
}
