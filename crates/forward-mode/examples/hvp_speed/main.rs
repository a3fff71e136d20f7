//! What a Hessian-vector product costs beside a gradient, on one thread.
//!
//! ```text
//! cargo run --release -p forward-mode --example hvp_speed
//! ```

mod gpt;
mod towers;

use std::time::Instant;

use burn::backend::Flex;
use burn::module::Module;
use burn::tensor::{Distribution, Int, Tensor};

use gpt::{Gpt, Sizes};
use towers::{forward_over_reverse, gradient, reverse_over_reverse};

const BATCH: usize = 8;
const REPETITIONS: usize = 7;
const SIZES: Sizes = Sizes { layers: 4, width: 256, heads: 4, vocabulary: 2048, context: 128 };

fn main() {
    let device = Default::default();
    let model = Gpt::<Flex>::init(SIZES, &device);
    let last = (SIZES.vocabulary - 1) as f64;
    let tokens: Tensor<Flex, 2, Int> =
        Tensor::random([BATCH, SIZES.context + 1], Distribution::Uniform(0.0, last), &device);
    let parameters = model.num_params();
    let direction = Tensor::random([parameters], Distribution::Normal(0.0, 1.0), &device);
    println!("{parameters} parameters, {BATCH} x {} tokens", SIZES.context);

    let chosen = std::env::args().nth(1);
    let wanted = |name: &str| chosen.as_deref().is_none_or(|chosen| chosen == name);
    let mut products = Vec::new();
    if wanted("gradient") {
        report("gradient", || gradient(&model, &tokens));
    }
    if wanted("nested") {
        let run = || reverse_over_reverse(&model, &tokens, &direction);
        products.push(report("reverse over reverse", run));
    }
    if wanted("dual") {
        let run = || forward_over_reverse(&model, &tokens, &direction).1;
        products.push(report("forward over reverse", run));
    }
    if let [nested, dual] = products.as_slice() {
        let difference = (nested.clone() - dual.clone()).powi_scalar(2).sum().sqrt();
        let norm = nested.clone().powi_scalar(2).sum().sqrt();
        println!("relative difference {:.1e}", (difference / norm).into_scalar());
    }
}

/// Prints the median and the fastest time of several runs, after one to warm up.
fn report(name: &str, run: impl Fn() -> Tensor<Flex, 1>) -> Tensor<Flex, 1> {
    let result = run();
    let mut seconds: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{name:22} median {:.3} s, best {:.3} s", seconds[REPETITIONS / 2], seconds[0]);
    result
}
