//! Means and proportions with 95 % confidence intervals, so that no result is a bare number.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

/// How sure the intervals are: 95 %.
pub const CONFIDENCE: f64 = 0.95;

/// An estimate with its 95 % confidence interval.
///
/// Displays as `0.973 [0.961, 0.982]`, with as many decimals as the format asks for (`{:.1}`), three by default;
/// [`Interval::percent`] displays the same as `97.3 % [96.1, 98.2]`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The estimate: a mean of values or a proportion.
    pub mean: f64,
    /// The lower end; minus infinity, `null` in JSON, for the mean of a single value, whose spread is unknown.
    #[serde(deserialize_with = "low_end")]
    pub low: f64,
    /// The upper end; infinity, `null` in JSON, for the mean of a single value.
    #[serde(deserialize_with = "high_end")]
    pub high: f64,
    /// How many observations the estimate rests on.
    pub n: usize,
}

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

/// JSON has no infinity.
fn low_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NEG_INFINITY))
}

fn high_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
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

impl Interval {
    /// Of nothing: what a figure leaves out where others have a value.
    pub const ABSENT: Self = Self { mean: f64::NAN, low: f64::NAN, high: f64::NAN, n: 0 };

    /// The interval without what lies outside of the `possible` values: the t distribution knows no bounds. The ends that
    /// a single observation does not have stay infinite.
    #[must_use]
    pub fn within(self, possible: RangeInclusive<f64>) -> Self {
        if self.n < 2 {
            return self;
        }
        let (low, high) = (self.low.max(*possible.start()), self.high.min(*possible.end()));
        Self { low, high, ..self }
    }

    /// The interval of the same estimate in other units, such as 100 for percent. A negative `factor` makes the upper end the
    /// lower one.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        let (low, high) = (factor * self.low, factor * self.high);
        let (low, high) = if factor < 0.0 { (high, low) } else { (low, high) };
        Self { mean: factor * self.mean, low, high, n: self.n }
    }

    /// The same interval in percent: displays as `97.3 % [96.1, 98.2]`, with one decimal by default.
    pub fn percent(&self) -> Percent {
        Percent(*self)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or(3);
        write!(formatter, "{:.decimals$}", self.mean)?;
        write_ends(formatter, self, decimals)
    }
}

/// An [`Interval`] that displays in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(Interval);

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or(1);
        let scaled = self.0.scale(100.0);
        write!(formatter, "{:.decimals$} %", scaled.mean)?;
        write_ends(formatter, &scaled, decimals)
    }
}

fn write_ends(
    formatter: &mut fmt::Formatter<'_>,
    interval: &Interval,
    decimals: usize,
) -> fmt::Result {
    if interval.low.is_finite() && interval.high.is_finite() {
        write!(formatter, " [{:.decimals$}, {:.decimals$}]", interval.low, interval.high)
    } else {
        write!(formatter, " (n = {}, no interval)", interval.n)
    }
}

/// The mean of values that belong to groups, with the interval over groups, as [`ratio_interval`]: windows of one episode or
/// questions on one text are alike, so that an interval over them would be too narrow.
///
/// # Errors
/// As [`ratio_interval`].
pub fn grouped_mean_interval<G: Ord>(
    values: impl IntoIterator<Item = (G, f64)>,
) -> Result<Interval, StatisticsError> {
    let counted = values.into_iter().map(|(group, value)| (group, (value, 1.0)));
    grouped_ratio_interval(counted)
}

/// The ratio of two sums over pairs that belong to groups, with the interval over groups, as [`ratio_interval`].
///
/// # Errors
/// As [`ratio_interval`].
pub fn grouped_ratio_interval<G: Ord>(
    pairs: impl IntoIterator<Item = (G, (f64, f64))>,
) -> Result<Interval, StatisticsError> {
    let pairs: Vec<_> = pairs.into_iter().collect();
    require_finite(pairs.iter().map(|(_, pair)| *pair))?;
    ratio_interval(&sums_of_groups(pairs))
}

/// The proportion of successes among trials that belong to groups, such as questions on one text, with Wilson's interval
/// for as many independent trials as tell equally much: `n / d (z / t)^2`, where `d` is the variance of the proportion
/// over groups in units of that of independent trials, at least 1, and `t` the quantile for as many groups (Korn and
/// Graubard 1998). `n` of the interval stays the number of trials.
///
/// Groups of one trial are plain trials. Where all trials have one outcome, which leaves `d` unknown, it is that of one other
/// outcome; a single group, which leaves it unknown too, counts as one trial.
///
/// # Errors
/// As [`proportion_interval`].
pub fn grouped_proportion_interval<G: Ord>(
    outcomes: impl IntoIterator<Item = (G, bool)>,
) -> Result<Interval, StatisticsError> {
    let pairs =
        outcomes.into_iter().map(|(group, success)| (group, (f64::from(u8::from(success)), 1.0)));
    let groups = sums_of_groups(pairs);
    let (successes, n) = totals(&groups);
    let plain = proportion_interval(successes as usize, n as usize)?;
    let count = groups.len();
    if count == n as usize {
        return Ok(plain);
    }
    let trials = if count == 1 {
        1.0
    } else {
        let few_groups = (normal_quantile() / student_t_quantile(count - 1)).powi(2);
        n / design_effect(&groups).max(1.0) * few_groups
    };
    let (low, high) = wilson_ends(plain.mean, trials);
    Ok(Interval { low, high, ..plain })
}

/// One estimate from those of `parts` that share no observation, weighted by their numbers, with an interval from theirs:
/// the distance from the estimate to an end is the root of the sum of the squared weighted distances (Zou and Donner 2008,
/// "MOVER"), which lets each part keep the interval that suits it.
///
/// # Errors
/// [`StatisticsError::Empty`] without parts.
pub fn pooled_interval(parts: &[Interval]) -> Result<Interval, StatisticsError> {
    if let [alone] = parts {
        return Ok(*alone);
    }
    let n: usize = parts.iter().map(|part| part.n).sum();
    if n == 0 {
        return Err(StatisticsError::Empty);
    }
    let weighted = |of: &dyn Fn(&Interval) -> f64| {
        parts.iter().map(|part| part.n as f64 / n as f64 * of(part)).collect::<Vec<_>>()
    };
    let root = |squares: Vec<f64>| squares.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mean = weighted(&|part| part.mean).iter().sum();
    let below = root(weighted(&|part| part.mean - part.low));
    let above = root(weighted(&|part| part.high - part.mean));
    Ok(Interval { mean, low: mean - below, high: mean + above, n })
}

/// The mean of `runs`, such as of several seeds, that were judged on the same observations. Both the runs and the observations are
/// samples, so the distance to an end is the root of the sum of two squares: that of Student's t over the runs, and that of the
/// runs' own distances in the mean. For runs that were judged on observations of their own, of which the first has a part, the
/// interval is on the wide side. One run keeps its own.
///
/// # Errors
/// [`StatisticsError::Empty`] and [`StatisticsError::NotFinite`].
pub fn mean_over_runs(runs: &[Interval]) -> Result<Interval, StatisticsError> {
    let means: Vec<f64> = runs.iter().map(|run| run.mean).collect();
    let over_runs = mean_interval(&means)?;
    if let [alone] = runs {
        return Ok(*alone);
    }
    let own =
        |distance: fn(&Interval) -> f64| runs.iter().map(distance).sum::<f64>() / runs.len() as f64;
    let Interval { mean, low, high, n } = over_runs;
    let below = (mean - low).hypot(own(|run| run.mean - run.low));
    let above = (high - mean).hypot(own(|run| run.high - run.mean));
    Ok(Interval { mean, low: mean - below, high: mean + above, n })
}

/// The variance of a proportion over groups, each its successes and its trials, in units of that of independent trials; as if one
/// trial of the largest group had the other outcome where all have one.
fn design_effect(groups: &[(f64, f64)]) -> f64 {
    let mut groups = groups.to_vec();
    let (successes, n) = totals(&groups);
    if (successes == 0.0 || successes == n)
        && let Some(largest) = groups.iter_mut().max_by(|one, other| one.1.total_cmp(&other.1))
    {
        largest.0 += if successes == 0.0 { 1.0 } else { -1.0 };
    }
    let mean = totals(&groups).0 / n;
    let squares: f64 = groups.iter().map(|(a, b)| (a - mean * b).powi(2)).sum();
    let count = groups.len() as f64;
    squares * count / (count - 1.0) / (n * mean * (1.0 - mean))
}

/// The sums of both parts.
fn totals(pairs: &[(f64, f64)]) -> (f64, f64) {
    pairs.iter().fold((0.0, 0.0), |(above, below), (a, b)| (above + a, below + b))
}

fn sums_of_groups<G: Ord>(pairs: impl IntoIterator<Item = (G, (f64, f64))>) -> Vec<(f64, f64)> {
    let mut groups: BTreeMap<G, (f64, f64)> = BTreeMap::new();
    for (group, (a, b)) in pairs {
        let (above, below) = groups.entry(group).or_default();
        *above += a;
        *below += b;
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_close(actual: f64, expected: f64, tolerance: f64) {
        assert!(
            (actual - expected).abs() <= tolerance * expected.abs(),
            "{actual} is not {expected}"
        );
    }

    #[test]
    fn runs_that_agree_are_no_surer_than_their_observations() {
        let run = proportion_interval(38, 38).unwrap();
        let alike = mean_over_runs(&[run; 3]).unwrap();
        assert_eq!((alike.mean, alike.n), (1.0, 3));
        assert!((alike.low - run.low).abs() < 1e-12 && (alike.high - run.high).abs() < 1e-12);
        let runs =
            [0.4, 0.6].map(|mean| Interval { mean, low: mean - 0.3, high: mean + 0.4, n: 9 });
        let found = mean_over_runs(&runs).unwrap();
        let half = mean_interval(&[0.4, 0.6]).unwrap().high - 0.5;
        assert!((found.mean - 0.5).abs() < 1e-12);
        assert!((found.low - (0.5 - half.hypot(0.3))).abs() < 1e-12);
        assert!((found.high - (0.5 + half.hypot(0.4))).abs() < 1e-12);
        assert_eq!(mean_over_runs(&runs[..1]).unwrap(), runs[0]);
        assert_eq!(mean_over_runs(&[]), Err(StatisticsError::Empty));
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

    #[test]
    fn a_single_value_has_no_spread_to_judge_by() {
        let interval = mean_interval(&[0.5]).unwrap();
        assert_eq!((interval.low, interval.high), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(interval.to_string(), "0.500 (n = 1, no interval)");
        assert_eq!(interval.percent().to_string(), "50.0 % (n = 1, no interval)");
    }

    #[test]
    fn intervals_come_back_from_json_even_without_ends() {
        for interval in
            [mean_interval(&[0.5]), mean_interval(&[0.5, 0.25]), proportion_interval(1, 2)]
        {
            let interval = interval.unwrap();
            let json = serde_json::to_string(&interval).unwrap();
            assert_eq!(serde_json::from_str::<Interval>(&json).unwrap(), interval, "{json}");
        }
    }

    #[test]
    fn an_interval_is_cut_at_what_is_possible() {
        let wide = mean_interval(&[0.0, 1.0]).unwrap();
        let cut = wide.within(0.0..=1.0);
        assert_eq!((cut.low, cut.high, cut.mean, cut.n), (0.0, 1.0, 0.5, 2));
        assert_eq!(wide.within(-100.0..=100.0), wide);
        let single = mean_interval(&[0.5]).unwrap();
        assert_eq!(single.within(0.0..=1.0), single);
    }

    #[test]
    fn an_interval_in_other_units_is_as_sure() {
        let interval = Interval { mean: 0.5, low: 0.25, high: 1.0, n: 3 };
        let percent = Interval { mean: 50.0, low: 25.0, high: 100.0, n: 3 };
        assert_eq!(interval.scale(100.0), percent);
        let turned = Interval { mean: -1.0, low: -2.0, high: -0.5, n: 3 };
        assert_eq!(interval.scale(-2.0), turned);
        let single = mean_interval(&[0.5]).unwrap().scale(-2.0);
        assert_eq!((single.low, single.high), (f64::NEG_INFINITY, f64::INFINITY));
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

    /// Two questions on each of four texts, all of one outcome a text: as good as four questions, with Student's
    /// quantile for three degrees of freedom in place of the normal one.
    #[test]
    fn trials_that_say_the_same_count_once() {
        let outcomes = |size: usize| {
            (0..4 * size).map(move |trial| (trial / size, [true, false, true, true][trial / size]))
        };
        let double = grouped_proportion_interval(outcomes(2)).unwrap();
        let eightfold = grouped_proportion_interval(outcomes(8)).unwrap();
        assert_eq!((double.n, eightfold.n, double.mean), (8, 32, 0.75));
        assert_close(double.low, eightfold.low, 1e-12);
        // The variance over four groups is 4/3 of that of four independent trials.
        let trials = 3.0 * (1.959_963_984_540_054 / 3.182_446_305_284_263_f64).powi(2);
        assert_close(double.low, wilson_ends(0.75, trials).0, 1e-9);
        let single = outcomes(1);
        assert_eq!(grouped_proportion_interval(single), proportion_interval(3, 4));
    }

    #[test]
    fn groups_that_are_as_mixed_as_the_whole_are_no_wider_than_their_number_makes_them() {
        let outcomes = (0..100).map(|trial| (trial / 4, trial % 2 == 0));
        let interval = grouped_proportion_interval(outcomes).unwrap();
        let few_groups = (normal_quantile() / student_t_quantile(24)).powi(2);
        assert_eq!((interval.low, interval.high), wilson_ends(0.5, 100.0 * few_groups));
    }

    /// One failure more never makes anyone surer.
    #[test]
    fn groups_without_a_failure_are_judged_as_those_with_one() {
        for (groups, size) in [(5, 17), (10, 17), (2, 10)] {
            let with = |failures: usize| {
                let trials = (0..groups * size).map(|trial| (trial / size, trial >= failures));
                grouped_proportion_interval(trials).unwrap()
            };
            let (perfect, one_failed) = (with(0), with(1));
            assert_eq!((perfect.mean, perfect.high, perfect.n), (1.0, 1.0, groups * size));
            assert!(one_failed.low < perfect.low && perfect.low < 1.0, "{one_failed} {perfect}");
            assert!(perfect.low < proportion_interval(groups * size, groups * size).unwrap().low);
        }
        let alone = grouped_proportion_interval([(0, true), (0, false)]).unwrap();
        assert_eq!((alone.low, alone.high), wilson_ends(0.5, 1.0));
        let none: [(u8, bool); 0] = [];
        assert_eq!(grouped_proportion_interval(none), Err(StatisticsError::Empty));
    }

    #[test]
    fn parts_are_pooled_by_their_numbers() {
        let part = |mean, low, high, n| Interval { mean, low, high, n };
        let pooled = pooled_interval(&[part(0.5, 0.1, 0.8, 1), part(0.9, 0.8, 1.0, 3)]).unwrap();
        assert_close(pooled.mean, 0.8, 1e-12);
        assert_close(pooled.mean - pooled.low, (0.1_f64.powi(2) + 0.075_f64.powi(2)).sqrt(), 1e-12);
        assert_close(pooled.high - pooled.mean, 2.0_f64.sqrt() * 0.075, 1e-12);
        assert_eq!(pooled.n, 4);
        let alone = pooled_interval(&[part(0.5, 0.25, 0.75, 10)]).unwrap();
        assert_eq!(alone, part(0.5, 0.25, 0.75, 10));
        assert_eq!(pooled_interval(&[]), Err(StatisticsError::Empty));
        let halves = proportion_interval(60, 100).unwrap();
        let (pooled, whole) =
            (pooled_interval(&[halves; 2]).unwrap(), proportion_interval(120, 200).unwrap());
        assert!((pooled.low - whole.low).abs() < 2e-3 && (pooled.high - whole.high).abs() < 2e-3);
    }

    #[test]
    fn intervals_read_well() {
        let interval = Interval { mean: 0.9731, low: 0.961, high: 0.982, n: 5 };
        assert_eq!(interval.to_string(), "0.973 [0.961, 0.982]");
        assert_eq!(format!("{interval:.1}"), "1.0 [1.0, 1.0]");
        assert_eq!(interval.percent().to_string(), "97.3 % [96.1, 98.2]");
        assert_eq!(format!("{:.0}", interval.percent()), "97 % [96, 98]");
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
        fn groups_never_make_an_interval_narrower(
            outcomes in prop::collection::vec((0_u8..8, any::<bool>()), 1..60),
        ) {
            let successes = outcomes.iter().filter(|(_, success)| *success).count();
            let plain = proportion_interval(successes, outcomes.len()).unwrap();
            let grouped = grouped_proportion_interval(outcomes).unwrap();
            prop_assert_eq!((grouped.mean, grouped.n), (plain.mean, plain.n));
            prop_assert!(0.0 <= grouped.low && grouped.low <= plain.low);
            prop_assert!(plain.high <= grouped.high && grouped.high <= 1.0);
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
