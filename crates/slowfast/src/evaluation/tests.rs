use std::path::Path;

use burn::backend::Flex;
use burn::tensor::Tensor;
use experiment::cli::Failure;
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use experiment::statistics::Interval;
use inner_outer::{ConfiguredRule, RuleChoice, Threads};

use super::*;
use crate::action::Action;
use crate::autoencoder::{Autoencoder, AutoencoderConfig};
use crate::clip::{ClipSet, ClipWriter, Entry, Recorded, Route, Split, TrainingScenes};
use crate::diffusion::DiffusionConfig;
use crate::diffusion::{Clip, SamplerConfig};
use crate::inverse_dynamics::tests::{clips, untrained};
use crate::memory::{FastConfig, FastForm};
use crate::metrics::{CEILING, Tolerance};
use crate::model::{AdapterConfig, Denoiser, DenoiserConfig};
use crate::slow::{TrainedConfig, TrainedDenoiser};
use crate::text::Vocabulary;
use crate::tiny;
use crate::video_model::VideoModel;

pub(crate) const SAMPLER: SamplerConfig = SamplerConfig {
    steps: 2,
    spacing: crate::diffusion::Spacing::Trailing,
    clip: Some(3.0),
    action_guidance: 1.0,
    memory_guidance: 1.0,
};

/// A model of noise for 16x16 pixels that knows all words, with a window of six frames.
pub(crate) fn model() -> VideoModel<Flex> {
    let wordings: Vec<String> = Action::ALL.into_iter().flat_map(Action::wordings).collect();
    let vocabulary = Vocabulary::of_phrases(wordings.iter().map(String::as_str));
    let network = tiny::networks()[0].clone();
    let config = DenoiserConfig { words: 10, ..tiny::config(network) };
    let device = Default::default();
    let denoiser = Denoiser::new(&config, &vocabulary, &Seed::new(5), &device).unwrap();
    let denoiser = tiny::shaken(denoiser, 0.1, 6);
    let diffusion = DiffusionConfig::default();
    let (fast, trained_on) = (None, TrainingScenes::default());
    let config = TrainedConfig { denoiser: config, vocabulary, diffusion, fast, trained_on };
    let autoencoder_config = AutoencoderConfig {
        height: 16,
        width: 16,
        factor: 4,
        channels: tiny::LATENT.channels,
        hidden: 4,
        blocks: 1,
        ..AutoencoderConfig::default()
    };
    let autoencoder = Autoencoder::new(&autoencoder_config, &Seed::new(1), &device).unwrap();
    let trained = TrainedDenoiser { config, denoiser, rates: None };
    VideoModel::new(autoencoder, autoencoder_config, trained).unwrap()
}

pub(crate) fn remembering(name: &str, form: FastForm, rate: f64) -> Method {
    let adapters = AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() };
    let fast = FastConfig { form, rate, adapters, ..FastConfig::default() };
    let memory = Some(Memory { fast: Some(fast), guidance: 1.0 });
    Method { name: name.to_owned(), context: Context::LastChunk, memory }
}

/// Windows of six frames: chunks of three.
fn config() -> EvaluationConfig {
    EvaluationConfig {
        episodes: 2,
        most_frames: 33,
        frames_per_chunk: 3,
        cost_chunks: 0,
        pictures: 1,
        sampler: SAMPLER,
        methods: vec![
            Method::without_memory(NO_MEMORY, Context::LastChunk),
            Method::without_memory("longer", Context::Longer { past: 4 }),
            remembering("Temp-LoRA", FastForm::Local, 1e-2),
        ],
        ..EvaluationConfig::default()
    }
}

fn evaluate(
    config: &EvaluationConfig,
    clips: &ClipSet,
    run: &Path,
    interrupt: &Interrupt,
) -> Result<Evaluation, Failure> {
    with_threads(config, clips, run, interrupt, 1)
}

fn with_threads(
    config: &EvaluationConfig,
    clips: &ClipSet,
    run: &Path,
    interrupt: &Interrupt,
    threads: usize,
) -> Result<Evaluation, Failure> {
    let (model, inverse, threads) = (model(), untrained(), Threads::new(threads));
    let evaluator = Evaluator { config, model: &model, clips, inverse: Some(&inverse), threads };
    evaluator.evaluate(run, interrupt)
}

fn generator(method: &Method, model: &VideoModel<Flex>) -> Generator<Flex> {
    let scale = crate::clip::PoseScale { position: 1, heading: 8 };
    method.generator(model, SAMPLER, 3, scale).unwrap()
}

fn generate(method: &Method, truth: &Clip<Flex>, given: usize) -> Vec<f32> {
    generate_by(&model(), method, truth, given)
}

fn generate_by(
    model: &VideoModel<Flex>,
    method: &Method,
    truth: &Clip<Flex>,
    given: usize,
) -> Vec<f32> {
    let poses = vec![crate::clip::Pose::default(); truth.frames()];
    let made = generator(method, model).generate(truth, &poses, given, &Seed::new(3)).unwrap();
    tiny::values(&made.latents)
}

#[test]
fn references_bound_the_scores_and_gains_are_paired() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let run = folder.path().join("run");
    let found = evaluate(&config(), &clips, &run, &Interrupt::new()).unwrap();
    let names: Vec<&str> = found.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, [GROUND_TRUTH, AUTOENCODER, FROZEN, NO_MEMORY, "longer", "Temp-LoRA"]);
    let [truth, coded, frozen, plain, ..] = &found.rows[..] else { panic!("six rows") };
    let mean = |interval: Option<Interval>| interval.unwrap().mean;
    assert_eq!([truth.psnr, truth.revisit_psnr].map(mean), [CEILING; 2]);
    assert_eq!(mean(truth.perceptual_distance), 0.0);
    assert!(mean(truth.structural_similarity) > 0.999);
    assert_eq!(mean(frozen.motion), 0.0);
    assert!(mean(coded.psnr) < CEILING && plain.revisit_gain.is_none());
    // Over a ceiling that stands for no difference at all, it would say nothing.
    assert!(truth.revisit_gain.is_none() && truth.outside_gain.is_none());
    assert!(coded.revisit_gain.is_some());
    let (gain, scores) = (found.rows[5].revisit_gain.unwrap(), &found.scores);
    let mean = |row: usize| scores[row].iter().map(|s| s.revisit_psnr.unwrap()).sum::<f64>() / 2.0;
    assert!((gain.mean - (mean(5) - mean(3))).abs() < 1e-9);
    assert!(scores[3].iter().all(|score| score.revisits[1] <= score.revisits[0]));
    // Half a circle back: 16 views come again, and the last of each whole chunk but the first is 33 degrees from the nearest
    // view that the chunk before showed.
    assert!(scores[3].iter().any(|score| score.revisits == [16, 4]));
    assert!(scores[3].iter().all(|score| score.frame_psnr.len() + score.given <= 33));
    let html = found.page().unwrap().to_html();
    assert!(html.contains("data:image/png") && html.contains("outside"));
    let table = found.table();
    assert!(names.iter().all(|name| table.matches(name).count() >= 3), "{table}");
    assert!(found.brief().scores[0][0].strip.is_none());
}

/// Twice as many windows would lie nearer to the truth, whatever they show.
#[test]
fn distances_of_several_seeds_are_the_mean_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let distance = |seeds: &[u64]| {
        let config = EvaluationConfig { seeds: seeds.to_vec(), ..config() };
        let run = folder.path().join(format!("{seeds:?}"));
        let found = evaluate(&config, &clips, &run, &Interrupt::new()).unwrap();
        found.rows[3].frechet_random.expect("four windows")
    };
    let (one, other, both) = (distance(&[3]), distance(&[4]), distance(&[3, 4]));
    assert_ne!(one, other);
    assert!((both - (one + other) / 2.0).abs() < 1e-9, "{one} and {other} make {both}");
}

#[test]
fn an_interrupted_evaluation_ends_as_an_uninterrupted_one_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let config = EvaluationConfig { episodes: 1, ..config() };
    let at = |name: &str| folder.path().join(name);
    let whole = evaluate(&config, &clips, &at("whole"), &Interrupt::new()).unwrap();
    let stop = Interrupt::new();
    stop.request();
    let stopped = evaluate(&config, &clips, &at("parts"), &stop).unwrap_err();
    assert!(matches!(stopped, Failure::Interrupted));
    // Some items of the other run, as an interruption leaves them.
    let some = at("whole").join("items/03-no-memory");
    let there = at("parts").join("items/03-no-memory");
    std::fs::create_dir_all(&there).unwrap();
    for entry in std::fs::read_dir(some).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), there.join(entry.file_name())).unwrap();
    }
    let resumed = with_threads(&config, &clips, &at("parts"), &Interrupt::new(), 3).unwrap();
    assert_eq!(resumed, whole);
}

/// To find the limit is what rates are swept for.
#[test]
fn a_method_that_diverges_has_a_row_without_scores_and_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let run = folder.path().join("run");
    let mut steep = remembering("steep", FastForm::Local, 1e30);
    let fast = steep.memory.as_mut().and_then(|memory| memory.fast.as_mut()).unwrap();
    (fast.steps, fast.optimizer) = (2, ConfiguredRule { rule: RuleChoice::Sgd, clip: None });
    let methods = [config().methods, vec![steep]].concat();
    let config = EvaluationConfig { methods, cost_chunks: 1, ..config() };
    let found = evaluate(&config, &clips, &run, &Interrupt::new()).unwrap();
    let episode = found.episodes[0];
    let row = &found.rows[6];
    assert_eq!(row.diverged, Some(Divergence { episode, seed: 0, chunk: 0 }));
    assert!(row.psnr.is_none() && row.cost.is_none() && found.scores[6].is_empty());
    assert!(found.rows[..6].iter().all(|row| row.diverged.is_none() && row.psnr.is_some()));
    assert!(found.rows[5].revisit_gain.is_some() && found.rows[5].cost.is_some());
    let told = format!("steep: diverged at chunk 0 of episode {episode}, seed 0");
    assert_eq!(found.table().matches(&told).count(), 3, "{}", found.table());
    assert!(found.page().unwrap().to_html().contains(&told));

    // Items that are scored are written as ever, so that runs of earlier programs go on.
    let item = format!("items/05-Temp-LoRA/episode-{episode:05}-seed-0.json");
    let item = std::fs::read_to_string(run.join(item)).unwrap();
    assert_eq!(item, serde_json::to_string(&found.scores[5][0]).unwrap());
    let resumed = evaluate(&config, &clips, &run, &Interrupt::new()).unwrap();
    assert_eq!(resumed, found);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), found);
}

#[test]
fn a_cost_of_more_chunks_than_there_are_is_that_of_those_there_are() {
    let truth = tiny::clip(1, 10, 4);
    let poses = vec![crate::clip::Pose::default(); 10];
    let plain = Method::without_memory(NO_MEMORY, Context::LastChunk);
    let generator = generator(&plain, &model());
    let cost = Cost::measure(&generator, &truth, &poses, usize::MAX).unwrap().unwrap();
    assert_eq!((cost.chunks, cost.frames), (2, 3));
}

#[test]
fn the_last_chunk_as_context_is_algorithm_1a_and_all_given_frames_stay_as_they_are() {
    let truth = tiny::clip(1, 10, 4);
    for method in [
        Method::without_memory(NO_MEMORY, Context::LastChunk),
        remembering("local", FastForm::Local, 1e-2),
        remembering("single frame", FastForm::SingleFrame, 1e-2),
    ] {
        let generator = generator(&method, &model());
        let actions: Vec<_> = [1, 4, 7].map(|first| truth.phrases.narrow(first, 3)).to_vec();
        let expected = generator.world.generate(truth.narrow(0, 1), &actions, &Seed::new(3));
        let expected = tiny::values(&expected.unwrap().latents());
        assert_eq!(generate(&method, &truth, 1), expected, "{}", method.name);
        assert_eq!(generate(&method, &truth, 10), tiny::values(&truth.latents));
        let half = generate(&method, &truth, 5);
        let given: Tensor<Flex, 5> = truth.narrow(0, 5).latents;
        assert_eq!(half[..5 * half.len() / 10], tiny::values(&given));
    }
}

#[test]
fn a_memory_that_learns_next_to_nothing_is_no_memory() {
    let truth = tiny::clip(1, 10, 4);
    let plain = generate(&Method::without_memory(NO_MEMORY, Context::LastChunk), &truth, 4);
    let tiny_rate = generate(&remembering("tiny", FastForm::Local, 1e-12), &truth, 4);
    let large_rate = generate(&remembering("large", FastForm::Local, 1e-1), &truth, 4);
    let apart =
        |other: &[f32]| plain.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart(&tiny_rate) < 1e-5, "{}", apart(&tiny_rate));
    assert!(apart(&large_rate) > 1e-3, "{}", apart(&large_rate));
}

#[test]
fn every_context_generates_the_whole_episode() {
    let truth = tiny::clip(1, 9, 4);
    for context in
        [Context::Longer { past: 5 }, Context::Anchor, Context::PoseRetrieved { frames: 2 }]
    {
        let made = generate(&Method::without_memory("other", context), &truth, 3);
        assert_eq!(made.len(), tiny::values(&truth.latents).len());
        assert!(made.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn a_sweep_is_every_combination() {
    let sweep =
        Sweep { ranks: vec![4, 8], rates: vec![1e-3], steps: vec![1, 4], ..Sweep::default() };
    let methods = EvaluationConfig { sweep, ..config() }.all_methods();
    let names: Vec<&str> = methods[3..].iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(names[1], "rank 4, rate 1e-3, steps 4");
    let fast = methods[6].memory.as_ref().unwrap().fast.as_ref().unwrap();
    assert_eq!((fast.adapters.rank, fast.rate, fast.steps), (8, 1e-3, 4));
}

#[test]
fn a_memory_without_settings_learns_as_its_model_was_trained_to() {
    let truth = tiny::clip(1, 10, 4);
    let made = |trained: Option<FastConfig>, method: &Method| {
        let mut model = model();
        model.trained.config.fast = trained;
        generate_by(&model, method, &truth, 4)
    };
    let explicit = remembering("explicit", FastForm::Local, 0.25);
    let fast = explicit.memory.clone().unwrap().fast.unwrap();
    let as_trained = Method::with_memory("as trained");
    let wished = made(None, &explicit);
    assert_eq!(made(Some(fast), &as_trained), wished);
    assert_ne!(made(None, &as_trained), wished, "without a loop, the paper's");
}

/// What an outer loop learned of a Temp-LoRA serves fast learning by the same rule, and is left out of any other.
#[test]
fn other_fast_learning_does_not_begin_with_what_was_learned_for_one() {
    let learned = remembering("learned", FastForm::Local, 0.25);
    let fast = learned.memory.clone().unwrap().fast.unwrap();
    let world = |denoiser: Denoiser<Flex>, trained: FastConfig, fast: &FastConfig| {
        let mut model = model();
        model.trained.config.fast = Some(trained);
        model.trained.denoiser = denoiser;
        model.world(SAMPLER, Some(fast.clone())).unwrap()
    };
    let plain = model().trained.denoiser;
    let started = plain.clone().with_adapters(&fast.adapters, &mut Seed::new(9).rng()).unwrap();
    let has_start = |fast: &FastConfig| {
        world(started.clone(), learned.memory.clone().unwrap().fast.unwrap(), fast)
            .denoiser()
            .has_adapters()
    };
    assert!(has_start(&fast));
    assert!(has_start(&FastConfig { draws: 3, ..fast.clone() }));
    let wider = AdapterConfig { rank: 3, ..fast.adapters.clone() };
    assert!(!has_start(&FastConfig { adapters: wider, ..fast.clone() }));

    assert!(fast.moves_like(&FastConfig { draws: 3, ..fast.clone() }));
    assert!(!fast.moves_like(&FastConfig { rate: 0.5, ..fast.clone() }));
    assert!(!fast.moves_like(&FastConfig { steps: 2, ..fast.clone() }));
}

#[test]
fn what_does_not_fit_is_named_with_a_remedy() {
    let refused = |config: EvaluationConfig| config.check().unwrap_err().to_string();
    assert!(refused(EvaluationConfig { episodes: 0, ..config() }).contains("`episodes`"));
    assert!(refused(EvaluationConfig { observed: 1.5, ..config() }).contains("`observed`"));
    assert!(refused(EvaluationConfig { baseline: "x".into(), ..config() }).contains("`baseline`"));
    let negative = Tolerance { distance: 0.0, angle: -1.0 };
    let none = Tolerance { distance: f64::NAN, angle: 0.0 };
    let near = refused(EvaluationConfig { near: negative, ..config() });
    assert!(near.contains("`near.angle` is -1"), "{near}");
    let revisit = refused(EvaluationConfig { revisit: none, ..config() });
    assert!(revisit.contains("`revisit.distance` is NaN"), "{revisit}");
    let seeds = refused(EvaluationConfig { seeds: vec![3, 0, 3], ..config() });
    assert!(seeds.contains("`seeds` has 3 more than once"), "{seeds}");
    let sweep = Sweep { ranks: vec![4], rates: vec![1e-3], ..Sweep::default() };
    let sweep = refused(EvaluationConfig { sweep, ..config() });
    assert!(sweep.contains("`sweep.steps` is empty"), "{sweep}");
    let steps: Vec<usize> = (1..=200).collect();
    let sweep = Sweep { ranks: steps.clone(), rates: vec![1e-3], steps, ..Sweep::default() };
    let sweep = refused(EvaluationConfig { sweep, ..config() });
    assert!(sweep.contains("the sweep would have 4.0e4 methods"), "{sweep}");
    let twice = [config().methods, config().methods].concat();
    assert!(refused(EvaluationConfig { methods: twice, ..config() }).contains("name"));

    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let run = folder.path().join("run");
    let told = |config: &EvaluationConfig| match evaluate(config, &clips, &run, &Interrupt::new())
        .unwrap_err()
    {
        Failure::BadInput(cause) => cause.to_string(),
        other => panic!("{other:?}"),
    };
    let all_given = EvaluationConfig { most_frames: 1, ..config() };
    assert!(told(&all_given).contains("no test episode"), "{}", told(&all_given));
    let elsewhere = EvaluationConfig { split: Split::Test, routes: vec![], ..config() };
    assert!(told(&elsewhere).contains("`routes`"));
    let wide = EvaluationConfig { frames_per_chunk: 4, ..config() };
    assert!(told(&wide).contains("window"), "{}", told(&wide));
    let longer = vec![Method::without_memory(NO_MEMORY, Context::Longer { past: 6 })];
    let longer = told(&EvaluationConfig { methods: longer, ..config() });
    assert!(longer.contains("in the method `no memory`") && longer.contains("window"), "{longer}");
    let none = vec![Method::without_memory(NO_MEMORY, Context::Longer { past: 0 })];
    let none = told(&EvaluationConfig { methods: none, ..config() });
    assert!(none.contains("`context.past` is 0, but must be at least 1"), "{none}");
    let resting = vec![remembering(NO_MEMORY, FastForm::Local, 0.0)];
    let resting = told(&EvaluationConfig { methods: resting, ..config() });
    assert!(resting.contains("in the method `no memory`: `fast.rate` is 0"), "{resting}");
    let mut wide = remembering(NO_MEMORY, FastForm::Local, 1e-2);
    let fast = wide.memory.as_mut().and_then(|memory| memory.fast.as_mut()).unwrap();
    fast.adapters.rank = 1_000_000_000;
    let wide = told(&EvaluationConfig { methods: vec![wide], ..config() });
    let named =
        "in the method `no memory`: `fast.adapters.rank` is 1000000000, but must be at most";
    assert!(wide.contains(named), "{wide}");
    assert!(!run.exists());
}

/// Only the first episode would be encoded before the run.
#[test]
fn an_episode_that_the_model_cannot_be_told_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let chosen = config().chosen(&clips.index().episodes).unwrap();
    let last = *chosen.last().unwrap();
    let out = folder.path().join("told");
    let writer = ClipWriter::create(&out, clips.index().description.clone()).unwrap();
    let recorded = |(number, entry): (usize, &Entry)| {
        let mut episode = clips.episode(number).unwrap();
        if number == last {
            episode.phrases[0].text = "strafe".into();
        }
        Recorded { scene: entry.scene.clone(), split: entry.split, route: entry.route, episode }
    };
    let recordings: Vec<_> = clips.index().episodes.iter().enumerate().map(recorded).collect();
    writer.write_shard(0, &recordings).unwrap();
    writer.finish(1).unwrap();
    let run = folder.path().join("run");
    let told = evaluate(&config(), &ClipSet::open(&out).unwrap(), &run, &Interrupt::new());
    let Err(Failure::BadInput(cause)) = told else { panic!("{told:?}") };
    let told = cause.to_string();
    assert!(told.contains(&format!("episode {last} of the clips")), "{told}");
    assert!(told.contains("\"strafe\"") && told.contains("use some of"), "{told}");
    assert!(chosen.len() > 1 && !run.exists());
}

/// A stride over all episodes would meet the same routes again and again.
#[test]
fn every_route_is_generated_as_often_as_any_other() {
    let cycle = [Route::LookAway, Route::FullTurn, Route::Retrace, Route::TurnAround];
    let entry = |number: usize| Entry {
        shard: 0,
        number,
        scene: format!("scene {number}"),
        split: Split::Test,
        route: cycle[number % 4],
        frames: 33,
    };
    let entries: Vec<Entry> = (0..96).map(entry).collect();
    let of = |count: usize, routes: &[Route], entries: &[Entry]| -> Vec<usize> {
        let config = EvaluationConfig {
            episodes: count,
            routes: routes.to_vec(),
            ..EvaluationConfig::default()
        };
        let chosen = config.chosen(entries).unwrap();
        assert!(chosen.is_sorted());
        let counted = |route: &Route| {
            chosen.iter().filter(|number| entries[**number].route == *route).count()
        };
        cycle.iter().map(counted).collect()
    };
    assert_eq!(of(48, &cycle, &entries), [12; 4]);
    assert_eq!(of(50, &cycle, &entries).iter().sum::<usize>(), 50);
    assert_eq!(of(500, &cycle, &entries), [24; 4]);
    assert_eq!(of(10, &[Route::Retrace, Route::Retrace], &entries), [0, 0, 10, 0]);
    // Where a route has too few, the others have more.
    let few: Vec<Entry> = (0..96).filter(|n| n % 4 != 1 || *n < 8).map(entry).collect();
    assert_eq!(of(50, &cycle, &few), [16, 2, 16, 16]);
}

#[test]
fn guidance_belongs_to_methods() {
    let sampler = SamplerConfig { memory_guidance: 2.0, ..SAMPLER };
    let refused = EvaluationConfig { sampler, ..config() }.check().unwrap_err().to_string();
    assert!(refused.contains("memory.guidance"), "{refused}");
}

/// The first half of the scenes against the second, whatever comes in turn: two kinds of scene, far apart, are in both.
#[test]
fn halves_of_windows_have_every_kind_of_scene() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let found = evaluate(&config(), &clips, &folder.path().join("run"), &Interrupt::new()).unwrap();
    let of = |number: usize| {
        let features = |window: usize| vec![[0.0, 100.0][number % 2] + window as f64];
        Scores {
            episode: number,
            scene: format!("scene {number:02}"),
            random_features: (0..3).map(features).collect(),
            ..found.scores[0][0].clone()
        }
    };
    let truth: Vec<Scores> = (0..12).map(of).collect();
    let row = Row::of("truth", &truth, &truth, None, None).unwrap();
    assert!(row.frechet_random.unwrap() < 1e-6, "{:?}", row.frechet_random);
}

/// Of two episodes of one scene the second tells nothing that the first does not.
#[test]
fn episodes_of_one_scene_are_alike() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(&folder.path().join("clips"));
    let found = evaluate(&config(), &clips, &folder.path().join("run"), &Interrupt::new()).unwrap();
    let scores = &found.scores[3];
    let row = |scores: &[Scores]| Row::of("row", scores, &found.scores[0], None, None).unwrap();
    let twice: Vec<Scores> = scores
        .iter()
        .flat_map(|score| {
            [score.clone(), Scores { episode: score.episode + 1000, ..score.clone() }]
        })
        .collect();
    assert_eq!(row(&twice).psnr, row(scores).psnr);
    assert_ne!(scores[0].scene, scores[1].scene);
}
