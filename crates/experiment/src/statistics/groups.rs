//! Observations that belong to groups and are alike in them, such as questions on one text.

use std::collections::BTreeMap;

use super::{
    Interval, StatisticsError, normal_quantile, proportion_interval, ratio_interval,
    require_finite, student_t_quantile, totals, wilson_ends,
};

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
    use proptest::prelude::*;

    use super::super::tests::assert_close;
    use super::*;

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

    proptest! {
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
    }
}
