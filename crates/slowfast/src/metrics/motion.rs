//! Whether anything moves.

use super::{MetricError, Video};

/// Mean absolute difference of a frame to the one before, over pixels and colours, in levels of 0 to 255. A frozen picture
/// has 0; compare with that of the true frames.
///
/// # Errors
/// [`MetricError::TooFew`] below two frames.
pub fn motion(video: Video<'_>) -> Result<f64, MetricError> {
    let frames = video.len();
    if frames < 2 {
        return Err(MetricError::TooFew { what: "motion of frames", needed: 2, found: frames });
    }
    let pairs = video.frames().zip(video.frames().skip(1));
    let differences = pairs.flat_map(|(old, new)| old.iter().zip(new));
    let sum: u64 = differences.map(|(old, new)| u64::from(old.abs_diff(*new))).sum();
    Ok(sum as f64 / ((frames - 1) * 3 * video.height() * video.width()) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mean_change() {
        let bytes = [[10; 12], [14; 12], [14; 12]].concat();
        assert_eq!(motion(Video::new(&bytes, 2, 2).unwrap()), Ok(2.0));
        let still = Video::new(&bytes[..12], 2, 2).unwrap();
        assert!(matches!(motion(still), Err(MetricError::TooFew { needed: 2, found: 1, .. })));
    }
}
