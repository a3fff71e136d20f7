//! Masked conditional diffusion over latent frames (section 3.1 of the paper, equations 1 and 2).
//!
//! With `alpha_t` the share of the signal's variance that is left at timestep `t`, a window of clean past frames and noised
//! future ones is
//!
//! $$z_t = [\,z_0^{past}\,;\ \sqrt{\alpha_t}\, z_0^{future} + \sqrt{1 - \alpha_t}\,\epsilon\,],
//!   \qquad L = \lVert \epsilon - \epsilon_\Phi(z_t, t, c)^{future} \rVert^2 .$$
//!
//! [`Diffusion`] makes [`Example`]s of it from [`Clip`]s, [`Sampler`] goes the way back.

mod clip;
mod ema;
mod error;
mod example;
mod prediction;
mod sampler;
mod schedule;

pub use clip::Clip;
pub use ema::Ema;
pub use error::DiffusionError;
pub use example::{Diffusion, DiffusionConfig, Example, Examples, Timesteps};
pub use prediction::{Estimate, Prediction};
pub use sampler::{Sampler, SamplerConfig, Spacing};
pub use schedule::{NoiseSchedule, ScheduleConfig};

#[cfg(test)]
mod tests;
