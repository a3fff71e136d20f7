//! For tests: small models with parameters that are nowhere zero, and clips of noise.

use burn::backend::Flex;
use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::tensors::Tensors;
use rand_distr::{Distribution, StandardNormal};

use crate::autoencoder::{Autoencoder, AutoencoderConfig};
use crate::clip::TrainingScenes;
use crate::diffusion::{Clip, Diffusion, DiffusionConfig};
use crate::memory::{self, memory_of};
use crate::model::{
    AdapterConfig, Denoiser, DenoiserChoice, DenoiserConfig, LatentShape, TransformerConfig,
    UnetConfig,
};
use crate::slow::{TrainedConfig, TrainedDenoiser};
use crate::text::{Phrases, Vocabulary};
use crate::video_model::VideoModel;

pub const LATENT: LatentShape = LatentShape { channels: 2, height: 4, width: 4 };
/// Words of a phrase.
pub const WORDS: usize = 3;

pub fn vocabulary() -> Vocabulary {
    Vocabulary::of_phrases(["turn left", "turn right", "go forward"])
}

pub fn networks() -> [DenoiserChoice; 2] {
    [
        DenoiserChoice::Transformer(TransformerConfig {
            width: 8,
            layers: 2,
            heads: 2,
            patch: 2,
            ..TransformerConfig::default()
        }),
        DenoiserChoice::Unet(UnetConfig { widths: vec![4, 8], heads: 2 }),
    ]
}

pub fn config(network: DenoiserChoice) -> DenoiserConfig {
    DenoiserConfig { network, latent: LATENT, frames: 6, words: WORDS, word_width: 5 }
}

pub fn transformer() -> Denoiser<Flex> {
    denoiser(networks()[0].clone())
}

/// A denoiser in which no parameter is zero, also where training begins with zeros.
pub fn denoiser(network: DenoiserChoice) -> Denoiser<Flex> {
    let fresh = Denoiser::new(&config(network), &vocabulary(), &Seed::new(5), &Default::default());
    shaken(fresh.unwrap(), 0.1, 6)
}

/// A model of frames of 16 by 16 pixels.
pub fn video_model(seed: u64) -> VideoModel<Flex> {
    let config = AutoencoderConfig {
        height: 16,
        width: 16,
        factor: 4,
        channels: LATENT.channels,
        hidden: 4,
        blocks: 1,
        ..AutoencoderConfig::default()
    };
    let autoencoder = Autoencoder::new(&config, &Seed::new(seed), &Default::default()).unwrap();
    let network = networks()[0].clone();
    let trained = TrainedConfig {
        denoiser: self::config(network.clone()),
        vocabulary: vocabulary(),
        diffusion: DiffusionConfig::default(),
        fast: None,
        trained_on: TrainingScenes::default(),
    };
    let denoiser = shaken(denoiser(network), 0.01, seed);
    let trained = TrainedDenoiser { config: trained, denoiser, rates: None };
    VideoModel::new(autoencoder, config, trained).unwrap()
}

/// The denoiser with adapters whose change is not zero.
pub fn with_memory(denoiser: Denoiser<Flex>) -> Denoiser<Flex> {
    let config = AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() };
    let fresh = denoiser.with_adapters(&config, &mut Seed::new(7).rng()).unwrap();
    let moved = memory_of(&shaken(fresh.clone(), 0.1, 8));
    memory::with_memory(fresh, &moved)
}

/// The module with noise added to every parameter.
pub fn shaken<M: Module<Flex>>(module: M, size: f64, seed: u64) -> M {
    let mut random = Seed::new(seed).rng();
    let mut shake = |tensor: &Tensor<Flex, 1>| {
        let values: Vec<f32> =
            (0..tensor.dims()[0]).map(|_| StandardNormal.sample(&mut random)).collect();
        let noise = TensorData::new(values, tensor.dims());
        tensor.clone() + Tensor::from_data(noise, (&tensor.device(), tensor.dtype())) * size
    };
    let shaken = Tensors::of(&module).0.iter().map(&mut shake).collect();
    Tensors(shaken).write(module)
}

pub fn diffusion() -> Diffusion {
    Diffusion::new(&DiffusionConfig::default()).unwrap()
}

/// Clips of noise whose actions differ from frame to frame.
pub fn clip(batch: usize, frames: usize, seed: u64) -> Clip<Flex> {
    clip_in(DType::F32, batch, frames, seed)
}

pub fn clip_in<B: Backend>(dtype: DType, batch: usize, frames: usize, seed: u64) -> Clip<B> {
    let mut random = Seed::new(seed).rng();
    let shape = [batch, frames, LATENT.channels, LATENT.height, LATENT.width];
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| StandardNormal.sample(&mut random)).collect();
    let latents = Tensor::from_data(TensorData::new(values, shape), (&Default::default(), dtype));
    let tokens = (0..batch * frames).flat_map(|frame| {
        let phrase = ["turn left", "go forward", "turn right", "go"][(frame + seed as usize) % 4];
        vocabulary().encode(phrase, WORDS).unwrap().tokens
    });
    Clip { latents, phrases: Phrases::new(tokens.collect(), [batch, frames, WORDS]).unwrap() }
}

pub fn values<const D: usize>(tensor: &Tensor<Flex, D>) -> Vec<f32> {
    tensor.to_data().to_vec().unwrap()
}
