//! Answers of a model: generated greedily or by beam search, or chosen from labels by likelihood.
//!
//! A [`Prompt`] is what a model has read, with keys and values kept, so that reading on costs new tokens only:
//!
//! ```text
//! let story = Prompt::read(&model, &facts)?;              // once
//! let asked = story.then(&question)?;                     // for each question
//! let best = asked.greedy(Limit { tokens: 8, end })?;     // or beam_search, label_likelihood
//! let all = beam_search_all(&[(&asked, limit), (&other, limit)], BeamSearch::default())?;
//! ```
//!
//! [`Reader`] does the same with texts. There is no dropout and no sampling: answers are functions of the model.

mod batch;
mod beams;
mod error;
mod likelihood;
mod prompt;
mod search;
mod text;

pub use beams::beam_search_all;
pub use error::AnswerError;
pub use likelihood::LabelLikelihood;
pub use prompt::Prompt;
pub use search::{BeamSearch, Generated, Limit};
pub use text::{Answer, Reader};
