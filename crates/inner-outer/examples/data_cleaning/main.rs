//! Data hyper-cleaning: half of the training labels are wrong, and the outer loop finds out which by asking which
//! samples help a classifier that is trained on them to be right about a few clean ones.
//!
//! `cargo run --release -p inner-outer --example data_cleaning -- implicit`; `--short` fails unless cleaning helps.

mod cleaning;
mod measures;
mod options;
mod samples;

use std::error::Error;

use burn::backend::Flex;
use burn::nn::{Initializer, LinearConfig};
use burn::optim::AdamConfig;
use clap::Parser;
use cleaning::{Cleaner, Cleaning, Split};
use inner_outer::{
    ConjugateGradient, ForwardOverReverse, Hypergradient, Implicit, InnerLoop, MetaLearner,
    MetaLearnerConfig, Momentum, RateScope, Schedule, Unrolled,
};
use measures::{accuracy, f1};
use options::{Method, Options};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use samples::{CLASSES, Samples};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.method {
        Method::Unrolled => clean(&options, Unrolled { curvature: ForwardOverReverse }),
        Method::Implicit => {
            clean(&options, Implicit::<ConjugateGradient, ForwardOverReverse>::default())
        }
    }
}

fn clean(options: &Options, hypergradient: impl Hypergradient) -> Result<(), Box<dyn Error>> {
    let device = Default::default();
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let (mut samples, size) = match &options.mnist {
        Some(folder) => (Samples::mnist(folder, &mut random)?, 5000),
        None => (Samples::clouds(3000, &mut random), 500),
    };
    let [mut noisy, clean, test] = [size, size, 2 * size].map(|count| samples.take(count));
    let wrong = noisy.corrupt(&mut random);
    let (split, test) = (Split { noisy: noisy.tensors(), clean: clean.tensors() }, test.tensors());

    let zeros = Initializer::Zeros;
    let start = LinearConfig::new(split.noisy.x.dims()[1], CLASSES).with_initializer(zeros.clone());
    let cleaner = Cleaner { trust: zeros.init([size], &device), start: start.init(&device) };
    let inner_loop = InnerLoop { optimizer: Momentum::default(), steps: 100 };
    let rates = inner_loop.rates(&Cleaning, RateScope::Global, 1.0, &cleaner, &split)?;
    let unseen = |cleaner: &Cleaner<Flex>| -> inner_outer::Result<f64> {
        let adapted = inner_loop.adapt(&Cleaning, cleaner, &rates, &split)?;
        Ok(accuracy(&adapted.inner, &test))
    };
    let before = unseen(&cleaner)?;
    let oracle = unseen(&cleaner.clone().trusting_all_but(&wrong))?;

    let config = MetaLearnerConfig {
        outer_rate: Schedule::constant(0.1),
        rates_rate: None,
        clip: None,
        ..MetaLearnerConfig::default()
    };
    let (adam, no_rates) = (AdamConfig::new().with_epsilon(1e-12).init(), AdamConfig::new().init());
    let rates = rates.clone();
    let mut learner = MetaLearner::new(
        Cleaning,
        inner_loop,
        hypergradient,
        config,
        cleaner,
        rates,
        adam,
        no_rates,
    )
    .observe(|step| println!("step {:3}: {:.4} on clean samples", step.step, step.outer_loss));
    for _ in 0..if options.short { 40 } else { 400 } {
        learner.step(std::slice::from_ref(&split))?;
    }
    let after = unseen(learner.outer())?;
    let f1 = f1(&learner.outer().suspects(), &wrong);
    println!("accuracy on unseen samples: {before:.1} % without cleaning, {after:.1} % with");
    println!("without the wrong labels it would be {oracle:.1} %; F1 of finding them: {f1:.3}");
    if options.short && after < before + 1.0 {
        return Err("cleaning did not help".into());
    }
    Ok(())
}
