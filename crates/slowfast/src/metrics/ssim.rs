//! Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004).

use super::{MetricError, Video};

/// Height and width of the window: the Gaussian is cut at 3.5 standard deviations.
const WINDOW: usize = 11;
const DEVIATION: f64 = 1.5;
const RANGE: f64 = 255.0;
/// Constants that keep the quotients stable: `(0.01 * 255)^2` and `(0.03 * 255)^2`.
const LUMINANCE: f64 = (0.01 * RANGE) * (0.01 * RANGE);
const CONTRAST: f64 = (0.03 * RANGE) * (0.03 * RANGE);

/// Mean structural similarity over frames, colours and all windows that lie inside of the frame, -1 to 1:
///
/// `(2 mx my + c1)(2 sxy + c2) / ((mx^2 + my^2 + c1)(sx^2 + sy^2 + c2))`
///
/// with Gaussian weights of 1.5 pixels in a window of 11 by 11. It is scikit-image's `structural_similarity` with
/// `channel_axis=-1, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False`, its settings for the
/// measure of the paper.
///
/// # Errors
/// [`MetricError::Shapes`], [`MetricError::TooSmall`] below 11 by 11 pixels, [`MetricError::TooFew`] without frames.
pub fn structural_similarity(found: Video<'_>, expected: Video<'_>) -> Result<f64, MetricError> {
    let (height, width) = (found.height(), found.width());
    if height < WINDOW || width < WINDOW {
        return Err(MetricError::TooSmall { height, width, window: WINDOW });
    }
    let pairs = found.pairs(expected)?;
    let count = pairs.len();
    if count == 0 {
        return Err(MetricError::TooFew { what: "an SSIM of frames", needed: 1, found: 0 });
    }
    let weights = gaussian();
    let of_colour = |found: &[u8], expected: &[u8], colour: usize| {
        let plane = |frame: &[u8]| -> Vec<f64> {
            frame.iter().skip(colour).step_by(3).map(|value| f64::from(*value)).collect()
        };
        of_planes(&plane(found), &plane(expected), width, &weights)
    };
    let sum: f64 = pairs
        .map(|(found, expected)| {
            (0..3).map(|colour| of_colour(found, expected, colour)).sum::<f64>() / 3.0
        })
        .sum();
    Ok(sum / count as f64)
}

fn of_planes(x: &[f64], y: &[f64], width: usize, weights: &[f64; WINDOW]) -> f64 {
    let smooth = |plane: &[f64]| smoothed(plane, width, weights);
    let product =
        |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let (mean_x, mean_y) = (smooth(x), smooth(y));
    let (square_x, square_y) = (smooth(&product(x, x)), smooth(&product(y, y)));
    let mixed = smooth(&product(x, y));
    let count = mean_x.len();
    let similarity = |window: usize| {
        let (x, y) = (mean_x[window], mean_y[window]);
        let (variance_x, variance_y) = (square_x[window] - x * x, square_y[window] - y * y);
        let covariance = mixed[window] - x * y;
        (2.0 * x * y + LUMINANCE) * (2.0 * covariance + CONTRAST)
            / ((x * x + y * y + LUMINANCE) * (variance_x + variance_y + CONTRAST))
    };
    (0..count).map(similarity).sum::<f64>() / count as f64
}

/// Weighted means of all windows inside of a plane, first down the columns and then along the rows.
fn smoothed(plane: &[f64], width: usize, weights: &[f64; WINDOW]) -> Vec<f64> {
    let rows = plane.len() / width - (WINDOW - 1);
    let columns = width - (WINDOW - 1);
    let weighted = |start: usize, stride: usize, values: &[f64]| -> f64 {
        weights.iter().enumerate().map(|(tap, weight)| weight * values[start + tap * stride]).sum()
    };
    let down: Vec<f64> = (0..rows * width).map(|start| weighted(start, width, plane)).collect();
    let inside = (0..rows).flat_map(|row| (0..columns).map(move |column| row * width + column));
    inside.map(|start| weighted(start, 1, &down)).collect()
}

/// The weights of a window's row; they sum to 1.
fn gaussian() -> [f64; WINDOW] {
    let centre = (WINDOW / 2) as f64;
    let weights: [f64; WINDOW] =
        std::array::from_fn(|tap| (-0.5 * ((tap as f64 - centre) / DEVIATION).powi(2)).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    fn video(bytes: &[u8]) -> Video<'_> {
        Video::new(bytes, 12, 13).unwrap()
    }

    #[test]
    fn flat_frames_differ_in_luminance_only() {
        let (one, other) = (vec![100; 12 * 13 * 3], vec![50; 12 * 13 * 3]);
        let expected = (2.0 * 100.0 * 50.0 + LUMINANCE) / (12_500.0 + LUMINANCE);
        let found = structural_similarity(video(&one), video(&other)).unwrap();
        assert_relative_eq!(found, expected, max_relative = 1e-9);
    }

    #[test]
    fn what_has_no_window_is_refused() {
        let bytes = vec![0; 10 * 20 * 3];
        let small = Video::new(&bytes, 10, 20).unwrap();
        let failure = structural_similarity(small, small).unwrap_err();
        assert_eq!(failure, MetricError::TooSmall { height: 10, width: 20, window: 11 });
        let failure = structural_similarity(video(&[]), video(&[])).unwrap_err();
        assert!(matches!(failure, MetricError::TooFew { .. }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_is_symmetric_and_1_for_the_same(one in prop::collection::vec(any::<u8>(), 468), other in prop::collection::vec(any::<u8>(), 468)) {
            let there = structural_similarity(video(&one), video(&other)).unwrap();
            let back = structural_similarity(video(&other), video(&one)).unwrap();
            prop_assert!((there - back).abs() < 1e-12);
            prop_assert!((-1.0..1.0).contains(&there) || one == other);
            let same = structural_similarity(video(&one), video(&one)).unwrap();
            prop_assert!((same - 1.0).abs() < 1e-12);
        }
    }
}
