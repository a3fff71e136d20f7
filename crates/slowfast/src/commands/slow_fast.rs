//! `slowfast loop`: slow and fast learning together, so that the denoiser learns to use its memory.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoint;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::MetaStep;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::eval::load_model;
use super::memory_gain::{Gain, MemoryGain};
use super::train::{LEARNER_FILE, MEAN_FILE};
use super::training::{Pace, Place, Training, Values};
use super::{
    MODEL_FOLDER, RESULTS_FILE, inputs, model_files, no_memory_guidance, note_trained_scenes,
    note_unknown_words, open_clips, positive,
};
use crate::clip::{ClipSet, Route, Split, TrainingScenes};
use crate::diffusion::{Clip, Diffusion, Sampler, SamplerConfig};
use crate::latents::{ChunkLayout, LatentEpisodes};
use crate::memory::{FastConfig, FastLearner};
use crate::size::{NUMBER, fits};
use crate::slow::{
    ChunkSource, LoopConfig, Recall, SecondOrderConfig, SlowConfig, SlowTrainer, TrainedDenoiser,
    TrainerState, slow_fast_pass,
};
use crate::video_model::VideoModel;

/// Which loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LoopMethod {
    /// Algorithm 1b: memories are stored, and the denoiser learns at them as if they were given. `pace.steps` counts steps
    /// of the denoiser, of which a pass over `episodes` takes as many as its stored chunks fill batches; the last pass ends with
    /// them, and does not learn what it has stored beyond.
    StopGradient {
        /// The fast learning.
        #[serde(default)]
        fast: FastConfig,
        /// Which chunks it learns.
        #[serde(default)]
        source: ChunkSource,
        /// Stored chunks in a step of the denoiser.
        #[serde(default = "usual_batch")]
        batch: usize,
    },
    /// The denoiser learns through the fast steps on the first chunks what makes them useful for later ones.
    SecondOrder {
        /// What is learned through the fast steps.
        #[serde(default)]
        second_order: SecondOrderConfig,
    },
}

fn usual_batch() -> usize {
    LoopConfig::default().batch
}

/// How the two kinds of learning are brought together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopRun {
    /// Seed of every random choice.
    pub seed: u64,
    /// Folder of clips, with routes that lead back.
    pub data: PathBuf,
    /// Folder of the model to begin with, or of the run that trained it.
    pub model: PathBuf,
    /// How long, and how often to look up.
    pub pace: Pace,
    /// Episodes in a step.
    pub episodes: usize,
    /// The routes that are learned from, looked at and tested; all for none.
    pub routes: Vec<Route>,
    /// How episodes are cut.
    pub chunks: ChunkLayout,
    /// Which loop.
    pub method: LoopMethod,
    /// The optimiser of the denoiser.
    pub slow: SlowConfig,
    /// How chunks are generated, where the loop learns from generated ones; `memory_guidance` is 1 where it does not.
    pub sampler: SamplerConfig,
    /// Episodes of unseen scenes that are looked at in training.
    pub glance_episodes: usize,
    /// Episodes of test scenes that are measured at the end.
    pub final_episodes: usize,
}

impl Default for LoopRun {
    fn default() -> Self {
        Self {
            seed: 0,
            data: "clips".into(),
            model: Path::new("runs/slow").join(MODEL_FOLDER),
            pace: Pace { steps: 1000, log_every: 5, glance_every: 50, checkpoint_every: 25 },
            episodes: 8,
            routes: Vec::new(),
            chunks: ChunkLayout::default(),
            method: LoopMethod::SecondOrder { second_order: SecondOrderConfig::default() },
            slow: SlowConfig::default(),
            sampler: SamplerConfig::default(),
            glance_episodes: 16,
            final_episodes: 64,
        }
    }
}

/// The run where none is named.
const USUAL_OUT: &str = "runs/loop";

/// Arguments of `loop`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips, instead of `data` in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder of the model to begin with, or of the run that trained it, instead of `model` in the configuration
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// What a loop came to.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Steps of training.
    pub steps: u64,
    /// Episodes that steps drew from.
    pub episodes: usize,
    /// What the memory is worth on test scenes.
    pub test: Gain,
}

/// Trains, and leaves the run directory with the model and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips, the model or the folder. Failed: training itself. Interrupted: after a
/// checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[
        ("--data", arguments.data.is_some()),
        ("--model", arguments.model.is_some()),
    ])?;
    let place = Place::of(common, USUAL_OUT)?;
    let out = place.out.clone();
    let config = place.config(|| configuration(&arguments))?;
    let read = [Some(&config.data), Some(&config.model), common.settings.config.as_ref()];
    place.require_apart(&model_files(), &read)?;
    let results = experiment::on_device!(common.settings.device, B => {
        let training = LoopTraining::<B>::new(config)?;
        let config = training.config.clone();
        let (training, run, interrupt) = place.train(training, &config, &config.pace)?;
        training.finish(run.path(), &interrupt)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!("{}\n{}", results.test, out.join(MODEL_FOLDER).display())),
    }
}

fn configuration(arguments: &Arguments) -> Result<LoopRun, Failure> {
    let common = &arguments.common;
    let mut config: LoopRun = common.settings.configuration(&LoopRun::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.data = arguments.data.clone().unwrap_or(config.data);
    config.model = arguments.model.clone().unwrap_or(config.model);
    let generates = ChunkSource::Generated;
    if !matches!(&config.method, LoopMethod::StopGradient { source, .. } if *source == generates) {
        let why = "only a `stop-gradient` loop whose `source` is `generated` samples with a memory";
        no_memory_guidance(&config.sampler, why)?;
    }
    Ok(config)
}

impl LoopRun {
    fn check(&self) -> Result<(), Failure> {
        self.pace.check()?;
        self.pace.check_rate("slow.rate", &self.slow.rate)?;
        self.fast().check().bad_section(self.fast_owner())?;
        if let LoopMethod::SecondOrder { second_order } = &self.method {
            second_order.check().bad_section("method")?;
            if let Some(rates_rate) = second_order.learned_rates() {
                self.pace.check_rate("method.second_order.rates_rate", &rates_rate)?;
            }
        }
        positive("episodes", self.episodes)?;
        positive("chunks.start", self.chunks.start)?;
        positive("chunks.frames", self.chunks.frames)?;
        positive("glance_episodes", self.glance_episodes)?;
        positive("final_episodes", self.final_episodes)?;
        match &self.method {
            LoopMethod::StopGradient { batch, .. } => positive("method.batch", *batch),
            LoopMethod::SecondOrder { .. } => Ok(()),
        }
    }

    /// Checks that there is room for what a step holds at once.
    fn check_room<B: Backend>(&self, model: &VideoModel<B>) -> Result<(), Failure> {
        let (denoiser, shape) = (&model.trained.denoiser, &model.trained.config.denoiser);
        self.fast().check_room(denoiser, shape).bad_section(self.fast_owner())?;
        let episode = match &self.method {
            LoopMethod::StopGradient { fast, .. } => {
                let adapters = denoiser.adapter_numbers(&fast.adapters).bad_input()?;
                NUMBER * adapters + shape.example_bytes(shape.frames)
            }
            LoopMethod::SecondOrder { second_order } => {
                second_order.lesson_bytes(denoiser, shape).bad_section("method")?
            }
        };
        fits("episodes", self.episodes, episode).bad_input()
    }

    fn learns_start(&self) -> bool {
        matches!(&self.method, LoopMethod::SecondOrder { second_order } if second_order.learn_start)
    }

    /// Tries what steps and glances need, before the folder is made.
    fn check_fit<B: Backend>(
        &self,
        model: &VideoModel<B>,
        diffusion: &Diffusion,
        episodes: &[Recall<B>],
    ) -> Result<(), Failure> {
        Sampler::new(diffusion.clone(), self.sampler).bad_input()?;
        FastLearner::<B>::new(self.fast().clone(), diffusion.clone())
            .bad_section(self.fast_owner())?;
        let fits = |clip: &Clip<B>| {
            model.trained.denoiser.check(clip.latents.dims(), &clip.phrases).bad_input()
        };
        // Starts are all of one length, and read whole, whatever of them chunks are conditioned on.
        episodes.first().map_or(Ok(()), |recall| fits(&recall.chunks[0]))?;
        let pairs = episodes.iter().flat_map(|recall| recall.chunks.windows(2));
        let longest =
            pairs.max_by_key(|pair| self.fast().form.past_of(&pair[0]).frames() + pair[1].frames());
        let Some([past, chunk]) = longest else { return Ok(()) };
        fits(&self.fast().form.past_of(past).followed_by(chunk))
    }

    /// The fast learning.
    fn fast(&self) -> &FastConfig {
        match &self.method {
            LoopMethod::StopGradient { fast, .. } => fast,
            LoopMethod::SecondOrder { second_order } => &second_order.fast,
        }
    }

    /// The section that has the fast learning.
    fn fast_owner(&self) -> &'static str {
        match &self.method {
            LoopMethod::StopGradient { .. } => "method",
            LoopMethod::SecondOrder { .. } => "method.second_order",
        }
    }

    /// Chunks that are learned before something is asked.
    fn written(&self) -> Option<usize> {
        match &self.method {
            LoopMethod::StopGradient { .. } => None,
            LoopMethod::SecondOrder { second_order } => Some(second_order.written),
        }
    }
}

struct LoopTraining<B: Backend> {
    config: LoopRun,
    model: VideoModel<B>,
    diffusion: Diffusion,
    episodes: Vec<Recall<B>>,
    /// Scenes of these episodes.
    scenes: TrainingScenes,
    validation: MemoryGain<B>,
    test: MemoryGain<B>,
    trainer: SlowTrainer<B>,
    device: Device<B>,
    inputs: Vec<String>,
}

impl<B: Backend> LoopTraining<B> {
    fn new(config: LoopRun) -> Result<Self, Failure> {
        config.check()?;
        let device = Device::<B>::default();
        let clips = open_clips(&config.data)?;
        let model = load_model::<B>(&config.model)?;
        let inputs = vec![inputs::of_clips(&clips), inputs::of_model(&model)?];
        config.check_room(&model)?;
        let read = |split, written| -> Result<Vec<(usize, Recall<B>)>, Failure> {
            let trained = &model.trained.config;
            let words = trained.denoiser.words;
            let read =
                LatentEpisodes::read(&clips, split, &model.autoencoder, &trained.vocabulary, words);
            recalls(&clips, &read.bad_input()?, split, &config, written)
        };
        let seed = Seed::new(config.seed);
        let gain = |split, count| {
            let episodes: Vec<_> = read(split, None)?.into_iter().take(count).collect();
            Ok::<_, Failure>(MemoryGain::new(episodes, seed.child("memory gain")))
        };
        let validation = gain(Split::Validation, config.glance_episodes)?;
        let test = gain(Split::Test, config.final_episodes)?;
        let (numbers, episodes): (Vec<usize>, Vec<_>) =
            read(Split::Train, config.written())?.into_iter().unzip();
        let scenes = TrainingScenes::of(&clips, numbers).bad_input()?;
        let diffusion = Diffusion::new(&model.trained.config.diffusion).bad_input()?;
        let denoiser = model.trained.denoiser.clone();
        let learned_for = model.trained.config.fast.as_ref().map(|fast| &fast.adapters);
        let goes_on = config.learns_start() && learned_for == Some(&config.fast().adapters);
        // A start that this loop does not go on learning stays a part of what the denoiser computes.
        let denoiser = if goes_on { denoiser } else { denoiser.with_adapters_folded() };
        let training_seed = seed.child("training");
        let trainer = match &config.method {
            LoopMethod::StopGradient { fast, .. } => {
                SlowTrainer::stop_gradient(&config.slow, fast, denoiser, training_seed)
            }
            LoopMethod::SecondOrder { second_order } => {
                SlowTrainer::second_order(&config.slow, second_order, denoiser, training_seed)
            }
        };
        let trainer = trainer.bad_input()?;
        config.check_fit(&model, &diffusion, &episodes)?;
        Ok(Self {
            config,
            model,
            diffusion,
            episodes,
            scenes,
            validation,
            test,
            trainer,
            device,
            inputs,
        })
    }

    /// The model with the running mean of the denoiser, and with what was learned of the fast learning.
    fn learned(&self) -> Result<VideoModel<B>, Failure> {
        let mut trained = self.model.trained.clone();
        trained.config.fast = Some(self.config.fast().clone());
        trained.config.trained_on.add(&self.scenes);
        let mean = self.trainer.mean().clone();
        trained.denoiser = if self.config.learns_start() { mean } else { mean.without_adapters() };
        trained.rates = self.config.written().map(|_| self.trainer.rates().clone());
        // A model that does not tell what it learned from does not tell either with the scenes of the loop.
        let tells_all = self.model.names_its_scenes();
        let autoencoder_trained_on =
            self.model.autoencoder_trained_on.clone().filter(|_| tells_all);
        Ok(VideoModel { trained, autoencoder_trained_on, ..self.model.clone() })
    }

    /// The episodes of this step.
    fn drawn(&self) -> Vec<&Recall<B>> {
        let seed = self.trainer.seed().child("episodes").index(self.steps_taken());
        let mut random = seed.rng();
        let draw = |_| &self.episodes[random.random_range(0..self.episodes.len())];
        (0..self.config.episodes).map(draw).collect()
    }

    fn pass(&mut self, fast: FastConfig, config: LoopConfig) -> Result<Vec<MetaStep>, Failure> {
        let denoiser = self.trainer.denoiser().clone().without_adapters();
        // Rates that another loop learned are not this one's, as `learned` has it.
        let trained = TrainedDenoiser { denoiser, rates: None, ..self.model.trained.clone() };
        let world = VideoModel { trained, ..self.model.clone() }
            .world(self.config.sampler, Some(fast))
            .failed()?;
        let episodes: Vec<Vec<Clip<B>>> =
            self.drawn().iter().map(|recall| recall.chunks.clone()).collect();
        let seed = self.trainer.seed().child("passes").index(self.steps_taken());
        slow_fast_pass(&mut self.trainer, &world, &episodes, &config, &seed).failed()
    }

    fn second_order_step(&mut self, config: &SecondOrderConfig) -> Result<MetaStep, Failure> {
        let seed = self.trainer.seed().child("lessons").index(self.steps_taken());
        let lesson = |(index, recall): (usize, &Recall<B>)| {
            recall.lesson(
                config,
                &self.diffusion,
                self.trainer.denoiser(),
                &seed.index(index as u64),
            )
        };
        let lessons =
            self.drawn().into_iter().enumerate().map(lesson).collect::<Result<Vec<_>, _>>();
        self.trainer.step(&lessons.failed()?).failed()
    }

    fn finish(self, folder: &Path, interrupt: &Interrupt) -> Result<Results, Failure> {
        let model = self.learned()?;
        let place = folder.join(MODEL_FOLDER);
        fs::create_dir_all(&place).failed()?;
        model.save(&place).failed()?;
        let test = self.test.measure(&model, self.config.sampler, self.config.fast(), interrupt)?;
        let episodes = self.episodes.len();
        let results = Results { steps: self.steps_taken(), episodes, test };
        write_file(&folder.join(RESULTS_FILE), serde_json::to_string_pretty(&results).failed()?)?;
        Ok(results)
    }
}

/// The episodes of a split that ask for a memory, each with its scene: what is learned before, and the chunks that show it again.
/// Algorithm 1b asks nothing in training, and learns from every episode of two chunks or more.
fn recalls<B: Backend>(
    clips: &ClipSet,
    episodes: &LatentEpisodes<B>,
    split: Split,
    config: &LoopRun,
    written: Option<usize>,
) -> Result<Vec<(usize, Recall<B>)>, Failure> {
    let scale = clips.index().description.pose;
    let mut found = Vec::new();
    for (number, episode) in episodes.iter() {
        let route = clips.entry(number).bad_input()?.route;
        let wanted = config.routes.is_empty() || config.routes.contains(&route);
        if !wanted || episode.clip.frames() < config.chunks.start {
            continue;
        }
        let chunks = episode.chunks(config.chunks);
        let asked = config.chunks.revisiting(&episode.poses, scale, written);
        let is_of_use = match (&config.method, split) {
            (LoopMethod::StopGradient { .. }, Split::Train) => chunks.len() > 1,
            _ => !asked.is_empty(),
        };
        if is_of_use {
            found.push((clips.scene(number).bad_input()?, Recall { chunks, asked }));
        }
    }
    if found.is_empty() {
        let cause = anyhow::anyhow!(
            "no {split} episode of {} comes back to a view that an earlier chunk showed; generate clips with `there_and_back` above 0, or change `routes`, `chunks` or `method.second_order.written`",
            config.data.display()
        );
        return Err(Failure::BadInput(cause));
    }
    Ok(found)
}

impl<B: Backend> Training for LoopTraining<B> {
    fn steps_taken(&self) -> u64 {
        self.trainer.steps_taken() as u64
    }

    fn step(&mut self) -> Result<Values, Failure> {
        let steps = match self.config.method.clone() {
            LoopMethod::StopGradient { fast, source, batch } => {
                // The rate has come to its end with the last step, and there is none for further ones.
                let left = self.config.pace.steps - self.steps_taken();
                self.pass(fast, LoopConfig { source, batch, most_steps: Some(left as usize) })?
            }
            LoopMethod::SecondOrder { second_order } => {
                vec![self.second_order_step(&second_order)?]
            }
        };
        let mean =
            |value: fn(&MetaStep) -> f64| steps.iter().map(value).sum::<f64>() / steps.len() as f64;
        Ok(vec![
            ("loss", mean(|step| step.outer_loss)),
            ("gradient norm", mean(|step| step.gradient_norm)),
            ("rate", mean(|step| step.rate)),
        ])
    }

    fn glance(&self) -> Result<Values, Failure> {
        let gain = self.validation.measure(
            &self.learned()?,
            self.config.sampler,
            self.config.fast(),
            &Interrupt::new(),
        )?;
        Ok(vec![
            ("loss without memory", gain.without.mean),
            ("loss with memory", gain.with.mean),
            ("gain", gain.gain.mean),
        ])
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn note(&self) -> Result<(), Failure> {
        let (clips, trained) = (open_clips(&self.config.data)?, &self.model.trained.config);
        let judged = [Split::Validation, Split::Test].map(|split| clips.episodes_of(split));
        let judged = TrainingScenes::of(&clips, judged.into_iter().flatten()).bad_input()?;
        let tells_all = self.model.names_its_scenes();
        note_trained_scenes("the model", &judged, &trained.trained_on, tells_all);
        note_unknown_words(&clips, &trained.vocabulary)
    }

    fn state(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
        let TrainerState { learner, ema } = self.trainer.state().failed()?;
        Ok(vec![(LEARNER_FILE, learner), (MEAN_FILE, ema)])
    }

    fn with_state(self, checkpoint: &Checkpoint) -> Result<Self, Failure> {
        let state = TrainerState {
            learner: checkpoint.file(LEARNER_FILE).failed()?.to_vec(),
            ema: checkpoint.file(MEAN_FILE).failed()?.to_vec(),
        };
        let trainer = self.trainer.with_state(&state, &self.device).failed()?;
        Ok(Self { trainer, ..self })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::config;
    use inner_outer::{Decay, Schedule};

    use super::*;
    use crate::evaluation::tests::model;
    use crate::inverse_dynamics::tests::clips;
    use crate::memory::FastForm;

    /// A loop on small clips, which begins with the model of a run.
    fn prepared(folder: &Path) -> LoopRun {
        let (data, run) = (folder.join("clips"), folder.join("slow"));
        clips(&data);
        fs::create_dir_all(run.join(MODEL_FOLDER)).unwrap();
        model().save(&run.join(MODEL_FOLDER)).unwrap();
        let chunks = ChunkLayout { start: 1, frames: 3 };
        let sampler = SamplerConfig { steps: 1, ..SamplerConfig::default() };
        let method = stop_gradient(FastForm::Local);
        LoopRun { data, model: run, chunks, sampler, method, ..LoopRun::default() }
    }

    fn stop_gradient(form: FastForm) -> LoopMethod {
        let fast = FastConfig { form, ..FastConfig::default() };
        LoopMethod::StopGradient { fast, source: ChunkSource::default(), batch: 4 }
    }

    #[test]
    fn what_is_left_out_of_a_method_is_as_usual() {
        let chosen = "method={ kind = \"stop-gradient\" }".to_owned();
        let LoopRun { method, .. } = config::load(&LoopRun::default(), None, &[chosen]).unwrap();
        let LoopMethod::StopGradient { fast, source, batch } = method else { panic!("{method:?}") };
        let usual = LoopConfig::default();
        assert_eq!((fast, source, batch), (FastConfig::default(), usual.source, usual.batch));
    }

    #[test]
    fn a_loop_begins_with_a_run_or_with_the_model_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let of_run = prepared(folder.path());
        let of_model = LoopRun { model: of_run.model.join(MODEL_FOLDER), ..of_run.clone() };
        let inputs = |config| LoopTraining::<Flex>::new(config).map(|training| training.inputs);
        assert_eq!(inputs(of_run).unwrap(), inputs(of_model).unwrap());
    }

    #[test]
    fn what_no_machine_has_room_for_is_refused_before_frames_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let usual = prepared(folder.path());
        let most = i64::MAX as usize;
        let second_order = SecondOrderConfig { written: most, ..SecondOrderConfig::default() };
        let method = LoopMethod::SecondOrder { second_order };
        for (config, told) in [
            (LoopRun { episodes: most, ..usual.clone() }, "`episodes` is 9223372036854775807"),
            (LoopRun { method, ..usual }, "in `method`"),
        ] {
            let refused = LoopTraining::<Flex>::new(config).err();
            let Some(Failure::BadInput(cause)) = refused else { panic!("{told}") };
            assert!(cause.to_string().contains(told), "{cause}");
        }
    }

    /// A single frame of it would fit.
    #[test]
    fn a_start_that_is_longer_than_the_window_is_refused_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let config = LoopRun {
            chunks: ChunkLayout { start: 7, frames: 2 },
            method: stop_gradient(FastForm::SingleFrame),
            ..prepared(folder.path())
        };
        let fitting = ChunkLayout { start: 6, ..config.chunks };
        let fitting = LoopRun { chunks: fitting, ..config.clone() };
        assert!(LoopTraining::<Flex>::new(fitting).is_ok());
        let refused = LoopTraining::<Flex>::new(config).err();
        let Some(Failure::BadInput(cause)) = refused else { panic!("{refused:?}") };
        assert!(cause.to_string().contains("a window of 7 frames"), "{cause}");
    }

    #[test]
    fn a_loop_that_is_stopped_while_it_is_judged_is_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let training = LoopTraining::<Flex>::new(prepared(folder.path())).unwrap();
        let interrupt = Interrupt::new();
        interrupt.request();
        let stopped = training.finish(folder.path(), &interrupt);
        assert!(matches!(stopped, Err(Failure::Interrupted)), "{stopped:?}");
        assert!(!folder.path().join(RESULTS_FILE).exists());
    }

    /// Where the rate has come down to zero nothing is learned.
    #[test]
    fn a_pass_takes_no_step_beyond_those_of_the_pace() {
        let folder = tempfile::tempdir().unwrap();
        let steps = 3;
        let rate = Schedule { steps, decay: Decay::Cosine, ..Schedule::constant(1e-3) };
        let config = LoopRun {
            pace: Pace { steps: steps as u64, ..Pace::default() },
            slow: SlowConfig { rate, ..SlowConfig::default() },
            episodes: 2,
            ..prepared(folder.path())
        };
        let mut training = LoopTraining::<Flex>::new(config.clone()).unwrap();
        training.step().unwrap();
        assert_eq!(training.steps_taken(), config.pace.steps);
        let longer = Pace { steps: 100, ..config.pace };
        let slow = SlowConfig { rate: Schedule { steps: 100, ..rate }, ..config.slow };
        let mut training =
            LoopTraining::<Flex>::new(LoopRun { pace: longer, slow, ..config }).unwrap();
        training.step().unwrap();
        assert!((4..100).contains(&training.steps_taken()), "{}", training.steps_taken());
    }

    #[test]
    fn a_learned_model_names_the_scenes_that_it_learned_from() {
        let folder = tempfile::tempdir().unwrap();
        let training = LoopTraining::<Flex>::new(prepared(folder.path())).unwrap();
        let trained_on = training.learned().unwrap().trained.config.trained_on;
        let clips = open_clips(&training.config.data).unwrap();
        let of = |split| TrainingScenes::of(&clips, clips.episodes_of(split)).unwrap();
        let shared = trained_on.shared_with(&of(Split::Train));
        assert!(shared > 0 && shared == trained_on.count());
        assert_eq!(trained_on.shared_with(&of(Split::Test)), 0);
        assert!(!training.learned().unwrap().names_its_scenes(), "the model before did not");
    }
}
