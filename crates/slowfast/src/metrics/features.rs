//! What frames are compared by where pixels would be too strict.

use super::{MetricError, Video};

/// Turns each frame into a vector. Results carry the encoder's name, because values of different encoders cannot be
/// compared.
pub trait FeatureEncoder {
    /// A short name for tables, such as `pooled colours`.
    fn name(&self) -> &str;

    /// A vector a frame, all of one length.
    ///
    /// # Errors
    /// [`MetricError::Encoder`] for frames that cannot be encoded.
    fn encode(&self, video: Video<'_>) -> Result<Vec<Vec<f64>>, MetricError>;
}

/// The mean colours of `cells` by `cells` parts of a frame, as differences from grey: an encoder without weights, that
/// sees what is where and no detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PooledColours {
    /// Parts along each side, at least 1 and at most the pixels along a side.
    pub cells: usize,
}

impl Default for PooledColours {
    fn default() -> Self {
        Self { cells: 8 }
    }
}

impl FeatureEncoder for PooledColours {
    fn name(&self) -> &str {
        "pooled colours"
    }

    fn encode(&self, video: Video<'_>) -> Result<Vec<Vec<f64>>, MetricError> {
        let (height, width, cells) = (video.height(), video.width(), self.cells);
        if cells == 0 || cells > height.min(width) {
            let problem = format!(
                "{cells} cells along {height} by {width} pixels: choose 1 or more, up to the pixels"
            );
            return Err(MetricError::Encoder { encoder: self.name().to_owned(), problem });
        }
        let pooled = |frame: &[u8]| {
            let mut sums = vec![0.0; 3 * cells * cells];
            let mut counts = vec![0.0; cells * cells];
            for (pixel, colour) in frame.as_chunks::<3>().0.iter().enumerate() {
                let (row, column) = (pixel / width * cells / height, pixel % width * cells / width);
                let cell = row * cells + column;
                counts[cell] += 1.0;
                for (channel, value) in colour.iter().enumerate() {
                    sums[3 * cell + channel] += f64::from(*value) - 127.5;
                }
            }
            sums.iter().enumerate().map(|(index, sum)| sum / counts[index / 3]).collect()
        };
        Ok(video.frames().map(pooled).collect())
    }
}

/// The cosine of the angle between two vectors, -1 to 1; 1 between two zero vectors, and 0 where one alone is zero.
///
/// # Errors
/// [`MetricError::Features`] for different lengths, [`MetricError::NotFinite`] for NaN and infinity.
pub fn cosine_similarity(one: &[f64], other: &[f64]) -> Result<f64, MetricError> {
    if one.len() != other.len() {
        return Err(MetricError::Features { first: one.len(), second: other.len() });
    }
    if let Some(value) = one.iter().chain(other).find(|value| !value.is_finite()) {
        return Err(MetricError::NotFinite(*value));
    }
    let norm = |vector: &[f64]| vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    let product: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
    Ok(match (norm(one), norm(other)) {
        (0.0, 0.0) => 1.0,
        (0.0, _) | (_, 0.0) => 0.0,
        (length, other) => (product / length / other).clamp(-1.0, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pooling_averages_parts_of_any_size() {
        // 3 by 3 pixels in 2 by 2 parts: the first of 2 by 2 pixels, the last of one.
        let bytes: Vec<u8> = (0..9).flat_map(|pixel| [pixel * 10; 3]).collect();
        let video = Video::new(&bytes, 3, 3).unwrap();
        let features = PooledColours { cells: 2 }.encode(video).unwrap().remove(0);
        assert_eq!(features[0], (0.0 + 10.0 + 30.0 + 40.0) / 4.0 - 127.5);
        assert_eq!(features[11], 80.0 - 127.5);
    }

    #[test]
    fn cells_that_do_not_fit_are_refused() {
        let video = Video::new(&[0; 12], 2, 2).unwrap();
        for cells in [0, 3] {
            let failure = PooledColours { cells }.encode(video).unwrap_err();
            assert!(matches!(failure, MetricError::Encoder { .. }));
        }
    }

    #[test]
    fn angles_are_measured() {
        assert_relative_eq!(cosine_similarity(&[1.0, 1.0], &[1.0, 0.0]).unwrap(), 0.5_f64.sqrt());
        assert_eq!(cosine_similarity(&[0.0], &[0.0]), Ok(1.0));
        assert_eq!(cosine_similarity(&[0.0], &[2.0]), Ok(0.0));
        let failure = cosine_similarity(&[1.0], &[1.0, 2.0]).unwrap_err();
        assert_eq!(failure, MetricError::Features { first: 1, second: 2 });
        assert!(matches!(cosine_similarity(&[f64::NAN], &[1.0]), Err(MetricError::NotFinite(_))));
    }

    proptest! {
        #[test]
        fn length_does_not_matter(vector in prop::collection::vec(-10.0..10.0_f64, 1..8), factor in 0.1..10.0_f64) {
            let longer: Vec<f64> = vector.iter().map(|value| value * factor).collect();
            prop_assert!((cosine_similarity(&vector, &longer).unwrap() - 1.0).abs() < 1e-12);
        }
    }
}
