//! Which action lies between two frames: what tells whether generated video does as it was told.
//!
//! Blocks of the first frame are looked for in the second ([`BlockMatching`]), and a small network ([`MotionNetwork`]) reads
//! from where they went which of the nine [`Action`](crate::action::Action)s it was. Matching has no weights, so that frames
//! which are softer than those of training, as generated ones are, are still read.
//!
//! What is learned is what *happened* ([`happened`]): where a wall blocks the way, the action said "go forward" and the label
//! is "stay". No frame is dropped.

mod accuracy;
mod config;
mod error;
mod file;
mod label;
mod matching;
mod network;
mod pairs;
mod training;

pub use accuracy::{ActionAccuracy, InverseDynamicsAccuracy};
pub use config::InverseDynamicsConfig;
pub use error::InverseDynamicsError;
pub use file::INVERSE_DYNAMICS_FILE;
pub use label::happened;
pub use matching::BlockMatching;
pub use network::{InverseDynamics, MotionNetwork, MotionNetworks};
pub use pairs::MotionPairs;
pub use training::{ActionRecognition, InverseDynamicsTrainer, MotionBatch};

#[cfg(test)]
pub(crate) mod tests;
