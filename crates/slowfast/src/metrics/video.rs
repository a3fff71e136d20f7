//! Frames in a row, borrowed.

use super::MetricError;
use crate::clip::Episode;

/// Frames `[frames, height, width, 3]` of 8-bit red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video<'f> {
    bytes: &'f [u8],
    height: usize,
    width: usize,
}

impl<'f> Video<'f> {
    /// Frames of a height and a width, row by row from the top.
    ///
    /// # Errors
    /// [`MetricError::Frames`] unless the bytes are a whole number of frames with pixels.
    pub fn new(bytes: &'f [u8], height: usize, width: usize) -> Result<Self, MetricError> {
        let frame = 3 * height * width;
        if frame == 0 || !bytes.len().is_multiple_of(frame) {
            return Err(MetricError::Frames { bytes: bytes.len(), height, width });
        }
        Ok(Self { bytes, height, width })
    }

    /// The frames of an episode.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(episode: &'f Episode) -> Result<Self, MetricError> {
        Self::new(&episode.frames, episode.height, episode.width)
    }

    /// Number of frames.
    pub fn len(self) -> usize {
        self.bytes.len() / (3 * self.height * self.width)
    }

    /// Whether there is no frame.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Height of a frame in pixels.
    pub fn height(self) -> usize {
        self.height
    }

    /// Width of a frame in pixels.
    pub fn width(self) -> usize {
        self.width
    }

    /// The frames, one after the other, each `[height, width, 3]`.
    pub fn frames(self) -> std::slice::ChunksExact<'f, u8> {
        self.bytes.chunks_exact(3 * self.height * self.width)
    }

    /// The frame of a number.
    ///
    /// # Errors
    /// [`MetricError::NoSuchFrame`].
    pub fn frame(self, number: usize) -> Result<&'f [u8], MetricError> {
        let missing = MetricError::NoSuchFrame { frame: number, frames: self.len() };
        self.frames().nth(number).ok_or(missing)
    }

    /// Refuses videos of different shapes.
    pub(super) fn require_shape_of(self, other: Self) -> Result<(), MetricError> {
        let shape = |video: Self| [video.len(), video.height, video.width];
        match shape(self) == shape(other) {
            true => Ok(()),
            false => Err(MetricError::Shapes { first: shape(self), second: shape(other) }),
        }
    }

    /// Pairs of frames of two videos of one shape.
    pub(super) fn pairs(
        self,
        other: Self,
    ) -> Result<impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])>, MetricError> {
        self.require_shape_of(other)?;
        Ok(self.frames().zip(other.frames()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_are_a_video() {
        for (bytes, height, width) in [(10, 2, 2), (12, 0, 2), (12, 2, 3)] {
            let failure = Video::new(&vec![0; bytes], height, width).unwrap_err();
            assert_eq!(failure, MetricError::Frames { bytes, height, width });
        }
        let bytes: Vec<u8> = (0..24).collect();
        let video = Video::new(&bytes, 2, 2).unwrap();
        assert_eq!((video.len(), video.frame(1).unwrap()), (2, &bytes[12..]));
        assert_eq!(video.frame(2), Err(MetricError::NoSuchFrame { frame: 2, frames: 2 }));
    }

    #[test]
    fn videos_of_different_shapes_are_not_paired() {
        let bytes = [0; 48];
        let video = |bytes, height, width| Video::new(bytes, height, width).unwrap();
        let (one, other) = (video(&bytes, 2, 2), video(&bytes, 4, 2));
        let failure = one.pairs(other).err().unwrap();
        assert_eq!(failure, MetricError::Shapes { first: [4, 2, 2], second: [2, 4, 2] });
    }
}
