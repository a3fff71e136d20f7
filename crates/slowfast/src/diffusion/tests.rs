use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::Tensor;
use experiment::seed::Seed;
use proptest::prelude::*;

use super::*;
use crate::model::{Denoiser, NoisyWindow};
use crate::text::Phrases;
use crate::tiny;

fn example(past: usize, seed: u64) -> Example<Flex> {
    let diffusion = tiny::diffusion();
    let clip = tiny::clip(2, 5, 1);
    diffusion.conditional(&clip, past, diffusion.timesteps(), &mut Seed::new(seed).rng()).unwrap()
}

fn frames(tensor: &Tensor<Flex, 5>, start: usize, count: usize) -> Vec<f32> {
    if count == 0 {
        return Vec::new();
    }
    tiny::values(&tensor.clone().narrow(1, start, count))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Equation 1: given frames are the clean ones, bit for bit, and the model is told so.
    #[test]
    fn given_frames_stay_clean(past in 0usize..5, seed: u64) {
        let example = example(past, seed);
        let clean = tiny::clip(2, 5, 1).latents;
        prop_assert_eq!(frames(&example.window.latents, 0, past), frames(&clean, 0, past));
        prop_assert_ne!(frames(&example.window.latents, past, 5 - past), frames(&clean, past, 5 - past));
        let levels = tiny::values(&example.window.levels);
        let flags = example.window.past.to_data().convert::<i64>().to_vec::<i64>().unwrap();
        for (row, (level, flag)) in levels.into_iter().zip(flags).enumerate() {
            prop_assert_eq!(flag == 1, row % 5 < past);
            prop_assert_eq!(level == 0.0, row % 5 < past);
        }
        let weights = tiny::values(&example.weights);
        prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        prop_assert!(weights.iter().enumerate().all(|(row, weight)| (*weight == 0.0) == (row % 5 < past)));
    }
}

/// The loss does not depend on what is predicted for given frames.
#[test]
fn given_frames_are_no_part_of_the_loss() {
    let (example, denoiser) = (example(2, 3), tiny::transformer());
    let loss = |example: &Example<Flex>| tiny::values(&example.loss(&denoiser));
    let with_target = |frames: Range<usize>| {
        let sevens = Tensor::full([2, frames.len(), 2, 4, 4], 7.0, &Default::default());
        let target = example.target.clone().slice_assign([0..2, frames, 0..2, 0..4, 0..4], sevens);
        Example { target, ..example.clone() }
    };
    // Other targets for given frames change no bit; one for a single future frame does.
    assert_eq!(loss(&with_target(0..2)), loss(&example));
    assert_ne!(loss(&with_target(4..5)), loss(&example));
}

#[test]
fn the_loss_is_the_mean_squared_error_of_the_future() {
    let (example, denoiser) = (example(2, 3), tiny::transformer());
    let error = denoiser.predict(&example.window) - example.target.clone();
    let future = frames(&error, 2, 3);
    let expected = future.iter().map(|e| e * e).sum::<f32>() / future.len() as f32;
    let found = tiny::values(&example.loss(&denoiser))[0];
    assert!((found - expected).abs() < 1e-5 * expected, "{found} is not {expected}");
}

/// The fast learning's loss is the same whatever the action was.
#[test]
fn the_unconditional_loss_ignores_the_action() {
    let (diffusion, denoiser) = (tiny::diffusion(), tiny::with_memory(tiny::transformer()));
    let clip = tiny::clip(1, 4, 1);
    let quiet = Clip { phrases: Phrases::none([1, 4, tiny::WORDS]), ..clip.clone() };
    let all = diffusion.timesteps();
    let seed = Seed::new(9);
    let unconditional = |clip: &Clip<Flex>| {
        let example = diffusion.unconditional(clip, all, &mut seed.rng()).unwrap();
        assert!(tiny::values(&example.weights).iter().all(|weight| *weight == 0.25));
        tiny::values(&example.loss(&denoiser))
    };
    assert_eq!(unconditional(&clip), unconditional(&quiet));
    let conditional = |clip: &Clip<Flex>| {
        let example = diffusion.conditional(clip, 1, all, &mut seed.rng()).unwrap();
        tiny::values(&example.loss(&denoiser))
    };
    assert_ne!(conditional(&clip), conditional(&quiet));
}

#[test]
fn examples_that_cannot_be_made_are_refused() {
    let (diffusion, clip) = (tiny::diffusion(), tiny::clip(1, 3, 1));
    let mut random = Seed::new(0).rng();
    let all = diffusion.timesteps();
    let refused = diffusion.conditional(&clip, 3, all, &mut random).unwrap_err();
    assert_eq!(refused, DiffusionError::NoFuture { frames: 3, past: 3 });
    for (from, to) in [(5, 5), (0, 1001)] {
        let refused = diffusion.unconditional(&clip, Timesteps { from, to }, &mut random);
        assert!(matches!(refused, Err(DiffusionError::Timesteps { .. })));
    }
}

fn sampler(config: SamplerConfig) -> Sampler {
    Sampler::new(tiny::diffusion(), config).unwrap()
}

fn actions(count: usize) -> Phrases {
    tiny::clip(1, count, 2).phrases
}

fn sampled(sampler: &Sampler, denoiser: &Denoiser<Flex>, seed: u64) -> Vec<f32> {
    let past = tiny::clip(1, 2, 1);
    tiny::values(&sampler.sample(denoiser, &past, &actions(3), &mut Seed::new(seed).rng()).unwrap())
}

/// The past is put in clean again at every step of the sampler.
#[test]
fn the_past_is_clean_at_every_step() {
    let sampler = sampler(SamplerConfig { steps: 7, ..SamplerConfig::default() });
    let past = tiny::clip(1, 2, 1);
    let mut seen = Vec::new();
    let watch = |t: usize, window: &NoisyWindow<Flex>| {
        assert_eq!(frames(&window.latents, 0, 2), tiny::values(&past.latents));
        assert_eq!(
            tiny::values(&window.levels),
            [0.0, 0.0, t as f32 + 1.0, t as f32 + 1.0, t as f32 + 1.0]
        );
        seen.push(t);
    };
    let denoiser = tiny::transformer();
    let mut random = Seed::new(1).rng();
    sampler.sample_watched(&denoiser, None, &past, &actions(3), &mut random, watch).unwrap();
    assert_eq!(seen, sampler.timesteps());
}

#[test]
fn the_seed_decides_the_sample() {
    let (sampler, denoiser) = (sampler(SamplerConfig::default()), tiny::transformer());
    assert_eq!(sampled(&sampler, &denoiser, 1), sampled(&sampler, &denoiser, 1));
    assert_ne!(sampled(&sampler, &denoiser, 1), sampled(&sampler, &denoiser, 2));
}

#[test]
fn guidance_extrapolates_and_one_is_none() {
    let steps = 3;
    let base = tiny::transformer();
    let denoiser = tiny::with_memory(base.clone());
    let with = |action_guidance, memory_guidance, denoiser: &Denoiser<Flex>| {
        let config =
            SamplerConfig { steps, action_guidance, memory_guidance, ..Default::default() };
        let (past, mut random) = (tiny::clip(1, 2, 1), Seed::new(1).rng());
        let found =
            sampler(config).sample_against(denoiser, &base, &past, &actions(3), &mut random);
        tiny::values(&found.unwrap())
    };
    let plain = with(1.0, 1.0, &denoiser);
    assert_ne!(with(3.0, 1.0, &denoiser), plain);
    assert_ne!(with(1.0, 2.0, &denoiser), plain);
    assert_eq!(with(1.0, 0.0, &denoiser), with(1.0, 1.0, &base));
    assert_eq!(with(1.0, 5.0, &base), with(1.0, 1.0, &base));
}

#[test]
fn a_bound_holds_in_the_sample() {
    let config = SamplerConfig { clip: Some(0.1), ..SamplerConfig::default() };
    let found = sampled(&sampler(config), &tiny::transformer(), 1);
    assert!(found.iter().all(|value| value.abs() <= 0.1));
}

#[test]
fn samplers_that_cannot_work_are_refused() {
    let refused = |config| Sampler::new(tiny::diffusion(), config).unwrap_err().to_string();
    let default = SamplerConfig::default();
    assert!(refused(SamplerConfig { steps: 0, ..default }).contains("from 1 to 1000"));
    assert!(refused(SamplerConfig { steps: 1001, ..default }).contains("`sampler.steps` is 1001"));
    let guided = refused(SamplerConfig { action_guidance: f64::NAN, ..default });
    assert!(guided.contains("sampler.action_guidance"), "{guided}");
    let guided = refused(SamplerConfig { memory_guidance: -1.0, ..default });
    assert!(guided.contains("sampler.memory_guidance"), "{guided}");
    assert!(refused(SamplerConfig { clip: Some(0.0), ..default }).contains("sampler.clip"));
}

#[test]
fn input_that_does_not_fit_is_refused() {
    let (sampler, denoiser) = (sampler(SamplerConfig::default()), tiny::transformer());
    let past = tiny::clip(1, 2, 1);
    let sample = |actions: &Phrases| {
        sampler.sample(&denoiser, &past, actions, &mut Seed::new(0).rng()).unwrap_err()
    };
    assert_eq!(sample(&actions(0)), DiffusionError::NoFuture { frames: 2, past: 2 });
    assert!(matches!(sample(&actions(5)), DiffusionError::Model(_)));
    assert!(matches!(sample(&tiny::clip(2, 2, 1).phrases), DiffusionError::Text(_)));
    let clip = tiny::clip(1, 1, 1);
    let unlike = past.check_before(&tiny::clip(2, 1, 1)).unwrap_err();
    assert!(matches!(unlike, DiffusionError::Unlike { .. }), "{unlike}");
    let wordy = Clip { phrases: Phrases::none([1, 1, tiny::WORDS + 1]), ..clip };
    assert!(matches!(past.check_before(&wordy), Err(DiffusionError::Text(_))));
}

/// Where the prediction is the truth, the steps lead to the clean latents.
#[test]
fn steps_with_true_predictions_end_at_the_clean_latents() {
    for prediction in [Prediction::Epsilon, Prediction::Velocity] {
        let diffusion = Diffusion { prediction, ..tiny::diffusion() };
        let config = SamplerConfig { steps: 9, ..SamplerConfig::default() };
        let sampler = Sampler::new(diffusion.clone(), config).unwrap();
        let (clean, noise) = (tiny::clip(1, 2, 1).latents, tiny::clip(1, 2, 2).latents);
        let mix = |alpha: f64| clean.clone() * alpha.sqrt() + noise.clone() * (1.0 - alpha).sqrt();
        let timesteps = sampler.timesteps();
        let mut latents = mix(diffusion.schedule.signal(timesteps[0]));
        for (step, &t) in timesteps.iter().enumerate() {
            let alpha = diffusion.schedule.signal(t);
            let predicted = match prediction {
                Prediction::Epsilon => noise.clone(),
                Prediction::Velocity => {
                    noise.clone() * alpha.sqrt() - clean.clone() * (1.0 - alpha).sqrt()
                }
            };
            latents = sampler.step(latents, predicted, t, timesteps.get(step + 1).copied());
        }
        for (found, expected) in tiny::values(&latents).iter().zip(tiny::values(&clean)) {
            assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
        }
    }
}
