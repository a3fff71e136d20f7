//! Centres that a few bad updates cannot move far.

use super::aggregator::withstood;
use super::mean::sum;
use super::sorted::{average, by_coordinate, middle};
use super::{Aggregate, ServerError};

/// Keeps a share such as 0.29 of 100 from being rounded to 28.
const ROUNDING: f64 = 1e-9;

/// The median of each coordinate; the mean of the two middle ones where there is an even number.
pub(super) fn median(deltas: &[&[f32]]) -> Vec<f32> {
    by_coordinate(deltas, |sorted| middle(sorted) as f32)
}

/// The mean of each coordinate without its largest and smallest values: at each end as many as `share` is of all updates, those
/// among them that were not finite and [`set_aside`](withstood), too.
///
/// # Errors
/// Those of [`trimmed`].
pub(super) fn trimmed_mean(
    deltas: &[&[f32]],
    share: f64,
    set_aside: usize,
) -> Result<Vec<f32>, ServerError> {
    let cut = trimmed(deltas.len().saturating_add(set_aside), share)?;
    let cut = withstood(cut, set_aside, deltas.len().saturating_sub(1) / 2);
    Ok(by_coordinate(deltas, |sorted| average(&sorted[cut..sorted.len() - cut])))
}

/// How many of so many updates the `share` at each end is.
///
/// # Errors
/// [`ServerError::TrimsNobody`] if it is less than one.
pub(super) fn trimmed(updates: usize, share: f64) -> Result<usize, ServerError> {
    // Against rounding too: a share just below 1/2 must leave something to average.
    let most = updates.saturating_sub(1) / 2;
    match ((share * updates as f64 + ROUNDING) as usize).min(most) {
        0 => Err(ServerError::TrimsNobody { share, updates }),
        cut => Ok(cut),
    }
}

/// The point with the smallest sum of distances: from the median of each coordinate on, the mean weighted by the reciprocal
/// distances to the last point. The mean would be no start, for a single update can put it anywhere, from where a bounded number
/// of steps does not lead back.
pub(super) fn geometric_median(
    deltas: &[&[f32]],
    iterations: usize,
    smoothing: f64,
    tolerance: f64,
) -> Aggregate {
    let mut centre: Vec<f64> = median(deltas).into_iter().map(f64::from).collect();
    let mut is_converged = tolerance == 0.0;
    for _ in 0..iterations {
        let distances: Vec<f64> = deltas.iter().map(|delta| distance(delta, &centre)).collect();
        let weights = reciprocals(&distances, smoothing);
        let next = sum(deltas, &weights);
        let moved: f64 = next.iter().zip(&centre).map(|(a, b)| (a - b).powi(2)).sum();
        let length: f64 = next.iter().map(|x| x * x).sum();
        centre = next;
        if moved.sqrt() <= tolerance * length.sqrt().max(upper_middle(distances)) {
            is_converged = true;
            break;
        }
    }
    Aggregate { delta: centre.into_iter().map(|x| x as f32).collect(), is_converged }
}

/// In double precision the square of no number of single precision overflows.
fn distance(delta: &[f32], centre: &[f64]) -> f64 {
    delta.iter().zip(centre).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum::<f64>().sqrt()
}

/// Reciprocals of distances, of which those below `smoothing` count as that, divided by their sum.
fn reciprocals(distances: &[f64], smoothing: f64) -> Vec<f64> {
    let weights = distances.iter().map(|distance| distance.max(smoothing).recip());
    let total: f64 = weights.clone().sum();
    weights.map(|weight| weight / total).collect()
}

/// The larger of the two middle ones of an even number of values; liars who are fewer than the others cannot make it large.
fn upper_middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_trimmed_means_are_those_of_arithmetic() {
        let deltas: [&[f32]; 4] = [&[1.0, 0.0], &[9.0, 4.0], &[2.0, -7.0], &[4.0, 8.0]];
        assert_eq!(median(&deltas), [3.0, 2.0]);
        assert_eq!(median(&deltas[..3]), [2.0, 0.0]);
        assert_eq!(trimmed_mean(&deltas, 0.25, 0).unwrap(), [3.0, 2.0]);
        assert_eq!(trimmed_mean(&deltas[..3], 0.34, 0).unwrap(), [2.0, 0.0]);
        let nobody = trimmed_mean(&deltas, 0.2, 0);
        assert_eq!(nobody, Err(ServerError::TrimsNobody { share: 0.2, updates: 4 }));
    }

    #[test]
    fn a_share_just_below_one_half_leaves_the_middle() {
        let deltas: [&[f32]; 4] = [&[1.0], &[9.0], &[2.0], &[4.0]];
        let share = 0.499_999_999_9;
        assert_eq!(trimmed_mean(&deltas, share, 0).unwrap(), [3.0]);
        let nobody = trimmed_mean(&deltas[..2], share, 0);
        assert_eq!(nobody, Err(ServerError::TrimsNobody { share, updates: 2 }));
    }

    /// The median of an equilateral triangle with a fourth point far off is known: Fermat's point of a convex
    /// quadrilateral is where its diagonals cross.
    #[test]
    fn the_geometric_median_is_fermat_s_point() {
        let square: [&[f32]; 4] = [&[0.0, 0.0], &[1.0, 0.0], &[3.0, 3.0], &[0.0, 1.0]];
        let found = geometric_median(&square, 10_000, 1e-9, 1e-12).delta;
        assert!(found.iter().all(|x| (x - 0.5).abs() < 1e-4), "{found:?}");
    }

    #[test]
    fn the_geometric_median_of_equal_points_is_that_point() {
        let same: [&[f32]; 3] = [&[0.5, -2.0]; 3];
        assert_eq!(geometric_median(&same, 10, 1e-6, 0.0).delta, [0.5, -2.0]);
        assert_eq!(geometric_median(&[&[0.0][..]; 2], 10, 1e-6, 0.0).delta, [0.0]);
    }

    /// Twelve honest updates of length 3 and eight that agree on something huge, by the steps of a default configuration. The
    /// median lies where the pull of eight along their direction is in balance: `3 * 8 / sqrt(12^2 - 8^2)` from the middle.
    #[test]
    fn huge_liars_who_agree_do_not_carry_the_geometric_median_away() {
        let mut honest = vec![vec![0.0_f32; 7]; 12];
        for (index, update) in honest.iter_mut().enumerate() {
            update[index / 2] = if index % 2 == 0 { 3.0 } else { -3.0 };
        }
        for size in [10.0, 1e6, 1e30, f32::MAX] {
            let liar = [&[0.0; 6][..], &[size]].concat();
            let all = honest.iter().chain(std::iter::repeat_n(&liar, 8));
            let deltas: Vec<&[f32]> = all.map(Vec::as_slice).collect();
            let Aggregate { delta, is_converged } = geometric_median(&deltas, 100, 1e-6, 1e-6);
            let expected = 24.0 / 80.0_f32.sqrt();
            assert!(is_converged && (delta[6] - expected).abs() < 1e-3, "{size}: {delta:?}");
            assert!(delta[..6].iter().all(|x| x.abs() < 1e-3), "{size}: {delta:?}");
        }
    }

    #[test]
    fn a_geometric_median_that_still_moves_at_its_last_step_says_so() {
        let deltas: [&[f32]; 4] = [&[0.0, 0.0], &[1.0, 0.0], &[5.0, 3.0], &[0.0, 1.0]];
        let converged = |iterations, tolerance| {
            geometric_median(&deltas, iterations, 1e-6, tolerance).is_converged
        };
        assert!(!converged(2, 1e-6) && converged(10_000, 1e-6));
        assert!(converged(2, 0.0), "all steps were wanted");
    }

    /// Two of ten are cut at each end, whether or not some were set aside, as long as something is left.
    #[test]
    fn who_was_set_aside_may_not_have_been_who_was_feared() {
        let deltas: [&[f32]; 9] =
            [&[90.0], &[1.0], &[2.0], &[3.0], &[4.0], &[5.0], &[6.0], &[7.0], &[-80.0]];
        assert_eq!(trimmed_mean(&deltas, 0.2, 1).unwrap(), [4.0]);
        let liars: [&[f32]; 8] = [&[90.0], &[1.0], &[2.0], &[3.0], &[80.0], &[4.0], &[5.0], &[6.0]];
        assert_eq!(trimmed_mean(&liars, 0.2, 2).unwrap(), [4.5]);
        assert_eq!(trimmed_mean(&deltas[4..5], 0.3, 3).unwrap(), [4.0], "one is left of four");
        let nobody = trimmed_mean(&deltas[1..4], 0.2, 1);
        assert_eq!(nobody, Err(ServerError::TrimsNobody { share: 0.2, updates: 4 }));
    }
}
