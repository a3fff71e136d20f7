//! A model that has learned nothing, but generates within milliseconds.

use std::path::Path;

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::tensors::Tensors;
use slowfast::action::Action;
use slowfast::autoencoder::{Autoencoder, AutoencoderConfig};
use slowfast::clip::TrainingScenes;
use slowfast::diffusion::DiffusionConfig;
use slowfast::model::{Denoiser, DenoiserChoice, DenoiserConfig, LatentShape, TransformerConfig};
use slowfast::slow::{TrainedConfig, TrainedDenoiser};
use slowfast::text::Vocabulary;
use slowfast::video_model::VideoModel;

/// Writes the model into a folder.
pub fn save(folder: &Path) {
    let (seed, device) = (Seed::new(0), Default::default());
    let autoencoder_config = AutoencoderConfig {
        height: 32,
        width: 32,
        hidden: 8,
        blocks: 1,
        ..AutoencoderConfig::default()
    };
    let autoencoder = Autoencoder::new(&autoencoder_config, &seed, &device).unwrap();
    let transformer = TransformerConfig {
        width: 16,
        layers: 1,
        heads: 2,
        patch: 2,
        ..TransformerConfig::default()
    };
    let denoiser = DenoiserConfig {
        network: DenoiserChoice::Transformer(transformer),
        latent: LatentShape { channels: 4, height: 4, width: 4 },
        frames: 8,
        words: 6,
        word_width: 8,
    };
    let config = TrainedConfig {
        vocabulary: Vocabulary::of_phrases(Action::ALL.into_iter().flat_map(Action::wordings)),
        denoiser,
        diffusion: DiffusionConfig::default(),
        fast: None,
        trained_on: TrainingScenes::default(),
    };
    let denoiser = Denoiser::new(&config.denoiser, &config.vocabulary, &seed, &device).unwrap();
    let trained = TrainedDenoiser { config, denoiser: shaken(denoiser), rates: None };
    VideoModel::new(autoencoder, autoencoder_config, trained).unwrap().save(folder).unwrap();
}

/// Where training begins with zeros there would be nothing to learn in memory.
fn shaken(denoiser: Denoiser<Flex>) -> Denoiser<Flex> {
    let shake = |tensor: &Tensor<Flex, 1>| {
        let count = tensor.dims()[0];
        let noise: Vec<f32> = (0..count).map(|n| (n as f32 * 1.7).sin() * 0.1).collect();
        tensor.clone() + Tensor::from_data(TensorData::new(noise, [count]), &tensor.device())
    };
    Tensors(Tensors::of(&denoiser).0.iter().map(shake).collect()).write(denoiser)
}
