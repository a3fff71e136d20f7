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

/// Which clips these are: those of the same settings can differ, where others made them.
pub fn of_clips(clips: &ClipSet) -> String {
    let description = clips.index().description.fingerprint();
    let shards = clips.index().shards.iter().map(|shard| &shard.sha256);
    let parts = std::iter::once(&description).chain(shards).map(String::as_bytes);
    Fingerprint::of_parts(&parts.collect::<Vec<_>>()).to_string()
}

/// Which autoencoder this is.
pub fn of_autoencoder<B: Backend>(autoencoder: &Autoencoder<B>) -> String {
    of_module(autoencoder, &[]).to_string()
}

/// Which model this is, with the start and the rates that a loop learned for its memory.
///
/// # Errors
/// Bad input: a model that cannot be used.
pub fn of_model<B: Backend>(model: &VideoModel<B>) -> Result<String, Failure> {
    // Not the usual twenty steps: a diffusion may have fewer.
    let sampler = SamplerConfig { steps: 1, ..SamplerConfig::default() };
    let world = model.world(sampler, model.trained.config.fast.clone()).bad_input()?;
    Ok(world.fingerprint().to_string())
}

/// Which inverse dynamics these are.
pub fn of_inverse<B: Backend>(inverse: &InverseDynamics<B>) -> String {
    of_module(&inverse.network, &[]).to_string()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::{RateScope, Rates};

    use super::*;
    use crate::clip::test_episodes::recordings;
    use crate::clip::{ClipWriter, Description, PoseScale, Recorded};
    use crate::memory::{FastConfig, memory_of};
    use crate::tiny;

    #[test]
    fn other_clips_of_the_same_settings_are_others() {
        let of = |recordings: &[Recorded]| {
            let folder = tempfile::tempdir().unwrap();
            let settings = serde_json::Value::Null;
            let pose = PoseScale { position: 1, heading: 8 };
            let (generator, height, width) = ("elsewhere".to_owned(), 4, 6);
            let description = Description { generator, settings, height, width, pose };
            let writer = ClipWriter::create(folder.path(), description).unwrap();
            writer.write_shard(0, recordings).unwrap();
            writer.finish(1).unwrap();
            of_clips(&ClipSet::open(folder.path()).unwrap())
        };
        let mut changed = recordings();
        assert_eq!(of(&recordings()), of(&changed));
        changed[0].episode.frames[0] ^= 1;
        assert_ne!(of(&recordings()), of(&changed));
    }

    #[test]
    fn what_a_loop_learned_for_the_memory_counts() {
        let mut model = tiny::video_model(1);
        let fast = FastConfig::default();
        model.trained.denoiser = tiny::with_memory(model.trained.denoiser);
        model.trained.config.fast = Some(fast.clone());
        let memory = memory_of(&model.trained.denoiser);
        let mut with_rates = |rate: Option<f64>| {
            let steps = fast.steps;
            model.trained.rates = rate
                .map(|rate| Rates::<Flex>::new(RateScope::PerTensorPerStep, rate, &memory, steps));
            of_model(&model).unwrap()
        };
        let unlearned = with_rates(None);
        assert_eq!(with_rates(Some(0.1)), with_rates(Some(0.1)));
        assert_ne!(with_rates(Some(0.1)), with_rates(Some(0.2)));
        assert_ne!(with_rates(Some(0.1)), unlearned);
    }
}
