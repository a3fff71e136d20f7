//! RECKONING.
pub mod commands;
pub mod config;
pub mod corpus;
pub mod data;
pub mod encoding;
pub mod evaluate;
pub mod model;
mod reckoning;
pub mod task;
pub mod tokenizer;
pub mod train;
pub use reckoning::{InnerScope, Reckoning};
