//! Sinusoid regression (Finn et al. 2017) by MAML and its relatives, in the setting of cbfinn/maml: ten points,
//! one inner step, meta-batches of 25 tasks, Adam at 1e-3.
//!
//! `cargo run --release -p inner-outer --example sinusoid -- meta-sgd`; `--short` for a check that takes seconds.

mod options;
mod waves;

use std::error::Error;
use std::time::Instant;

use burn::backend::Flex;
use burn::optim::AdamConfig;
use burn::tensor::backend::Backend;
use clap::Parser;
use inner_outer::tensors::to_f64;
use inner_outer::{
    FirstOrder, ForwardOverReverse, Hypergradient, InnerLoop, MetaLearner, MetaLearnerConfig,
    Problem, RateScope, Reptile, Schedule, Sgd, Unrolled,
};
use options::{Method, Options};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use waves::{Network, Recognise, Wave, random_wave};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.method {
        Method::Maml | Method::MetaSgd => {
            learn(&options, Unrolled { curvature: ForwardOverReverse })
        }
        Method::FirstOrder => learn(&options, FirstOrder),
        Method::Reptile => learn(&options, Reptile),
    }
}

fn learn(options: &Options, hypergradient: impl Hypergradient) -> Result<(), Box<dyn Error>> {
    let device = Default::default();
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    Flex::seed(&device, options.seed);
    let mut waves = |count, shots| -> Vec<Wave<Flex>> {
        (0..count).map(|_| random_wave(shots, &mut random)).collect()
    };
    let (network, unseen) = (Network::new(&device), [10, 5].map(|shots| waves(600, shots)));

    let learned_rates = options.method == Method::MetaSgd;
    let scope = if learned_rates { RateScope::PerElement } else { RateScope::Global };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: options.inner_steps };
    let rates = inner_loop.rates(&Recognise, scope, options.inner_rate, &network, &unseen[0][0])?;
    let rates_rate = learned_rates.then(|| Schedule::constant(1e-3));
    let config = MetaLearnerConfig { rates_rate, clip: None, ..Default::default() };
    let adam = AdamConfig::new().with_epsilon(1e-8);
    let (by_adam, rates_by_adam) = (adam.init(), adam.init());
    let mut learner = MetaLearner::new(
        Recognise,
        inner_loop,
        hypergradient,
        config,
        network,
        rates,
        by_adam,
        rates_by_adam,
    );

    let before = report(&learner, &unseen[0], 10)?;
    let meta_steps = if options.short { 500 } else { options.meta_steps };
    let start = Instant::now();
    for step in 1..=meta_steps {
        let loss = learner.step(&waves(25, 10))?.outer_loss;
        if step % (meta_steps / 20).max(1) == 0 {
            let speed = step as f64 / start.elapsed().as_secs_f64();
            println!("step {step:5}: loss {loss:.4}, {speed:.0} steps a second");
        }
    }
    let after = report(&learner, &unseen[0], 10)?;
    report(&learner, &unseen[1], 5)?;
    if options.short && after > 0.95 * before {
        return Err(format!("the error fell only from {before:.4} to {after:.4}").into());
    }
    Ok(())
}

/// Prints the mean squared error after adaptation on unseen waves, with a 95 % interval of the mean.
fn report<H: Hypergradient>(
    learner: &MetaLearner<Recognise, Sgd, H, Flex>,
    waves: &[Wave<Flex>],
    shots: usize,
) -> inner_outer::Result<f64> {
    let errors = learner.evaluate(waves, |index, outer, adapted| {
        to_f64(&Recognise.outer_loss(&adapted.inner, outer, &waves[index]))[0]
    })?;
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let interval = 1.96 * (variance / count).sqrt();
    println!("{count} unseen waves, {shots}-shot: {mean:.4} +- {interval:.4}");
    Ok(mean)
}
