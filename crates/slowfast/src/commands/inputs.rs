//! What a run is about: what it is not resumed without.

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::fingerprint::Fingerprint;

use crate::autoencoder::Autoencoder;
use crate::clip::ClipSet;
use crate::diffusion::SamplerConfig;
use crate::inverse_dynamics::InverseDynamics;
use crate::memory::of_module;
use crate::video_model::VideoModel;

/// Which clips these are.
pub fn of_clips(clips: &ClipSet) -> String {
    clips.index().description.fingerprint()
}

/// Which autoencoder this is.
pub fn of_autoencoder<B: Backend>(autoencoder: &Autoencoder<B>) -> String {
    of_module(autoencoder, &[]).to_string()
}

/// Which model this is.
///
/// # Errors
/// Bad input: a model that cannot be used.
pub fn of_model<B: Backend>(model: &VideoModel<B>) -> Result<String, Failure> {
    // Not the usual twenty steps: a diffusion may have fewer.
    let sampler = SamplerConfig { steps: 1, ..SamplerConfig::default() };
    let world = model.world(sampler, None).bad_input()?;
    let parts = [world.fingerprint(), of_module(&model.autoencoder, &[])];
    Ok(Fingerprint::of_all(&parts).to_string())
}

/// Which inverse dynamics these are.
pub fn of_inverse<B: Backend>(inverse: &InverseDynamics<B>) -> String {
    of_module(&inverse.network, &[]).to_string()
}
