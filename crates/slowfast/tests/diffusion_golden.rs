//! Noise schedule and sampler steps against diffusers, see `tests/golden/diffusion/make.py` of the workspace.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, TensorData};
use inner_outer::tensors::to_f64;
use serde::Deserialize;
use slowfast::diffusion::{
    Diffusion, DiffusionConfig, Prediction, Sampler, SamplerConfig, ScheduleConfig, Spacing,
};

#[derive(Deserialize)]
struct Golden {
    signal: Vec<f64>,
    clean: Vec<f64>,
    noise: Vec<f64>,
    timesteps: Vec<usize>,
    noised: Vec<Vec<f64>>,
    velocity: Vec<Vec<f64>>,
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Path {
    prediction: String,
    spacing: String,
    bound: Option<f64>,
    timesteps: Vec<usize>,
    latents: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    let text = include_str!("../../../tests/golden/diffusion/diffusion.json");
    serde_json::from_str(text).expect("the file has these fields")
}

fn diffusion(prediction: Prediction) -> Diffusion {
    Diffusion::new(&DiffusionConfig { schedule: ScheduleConfig::default(), prediction }).unwrap()
}

fn latents(values: &[f64]) -> Tensor<Flex, 5> {
    let data = TensorData::new(values.to_vec(), [1, 1, 2, 2, 2]);
    Tensor::from_data(data, (&Default::default(), DType::F64))
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(close, "{found} is not {expected}");
    }
}

#[test]
fn the_schedule_is_that_of_diffusers() {
    let diffusion = diffusion(Prediction::Epsilon);
    let signal: Vec<f64> =
        (0..diffusion.schedule.steps()).map(|t| diffusion.schedule.signal(t)).collect();
    assert_close(&signal, &golden().signal, 1e-12);
}

/// What diffusers mixes is taken apart again by either prediction.
#[test]
fn noised_latents_are_those_of_diffusers() {
    let golden = golden();
    let epsilons = golden.timesteps.iter().map(|_| golden.noise.clone()).collect();
    for (prediction, predicted) in
        [(Prediction::Epsilon, epsilons), (Prediction::Velocity, golden.velocity.clone())]
    {
        let predicted: Vec<Vec<f64>> = predicted;
        for ((&t, noised), predicted) in golden.timesteps.iter().zip(&golden.noised).zip(&predicted)
        {
            let alpha = diffusion(prediction).schedule.signal(t);
            let estimate = prediction.estimate(latents(noised), latents(predicted), alpha);
            assert_close(&to_f64(&estimate.clean), &golden.clean, 1e-9);
            assert_close(&to_f64(&estimate.noise), &golden.noise, 1e-9);
        }
    }
}

#[test]
fn sampler_steps_are_those_of_diffusers() {
    let golden = golden();
    assert_eq!(golden.paths.len(), 8);
    for path in &golden.paths {
        let prediction = match path.prediction.as_str() {
            "epsilon" => Prediction::Epsilon,
            _ => Prediction::Velocity,
        };
        let spacing = match path.spacing.as_str() {
            "trailing" => Spacing::Trailing,
            _ => Spacing::Leading,
        };
        let config = SamplerConfig {
            steps: path.timesteps.len(),
            spacing,
            clip: path.bound,
            ..SamplerConfig::default()
        };
        let sampler = Sampler::new(diffusion(prediction), config).unwrap();
        assert_eq!(sampler.timesteps(), path.timesteps);
        let mut at = latents(&golden.noise);
        for (step, &t) in path.timesteps.iter().enumerate() {
            // The same stand-in for a denoiser as in the script.
            let predicted = (at.clone() * 1.7 + t as f64 / 500.0).sin();
            at = sampler.step(at, predicted, t, path.timesteps.get(step + 1).copied());
            assert_close(&to_f64(&at), &path.latents[step], 1e-9);
        }
    }
}
