//! Whether memory helps: methods side by side on episodes of scenes that nobody learned from.
//!
//! | concept | read |
//! |---|---|
//! | what is compared: any context with or without memory | [`Method`], [`Context`], [`Memory`], [`Sweep`] |
//! | an episode along true actions, after frames that were seen | [`Generator`] |
//! | what one is worth, against the trap of a frozen picture | [`Judge`], [`Scores`] |
//! | rows with intervals, and paired differences to a baseline | [`Row`] |
//! | fast learning that goes too far | [`Divergence`] |
//! | seconds and memory of a chunk | [`Cost`] |
//! | all of it, resumable | [`Evaluator`], [`Evaluation`] |

mod config;
mod context;
mod cost;
pub(crate) mod divergence;
mod error;
mod evaluate;
mod generator;
pub(crate) mod ledger;
mod method;
pub(crate) mod page;
mod scores;
mod strip;
mod summary;

pub use config::{AUTOENCODER, EvaluationConfig, FROZEN, GROUND_TRUTH};
pub(crate) use config::{check_counts, check_guidance, check_names, names, repeated};
pub use context::Context;
pub use cost::Cost;
pub use divergence::Divergence;
pub use error::EvaluationError;
pub use evaluate::{Evaluation, Evaluator};
pub use generator::{Generated, Generator};
pub use method::{Memory, Method, NO_MEMORY, Sweep};
pub use scores::{FEATURE_WINDOW, Judge, Scores};
pub use summary::Row;

#[cfg(test)]
pub(crate) mod tests;
