use burn::backend::Flex;
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, parameter_paths, to_f64};
use inner_outer::{ConfiguredRule, HypergradientChoice, RateScope, RuleChoice, Schedule, Threads};

use super::*;
use crate::diffusion::{Clip, Diffusion, Sampler, SamplerConfig};
use crate::fast::WorldModel;
use crate::memory::{FastConfig, FastForm, FastLearner, Lesson, MemoryError, SlowFast};
use crate::model::{AdapterConfig, Denoiser, adapter_parameters};
use crate::tiny;

const WINDOWS: WindowConfig =
    WindowConfig { least_past: 1, most_past: 2, future: 2, no_action: 0.2, all_noised: 0.2 };

fn slow() -> SlowConfig {
    SlowConfig { rate: Schedule::constant(3e-3), ema_decay: 0.9, ..SlowConfig::default() }
}

fn fast() -> FastConfig {
    FastConfig {
        adapters: AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() },
        rate: 1e-2,
        steps: 1,
        draws: 2,
        ..FastConfig::default()
    }
}

fn pretraining() -> SlowTrainer<Flex> {
    SlowTrainer::pretraining(&slow(), tiny::transformer(), Seed::new(1)).unwrap()
}

/// The batches of a step, each a graph.
fn batches(step: u64) -> [Clip<Flex>; 3] {
    [0, 1, 2].map(|index| tiny::clip(2, 4, 100 + 3 * (step % 2) + index))
}

fn train(trainer: &mut SlowTrainer<Flex>, steps: usize) -> Vec<f64> {
    let diffusion = tiny::diffusion();
    let one = |_| {
        let batches = batches(trainer.steps_taken() as u64);
        trainer.step_on_windows(&diffusion, &WINDOWS, &batches).unwrap().outer_loss
    };
    (0..steps).map(one).collect()
}

fn parameters(denoiser: &Denoiser<Flex>) -> Vec<f64> {
    Tensors::of(denoiser).to_f64()
}

/// Parameters chosen by their path.
fn chosen(denoiser: &Denoiser<Flex>, choose: impl Fn(&str) -> bool) -> Vec<f64> {
    let mask: Vec<bool> = parameter_paths(denoiser).iter().map(|path| choose(path)).collect();
    Tensors::of(denoiser).select(&mask).to_f64()
}

fn adapters(denoiser: &Denoiser<Flex>) -> Vec<f64> {
    let adapters = adapter_parameters();
    chosen(denoiser, |path| adapters.contains(path))
}

#[test]
fn training_lowers_the_loss_and_leaves_words_alone() {
    let mut trainer = pretraining();
    let losses = train(&mut trainer, 70);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..20]), mean(&losses[50..]));
    assert!(last < 0.8 * first, "from {first} to {last}");
    let words = |denoiser: &Denoiser<Flex>| chosen(denoiser, |path| path.starts_with("words."));
    assert_eq!(words(trainer.denoiser()), words(&tiny::transformer()));
    assert_ne!(parameters(trainer.mean()), parameters(trainer.denoiser()));
}

#[test]
fn threads_change_no_bit() {
    let trained = |threads| {
        let mut trainer = pretraining().with_threads(Threads::new(threads));
        let losses = train(&mut trainer, 3);
        (losses, parameters(trainer.denoiser()), parameters(trainer.mean()))
    };
    assert_eq!(trained(1), trained(3));
}

#[test]
fn a_resumed_training_goes_on_bit_for_bit() {
    let mut whole = pretraining();
    train(&mut whole, 2);
    let state = whole.state().unwrap();
    let mut resumed = pretraining().with_state(&state, &Default::default()).unwrap();
    assert_eq!(resumed.steps_taken(), 2);
    assert_eq!(train(&mut whole, 3), train(&mut resumed, 3));
    assert_eq!(parameters(whole.denoiser()), parameters(resumed.denoiser()));
    assert_eq!(parameters(whole.mean()), parameters(resumed.mean()));
    let broken = TrainerState { ema: state.ema[1..].to_vec(), ..state.clone() };
    let refused = |state: &TrainerState| pretraining().with_state(state, &Default::default()).err();
    assert!(matches!(refused(&broken), Some(SlowError::State(_))));
    let broken = TrainerState { learner: state.learner[1..].to_vec(), ..state };
    assert!(matches!(refused(&broken), Some(SlowError::State(_))));
}

/// What a trainer has learned, to the bit.
fn learned(trainer: &SlowTrainer<Flex>) -> [Vec<f64>; 3] {
    let rates = trainer.rates().tensors.iter().flat_map(|rates| to_f64(&rates.val())).collect();
    [parameters(trainer.denoiser()), parameters(trainer.mean()), rates]
}

#[test]
fn resumed_loops_go_on_bit_for_bit() {
    let config = SecondOrderConfig { rates_rate: Some(Schedule::constant(0.1)), ..second_order() };
    let mut whole = recall_trainer(&config);
    let fresh_rates = learned(&whole)[2].clone();
    recall_steps(&mut whole, &config, 2);
    let state = whole.state().unwrap();
    let mut resumed = recall_trainer(&config).with_state(&state, &Default::default()).unwrap();
    assert_eq!(recall_steps(&mut whole, &config, 2), recall_steps(&mut resumed, &config, 2));
    assert_eq!(learned(&whole), learned(&resumed));
    assert_ne!(learned(&whole)[2], fresh_rates, "rates are learned");

    let pass = |trainer: &mut SlowTrainer<Flex>| {
        let loops = LoopConfig { batch: 3, ..LoopConfig::default() };
        slow_fast_pass(trainer, &world(fast()), &episodes(), &loops, &Seed::new(4)).unwrap();
    };
    let mut whole = loop_trainer();
    pass(&mut whole);
    let state = whole.state().unwrap();
    let mut resumed = loop_trainer().with_state(&state, &Default::default()).unwrap();
    pass(&mut whole);
    pass(&mut resumed);
    assert_eq!(learned(&whole), learned(&resumed));
}

fn sampler() -> Sampler {
    let config = SamplerConfig { steps: 2, ..SamplerConfig::default() };
    Sampler::new(tiny::diffusion(), config).unwrap()
}

fn world(fast: FastConfig) -> WorldModel<Flex> {
    let learner = FastLearner::new(fast, tiny::diffusion()).unwrap();
    WorldModel::new(tiny::transformer(), sampler(), Some(learner))
}

/// Three episodes of four chunks of two frames.
fn episodes() -> Vec<Vec<Clip<Flex>>> {
    (0..3)
        .map(|episode| (0..4).map(|chunk| tiny::clip(1, 2, 10 * episode + chunk)).collect())
        .collect()
}

fn flat(stored: &StoredChunk<Flex>) -> Vec<f64> {
    Tensors(stored.memory.clone().unwrap()).to_f64()
}

#[test]
fn every_memory_is_stored_before_its_update() {
    let (world, episodes, seed) = (world(fast()), episodes(), Seed::new(2));
    let stored = stored_chunks(&world, &episodes, ChunkSource::GroundTruth, &seed).unwrap();
    assert_eq!(stored.len(), 9);
    for (index, chunks) in episodes.iter().enumerate() {
        let seed = seed.child("episode").index(index as u64);
        let mut episode = world.begin(chunks[0].clone(), &seed).unwrap();
        for (number, chunk) in chunks[1..].iter().enumerate() {
            let entry = &stored[3 * index + number];
            assert_eq!(flat(entry), episode.memory().unwrap().theta.to_f64());
            assert_eq!(tiny::values(&entry.past.latents), tiny::values(&chunks[number].latents));
            assert_eq!(tiny::values(&entry.future.latents), tiny::values(&chunk.latents));
            world.observe(&mut episode, chunk.clone()).unwrap();
            assert_ne!(flat(entry), episode.memory().unwrap().theta.to_f64());
        }
    }
}

#[test]
fn the_source_of_chunks_decides_the_memories() {
    let (world, episodes, seed) = (world(fast()), episodes(), Seed::new(2));
    let memories = |source| {
        let stored = stored_chunks(&world, &episodes, source, &seed).unwrap();
        stored.iter().map(flat).collect::<Vec<_>>()
    };
    let (seen, generated) = (memories(ChunkSource::GroundTruth), memories(ChunkSource::Generated));
    assert_eq!(seen[0], generated[0]);
    assert_ne!(seen[1], generated[1]);
}

fn loop_trainer() -> SlowTrainer<Flex> {
    SlowTrainer::stop_gradient(&slow(), &fast(), tiny::transformer(), Seed::new(1)).unwrap()
}

#[test]
fn the_loop_moves_the_denoiser_and_no_memory() {
    let mut trainer = loop_trainer();
    let before = trainer.denoiser().clone();
    let config = LoopConfig { batch: 4, ..LoopConfig::default() };
    let steps =
        slow_fast_pass(&mut trainer, &world(fast()), &episodes(), &config, &Seed::new(2)).unwrap();
    assert_eq!(steps.len(), 3);
    assert_eq!(adapters(trainer.denoiser()), adapters(&before));
    let base = |denoiser: &Denoiser<Flex>| parameters(&denoiser.clone().without_adapters());
    assert_ne!(base(trainer.denoiser()), base(&before));
    assert_ne!(base(trainer.mean()), base(&before));
}

#[test]
fn a_pass_that_ends_early_begins_as_a_whole_one() {
    let passed = |most_steps| {
        let mut trainer = loop_trainer();
        let config = LoopConfig { batch: 4, most_steps, ..LoopConfig::default() };
        let pass =
            slow_fast_pass(&mut trainer, &world(fast()), &episodes(), &config, &Seed::new(2));
        let losses: Vec<f64> = pass.unwrap().iter().map(|step| step.outer_loss).collect();
        (losses, trainer.steps_taken())
    };
    let (whole, _) = passed(None);
    assert_eq!(passed(Some(2)), (whole[..2].to_vec(), 2));
    assert_eq!(passed(Some(9)), (whole, 3));
}

/// The slow step is taken at the stored memory.
#[test]
fn the_stored_memory_counts_in_the_slow_loss() {
    let loss = |source| {
        let mut trainer = loop_trainer();
        let config = LoopConfig { batch: 9, source, ..LoopConfig::default() };
        let steep = FastConfig { rate: 0.1, ..fast() };
        let world = world(steep);
        slow_fast_pass(&mut trainer, &world, &episodes(), &config, &Seed::new(2)).unwrap()[0]
            .outer_loss
    };
    assert_ne!(loss(ChunkSource::GroundTruth), loss(ChunkSource::Generated));
}

fn second_order() -> SecondOrderConfig {
    SecondOrderConfig {
        fast: FastConfig {
            optimizer: ConfiguredRule { rule: RuleChoice::Sgd, clip: None },
            rate: 0.05,
            steps: 2,
            ..fast()
        },
        written: 2,
        ..SecondOrderConfig::default()
    }
}

fn recall_trainer(config: &SecondOrderConfig) -> SlowTrainer<Flex> {
    SlowTrainer::second_order(&slow(), config, tiny::transformer(), Seed::new(1)).unwrap()
}

/// Episodes that come back to their first chunk.
fn recalls() -> Vec<Recall<Flex>> {
    let there_and_back = |chunks: Vec<Clip<Flex>>| Recall {
        chunks: [0, 1, 2, 1].map(|index: usize| chunks[index].clone()).to_vec(),
        asked: vec![3],
    };
    episodes().into_iter().map(there_and_back).collect()
}

fn recall_steps(
    trainer: &mut SlowTrainer<Flex>,
    config: &SecondOrderConfig,
    steps: u64,
) -> Vec<f64> {
    let one = |step: u64| {
        let lesson = |(index, recall): (usize, &Recall<Flex>)| {
            let seed = Seed::new(step % 4).index(index as u64);
            recall.lesson(config, &tiny::diffusion(), trainer.denoiser(), &seed).unwrap()
        };
        let lessons: Vec<_> = recalls().iter().enumerate().map(lesson).collect();
        trainer.step(&lessons).unwrap().outer_loss
    };
    (0..steps).map(one).collect()
}

#[test]
fn second_order_learns_denoiser_start_and_rates() {
    let config = second_order();
    let mut trainer = recall_trainer(&config);
    let (start, rates) = (adapters(trainer.denoiser()), Tensors::of(trainer.rates()).to_f64());
    let losses = recall_steps(&mut trainer, &config, 24);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[20..]) < mean(&losses[..4]), "{losses:?}");
    assert_ne!(adapters(trainer.denoiser()), start);
    assert_ne!(Tensors::of(trainer.rates()).to_f64(), rates);
    // What was learned is what episodes then begin with.
    let learner = FastLearner::new(config.fast.clone(), tiny::diffusion()).unwrap();
    let learner = learner.with_rates(trainer.rates().clone());
    let world = WorldModel::new(trainer.denoiser().clone(), sampler(), Some(learner));
    let episode = world.begin(tiny::clip(1, 2, 1), &Seed::new(5)).unwrap();
    assert_eq!(episode.memory().unwrap().theta.to_f64(), adapters(trainer.denoiser()));
}

#[test]
fn a_start_that_is_not_learned_is_drawn_for_every_lesson() {
    let config = SecondOrderConfig { learn_start: false, rates_rate: None, ..second_order() };
    let mut trainer = recall_trainer(&config);
    let start = adapters(trainer.denoiser());
    recall_steps(&mut trainer, &config, 1);
    assert_eq!(adapters(trainer.denoiser()), start);
    let memory = |seed: u64| {
        let recall = &recalls()[0];
        let lesson =
            recall.lesson(&config, &tiny::diffusion(), trainer.denoiser(), &Seed::new(seed));
        Tensors(lesson.unwrap().memory.unwrap()).to_f64()
    };
    assert_eq!(memory(1), memory(1));
    assert_ne!(memory(1), memory(2));
}

/// The exact derivative through the fast steps is another than that which stops at them.
#[test]
fn second_order_is_not_first_order() {
    let after = |hypergradient| {
        let config = SecondOrderConfig { hypergradient, ..second_order() };
        let mut trainer = recall_trainer(&config);
        recall_steps(&mut trainer, &config, 1);
        parameters(trainer.denoiser())
    };
    let exact = after(HypergradientChoice::default());
    assert!(matches!(HypergradientChoice::default(), HypergradientChoice::Unrolled { .. }));
    assert_ne!(exact, after(HypergradientChoice::FirstOrder {}));
}

#[test]
fn single_frames_are_the_past_of_single_frame_lessons() {
    let config = SecondOrderConfig {
        fast: FastConfig { form: FastForm::SingleFrame, ..second_order().fast },
        ..second_order()
    };
    let trainer = recall_trainer(&config);
    let lesson = recalls()[0]
        .lesson(&config, &tiny::diffusion(), trainer.denoiser(), &Seed::new(1))
        .unwrap();
    assert_eq!(lesson.slow[0].weights.dims(), [2, 3]);
    assert_eq!((lesson.fast.len(), lesson.fast[0].weights.dims()), (4, [2, 3]));
}

/// Windows of the whole episode go back to its start, which is far from all that comes after it here.
#[test]
fn only_whole_sequence_lessons_rehearse_what_was_seen_long_ago() {
    let far = |clip: Clip<Flex>| Clip { latents: clip.latents * 0.0 + 1e3, ..clip };
    let rehearsed = |form| {
        let fast = FastConfig { form, draws: 8, ..second_order().fast };
        let config = SecondOrderConfig { fast, ..second_order() };
        let mut recall = recalls().remove(0);
        recall.chunks[0] = far(recall.chunks[0].clone());
        let trainer = recall_trainer(&config);
        let lesson =
            recall.lesson(&config, &tiny::diffusion(), trainer.denoiser(), &Seed::new(1)).unwrap();
        assert_eq!(lesson.fast.len(), 4);
        // Two steps after the first chunk, whose past is the start, and two after the second, whose past is the first.
        lesson.fast.iter().map(|example| tiny::values(&example.window.latents)).collect::<Vec<_>>()
    };
    let reaches_far = |frames: &Vec<f32>| frames.iter().any(|value| value.abs() > 50.0);
    let local: Vec<bool> = rehearsed(FastForm::Local).iter().map(reaches_far).collect();
    assert_eq!(local, [true, true, false, false]);
    assert!(rehearsed(FastForm::WholeSequence).iter().all(reaches_far));
}

#[test]
fn the_second_order_loop_learns_through_windows_of_the_whole_episode() {
    let fast = FastConfig { form: FastForm::WholeSequence, ..second_order().fast };
    let config = SecondOrderConfig { fast, ..second_order() };
    let losses = recall_steps(&mut recall_trainer(&config), &config, 24);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[20..]) < mean(&losses[..4]), "{losses:?}");
}

#[test]
fn windows_are_drawn_within_their_bounds() {
    let mut random = Seed::new(3).rng();
    let mut lengths = std::collections::BTreeSet::new();
    let mut unconditional = 0;
    for _ in 0..60 {
        let lesson = WINDOWS.lesson(&tiny::diffusion(), &tiny::clip(1, 4, 1), &mut random).unwrap();
        let weights = tiny::values(&lesson.slow[0].weights);
        let given = weights.iter().filter(|weight| **weight == 0.0).count();
        unconditional += usize::from(given == 0);
        lengths.insert(weights.len());
        assert!(given == 0 || weights.len() == given + 2);
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [3, 4]);
    assert!((3..30).contains(&unconditional), "{unconditional}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let windows = |config: WindowConfig| config.check().unwrap_err().to_string();
    assert!(windows(WindowConfig { least_past: 3, ..WINDOWS }).contains("from 3 to 2"));
    assert!(windows(WindowConfig { least_past: 0, ..WINDOWS }).contains("from 0 to 2"));
    assert!(windows(WindowConfig { future: 0, ..WINDOWS }).contains("windows.future"));
    assert!(windows(WindowConfig { no_action: 1.5, ..WINDOWS }).contains("windows.no_action"));
    assert!(windows(WindowConfig { all_noised: f64::NAN, ..WINDOWS }).contains("all_noised"));
    let slow_refused = |config| {
        let refused = SlowTrainer::<Flex>::pretraining(&config, tiny::transformer(), Seed::new(1));
        refused.err().unwrap().to_string()
    };
    assert!(slow_refused(SlowConfig { ema_decay: 1.0, ..slow() }).contains("slow.ema_decay"));
    assert!(
        slow_refused(SlowConfig { weight_decay: -1.0, ..slow() }).contains("slow.weight_decay")
    );
    for clip in [0.0, -1.0, f64::NAN] {
        assert!(slow_refused(SlowConfig { clip: Some(clip), ..slow() }).contains("slow.clip"));
    }
    let unbounded = SlowConfig { clip: Some(f64::INFINITY), ..slow() };
    SlowTrainer::<Flex>::pretraining(&unbounded, tiny::transformer(), Seed::new(1)).unwrap();
    let second = |config: SecondOrderConfig| {
        let refused =
            SlowTrainer::<Flex>::second_order(&slow(), &config, tiny::transformer(), Seed::new(1));
        refused.err().unwrap().to_string()
    };
    assert!(second(SecondOrderConfig { written: 0, ..second_order() }).contains("written"));
    assert!(second(SecondOrderConfig { draws: 0, ..second_order() }).contains("draws"));
    let reset = FastConfig { keep_state: false, ..second_order().fast };
    assert!(second(SecondOrderConfig { fast: reset, ..second_order() }).contains("keep_state"));
    let still = FastConfig { rate: 0.0, ..second_order().fast };
    assert!(second(SecondOrderConfig { fast: still, ..second_order() }).contains("fast.rate"));
    let mut backwards = second_order();
    backwards.fast.optimizer.clip = Some(-1.0);
    assert!(second(backwards).contains("fast.optimizer.clip"));
    for alpha in [0.0, f64::NAN] {
        let mut fast = second_order().fast;
        fast.adapters.alpha = alpha;
        let denoiser = tiny::transformer();
        let refused =
            SlowTrainer::<Flex>::stop_gradient(&slow(), &fast, denoiser, Seed::new(1)).err();
        assert!(refused.unwrap().to_string().contains("alpha"), "{alpha}");
    }
}

#[test]
fn lessons_that_do_not_fit_are_refused() {
    let diffusion: Diffusion = tiny::diffusion();
    let mut trainer = pretraining();
    let short = trainer.step_on_windows(&diffusion, &WINDOWS, &[tiny::clip(1, 3, 1)]).unwrap_err();
    assert!(matches!(short, SlowError::ShortClip { found: 3, expected: 4 }));
    let long = trainer.step_on_windows(&diffusion, &WINDOWS, &[tiny::clip(1, 7, 1)]).unwrap_err();
    assert!(matches!(long, SlowError::Diffusion(_)));
    let nothing = trainer.step_on_windows(&diffusion, &WINDOWS, &[]).unwrap_err();
    assert!(matches!(nothing, SlowError::Learning { step: 0, .. }));
    let config = LoopConfig::default();
    let passed = slow_fast_pass(&mut trainer, &world(fast()), &episodes(), &config, &Seed::new(1));
    assert!(passed.unwrap_err().to_string().contains("`SlowTrainer::stop_gradient`"));
    let mut trainer = loop_trainer();
    let windows =
        trainer.step_on_windows(&diffusion, &WINDOWS, &[tiny::clip(1, 4, 1)]).unwrap_err();
    assert!(windows.to_string().contains("`SlowTrainer::pretraining`"));
    assert_eq!(trainer.stage(), SlowFast::StopGradient);
    let empty = LoopConfig { batch: 0, ..config };
    let passed = slow_fast_pass(&mut trainer, &world(fast()), &episodes(), &empty, &Seed::new(1));
    assert!(passed.unwrap_err().to_string().contains("loop.batch"));
    let single = vec![vec![tiny::clip(1, 2, 1)]];
    let passed = slow_fast_pass(&mut trainer, &world(fast()), &single, &config, &Seed::new(1));
    assert!(matches!(passed, Err(SlowError::ShortEpisode { episode: 0, chunks: 1 })));
    let double = vec![vec![tiny::clip(2, 2, 1), tiny::clip(2, 2, 2)]];
    let passed = slow_fast_pass(&mut trainer, &world(fast()), &double, &config, &Seed::new(1));
    let refused = passed.unwrap_err();
    assert!(matches!(refused, SlowError::Memory(MemoryError::SeveralClips { found: 2 })));
}

#[test]
fn lessons_of_another_trainer_are_refused() {
    let config = second_order();
    let mut trainer = recall_trainer(&config);
    let lesson = |config: &SecondOrderConfig| {
        let equipped = recall_trainer(config).denoiser().clone();
        recalls()[0].lesson(config, &tiny::diffusion(), &equipped, &Seed::new(1)).unwrap()
    };
    let mut refused = |lesson: Lesson<Flex>| trainer.step(&[lesson]).unwrap_err().to_string();
    let fewer = lesson(&SecondOrderConfig { written: 1, ..second_order() });
    assert!(refused(fewer).contains("has 2 fast steps, and the trainer 4"));
    let nothing = Lesson { slow: Vec::new(), ..lesson(&config) };
    assert!(refused(nothing).contains("no slow example"));
    let wide = AdapterConfig { rank: 3, ..fast().adapters };
    let wide = FastConfig { adapters: wide, ..second_order().fast };
    let wide = SecondOrderConfig { fast: wide, learn_start: false, ..second_order() };
    assert!(refused(lesson(&wide)).contains("other adapters"));
}

/// Asking for every chunk before it is learned adds those losses, and their derivatives.
#[test]
fn losses_along_the_way_are_added() {
    let config = SecondOrderConfig { along: true, ..second_order() };
    let mut trainer = recall_trainer(&config);
    let lesson = |config: &SecondOrderConfig| {
        let denoiser = trainer.denoiser();
        recalls()[0].lesson(config, &tiny::diffusion(), denoiser, &Seed::new(1)).unwrap()
    };
    let (with, without) = (lesson(&config), lesson(&second_order()));
    assert_eq!((with.along.len(), without.along.len()), (2, 0));
    let first = f64::from(tiny::values(&with.along[0].loss(trainer.denoiser()))[0]);
    let with = trainer.step(&[with]).unwrap();
    let without = recall_trainer(&config).step(&[without]).unwrap();
    assert!(with.outer_loss > without.outer_loss + 0.9 * first, "{with:?} {without:?}");
    assert_ne!(with.gradient_norm, without.gradient_norm);
}

#[test]
fn recalls_that_do_not_fit_are_refused() {
    let (config, diffusion) = (second_order(), tiny::diffusion());
    let denoiser = recall_trainer(&config).denoiser().clone();
    let refused = |recall: Recall<Flex>, config: &SecondOrderConfig| {
        recall.lesson(config, &diffusion, &denoiser, &Seed::new(1)).unwrap_err()
    };
    let recall = || recalls().remove(0);
    for asked in [vec![], vec![0], vec![4]] {
        let error = refused(Recall { asked, ..recall() }, &config);
        assert!(matches!(error, SlowError::Recall { chunks: 3, .. }), "{error}");
    }
    let error = refused(recall(), &SecondOrderConfig { written: 4, ..second_order() });
    assert!(matches!(error, SlowError::Recall { written: 4, .. }));
    let long = Recall { chunks: vec![tiny::clip(1, 4, 1); 4], asked: vec![1] };
    assert!(matches!(refused(long, &config), SlowError::Diffusion(_)));
    assert_eq!(config.rate_scope, RateScope::PerTensorPerStep);
}
