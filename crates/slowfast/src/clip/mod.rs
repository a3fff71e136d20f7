//! Recordings.

mod episode;
pub use episode::{Episode, Phrase, Pose, PoseScale};
