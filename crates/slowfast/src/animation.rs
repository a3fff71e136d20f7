//! Frames as pictures that a browser shows: GIF animations, PNG pictures, two clips side by side.

use std::borrow::Cow;
use std::io::Cursor;

use gif::{Encoder, EncodingError, Frame, Repeat};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};

/// Pixels between two clips side by side.
const GAP: usize = 2;
/// The colour between them.
const DIVIDER: [u8; 3] = [128, 128, 128];
/// How hard the encoder looks for the 256 colours of a frame, from 1 (best) to 30 (fastest).
const SPEED: i32 = 10;

/// Frames of one size, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Animation {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

/// Frames that cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnimationError {
    /// Bytes that are no whole number of frames, or none.
    #[error(
        "{bytes} bytes are not one or more frames of {height}x{width} pixels of 3 bytes; give whole frames"
    )]
    Pixels {
        /// Bytes given.
        bytes: usize,
        /// Rows of a frame.
        height: usize,
        /// Columns of a frame.
        width: usize,
    },
    /// Two clips that do not fit side by side.
    #[error(
        "clips of {left:?} and {right:?} (frames, rows) do not fit side by side; give clips of the same length and height"
    )]
    Unlike {
        /// Frames and rows of the left one.
        left: [usize; 2],
        /// Frames and rows of the right one.
        right: [usize; 2],
    },
    /// An enlargement to nothing, or beyond what a GIF can hold.
    #[error(
        "{height}x{width} pixels enlarged {times} times are no GIF, which has 1 to 65535 rows and columns; choose another enlargement"
    )]
    Size {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// How many times as large.
        times: usize,
    },
    /// A rate at which nothing can be shown.
    #[error("{0} frames a second cannot be shown; choose a number above 0, up to 50")]
    Rate(f64),
    /// The GIF encoder refused.
    #[error("the frames cannot be encoded: {0}")]
    Gif(#[from] EncodingError),
    /// The PNG encoder refused.
    #[error("the frame cannot be encoded: {0}")]
    Png(#[from] ImageError),
}

impl Animation {
    /// Frames from bytes `[frames, height, width, 3]`: rows from the top, red, green, blue.
    ///
    /// # Errors
    /// [`AnimationError::Pixels`] if the bytes are not whole frames, at least one.
    pub fn new(pixels: Vec<u8>, height: usize, width: usize) -> Result<Self, AnimationError> {
        let frame = 3 * height * width;
        match frame > 0 && !pixels.is_empty() && pixels.len().is_multiple_of(frame) {
            true => Ok(Self { height, width, pixels }),
            false => Err(AnimationError::Pixels { bytes: pixels.len(), height, width }),
        }
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.pixels.len() / self.frame_bytes()
    }

    /// Rows and columns of a frame.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// This clip on the left of another one, with a thin divider between them.
    ///
    /// # Errors
    /// [`AnimationError::Unlike`] if they differ in length or height.
    pub fn beside(&self, right: &Self) -> Result<Self, AnimationError> {
        let of = |clip: &Self| [clip.frames(), clip.height];
        if of(self) != of(right) {
            return Err(AnimationError::Unlike { left: of(self), right: of(right) });
        }
        let divider = DIVIDER.repeat(GAP);
        let rows = self.rows().zip(right.rows());
        let pixels = rows.flat_map(|(left, right)| [left, &divider, right].concat()).collect();
        Ok(Self { height: self.height, width: self.width + GAP + right.width, pixels })
    }

    /// A GIF that repeats for ever, with every pixel as a square of `times` by `times`. A frame of more than 256 colours
    /// loses some.
    ///
    /// # Errors
    /// [`AnimationError::Size`], [`AnimationError::Rate`].
    pub fn gif(&self, times: usize, frames_per_second: f64) -> Result<Vec<u8>, AnimationError> {
        let Self { height, width, .. } = *self;
        let enlarged = |pixels: usize| {
            let pixels = u16::try_from(pixels.saturating_mul(times)).ok();
            pixels.filter(|&pixels| pixels > 0)
        };
        let (Some(rows), Some(columns)) = (enlarged(height), enlarged(width)) else {
            return Err(AnimationError::Size { height, width, times });
        };
        if !(frames_per_second > 0.0 && frames_per_second <= 50.0) {
            return Err(AnimationError::Rate(frames_per_second));
        }
        let mut encoder = Encoder::new(Vec::new(), columns, rows, &[])?;
        encoder.set_repeat(Repeat::Infinite)?;
        for pixels in self.pixels.chunks(self.frame_bytes()) {
            // The colours of the small frame are those of the large one, and found faster.
            let small = Frame::from_rgb_speed(width as u16, height as u16, pixels, SPEED);
            let buffer = Cow::Owned(squares(&small.buffer, width, times));
            // In hundredths of a second; a float beyond the range becomes the longest delay.
            let delay = (100.0 / frames_per_second).round() as u16;
            let frame = Frame { width: columns, height: rows, delay, buffer, ..small };
            encoder.write_frame(&frame)?;
        }
        Ok(encoder.into_inner()?)
    }

    /// One frame as a PNG, bit for bit.
    ///
    /// # Errors
    /// [`AnimationError::Png`].
    ///
    /// # Panics
    /// From [`Self::frames`] on.
    pub fn png(&self, frame: usize) -> Result<Vec<u8>, AnimationError> {
        let pixels = &self.pixels[frame * self.frame_bytes()..][..self.frame_bytes()];
        let mut bytes = Cursor::new(Vec::new());
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new(&mut bytes).write_image(pixels, width, height, ExtendedColorType::Rgb8)?;
        Ok(bytes.into_inner())
    }

    fn frame_bytes(&self) -> usize {
        3 * self.height * self.width
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks(3 * self.width)
    }
}

/// Every entry of rows of `width` entries as a square.
fn squares(entries: &[u8], width: usize, times: usize) -> Vec<u8> {
    let wide = |row: &[u8]| -> Vec<u8> {
        row.iter().flat_map(|&entry| std::iter::repeat_n(entry, times)).collect()
    };
    entries.chunks(width).flat_map(|row| wide(row).repeat(times)).collect()
}

#[cfg(test)]
mod tests {
    use gif::{ColorOutput, DecodeOptions};

    use super::*;

    /// Frames of few colours, which a GIF keeps as they are.
    fn clip(frames: usize, height: usize, width: usize) -> Animation {
        let bytes = (0..frames * height * width * 3).map(|byte| (byte * 50 % 250) as u8);
        Animation::new(bytes.collect(), height, width).unwrap()
    }

    /// The pixels of a GIF's frames without their opacity, and the frames' delays.
    fn decoded(gif: &[u8]) -> (Vec<u8>, Vec<u16>) {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(gif).unwrap();
        assert_eq!(decoder.repeat(), Repeat::Infinite);
        let (mut pixels, mut delays) = (Vec::new(), Vec::new());
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            delays.push(frame.delay);
            pixels.extend(frame.buffer.as_chunks::<4>().0.iter().flat_map(|pixel| &pixel[..3]));
        }
        (pixels, delays)
    }

    #[test]
    fn a_gif_holds_the_frames_and_their_time() {
        let clip = clip(3, 4, 6);
        let (pixels, delays) = decoded(&clip.gif(1, 8.0).unwrap());
        assert_eq!((pixels, delays), (clip.pixels.clone(), vec![13; 3]));
        assert_eq!(decoded(&clip.gif(1, 1e-300).unwrap()).1, [u16::MAX; 3]);
    }

    #[test]
    fn pixels_become_squares() {
        let small = Animation::new(vec![1, 2, 3, 4, 5, 6], 1, 2).unwrap();
        let (pixels, _) = decoded(&small.gif(2, 8.0).unwrap());
        assert_eq!(pixels, [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6].repeat(2));
        for times in [0, 40_000, usize::MAX] {
            assert!(matches!(small.gif(times, 8.0), Err(AnimationError::Size { .. })));
        }
    }

    #[test]
    fn clips_stand_side_by_side() {
        let (left, right) = (clip(2, 2, 3), clip(2, 2, 5));
        let both = left.beside(&right).unwrap();
        assert_eq!((both.frames(), both.size()), (2, [2, 3 + GAP + 5]));
        // The second row of the second frame.
        let row = &both.pixels[both.frame_bytes() + 30..];
        assert_eq!(row[..9], left.pixels[18 + 9..]);
        assert_eq!(row[9..15], DIVIDER.repeat(GAP));
        assert_eq!(row[15..], right.pixels[30 + 15..]);
        for other in [clip(1, 2, 3), clip(2, 3, 3)] {
            assert!(matches!(left.beside(&other), Err(AnimationError::Unlike { .. })));
        }
    }

    #[test]
    fn many_colours_come_close() {
        let colour = |place: usize| [place % 64 * 4, place / 64 * 4, 128].map(|part| part as u8);
        let clip = Animation::new((0..64 * 64).flat_map(colour).collect(), 64, 64).unwrap();
        let (pixels, _) = decoded(&clip.gif(1, 8.0).unwrap());
        let far = |(one, other): (&u8, &u8)| usize::from(one.abs_diff(*other));
        let far: usize = pixels.iter().zip(&clip.pixels).map(far).sum();
        assert!(far < 10 * pixels.len(), "{far}");
    }

    #[test]
    fn a_png_keeps_every_byte() {
        let clip = clip(2, 4, 6);
        let read = image::load_from_memory(&clip.png(1).unwrap()).unwrap().to_rgb8();
        assert_eq!(read.as_raw()[..], clip.pixels[72..]);
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        for (bytes, height, width) in [(0, 4, 6), (71, 4, 6), (72, 0, 6)] {
            let refused = Animation::new(vec![0; bytes], height, width);
            assert!(matches!(refused, Err(AnimationError::Pixels { .. })));
        }
        for rate in [0.0, -1.0, 51.0, f64::NAN] {
            assert!(matches!(clip(1, 1, 1).gif(1, rate), Err(AnimationError::Rate(_))));
        }
    }
}
