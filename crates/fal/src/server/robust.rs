//! Centres that a few bad updates cannot move far.

use super::ServerError;
use super::mean::sum;

/// Keeps a share such as 0.29 of 100 from being rounded to 28.
const ROUNDING: f64 = 1e-9;

/// The median of each coordinate; the mean of the two middle ones where there is an even number.
pub(super) fn median(deltas: &[&[f32]]) -> Vec<f32> {
    by_coordinate(deltas, |sorted| middle(sorted) as f32)
}

/// The mean of each coordinate without the largest and the smallest `share` of its values.
///
/// # Errors
/// Those of [`trimmed`].
pub(super) fn trimmed_mean(deltas: &[&[f32]], share: f64) -> Result<Vec<f32>, ServerError> {
    let cut = trimmed(deltas.len(), share)?;
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

/// `function` of the values of each coordinate in ascending order.
pub(super) fn by_coordinate(deltas: &[&[f32]], function: impl Fn(&[f32]) -> f32) -> Vec<f32> {
    let mut values = vec![0.0; deltas.len()];
    let coordinate = |index: usize| {
        values.iter_mut().zip(deltas).for_each(|(value, delta)| *value = delta[index]);
        values.sort_unstable_by(f32::total_cmp);
        function(&values)
    };
    (0..deltas.first().map_or(0, |delta| delta.len())).map(coordinate).collect()
}

/// The median of values in ascending order.
pub(super) fn middle(sorted: &[f32]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (f64::from(sorted[half - 1]) + f64::from(sorted[half])) / 2.0,
        _ => sorted[half].into(),
    }
}

/// The mean of some values.
pub(super) fn average(values: &[f32]) -> f32 {
    (values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64) as f32
}

/// The point with the smallest sum of distances: from the mean on, the mean weighted by the reciprocal distances to the
/// last point.
pub(super) fn geometric_median(
    deltas: &[&[f32]],
    iterations: usize,
    smoothing: f64,
    tolerance: f64,
) -> Vec<f32> {
    let mut centre = sum(deltas, &vec![1.0 / deltas.len() as f64; deltas.len()]);
    for _ in 0..iterations {
        let distance = |delta: &&[f32]| {
            let squares = delta.iter().zip(&centre).map(|(x, c)| (f64::from(*x) - c).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let weights: Vec<f64> =
            deltas.iter().map(|delta| distance(delta).max(smoothing).recip()).collect();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.into_iter().map(|weight| weight / total).collect();
        let next = sum(deltas, &weights);
        let moved: f64 = next.iter().zip(&centre).map(|(a, b)| (a - b).powi(2)).sum();
        let length: f64 = next.iter().map(|x| x * x).sum();
        centre = next;
        if moved.sqrt() <= tolerance * length.sqrt() {
            break;
        }
    }
    centre.into_iter().map(|x| x as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_trimmed_means_are_those_of_arithmetic() {
        let deltas: [&[f32]; 4] = [&[1.0, 0.0], &[9.0, 4.0], &[2.0, -7.0], &[4.0, 8.0]];
        assert_eq!(median(&deltas), [3.0, 2.0]);
        assert_eq!(median(&deltas[..3]), [2.0, 0.0]);
        assert_eq!(trimmed_mean(&deltas, 0.25).unwrap(), [3.0, 2.0]);
        assert_eq!(trimmed_mean(&deltas[..3], 0.34).unwrap(), [2.0, 0.0]);
        let nobody = trimmed_mean(&deltas, 0.2);
        assert_eq!(nobody, Err(ServerError::TrimsNobody { share: 0.2, updates: 4 }));
    }

    #[test]
    fn a_share_just_below_one_half_leaves_the_middle() {
        let deltas: [&[f32]; 4] = [&[1.0], &[9.0], &[2.0], &[4.0]];
        let share = 0.499_999_999_9;
        assert_eq!(trimmed_mean(&deltas, share).unwrap(), [3.0]);
        let nobody = trimmed_mean(&deltas[..2], share);
        assert_eq!(nobody, Err(ServerError::TrimsNobody { share, updates: 2 }));
    }

    /// The median of an equilateral triangle with a fourth point far off is known: Fermat's point of a convex
    /// quadrilateral is where its diagonals cross.
    #[test]
    fn the_geometric_median_is_fermat_s_point() {
        let square: [&[f32]; 4] = [&[0.0, 0.0], &[1.0, 0.0], &[3.0, 3.0], &[0.0, 1.0]];
        let found = geometric_median(&square, 10_000, 1e-9, 1e-12);
        assert!(found.iter().all(|x| (x - 0.5).abs() < 1e-4), "{found:?}");
    }

    #[test]
    fn the_geometric_median_of_equal_points_is_that_point() {
        let same: [&[f32]; 3] = [&[0.5, -2.0]; 3];
        assert_eq!(geometric_median(&same, 10, 1e-6, 0.0), [0.5, -2.0]);
        assert_eq!(geometric_median(&[&[0.0][..]; 2], 10, 1e-6, 0.0), [0.0]);
    }
}
