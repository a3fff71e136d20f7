//! How long a gradient of the networks takes: both denoisers, each at its default size and another, on a batch of windows, and the
//! autoencoder beside the same number of multiplications as convolutions of Burn.
//!
//! `cargo run --release -p slowfast --example speed`

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Distribution, Tensor};
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, gradients};
use inner_outer::{Instance, Threads};
use slowfast::autoencoder::{Autoencoder, AutoencoderConfig, AutoencoderTrainer};
use slowfast::diffusion::{Clip, Diffusion, DiffusionConfig};
use slowfast::memory::{Lesson, SlowFast};
use slowfast::model::{Denoiser, DenoiserChoice, DenoiserConfig, TransformerConfig, UnetConfig};
use slowfast::text::{Phrases, Vocabulary};

const BATCH: usize = 4;
const REPEATS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let transformer = |width, patch| {
        DenoiserChoice::Transformer(TransformerConfig {
            width,
            layers: 4,
            heads: 4,
            patch,
            ..TransformerConfig::default()
        })
    };
    let unet =
        |widths: &[usize]| DenoiserChoice::Unet(UnetConfig { widths: widths.to_vec(), heads: 4 });
    denoiser("transformer, width 128, patch 2", transformer(128, 2))?;
    denoiser("transformer, width 96, patch 1", transformer(96, 1))?;
    denoiser("U-net, widths 64 and 96", unet(&[64, 96]))?;
    denoiser("U-net, widths 32 and 64", unet(&[32, 64]))?;
    autoencoder(8)?;
    autoencoder(4)?;
    convolution();
    Ok(())
}

/// The gradient of the slow loss of one batch of windows of 16 frames, on one thread.
fn denoiser(name: &str, network: DenoiserChoice) -> Result<(), Box<dyn std::error::Error>> {
    let device = Default::default();
    let config = DenoiserConfig { network, frames: 16, ..DenoiserConfig::default() };
    let vocabulary = Vocabulary::of_phrases(["turn left", "turn right", "go forward"]);
    let denoiser = Denoiser::<Flex>::new(&config, &vocabulary, &Seed::new(0), &device)?;
    let diffusion = Diffusion::new(&DiffusionConfig::default())?;
    let phrase = vocabulary.encode("turn left", config.words)?.tokens;
    let clip = Clip {
        latents: Tensor::<Flex, 5>::random([BATCH, 16, 4, 8, 8], Distribution::Default, &device),
        phrases: Phrases::repeated(&phrase, BATCH, 16),
    };
    let mut random = Seed::new(1).rng();
    let example = diffusion.conditional(&clip, 8, diffusion.timesteps(), &mut random)?;
    let lesson = Lesson { fast: Vec::new(), along: Vec::new(), slow: vec![example], memory: None };
    let instance = Instance::new(&SlowFast::Pretraining, &denoiser, &lesson);
    let lifted = instance.lift::<Autodiff<Flex>>();
    let parameters = Tensors::of(&denoiser);
    let seconds = fastest(|| {
        let leaves = parameters.track();
        let loss = lifted.outer_loss(&leaves, &parameters.lift());
        let [_gradient] = gradients(loss, [&leaves]);
    });
    let millions = parameters.elements() as f64 / 1e6;
    println!("{name}: {millions:.2} M parameters, {:.0} ms a window", 1e3 * seconds / BATCH as f64);
    Ok(())
}

/// A step of the autoencoder on 16 frames of 64x64 pixels, on one thread.
fn autoencoder(factor: usize) -> Result<(), Box<dyn std::error::Error>> {
    let device = Default::default();
    let config = AutoencoderConfig { factor, ..AutoencoderConfig::default() };
    let autoencoder = Autoencoder::<Flex>::new(&config, &Seed::new(0), &device)?;
    let rate = inner_outer::Schedule::constant(1e-3);
    let trainer = AutoencoderTrainer::new(autoencoder, config.kl_weight, rate, Seed::new(1));
    let mut trainer = trainer.with_threads(Threads::new(1));
    let images = Tensor::<Flex, 4>::random([16, 64, 64, 3], Distribution::Default, &device);
    let seconds = fastest(|| {
        trainer.step(std::slice::from_ref(&images)).expect("noise can be learned from");
    });
    println!("autoencoder of factor {factor}: {:.1} ms a frame", 1e3 * seconds / 16.0);
    Ok(())
}

/// The gradient of one 3x3 convolution of 64 channels on 16x16 places of 16 frames, and of the linear layer on
/// neighbourhoods that stands for it here.
fn convolution() {
    let device = Default::default();
    let layer = Conv2dConfig::new([64, 64], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init::<Autodiff<Flex>>(&device);
    let x = Tensor::<Autodiff<Flex>, 4>::random([16, 64, 16, 16], Distribution::Default, &device);
    let seconds = fastest(|| {
        let x = x.clone().require_grad();
        let _gradient = layer.forward(x.clone()).sum().backward();
    });
    println!("convolution of Burn: {:.2} ms a frame", 1e3 * seconds / 16.0);
}

/// Seconds of the fastest of a few runs, after one to warm up.
fn fastest(mut work: impl FnMut()) -> f64 {
    work();
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..REPEATS).map(time).fold(f64::INFINITY, f64::min)
}
