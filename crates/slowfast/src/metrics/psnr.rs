//! Peak signal-to-noise ratio.

use super::{MetricError, Video};

/// The most that a frame counts, in decibels: identical frames would have no finite ratio, and no mean.
pub const CEILING: f64 = 100.0;

/// Mean over frames of the peak signal-to-noise ratio, `10 log10(255^2 / mean squared error)`, in decibels; no frame
/// counts more than [`CEILING`].
///
/// # Errors
/// [`MetricError::Shapes`], and [`MetricError::TooFew`] without frames.
pub fn psnr(found: Video<'_>, expected: Video<'_>) -> Result<f64, MetricError> {
    let pairs = found.pairs(expected)?;
    let count = pairs.len();
    if count == 0 {
        return Err(MetricError::TooFew { what: "a PSNR of frames", needed: 1, found: 0 });
    }
    Ok(pairs.map(|(found, expected)| of_frames(found, expected)).sum::<f64>() / count as f64)
}

/// The ratio of two frames of one size.
pub(super) fn of_frames(found: &[u8], expected: &[u8]) -> f64 {
    let squares: u64 = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| u64::from(found.abs_diff(*expected)).pow(2))
        .sum();
    (10.0 * (255.0 * 255.0 * found.len() as f64 / squares as f64).log10()).min(CEILING)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    fn video(bytes: &[u8]) -> Video<'_> {
        Video::new(bytes, 2, 2).unwrap()
    }

    #[test]
    fn one_level_everywhere_is_48_decibels_and_the_extremes_are_0() {
        assert_relative_eq!(
            psnr(video(&[7; 12]), video(&[8; 12])).unwrap(),
            20.0 * 255_f64.log10()
        );
        assert_eq!(psnr(video(&[0; 12]), video(&[255; 12])).unwrap(), 0.0);
        assert_eq!(psnr(video(&[9; 12]), video(&[9; 12])).unwrap(), CEILING);
    }

    #[test]
    fn frames_count_alike() {
        let found = [vec![0; 12], vec![255; 12]].concat();
        let expected = [vec![0; 12], vec![0; 12]].concat();
        assert_eq!(psnr(video(&found), video(&expected)).unwrap(), CEILING / 2.0);
    }

    #[test]
    fn nothing_has_no_ratio() {
        let failure = psnr(video(&[]), video(&[])).unwrap_err();
        assert!(matches!(failure, MetricError::TooFew { needed: 1, .. }));
    }

    proptest! {
        #[test]
        fn it_is_symmetric_and_less_for_other_frames(one in prop::collection::vec(any::<u8>(), 12), other in prop::collection::vec(any::<u8>(), 12)) {
            let there = psnr(video(&one), video(&other)).unwrap();
            prop_assert_eq!(there, psnr(video(&other), video(&one)).unwrap());
            prop_assert_eq!(there == CEILING, one == other);
            prop_assert!((0.0..=CEILING).contains(&there));
        }
    }
}
