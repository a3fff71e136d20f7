use burn::backend::Flex;
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, parameter_paths};
use inner_outer::{ConfiguredRule, RateScope, Rates, RuleChoice};
use std::path::PathBuf;

use super::*;
use crate::diffusion::{SamplerConfig, Timesteps};
use crate::memory::FastConfig;
use crate::model::{AdapterConfig, adapter_parameters};
use crate::tiny;

fn config() -> FastConfig {
    FastConfig {
        adapters: AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() },
        rate: 1e-2,
        steps: 2,
        draws: 2,
        ..FastConfig::default()
    }
}

fn learner(config: FastConfig) -> FastLearner<Flex> {
    FastLearner::new(config, tiny::diffusion()).unwrap()
}

fn sampler() -> Sampler {
    let config = SamplerConfig { steps: 3, ..SamplerConfig::default() };
    Sampler::new(tiny::diffusion(), config).unwrap()
}

fn world(config: FastConfig) -> WorldModel<Flex> {
    WorldModel::new(tiny::transformer(), sampler(), Some(learner(config)))
}

fn forgetful() -> WorldModel<Flex> {
    WorldModel::new(tiny::transformer(), sampler(), None)
}

/// Three chunks of three frames each.
fn actions() -> Vec<Phrases> {
    (0..3).map(|seed| tiny::clip(1, 3, seed).phrases).collect()
}

fn played(world: &WorldModel<Flex>) -> Episode<Flex> {
    world.generate(tiny::clip(1, 1, 8), &actions(), &Seed::new(3)).unwrap()
}

fn frames(episode: &Episode<Flex>) -> Vec<f32> {
    tiny::values(&episode.latents())
}

/// Latents, memory, optimiser state and losses of all chunks.
fn everything(episode: &Episode<Flex>) -> Vec<f64> {
    let chunks = episode.chunks().iter().flat_map(|chunk| {
        let memory = chunk.memory.as_ref();
        let tensors = memory.map(|memory| [memory.theta.to_f64(), memory.state.to_f64()].concat());
        [tensors.unwrap_or_default(), chunk.losses.clone()].concat()
    });
    let frames = frames(episode).into_iter().map(f64::from);
    frames.chain(chunks).collect()
}

/// Whether the start is an encoded episode's, whose first frame is told what comes next, or a frame of its own.
#[test]
fn the_first_frame_is_told_what_comes_next() {
    let start = tiny::clip(1, 1, 8);
    let begun_with = |phrases: Phrases| {
        let start = Clip { phrases, ..start.clone() };
        everything(&world(config()).generate(start, &actions(), &Seed::new(3)).unwrap())
    };
    let shape = start.phrases.shape();
    let [silent, told] = [Phrases::none(shape), actions()[0].narrow(0, 1)].map(begun_with);
    assert_eq!(silent, told);
    assert_ne!(silent, begun_with(actions()[1].narrow(0, 1)));
}

#[test]
fn an_episode_leaves_the_base_bit_identical() {
    for form in
        [FastForm::Local, FastForm::InputToOutput, FastForm::WholeSequence, FastForm::SingleFrame]
    {
        let world = world(FastConfig { form, ..config() });
        let before = tiny::transformer();
        let episode = played(&world);
        assert!(episode.memory_change() > 0.0);
        let after = world.with_memory_of(&episode).unwrap();
        let adapters = adapter_parameters();
        let paths = parameter_paths(&after);
        let base: Vec<bool> = paths.iter().map(|path| !adapters.contains(path)).collect();
        assert_eq!(Tensors::of(&after).select(&base).to_f64(), Tensors::of(&before).to_f64());
        assert_eq!(Tensors::of(world.denoiser()).to_f64(), Tensors::of(&before).to_f64());
    }
}

#[test]
fn chunks_follow_each_other_in_latents() {
    let world = world(config());
    let episode = played(&world);
    assert_eq!(episode.latents().dims(), [1, 10, 2, 4, 4]);
    assert_eq!(episode.clip().phrases.shape(), [1, 10, tiny::WORDS]);
    // X_i is Y_{i-1}, the very same numbers.
    let before = episode.clone().rewound(2).unwrap();
    let past = before.past(FastForm::Local);
    assert_eq!(tiny::values(&past.latents), tiny::values(&episode.chunks()[1].clip.latents));
    assert_eq!(before.past(FastForm::SingleFrame).frames(), 1);
    assert!(episode.chunks().iter().all(|chunk| chunk.losses.len() == 2));
}

#[test]
fn memory_changes_what_comes_after_the_first_chunk() {
    let (with, without) = (played(&world(config())), played(&forgetful()));
    let chunk =
        |episode: &Episode<Flex>, index: usize| tiny::values(&episode.chunks()[index].clip.latents);
    assert_eq!(chunk(&with, 0), chunk(&without, 0), "a fresh memory changes nothing");
    assert_ne!(chunk(&with, 1), chunk(&without, 1));
    assert!(without.memory().is_none() && without.memory_change() == 0.0);
}

#[test]
fn forms_learn_from_different_things() {
    let memory = |form| {
        let episode = played(&world(FastConfig { form, ..config() }));
        episode.memory().unwrap().theta.to_f64()
    };
    let forms =
        [FastForm::Local, FastForm::InputToOutput, FastForm::WholeSequence, FastForm::SingleFrame];
    for (index, form) in forms.into_iter().enumerate() {
        for other in &forms[index + 1..] {
            assert_ne!(memory(form), memory(*other), "{form:?} and {other:?}");
        }
    }
}

/// The fast loss of the local form does not depend on the action, that of the original form does.
#[test]
fn the_local_form_ignores_the_action() {
    let learned = |form, phrases: u64| {
        let world = world(FastConfig { form, ..config() });
        let mut episode = world.begin(tiny::clip(1, 1, 8), &Seed::new(3)).unwrap();
        let chunk = tiny::clip(1, 3, 1);
        let phrases = tiny::clip(1, 3, phrases).phrases;
        world.observe(&mut episode, Clip { phrases, ..chunk }).unwrap();
        episode.memory().unwrap().theta.to_f64()
    };
    assert_eq!(learned(FastForm::Local, 1), learned(FastForm::Local, 2));
    assert_ne!(learned(FastForm::InputToOutput, 1), learned(FastForm::InputToOutput, 2));
}

#[test]
fn the_optimisers_state_is_kept_or_reset() {
    let end = |keep_state| {
        let episode = played(&world(FastConfig { keep_state, ..config() }));
        episode.memory().unwrap().clone()
    };
    let (kept, reset) = (end(true), end(false));
    assert_eq!((kept.steps_taken, reset.steps_taken), (6, 0));
    assert!(reset.state.to_f64().iter().all(|entry| *entry == 0.0));
    assert_ne!(kept.theta.to_f64(), reset.theta.to_f64());
}

/// What was memorised is denoised better than what was not.
#[test]
fn the_fast_loss_falls_on_memorised_chunks_only() {
    let adapters = AdapterConfig { rank: 8, alpha: 8.0, ..AdapterConfig::default() };
    let config = FastConfig { adapters, steps: 150, draws: 4, rate: 2e-2, ..config() };
    let world = world(config);
    let mut episode = world.begin(tiny::clip(1, 1, 8), &Seed::new(3)).unwrap();
    let (seen, unseen) = (tiny::clip(1, 3, 20), tiny::clip(1, 3, 21));
    let loss = |episode: &Episode<Flex>, chunk: &Clip<Flex>| {
        let clip = episode.start().followed_by(chunk).repeated(16);
        let all = Timesteps { from: 0, to: 1000 };
        let example =
            tiny::diffusion().unconditional(&clip, all, &mut Seed::new(77).rng()).unwrap();
        f64::from(tiny::values(&example.loss(&world.with_memory_of(episode).unwrap()))[0])
    };
    let before = [loss(&episode, &seen), loss(&episode, &unseen)];
    let start = episode.clone();
    world.observe(&mut episode, seen.clone()).unwrap();
    let after = Episode { start: start.start.clone(), ..episode };
    let gain = [before[0] - loss(&after, &seen), before[1] - loss(&after, &unseen)];
    assert!(gain[0] > 0.05 && gain[0] > gain[1] + 0.01, "gains {gain:?} of {before:?}");
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("episode.safetensors")
}

#[test]
fn the_next_chunk_after_a_restore_is_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    for keep_state in [true, false] {
        let world = world(FastConfig { keep_state, ..config() });
        let mut episode = played(&world);
        world.save(&episode, &file(&folder)).unwrap();
        let mut restored = world.load(&file(&folder), &Default::default()).unwrap();
        assert_eq!(everything(&restored), everything(&episode));
        for action in actions() {
            world.next_chunk(&mut episode, &action).unwrap();
            world.next_chunk(&mut restored, &action).unwrap();
        }
        assert_eq!(everything(&restored), everything(&episode));
    }
}

#[test]
fn rewinding_goes_on_as_it_went_and_a_fork_goes_elsewhere() {
    let world = world(config());
    let whole = played(&world);
    for chunks in 0..=3 {
        let mut again = whole.clone().rewound(chunks).unwrap();
        actions()[chunks..].iter().for_each(|action| {
            world.next_chunk(&mut again, action).unwrap();
        });
        assert_eq!(everything(&again), everything(&whole));
    }
    let mut fork = whole.clone().rewound(1).unwrap().forked(Seed::new(99));
    world.next_chunk(&mut fork, &actions()[1]).unwrap();
    assert_ne!(frames(&fork), frames(&whole.clone().rewound(2).unwrap()));
    // Rewound before the fork, it has the seed from before the fork.
    let back = fork.rewound(0).unwrap();
    assert_eq!(back.seed(), &Seed::new(3));
    let refused = whole.rewound(4).unwrap_err().to_string();
    assert!(refused.contains("has 3 chunks"), "{refused}");
}

#[test]
fn another_base_or_other_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let world = world(config());
    world.save(&played(&world), &path).unwrap();
    let read = |world: &WorldModel<Flex>| world.load(&path, &Default::default()).unwrap_err();
    let other = tiny::shaken(tiny::transformer(), 1e-3, 1);
    let other = WorldModel::new(other, sampler(), Some(learner(config())));
    assert!(matches!(read(&other), MemoryError::AnotherBase { .. }));
    let rates = learner(config());
    let memory =
        world.begin(tiny::clip(1, 1, 8), &Seed::new(3)).unwrap().memory().cloned().unwrap();
    let rates = rates.with_rates(Rates::new(RateScope::PerTensor, 0.1, &memory.theta, 2));
    let learned = WorldModel::new(tiny::transformer(), sampler(), Some(rates));
    assert!(matches!(read(&learned), MemoryError::AnotherBase { .. }));
    let slower = FastConfig { rate: 1e-3, ..config() };
    let slower = WorldModel::new(tiny::transformer(), sampler(), Some(learner(slower)));
    assert!(matches!(read(&slower), MemoryError::OtherSettings { .. }));
    assert!(matches!(read(&forgetful()), MemoryError::OtherSettings { .. }));
}

#[test]
fn another_sampler_or_other_chunks_are_refused_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let of = |sampler| WorldModel::new(tiny::transformer(), sampler, Some(learner(config())));
    let saved = of(sampler()).in_chunks_of(3);
    saved.save(&played(&saved), &path).unwrap();
    assert!(saved.load(&path, &Default::default()).is_ok());
    let told = |world: WorldModel<Flex>| match world.load(&path, &Default::default()) {
        Err(error @ MemoryError::OtherSettings { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let shorter = SamplerConfig { steps: 2, ..*sampler().config() };
    let shorter = Sampler::new(tiny::diffusion(), shorter).unwrap();
    let sampled = told(of(shorter).in_chunks_of(3));
    for part in ["`sampler`", "\"steps\":3", "\"steps\":2", "settings it was made with"] {
        assert!(sampled.contains(part), "{sampled}");
    }
    let cut = told(of(sampler()).in_chunks_of(2));
    assert!(cut.contains("`frames_per_chunk` 3, but here it is 2"), "{cut}");
}

#[test]
fn a_damaged_or_cut_off_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let world = world(config());
    world
        .save(&world.generate(tiny::clip(1, 1, 8), &actions()[..1], &Seed::new(3)).unwrap(), &path)
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    let refused = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        world.load(&path, &Default::default()).unwrap_err()
    };
    for place in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        let error = refused(&flipped);
        assert!(matches!(error, MemoryError::Damaged { .. }), "byte {place}: {error}");
        assert!(matches!(refused(&whole[..place]), MemoryError::Damaged { .. }));
    }
    let plain = inner_outer::named_tensors::write(&[]).unwrap();
    assert!(refused(&plain).to_string().contains("but no memory"));
    let absent = world.load(&folder.path().join("absent"), &Default::default()).unwrap_err();
    assert!(matches!(absent, MemoryError::Access { .. }));
    let nowhere = world.save(&played(&world), &folder.path().join("no/folder")).unwrap_err();
    assert!(matches!(nowhere, MemoryError::Access { .. }));
}

#[test]
fn learned_rates_are_used_and_the_last_ones_again() {
    let theta = played(&world(config())).memory().unwrap().theta.clone();
    let rates = |value: f64| Rates::new(RateScope::PerTensor, value, &theta, 2);
    let with = |rates| {
        let learner = learner(config()).with_rates(rates);
        played(&WorldModel::new(tiny::transformer(), sampler(), Some(learner)))
    };
    assert_eq!(everything(&with(rates(1e-2))), everything(&played(&world(config()))));
    assert_eq!(with(rates(0.0)).memory_change(), 0.0);
    // Rates of two chunks, the second of which stands still; so does the third.
    let mut steps = Rates::new(RateScope::PerTensorPerStep, 1e-2, &theta, 4);
    for rates in &mut steps.tensors {
        let still = rates.val().narrow(0, 2, 2) * 0.0;
        let all = Tensor::cat(vec![rates.val().narrow(0, 0, 2), still], 0);
        *rates = burn::module::Param::from_tensor(all);
    }
    let episode = with(steps);
    let after = |chunk: usize| episode.chunks()[chunk].memory.as_ref().unwrap().theta.to_f64();
    assert_ne!(after(0), theta_of_start(&episode));
    assert_eq!(after(1), after(0));
    assert_eq!(after(2), after(0));
}

fn theta_of_start(episode: &Episode<Flex>) -> Vec<f64> {
    episode.clone().rewound(0).unwrap().memory().unwrap().theta.to_f64()
}

#[test]
fn what_cannot_be_played_is_refused() {
    let world = world(config());
    let begin = |clip| world.begin(clip, &Seed::new(0));
    assert!(matches!(begin(tiny::clip(2, 1, 1)), Err(MemoryError::SeveralClips { found: 2 })));
    assert!(matches!(begin(tiny::clip(1, 7, 1)), Err(MemoryError::Diffusion(_))));
    let mut episode = begin(tiny::clip(1, 1, 1)).unwrap();
    let many = tiny::clip(1, 6, 1);
    assert!(matches!(
        world.next_chunk(&mut episode, &many.phrases),
        Err(MemoryError::Diffusion(_))
    ));
    assert!(matches!(world.observe(&mut episode, many), Err(MemoryError::Diffusion(_))));
    let two = world.observe(&mut episode, tiny::clip(2, 2, 1));
    assert!(matches!(two, Err(MemoryError::Diffusion(DiffusionError::Unlike { .. }))));
    assert!(episode.chunks().is_empty(), "a refused chunk leaves no trace");
    let steep = FastConfig {
        rate: 1e30,
        optimizer: ConfiguredRule { rule: RuleChoice::Sgd, clip: None },
        ..config()
    };
    let world = WorldModel::new(tiny::transformer(), sampler(), Some(learner(steep)));
    let mut episode = world.begin(tiny::clip(1, 1, 1), &Seed::new(0)).unwrap();
    let error = world.observe(&mut episode, tiny::clip(1, 3, 1)).unwrap_err();
    assert!(matches!(error, MemoryError::Learning { chunk: 0, .. }), "{error}");
    let told = error.to_string();
    assert!(told.ends_with("bound the gradient with `fast.optimizer.clip`"), "{told}");
    assert!(std::error::Error::source(&error).is_none(), "it would be told in other words again");
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused =
        |config| FastLearner::<Flex>::new(config, tiny::diffusion()).unwrap_err().to_string();
    assert!(refused(FastConfig { steps: 0, ..config() }).contains("`fast.steps`"));
    assert!(refused(FastConfig { draws: 0, ..config() }).contains("`fast.draws`"));
    assert!(refused(FastConfig { rate: 0.0, ..config() }).contains("`fast.rate`"));
    let timesteps = Some(Timesteps { from: 10, to: 2000 });
    assert!(refused(FastConfig { timesteps, ..config() }).contains("10..2000"));
    let adapters = AdapterConfig { rank: 0, ..AdapterConfig::default() };
    assert!(refused(FastConfig { adapters, ..config() }).contains("`fast.adapters.rank`"));
}
