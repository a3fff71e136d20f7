//! GPT-2 from layers that can be differentiated twice.

mod adapters;
mod attention;
mod config;
mod gpt2;
pub mod hugging_face;
mod size;
mod skeleton;

pub use attention::{Attention, KeyValues};
pub use config::{Initialization, LoraConfig, ModelConfig};
pub use gpt2::{Block, Cache, FeedForward, Gpt2, Gpt2Family};
pub(crate) use size::Size;
