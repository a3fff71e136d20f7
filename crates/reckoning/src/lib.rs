//! RECKONING (Chen et al., NeurIPS 2023): a language model reads facts by a few gradient steps on its own weights, and
//! answers questions about them without seeing the facts again.
//!
//! ```text
//!  facts ──► encoding ──► inner loop: theta_{k+1} = theta_k - rates_k * grad L_CLM(theta_k; facts)
//!                              │ k = 0 .. K-1                        (reckoning.rs on the crate inner-outer)
//!                              ▼
//!                         theta_K ──► memory file
//!                              │
//!  question ──────────────────►│
//!                              ▼
//!                           answer ──► outer loss: L_CE(theta_K; question, answer)
//!                                        │
//!     model, rates  ◄── meta-gradient ◄──┘           (train.rs; exact second order by default)
//! ```
//!
//! | to | read |
//! |---|---|
//! | see the method as a bi-level problem | [`Reckoning`] |
//! | follow a text into tensors | [`data`], [`tokenizer`], [`encoding`], [`task`] |
//! | see the language model | [`model`] |
//! | train RECKONING, its ablations, its controls and the in-context baseline | [`config`], [`corpus`], [`start`], [`train`](mod@train) |
//! | score answers and recalled facts | [`evaluate`], [`examination`], [`test_sets`], [`history`], [`answer`], [`score`] |
//! | use a trained system | [`system`], [`memory`], [`trained`] |
//! | find a subcommand | [`commands`] |
pub mod aliases;
pub mod answer;
pub mod commands;
pub mod config;
pub mod corpus;
pub mod data;
pub mod encoding;
pub mod evaluate;
pub mod examination;
pub mod figures;
pub mod fingerprint;
pub mod history;
mod learning_error;
mod limits;
pub mod memory;
pub mod model;
mod parameter_file;
mod reckoning;
pub mod score;
pub mod start;
pub mod system;
pub mod task;
pub mod test_sets;
#[cfg(test)]
mod test_systems;
pub mod tokenizer;
pub mod train;
pub mod trained;
pub use learning_error::LearningError;
pub use parameter_file::ParameterFileError;
pub use reckoning::{InnerScope, Reckoning};
