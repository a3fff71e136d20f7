//! The training of a loop: what it reads, its steps, and what it leaves.

use std::fs;
use std::path::Path;

use anyhow::anyhow;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoint;
use experiment::cli::{Failure, OrFailure, write_file};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::MetaStep;
use rand::RngExt;
use serde::Serialize;

use super::settings::{LoopMethod, LoopRun};
use crate::clip::{ClipSet, Split, TrainingScenes};
use crate::commands::eval::load_model;
use crate::commands::memory_gain::{Gain, MemoryGain};
use crate::commands::train::{LEARNER_FILE, MEAN_FILE};
use crate::commands::training::{Training, Values};
use crate::commands::{
    MODEL_FOLDER, RESULTS_FILE, inputs, note_trained_scenes, note_unknown_words, open_clips,
};
use crate::diffusion::{Clip, Diffusion};
use crate::latents::LatentEpisodes;
use crate::memory::FastConfig;
use crate::slow::{
    LoopConfig, Recall, SecondOrderConfig, SlowError, SlowTrainer, TrainedDenoiser, TrainerState,
    slow_fast_pass,
};
use crate::video_model::VideoModel;

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

/// A loop under way.
pub(super) struct LoopTraining<B: Backend> {
    pub(super) config: LoopRun,
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
    pub(super) fn new(config: LoopRun) -> Result<Self, Failure> {
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
        match slow_fast_pass(&mut self.trainer, &world, &episodes, &config, &seed) {
            // Fast learning names its settings from its own section on.
            Err(error @ SlowError::Memory(_)) => {
                Err(anyhow!(error).context("in `method`")).failed()
            }
            passed => passed.failed(),
        }
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

    /// Leaves the model and the results in the folder.
    pub(super) fn finish(self, folder: &Path, interrupt: &Interrupt) -> Result<Results, Failure> {
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
    use inner_outer::{Decay, Schedule};

    use super::*;
    use crate::commands::training::Pace;
    use crate::diffusion::SamplerConfig;
    use crate::evaluation::tests::model;
    use crate::inverse_dynamics::tests::clips;
    use crate::latents::ChunkLayout;
    use crate::memory::FastForm;
    use crate::model::AdapterConfig;
    use crate::slow::{ChunkSource, SlowConfig};

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
        let adapters = AdapterConfig { rank: 10_000, ..AdapterConfig::default() };
        let fast = FastConfig { adapters, ..FastConfig::default() };
        let many = 1_000_000;
        let source = ChunkSource::default();
        let method = LoopMethod::StopGradient { fast: fast.clone(), source, batch: 4 };
        let second_order =
            SecondOrderConfig { written: many, fast, ..SecondOrderConfig::default() };
        let told = "`episodes` is 1000000, for which";
        for (config, told) in [
            (LoopRun { episodes: many, method, ..usual.clone() }, told),
            (LoopRun { method: LoopMethod::SecondOrder { second_order }, ..usual }, "in `method`"),
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
