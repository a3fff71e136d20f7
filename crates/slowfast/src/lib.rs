//! SlowFast-VGen (ICLR 2025) at a small scale: an action-driven video world model that learns slowly, the world's dynamics in
//! the weights of a diffusion model, and fast, the current episode in a Temp-LoRA.
//!
//! | to | read |
//! |---|---|
//! | say what an agent does | [`action`] |
//! | make worlds | [`world`] |
//! | generate, write, read and sample episodes | [`generation`], [`clip`] |
//! | measure what was generated | [`metrics`] |
//! | tell actions from frames | [`inverse_dynamics`] |
//! | compare methods | [`evaluation`] |
//! | plan a way and carry it out | [`planning`] |
//! | see the denoiser | [`model`] |
//! | see what it learns and how frames are sampled | [`diffusion`] |
//! | follow pixels into latents and back | [`autoencoder`] |
//! | see episodes as the denoiser does | [`latents`] |
//! | follow action phrases into tokens | [`text`] |
//! | see the Temp-LoRA and the memory of an episode | [`memory`] |
//! | see algorithm 1a | [`fast`] |
//! | see the slow training, algorithm 1b and the second-order loop | [`slow`] |
//! | use a trained model, pixels to pixels | [`video_model`] |
//! | show frames as GIF and PNG | [`animation`] |
//! | see what is too large for any machine | [`size`] |
//! | play in a browser | [`serve`] |

#![deny(missing_docs)]

pub mod action;
pub mod animation;
pub mod autoencoder;
pub mod clip;
pub mod commands;
mod described_file;
pub mod diffusion;
pub mod evaluation;
pub mod fast;
pub mod generation;
pub mod inverse_dynamics;
pub mod latents;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod planning;
mod remedies;
pub mod serve;
pub mod size;
pub mod slow;
pub mod text;
#[cfg(test)]
mod tiny;
pub mod video_model;
pub mod world;
