//! RECKONING.
pub mod answer;
mod backend;
pub mod commands;
pub mod config;
pub mod corpus;
pub mod data;
pub mod encoding;
pub mod evaluate;
pub mod figures;
pub mod fingerprint;
pub mod memory;
pub mod model;
pub mod names;
mod parameter_file;
mod reckoning;
pub mod score;
pub mod system;
pub mod task;
#[cfg(test)]
mod test_systems;
pub mod tokenizer;
pub mod train;
pub mod trained;
pub use parameter_file::ParameterFileError;
pub use reckoning::{InnerScope, Reckoning};
