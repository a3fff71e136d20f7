//! Federated adversarial learning (Li, Song, Yang 2023): clients train on adversarial samples that an inner loop makes, a
//! server averages what they learned.
//!
//! | to | read |
//! |---|---|
//! | attack any Burn classifier | [`attack`] |
//! | read images and divide them among clients | [`data`], [`partition`] |
//! | see the networks | [`network`] |
//! | aggregate what clients send | [`server`] |
//! | take part in a federation of Flower | [`flower`] |

pub mod attack;
mod classifier;
pub mod data;
pub mod flower;
pub mod network;
pub mod partition;
pub mod server;

pub use classifier::Classifier;
