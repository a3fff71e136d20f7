use burn::backend::Flex;
use burn::tensor::{DType, Tensor};
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, parameter_paths};
use inner_outer::{Autodiff, Problem, Selection};
use inner_outer::{
    CentralDifference, Curvature, ForwardOverReverse, Hypergradient, InnerLoop, MetaGradient,
    Nested, On, RateScope, Sgd, Unrolled,
};

use super::*;
use crate::diffusion::{Example, Examples};
use crate::memory::memory_of;
use crate::text::Phrases;
use crate::tiny;

fn window(past: usize) -> NoisyWindow<Flex> {
    let mut random = Seed::new(1).rng();
    let clip = tiny::clip(2, 4, 1);
    let all = tiny::diffusion().timesteps();
    tiny::diffusion().conditional(&clip, past, all, &mut random).unwrap().window
}

#[test]
fn fresh_denoisers_predict_zero_for_every_shape_of_window() {
    for network in tiny::networks() {
        let config = tiny::config(network);
        let seed = Seed::new(0);
        let fresh = Denoiser::<Flex>::new(&config, &tiny::vocabulary(), &seed, &Default::default())
            .unwrap();
        for frames in 2..=6 {
            let mut random = seed.rng();
            let clip = tiny::clip(1, frames, 1);
            let all = tiny::diffusion().timesteps();
            let example = tiny::diffusion().conditional(&clip, 1, all, &mut random).unwrap();
            let predicted = fresh.predict(&example.window);
            assert_eq!(predicted.dims(), clip.latents.dims());
            assert!(tiny::values(&predicted).iter().all(|value| *value == 0.0));
        }
    }
}

#[test]
fn everything_that_a_frame_is_told_counts() {
    for network in tiny::networks() {
        let denoiser = tiny::denoiser(network);
        let window = window(2);
        let predicted = |window: &NoisyWindow<Flex>| tiny::values(&denoiser.predict(window));
        let base = predicted(&window);
        assert_eq!(predicted(&window), base);
        let noisier = NoisyWindow { levels: window.levels.clone() + 1.0, ..window.clone() };
        assert_ne!(predicted(&noisier), base);
        let all_future = NoisyWindow { past: window.past.zeros_like(), ..window.clone() };
        assert_ne!(predicted(&all_future), base);
        let nothing = Phrases::none([2, 4, tiny::WORDS]).to_tensor(&Default::default());
        assert_ne!(predicted(&NoisyWindow { phrases: nothing, ..window }), base);
    }
}

/// Every place of every frame reaches every other one of its clip, and none of another clip.
#[test]
fn information_flows_within_a_clip_only() {
    for network in tiny::networks() {
        let denoiser = tiny::denoiser(network);
        let window = window(2);
        let moved = window.latents.clone().slice_assign(
            [0..1, 1..2, 0..1, 3..4, 3..4],
            Tensor::<Flex, 5>::full([1, 1, 1, 1, 1], 3.0, &Default::default()),
        );
        let moved = NoisyWindow { latents: moved, ..window.clone() };
        let change = (denoiser.predict(&window) - denoiser.predict(&moved)).abs();
        let of_clip = |clip: usize| tiny::values(&change.clone().narrow(0, clip, 1));
        assert!(of_clip(0).iter().all(|change| *change > 0.0));
        assert!(of_clip(1).iter().all(|change| *change == 0.0));
    }
}

#[test]
fn a_memory_of_zero_changes_no_bit() {
    for network in tiny::networks() {
        let base = tiny::denoiser(network);
        let config = AdapterConfig { rank: 3, alpha: 3.0, ..AdapterConfig::default() };
        let mut random = Seed::new(2).rng();
        let adapted = base.clone().with_adapters(&config, &mut random).unwrap();
        assert!(adapted.has_adapters() && !base.has_adapters());
        let predicted = |denoiser: &Denoiser<Flex>| tiny::values(&denoiser.predict(&window(2)));
        assert_eq!(predicted(&adapted), predicted(&base));
        let trained = tiny::with_memory(base.clone());
        assert_ne!(predicted(&trained), predicted(&base));
        let folded = trained.clone().with_adapters_folded();
        assert!(!folded.has_adapters());
        for (one, other) in predicted(&folded).iter().zip(predicted(&trained)) {
            assert!((one - other).abs() < 1e-5, "{one} is not {other}");
        }
    }
}

#[test]
fn adapters_sit_where_they_were_asked_for() {
    let adapters = |network: usize, targets: &[Target]| {
        let config = AdapterConfig { rank: 1, alpha: 1.0, targets: targets.to_vec() };
        let base = tiny::denoiser(tiny::networks()[network].clone());
        let adapted = base.with_adapters(&config, &mut Seed::new(2).rng());
        adapted.map(|adapted| {
            let paths = parameter_paths(&adapted);
            paths.into_iter().filter(|path| path.ends_with("lora.a")).collect::<Vec<_>>()
        })
    };
    let temporal = adapters(0, &[Target::Temporal]).unwrap();
    assert_eq!(temporal.len(), 4);
    assert!(temporal.iter().all(|path| path.contains(".temporal.")), "{temporal:?}");
    assert_eq!(adapters(0, &[Target::Cross, Target::FeedForward]).unwrap().len(), 10);
    assert_eq!(adapters(1, &[Target::Convolution]).unwrap().len(), 15);
    let refused = adapters(0, &[Target::Convolution]).unwrap_err();
    assert!(matches!(refused, ModelError::NothingToAdapt { .. }));
    assert_eq!(adapters(0, &[]).unwrap_err(), ModelError::NoTargets);
}

#[test]
fn adapters_are_counted_before_they_are_drawn() {
    let config = AdapterConfig { rank: 3, ..AdapterConfig::default() };
    for network in tiny::networks() {
        let base = tiny::denoiser(network);
        let drawn = base.clone().with_adapters(&config, &mut Seed::new(2).rng()).unwrap();
        let expected = memory_of(&drawn).elements();
        assert_eq!(base.adapter_numbers(&config).unwrap(), expected as f64);
        assert_eq!(drawn.adapter_numbers(&config).unwrap(), expected as f64);
        for rank in [1_000_000_000, usize::MAX] {
            let wide = AdapterConfig { rank, ..config.clone() };
            let refused = base.clone().with_adapters(&wide, &mut Seed::new(2).rng()).unwrap_err();
            assert!(matches!(refused, ModelError::TooLarge(_)), "{refused}");
            let named = format!("`fast.adapters.rank` is {rank}, but must be at most 10000");
            assert!(refused.to_string().contains(&named), "{refused}");
        }
    }
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let denoiser = tiny::transformer();
    let phrases = |frames| Phrases::none([1, frames, tiny::WORDS]);
    denoiser.check([1, 3, 2, 4, 4], &phrases(3)).unwrap();
    let latents = denoiser.check([1, 3, 4, 8, 8], &phrases(3)).unwrap_err();
    assert!(matches!(latents, ModelError::Latents { expected: [1, 3, 2, 4, 4], .. }));
    let told = denoiser.check([1, 3, 2, 4, 4], &phrases(2)).unwrap_err();
    assert!(matches!(told, ModelError::Phrases { found: [1, 2], .. }));
    let long = denoiser.check([1, 7, 2, 4, 4], &phrases(7)).unwrap_err();
    assert!(matches!(long, ModelError::TooManyFrames { found: 7, most: 6 }));
    let strange = Phrases::new(vec![99, 0, 0], [1, 1, 3]).unwrap();
    let strange = denoiser.check([1, 1, 2, 4, 4], &strange).unwrap_err();
    assert!(matches!(strange, ModelError::UnknownToken { token: 99, .. }));
}

/// A denoiser that adapts itself to an example, and should then do better on the same.
struct Denoising;

impl Problem for Denoising {
    type Outer = Denoisers;
    type Inner = Denoisers;
    type Task = Examples;

    fn adapted(&self) -> Selection {
        adapter_parameters()
    }

    fn init<B: Backend>(&self, outer: &Denoiser<B>, _task: &Example<B>) -> Denoiser<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Denoiser<B>,
        _outer: &Denoiser<B>,
        task: &Example<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        task.loss(inner)
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Denoiser<B>,
        _outer: &Denoiser<B>,
        task: &Example<B>,
    ) -> Tensor<B, 1> {
        task.loss(inner)
    }
}

fn double(denoiser: Denoiser<Flex>) -> Denoiser<Flex> {
    let cast = |tensor: &Tensor<Flex, 1>| tensor.clone().cast(DType::F64);
    Tensors(Tensors::of(&denoiser).0.iter().map(cast).collect()).write(denoiser)
}

fn example() -> Example<Flex> {
    let clip = tiny::clip_in(DType::F64, 1, 3, 4);
    let all = tiny::diffusion().timesteps();
    tiny::diffusion().conditional(&clip, 1, all, &mut Seed::new(4).rng()).unwrap()
}

fn hypergradient<C: Curvature>(denoiser: &Denoiser<Flex>, curvature: C) -> MetaFlat {
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let task = example();
    let rates = inner_loop.rates(&Denoising, RateScope::PerTensor, 0.05, denoiser, &task).unwrap();
    let gradient =
        Unrolled { curvature }.meta_gradient(&Denoising, &inner_loop, denoiser, &rates, &task);
    let MetaGradient { outer, .. } = gradient.unwrap();
    outer.0.iter().map(|entry| entry.as_ref().map(inner_outer::tensors::to_f64)).collect()
}

/// The derivative by each parameter, where there is one.
type MetaFlat = Vec<Option<Vec<f64>>>;

#[test]
fn engines_agree_on_both_networks() {
    for network in tiny::networks() {
        let denoiser = double(tiny::with_memory(tiny::denoiser(network)));
        let exact = hypergradient(&denoiser, Nested);
        let paths = parameter_paths(&denoiser);
        let check = |name: &str, found: MetaFlat, tolerance: f64| {
            for ((found, exact), path) in found.iter().zip(&exact).zip(&paths) {
                let (found, exact) = (found.as_ref().unwrap(), exact.as_ref().unwrap());
                let size = exact.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-6);
                let off = found.iter().zip(exact).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                assert!(off <= tolerance * size, "{name}, {path}: {off:e} of {size:e}");
            }
        };
        check("forward over reverse", hypergradient(&denoiser, ForwardOverReverse), 1e-9);
        check("central difference", hypergradient(&denoiser, CentralDifference::default()), 1e-5);
    }
}

#[test]
fn lifting_changes_no_value() {
    let denoiser = tiny::transformer();
    let lifted = <Denoisers as inner_outer::Family>::lift::<Autodiff<Flex>>(denoiser.clone());
    let lifted: On<Denoisers, Autodiff<Flex>> = lifted;
    let window = window(1);
    let raised = NoisyWindow {
        latents: Tensor::from_inner(window.latents.clone()),
        levels: Tensor::from_inner(window.levels.clone()),
        past: Tensor::from_inner(window.past.clone()),
        phrases: Tensor::from_inner(window.phrases.clone()),
    };
    let found = lifted.predict(&raised).inner();
    assert_eq!(tiny::values(&found), tiny::values(&denoiser.predict(&window)));
}
