//! What cannot be measured.

use experiment::statistics::StatisticsError;

/// Frames or features that cannot be measured or compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// Bytes that do not make frames of a size.
    #[error(
        "{bytes} bytes are no whole number of frames of {height} by {width} by 3: check the size"
    )]
    Frames {
        /// Bytes that were given.
        bytes: usize,
        /// Height of a frame in pixels.
        height: usize,
        /// Width of a frame in pixels.
        width: usize,
    },
    /// Two videos of different size or length.
    #[error(
        "one video is [{}, {}, {}, 3] and the other [{}, {}, {}, 3]: compare videos of one shape",
        first[0], first[1], first[2], second[0], second[1], second[2]
    )]
    Shapes {
        /// Frames, height and width of one.
        first: [usize; 3],
        /// Frames, height and width of the other.
        second: [usize; 3],
    },
    /// Frames too small for the window of structural similarity.
    #[error(
        "frames of {height} by {width} are smaller than the window of {window} by {window}: measure larger frames"
    )]
    TooSmall {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// Height and width of the window.
        window: usize,
    },
    /// Too little to measure something of it.
    #[error("{what} needs at least {needed}, and there are {found}: give more")]
    TooFew {
        /// The measure and of what it needs more.
        what: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many were given.
        found: usize,
    },
    /// A frame that is not in the video.
    #[error(
        "a revisit names frame {frame} of a video of {frames}: use revisits of the poses of this video"
    )]
    NoSuchFrame {
        /// The frame, from 0.
        frame: usize,
        /// How many there are.
        frames: usize,
    },
    /// Feature vectors of different length.
    #[error("features have lengths of {first} and {second}: take all from one encoder")]
    Features {
        /// One length.
        first: usize,
        /// Another.
        second: usize,
    },
    /// An encoder gave something that is no number.
    #[error("a feature is {0}: check the encoder's weights and inputs")]
    NotFinite(f64),
    /// An encoder could not encode frames.
    #[error("the encoder {encoder} failed: {problem}")]
    Encoder {
        /// Its name.
        encoder: String,
        /// What went wrong and what to do about it.
        problem: String,
    },
    /// No interval can be made.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
}
