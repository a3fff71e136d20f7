//! Data hyper-cleaning: half of the training labels are wrong, and the outer loop finds out which by asking which
//! samples help a classifier that is trained on them to be right about a few clean ones.
//!
//! `cargo run --release -p inner-outer --example data_cleaning -- implicit`; `--short` fails unless cleaning helps.

mod cleaning;
mod samples;

use std::error::Error;
use std::path::PathBuf;

use burn::backend::Flex;
use burn::module::Param;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::Tensor;
use clap::{Parser, ValueEnum};
use cleaning::{Cleaner, Cleaning, Split};
use inner_outer::tensors::to_f64;
use inner_outer::{
    ConjugateGradient, Hypergradient, Implicit, InnerLoop, MetaLearner, MetaLearnerConfig, Nested,
    RateScope, Schedule, Sgd, Unrolled, layers,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use samples::{CLASSES, Labelled, Samples};

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    /// Differentiates all inner steps.
    Unrolled,
    /// Differentiates the minimum that the inner steps approach.
    Implicit,
}

/// Finds wrong labels by bi-level learning.
#[derive(Parser)]
struct Options {
    method: Method,
    /// Few outer steps; fails unless cleaning helps.
    #[arg(long)]
    short: bool,
    /// Folder with `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`; random clouds without it.
    #[arg(long)]
    mnist: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.method {
        Method::Unrolled => clean(&options, Unrolled::<Nested>::default()),
        Method::Implicit => clean(&options, Implicit::<ConjugateGradient>::default()),
    }
}

fn clean(options: &Options, hypergradient: impl Hypergradient) -> Result<(), Box<dyn Error>> {
    let device = Default::default();
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let (mut samples, size) = match &options.mnist {
        Some(folder) => (Samples::mnist(folder)?, 5000),
        None => (Samples::clouds(3000, &mut random), 500),
    };
    let [mut noisy, clean, test] = [size, size, 2 * size].map(|count| samples.take(count));
    let corrupted = noisy.corrupt(&mut random);
    let (split, test) = (Split { noisy: noisy.tensors(), clean: clean.tensors() }, test.tensors());

    let classifier = LinearConfig::new(split.noisy.x.dims()[1], CLASSES)
        .with_initializer(Initializer::Zeros)
        .init(&device);
    let cleaner = Cleaner { trust: Initializer::Zeros.init([size], &device), start: classifier };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 100 };
    let rates = inner_loop.rates(&Cleaning, RateScope::Global, 1.0, &cleaner, &split)?;
    let accuracy = |cleaner: &Cleaner<Flex>| {
        let adapted = inner_loop.adapt(&Cleaning, cleaner, &rates, &split)?;
        inner_outer::Result::Ok(100.0 * share_right(&adapted.inner, &test))
    };
    let before = accuracy(&cleaner)?;
    let trust = corrupted.iter().map(|&wrong| if wrong { -20.0 } else { 20.0 });
    let trust = Tensor::<Flex, 1>::from_floats(&trust.collect::<Vec<f32>>()[..], &device);
    let oracle = accuracy(&Cleaner { trust: Param::from_tensor(trust), ..cleaner.clone() })?;

    let outer_rate = Schedule::constant(0.1);
    let config = MetaLearnerConfig { outer_rate, rates_rate: None, clip: None, ..Default::default() };
    let (adam, unused) = (AdamConfig::new().with_epsilon(1e-12), AdamConfig::new());
    let mut learner = MetaLearner::new(
        Cleaning, inner_loop, hypergradient, config, cleaner, rates.clone(), adam.init(), unused.init(),
    );
    for step in 0..if options.short { 40 } else { 400 } {
        let loss = learner.step(std::slice::from_ref(&split))?.outer_loss;
        if step % 10 == 9 { println!("step {:3}: loss on clean samples {loss:.4}", step + 1); }
    }
    let after = accuracy(learner.outer())?;
    let suspects = to_f64(&learner.outer().trust.val()).into_iter().map(|trust| trust < 0.0);
    let f1 = f1(suspects.collect(), &corrupted);
    println!("accuracy on unseen samples: {before:.1} % before, {after:.1} % after cleaning, {oracle:.1} % with only the right labels");
    println!("F1 of finding the wrong labels: {f1:.3}");
    Ok(())
}

/// Share of samples that the classifier gets right.
fn share_right(classifier: &Linear<Flex>, samples: &Labelled<Flex>) -> f64 {
    let scores = layers::linear(classifier, samples.x.clone());
    let right = scores.argmax(1).equal(samples.labels.clone().argmax(1));
    to_f64(&right.float().mean())[0]
}

/// Harmonic mean of precision and recall.
fn f1(found: Vec<bool>, wrong: &[bool]) -> f64 {
    let hits = found.iter().zip(wrong).filter(|(found, wrong)| **found && **wrong).count();
    let count = |list: &[bool]| list.iter().filter(|&&entry| entry).count();
    2.0 * hits as f64 / (count(&found) + count(wrong)) as f64
}
