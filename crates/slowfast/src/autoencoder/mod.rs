//! The autoencoder: pixels into latents and back, trained first and then frozen.
//!
//! A small variational autoencoder (Kingma and Welling 2014). Patches of pixels become rows, and everything after that is
//! linear layers on rows and on their 3x3 neighbourhoods, which this CPU backend computes several times faster than
//! convolutions. After training the mean and deviation of every latent channel are measured and stored, so that the
//! diffusion sees latents of mean zero and deviation one.

mod config;
mod error;
mod file;
mod network;
mod pixels;
mod size;
mod training;

pub use config::AutoencoderConfig;
pub use error::AutoencoderError;
pub use file::{AUTOENCODER_FILE, load_autoencoder, save_autoencoder};
pub use network::{Autoencoder, Autoencoders, Coder, Latents, ResidualBlock};
pub use pixels::{frames_from_pixels, pixels_from_frames};
pub use training::{AutoencoderTrainer, Reconstruction, TrainingImages};

#[cfg(test)]
mod tests;
