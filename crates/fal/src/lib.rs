//! Federated adversarial learning (Li, Song, Yang 2023): clients train on adversarial samples that an inner loop makes, a
//! server averages what they learned.
//!
//! | to | read |
//! |---|---|
//! | see Algorithm 1 | [`algorithm`], [`client`] |
//! | choose what is descended and climbed | [`loss`], [`adversary`], [`game`] |
//! | attack any Burn classifier | [`attack`] |
//! | see who took part in the rounds | [`attendance`] |
//! | read images and divide them among clients | [`data`], [`partition`] |
//! | see the networks | [`network`] |
//! | aggregate what clients send | [`server`] |
//! | take part in a federation of Flower | [`flower`], [`flower_node`] |
//! | see what the convergence theorem says in simulation | [`theory`] |

pub mod adversary;
pub mod algorithm;
pub mod attack;
pub mod attendance;
mod classifier;
pub mod client;
pub mod commands;
pub mod config;
pub mod data;
pub mod figures;
pub mod finished;
pub mod flower;
pub mod flower_node;
pub mod gallery;
pub mod game;
pub mod judge;
pub mod loss;
pub mod network;
pub mod partition;
pub mod server;
mod state_file;
pub mod theory;
pub mod trained;
mod training_error;

pub use classifier::Classifier;
pub use training_error::TrainingError;
