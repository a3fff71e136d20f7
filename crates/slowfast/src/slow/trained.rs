//! A trained denoiser as one safetensors file, with everything that is needed to use it in the metadata.

use std::path::Path;

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::atomic::write_atomically;
use experiment::seed::Seed;
use inner_outer::Rates;
use inner_outer::named_tensors::{NamedTensors, Precision, parameters, with_values};
use serde::{Deserialize, Serialize};

use super::SlowError;
use crate::clip::TrainingScenes;
use crate::described_file::{describe, described};
use crate::diffusion::{Diffusion, DiffusionConfig};
use crate::memory::FastConfig;
use crate::model::{Denoiser, DenoiserConfig};
use crate::remedies;
use crate::text::Vocabulary;

/// Key of the file's metadata.
const DESCRIPTION: &str = "slowfast_denoiser";
/// What the names of the learned rates begin with.
const RATES: &str = "fast_rates.";

/// What a denoiser is used with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedConfig {
    /// Its shape.
    pub denoiser: DenoiserConfig,
    /// The words it knows.
    pub vocabulary: Vocabulary,
    /// The noise it was trained on, and what it predicts.
    pub diffusion: DiffusionConfig,
    /// The fast learning it was trained with; none before any loop. Its adapters are in the file if they were learned.
    pub fast: Option<FastConfig>,
    /// The scenes that it learned from, and its autoencoder before it; none in files of programs that did not write them down,
    /// and without its autoencoder's in those of programs that did not write these down.
    #[serde(default, skip_serializing_if = "TrainingScenes::is_empty")]
    pub trained_on: TrainingScenes,
}

impl TrainedConfig {
    /// The fast learning that it was trained with, or the paper's if it has been through no loop.
    pub fn fast_learning(&self) -> FastConfig {
        self.fast.clone().unwrap_or_default()
    }
}

/// A trained denoiser.
#[derive(Clone, Debug)]
pub struct TrainedDenoiser<B: Backend> {
    /// What it is used with.
    pub config: TrainedConfig,
    /// The denoiser, with adapters if their first values were learned.
    pub denoiser: Denoiser<B>,
    /// Learned rates of the fast learning.
    pub rates: Option<Rates<B>>,
}

impl<B: Backend> TrainedDenoiser<B> {
    /// Writes the denoiser as one file, wholly or not at all.
    ///
    /// # Errors
    /// [`SlowError::State`] for a precision that such files do not have, [`SlowError::Access`].
    pub fn save(&self, path: &Path) -> Result<(), SlowError> {
        let mut tensors = parameters(&self.denoiser);
        let rates = self.rates.iter().flat_map(|rates| rates.tensors.iter().enumerate());
        let named = |(index, rates): (usize, &Param<Tensor<B, 2>>)| -> (String, TensorData) {
            (format!("{RATES}{index}"), rates.val().to_data())
        };
        tensors.extend(rates.map(named));
        // The scenes of a denoiser are in its configuration.
        let content =
            describe(&tensors, DESCRIPTION, &self.config, None).map_err(SlowError::State)?;
        let access = |source| SlowError::Access { path: path.to_owned(), source };
        write_atomically(path, &content).map_err(access)
    }

    /// Reads a denoiser.
    ///
    /// # Errors
    /// [`SlowError::Access`], and [`SlowError::Damaged`] for a file that is cut off or something else.
    pub fn load(path: &Path, device: &Device<B>) -> Result<Self, SlowError> {
        let access = |source| SlowError::Access { path: path.to_owned(), source };
        let content = std::fs::read(path).map_err(access)?;
        let damaged = |problem: String| SlowError::Damaged { path: path.to_owned(), problem };
        let (config, _): (TrainedConfig, _) =
            described(&content, DESCRIPTION, "denoiser").map_err(damaged)?;
        Self::filled(config, content, device).map_err(damaged)
    }

    /// What a file holds, or what is wrong with it.
    fn filled(config: TrainedConfig, content: Vec<u8>, device: &Device<B>) -> Result<Self, String> {
        let told = |error: inner_outer::Error| remedies::in_file(&error);
        let mut file = NamedTensors::read(content).map_err(told)?;
        let TrainedConfig { denoiser, vocabulary, diffusion, fast, .. } = &config;
        Diffusion::new(diffusion).map_err(|error| error.to_string())?;
        let seed = Seed::new(0);
        let fresh = Denoiser::new(denoiser, vocabulary, &seed, device);
        let mut fresh = fresh.map_err(|error| error.to_string())?;
        let has_adapters = file.names().any(|name| name.split('.').any(|part| part == "lora"));
        if let (true, Some(fast)) = (has_adapters, fast) {
            let equipped = fresh.with_adapters(&fast.adapters, &mut seed.rng());
            fresh = equipped.map_err(|error| error.to_string())?;
        }
        let value = |name: &str, shape: &[usize]| file.take(name, shape).map(Some);
        let denoiser = with_values(fresh, Precision::OfParameter, value).map_err(told)?;
        let rates = rates(&mut file, device).map_err(told)?;
        file.finish().map_err(told)?;
        Ok(Self { config, denoiser, rates })
    }
}

/// Learned rates, where the file has any.
fn rates<B: Backend>(
    file: &mut NamedTensors,
    device: &Device<B>,
) -> inner_outer::Result<Option<Rates<B>>> {
    let mut tensors = Vec::new();
    loop {
        let name = format!("{RATES}{}", tensors.len());
        let Some(&[rows, columns]) = file.shape(&name).filter(|_| file.has(&name)) else { break };
        let data = file.take(&name, &[rows, columns])?;
        let precision = data.dtype;
        tensors.push(Param::from_tensor(Tensor::from_data(data, (device, precision))));
    }
    Ok((!tensors.is_empty()).then_some(Rates { tensors }))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::RateScope;
    use inner_outer::named_tensors::write;
    use inner_outer::tensors::Tensors;

    use super::*;
    use crate::memory::memory_of;
    use crate::model::AdapterConfig;
    use crate::tiny;

    fn trained(network: usize, learned: bool) -> TrainedDenoiser<Flex> {
        let network = tiny::networks()[network].clone();
        let adapters = AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() };
        let config = TrainedConfig {
            denoiser: tiny::config(network.clone()),
            vocabulary: tiny::vocabulary(),
            diffusion: DiffusionConfig::default(),
            fast: Some(FastConfig { adapters, ..FastConfig::default() }),
            trained_on: TrainingScenes::default(),
        };
        let base = tiny::denoiser(network);
        let denoiser = if learned { tiny::with_memory(base) } else { base };
        let rates = || Rates::new(RateScope::PerTensorPerStep, 0.1, &memory_of(&denoiser), 3);
        TrainedDenoiser { config, rates: learned.then(rates), denoiser }
    }

    #[test]
    fn a_saved_denoiser_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denoiser.safetensors");
        for (network, learned) in [(0, false), (0, true), (1, false), (1, true)] {
            let saved = trained(network, learned);
            saved.save(&path).unwrap();
            let read = TrainedDenoiser::<Flex>::load(&path, &Default::default()).unwrap();
            assert_eq!(read.config, saved.config);
            let values = |of: &TrainedDenoiser<Flex>| Tensors::of(&of.denoiser).to_f64();
            assert_eq!(values(&read), values(&saved));
            let rates = |of: &TrainedDenoiser<Flex>| {
                of.rates.as_ref().map(|rates| Tensors::of(rates).to_f64())
            };
            assert_eq!(rates(&read), rates(&saved));
            assert_eq!(rates(&read).is_some(), learned);
        }
    }

    #[test]
    fn models_of_programs_that_wrote_down_no_scenes_are_read() {
        let config = trained(0, false).config;
        let json = serde_json::to_value(&config).unwrap();
        assert!(json.get("trained_on").is_none(), "older programs read it");
        assert_eq!(serde_json::from_value::<TrainedConfig>(json).unwrap(), config);
    }

    #[test]
    fn damaged_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denoiser.safetensors");
        trained(0, true).save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let refused = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            TrainedDenoiser::<Flex>::load(&path, &Default::default()).unwrap_err()
        };
        for length in (0..whole.len()).step_by(whole.len() / 20) {
            assert!(matches!(refused(&whole[..length]), SlowError::Damaged { .. }));
        }
        let plain = write(&[]).unwrap();
        assert!(refused(&plain).to_string().contains("no denoiser"));
        let without_fast = trained(0, true);
        let config = TrainedConfig { fast: None, ..without_fast.config.clone() };
        TrainedDenoiser { config, ..without_fast }.save(&path).unwrap();
        let mixed = TrainedDenoiser::<Flex>::load(&path, &Default::default()).unwrap_err();
        assert!(matches!(mixed, SlowError::Damaged { .. }), "{mixed}");
        let large = |change: fn(&mut TrainedConfig)| {
            let mut saved = trained(0, true);
            change(&mut saved.config);
            saved.save(&path).unwrap();
            let refused = TrainedDenoiser::<Flex>::load(&path, &Default::default()).unwrap_err();
            assert!(matches!(refused, SlowError::Damaged { .. }), "{refused}");
            refused.to_string()
        };
        const MOST: usize = i64::MAX as usize;
        assert!(large(|config| config.denoiser.frames = MOST).contains("`frames` = "));
        assert!(large(|config| config.denoiser.words = MOST).contains("`words` is "));
        assert!(
            large(|config| config.diffusion.schedule.steps = MOST).contains("`schedule.steps`")
        );
        let rank = large(|config| config.fast.as_mut().unwrap().adapters.rank = MOST);
        assert!(rank.contains("`fast.adapters.rank` is 9223372036854775807"), "{rank}");
        let other = large(|config| config.denoiser.word_width = 7);
        assert!(other.contains("but its settings make it"), "{other}");
        let nowhere = folder.path().join("no/folder");
        let absent = TrainedDenoiser::<Flex>::load(&nowhere, &Default::default()).unwrap_err();
        assert!(matches!(absent, SlowError::Access { .. }));
        assert!(matches!(trained(0, false).save(&nowhere), Err(SlowError::Access { .. })));
    }
}
