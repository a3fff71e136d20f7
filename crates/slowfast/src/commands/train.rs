//! `slowfast train`: slow learning, the denoiser on windows of video.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoint;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::eval::load_model;
use super::next_chunk::{NextChunk, NextChunkScores};
use super::training::{Pace, Place, Training, Values};
use super::{
    MODEL_FOLDER, RESULTS_FILE, even_graphs, inputs, model_files, no_memory_guidance,
    note_trained_scenes, note_unknown_words, open_clips, positive,
};
use crate::autoencoder::{Autoencoder, AutoencoderConfig, load_autoencoder};
use crate::clip::{Alignment, Description, Split, TrainingScenes, WindowSampler};
use crate::diffusion::{Clip, Diffusion, DiffusionConfig, Sampler, SamplerConfig};
use crate::latents::{LatentEpisodes, vocabulary_of};
use crate::model::{Denoiser, DenoiserConfig};
use crate::size::fits;
use crate::slow::{
    SlowConfig, SlowTrainer, TrainedConfig, TrainedDenoiser, TrainerState, WindowConfig,
};
use crate::video_model::VideoModel;

/// Files of a checkpoint.
pub(super) const LEARNER_FILE: &str = "learner";
pub(super) const MEAN_FILE: &str = "mean";

/// How a denoiser is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlowRun {
    /// Seed of every random choice.
    pub seed: u64,
    /// Folder of clips.
    pub data: PathBuf,
    /// The trained autoencoder: the run of `train-autoencoder`, or the file that it left.
    pub autoencoder: PathBuf,
    /// Folder of a model whose denoiser is trained further, or of the run that trained it; its words, shape and noise come
    /// before those given here.
    pub start_from: Option<PathBuf>,
    /// How long, and how often to look up.
    pub pace: Pace,
    /// Windows in a step, a multiple of `graphs`.
    pub batch: usize,
    /// Graphs that a step's windows are divided among: each has its own number of given frames, and they may run side by
    /// side.
    pub graphs: usize,
    /// Frames that an action is held for; windows' futures begin with an action.
    pub frames_per_action: usize,
    /// The shape of the denoiser; its latents are the autoencoder's.
    pub denoiser: DenoiserConfig,
    /// Noise and prediction.
    pub diffusion: DiffusionConfig,
    /// The optimiser.
    pub slow: SlowConfig,
    /// How windows are cut and what is left out.
    pub windows: WindowConfig,
    /// How next chunks are sampled when they are looked at; without a memory, so that `memory_guidance` is 1.
    pub sampler: SamplerConfig,
    /// Windows of unseen scenes that are looked at in training.
    pub glance_windows: usize,
    /// Windows of test scenes that are measured at the end.
    pub final_windows: usize,
}

impl Default for SlowRun {
    fn default() -> Self {
        Self {
            seed: 0,
            data: "clips".into(),
            autoencoder: "runs/autoencoder".into(),
            start_from: None,
            pace: Pace::default(),
            batch: 16,
            graphs: 2,
            frames_per_action: 4,
            denoiser: DenoiserConfig::default(),
            diffusion: DiffusionConfig::default(),
            slow: SlowConfig::default(),
            windows: WindowConfig::default(),
            sampler: SamplerConfig::default(),
            glance_windows: 16,
            final_windows: 200,
        }
    }
}

/// The run where none is named.
const USUAL_OUT: &str = "runs/slow";

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips, instead of `data` in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// File or run of `train-autoencoder`, instead of `autoencoder` in the configuration
    #[arg(long, value_name = "PATH")]
    autoencoder: Option<PathBuf>,
}

/// What a denoiser came to.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Steps of training.
    pub steps: u64,
    /// Learned numbers of the denoiser.
    pub parameters: usize,
    /// Next chunks of test scenes.
    pub test: NextChunkScores,
}

/// Trains, and leaves the run directory with the model and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[
        ("--data", arguments.data.is_some()),
        ("--autoencoder", arguments.autoencoder.is_some()),
    ])?;
    let place = Place::of(common, USUAL_OUT)?;
    let out = place.out.clone();
    let config = place.config(|| configuration(&arguments))?;
    let SlowRun { data, autoencoder, start_from, .. } = &config;
    let read =
        [Some(data), Some(autoencoder), start_from.as_ref(), common.settings.config.as_ref()];
    place.require_apart(&model_files(), &read)?;
    let results = experiment::on_device!(common.settings.device, B => {
        let training = SlowTraining::<B>::new(config)?;
        let config = training.config.clone();
        let (training, run, interrupt) = place.train(training, &config, &config.pace)?;
        training.finish(run.path(), &interrupt)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!("{}\n{}", results.test, out.join(MODEL_FOLDER).display())),
    }
}

fn configuration(arguments: &Arguments) -> Result<SlowRun, Failure> {
    let common = &arguments.common;
    let mut config: SlowRun = common.settings.configuration(&SlowRun::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.data = arguments.data.clone().unwrap_or(config.data);
    config.autoencoder = arguments.autoencoder.clone().unwrap_or(config.autoencoder);
    no_memory_guidance(&config.sampler, "slow learning samples without a memory")?;
    Ok(config)
}

impl SlowRun {
    /// Checks that there is room for what a step computes, and for the windows of the clips that are looked at.
    fn check_room(&self, clips: &Description) -> Result<(), Failure> {
        let frames = self.windows.frames();
        let window = self.denoiser.window_bytes(frames.min(self.denoiser.frames));
        fits("batch", self.batch, window).bad_input()?;
        let pixels = 3.0 * clips.height as f64 * clips.width as f64;
        let shown = (self.windows.future + 1) as f64 * pixels + self.denoiser.example_bytes(frames);
        fits("glance_windows", self.glance_windows, shown).bad_input()?;
        fits("final_windows", self.final_windows, shown).bad_input()
    }
}

struct SlowTraining<B: Backend> {
    config: SlowRun,
    trained: TrainedConfig,
    /// Scenes that are learned from.
    scenes: TrainingScenes,
    /// With its configuration, and with the scenes that it was trained on if what training begins with tells them all.
    autoencoder: (Autoencoder<B>, AutoencoderConfig, Option<TrainingScenes>),
    diffusion: Diffusion,
    episodes: LatentEpisodes<B>,
    windows: WindowSampler,
    validation: NextChunk<B>,
    test: NextChunk<B>,
    trainer: SlowTrainer<B>,
    device: Device<B>,
    inputs: Vec<String>,
}

impl<B: Backend> SlowTraining<B> {
    fn new(mut config: SlowRun) -> Result<Self, Failure> {
        check(&config)?;
        let device = Device::<B>::default();
        let seed = Seed::new(config.seed);
        let clips = open_clips(&config.data)?;
        let mut autoencoder = load_autoencoder(&config.autoencoder, &device).bad_input()?;
        let mut inputs = vec![inputs::of_clips(&clips), inputs::of_autoencoder(&autoencoder.0)];
        let mut is_silent = false;
        let start = match &config.start_from {
            Some(folder) => {
                let start = load_model::<B>(folder)?;
                if inputs::of_autoencoder(&start.autoencoder) != inputs[1] {
                    let cause = anyhow::anyhow!(
                        "{} reads latents of another autoencoder than {}: give its own with --autoencoder",
                        folder.display(),
                        config.autoencoder.display()
                    );
                    return Err(Failure::BadInput(cause));
                }
                inputs.push(inputs::of_model(&start)?);
                is_silent = !start.names_its_scenes();
                autoencoder.2 = autoencoder.2.or(start.autoencoder_trained_on);
                Some(start.trained)
            }
            None => None,
        };
        config.denoiser.latent = autoencoder.0.latent();
        let mut trained = match &start {
            // What a loop learned for its fast learning is folded into the weights, so that nothing is left of it to be kept.
            Some(TrainedDenoiser { config, .. }) => TrainedConfig { fast: None, ..config.clone() },
            None => TrainedConfig {
                denoiser: config.denoiser.clone(),
                vocabulary: vocabulary_of(&clips, Split::Train).bad_input()?,
                diffusion: config.diffusion,
                fast: None,
                trained_on: TrainingScenes::default(),
            },
        };
        if let Some(scenes) = &autoencoder.2 {
            trained.trained_on.add(scenes);
        }
        // A model that does not tell what it learned from will not tell either when it has been trained further.
        autoencoder.2 = autoencoder.2.filter(|_| !is_silent);
        (config.denoiser, config.diffusion) = (trained.denoiser.clone(), trained.diffusion);
        config.denoiser.check().bad_section("denoiser")?;
        config.check_room(&clips.index().description)?;
        let diffusion = Diffusion::new(&trained.diffusion).bad_section("diffusion")?;
        let fresh = match start {
            Some(start) => start.denoiser,
            None => {
                let denoiser = &trained.denoiser;
                Denoiser::new(denoiser, &trained.vocabulary, &seed, &device)
                    .bad_section("denoiser")?
            }
        };
        let words = trained.denoiser.words;
        let read = |split| {
            LatentEpisodes::read(&clips, split, &autoencoder.0, &trained.vocabulary, words)
                .bad_input()
        };
        let WindowConfig { most_past: past, .. } = config.windows;
        let length = config.windows.frames();
        let alignment = Alignment::after_past(past, config.frames_per_action);
        let windows =
            WindowSampler::new(&clips, Split::Train, length, alignment, &seed).bad_input()?;
        let next_chunk =
            |split, count| NextChunk::new(&clips, &read(split)?, split, past, &config, count);
        let validation = next_chunk(Split::Validation, config.glance_windows)?;
        let test = next_chunk(Split::Test, config.final_windows)?;
        let training_seed = seed.child("training");
        let trainer = SlowTrainer::pretraining(&config.slow, fresh, training_seed).bad_input()?;
        // What steps and glances need is tried before the folder is made.
        Sampler::new(diffusion.clone(), config.sampler).bad_input()?;
        let episodes = read(Split::Train)?;
        let window = episodes.windows(&windows.batch(0, 1), length);
        trainer.denoiser().check(window.latents.dims(), &window.phrases).bad_input()?;
        let scenes = TrainingScenes::of(&clips, clips.episodes_of(Split::Train)).bad_input()?;
        Ok(Self {
            config,
            trained,
            scenes,
            autoencoder,
            diffusion,
            episodes,
            windows,
            validation,
            test,
            trainer,
            device,
            inputs,
        })
    }

    /// The model with the running mean of the denoiser.
    fn model(&self) -> Result<VideoModel<B>, Failure> {
        let (autoencoder, config, autoencoder_trained_on) = self.autoencoder.clone();
        let denoiser = self.trainer.mean().clone();
        let mut trained = self.trained.clone();
        trained.trained_on.add(&self.scenes);
        let trained = TrainedDenoiser { config: trained, denoiser, rates: None };
        let model = VideoModel::new(autoencoder, config, trained).failed()?;
        Ok(VideoModel { autoencoder_trained_on, ..model })
    }

    fn finish(self, folder: &Path, interrupt: &Interrupt) -> Result<Results, Failure> {
        let model = self.model()?;
        let place = folder.join(MODEL_FOLDER);
        fs::create_dir_all(&place).failed()?;
        model.save(&place).failed()?;
        let results = Results {
            steps: self.steps_taken(),
            parameters: inner_outer::tensors::Tensors::of(self.trainer.denoiser()).elements(),
            test: self.test.scores(&model, self.config.sampler, interrupt)?,
        };
        write_file(&folder.join(RESULTS_FILE), serde_json::to_string_pretty(&results).failed()?)?;
        Ok(results)
    }
}

fn check(config: &SlowRun) -> Result<(), Failure> {
    config.pace.check()?;
    config.windows.check().bad_input()?;
    config.pace.check_rate("slow.rate", &config.slow.rate)?;
    even_graphs(config.batch, config.graphs)?;
    positive("frames_per_action", config.frames_per_action)?;
    positive("glance_windows", config.glance_windows)?;
    positive("final_windows", config.final_windows)
}

impl<B: Backend> Training for SlowTraining<B> {
    fn steps_taken(&self) -> u64 {
        self.trainer.steps_taken() as u64
    }

    fn step(&mut self) -> Result<Values, Failure> {
        let places = self.windows.batch(self.steps_taken(), self.config.batch);
        let share = places.len() / self.config.graphs;
        let length = self.windows.length();
        let batches: Vec<Clip<B>> =
            places.chunks(share).map(|part| self.episodes.windows(part, length)).collect();
        let done = self
            .trainer
            .step_on_windows(&self.diffusion, &self.config.windows, &batches)
            .failed()?;
        Ok(vec![
            ("loss", done.outer_loss),
            ("gradient norm", done.gradient_norm),
            ("rate", done.rate),
        ])
    }

    fn glance(&self) -> Result<Values, Failure> {
        let loss = self.validation.loss(self.trainer.mean(), &self.diffusion)?;
        let scores =
            self.validation.scores(&self.model()?, self.config.sampler, &Interrupt::new())?;
        Ok(vec![
            ("validation loss", loss),
            ("next-chunk PSNR", scores.psnr.mean),
            ("copied-frame PSNR", scores.copied_psnr.mean),
        ])
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn note(&self) -> Result<(), Failure> {
        let (clips, trained) = (open_clips(&self.config.data)?, &self.trained);
        let judged = [Split::Validation, Split::Test].map(|split| clips.episodes_of(split));
        let judged = TrainingScenes::of(&clips, judged.into_iter().flatten()).bad_input()?;
        let learner =
            if self.config.start_from.is_some() { "the model" } else { "the autoencoder" };
        note_trained_scenes(learner, &judged, &trained.trained_on, self.autoencoder.2.is_some());
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

    use super::*;
    use crate::autoencoder::{AUTOENCODER_FILE, save_autoencoder};
    use crate::clip::ClipSet;
    use crate::evaluation::tests::{SAMPLER, model};
    use crate::inverse_dynamics::tests::clips;

    /// A training on small clips with an autoencoder that names `scenes`.
    fn prepared(folder: &Path, scenes: Option<&TrainingScenes>) -> SlowRun {
        let VideoModel { autoencoder, autoencoder_config, trained, .. } = model();
        let file = folder.join(AUTOENCODER_FILE);
        save_autoencoder(&autoencoder, &autoencoder_config, scenes, &file).unwrap();
        SlowRun {
            data: folder.join("clips"),
            autoencoder: file,
            denoiser: trained.config.denoiser,
            windows: WindowConfig { most_past: 2, ..WindowConfig::default() },
            sampler: SAMPLER,
            glance_windows: 1,
            final_windows: 1,
            ..SlowRun::default()
        }
    }

    fn learned(config: SlowRun) -> VideoModel<Flex> {
        SlowTraining::new(config).unwrap().model().unwrap()
    }

    fn of(clips: &ClipSet, split: Split) -> TrainingScenes {
        TrainingScenes::of(clips, clips.episodes_of(split)).unwrap()
    }

    #[test]
    fn what_no_machine_has_room_for_is_refused_before_frames_are_read() {
        let folder = tempfile::tempdir().unwrap();
        clips(&folder.path().join("clips"));
        let usual = prepared(folder.path(), None);
        let windows = WindowConfig { future: 1000, ..usual.windows };
        let denoiser = DenoiserConfig { frames: 2000, ..usual.denoiser.clone() };
        let many = 1_000_000;
        for (config, named) in [
            (
                SlowRun { batch: many, windows, denoiser, ..usual.clone() },
                "`batch` is 1000000, for which",
            ),
            (SlowRun { glance_windows: many, windows, ..usual.clone() }, "`glance_windows` is "),
            (SlowRun { final_windows: many, windows, ..usual }, "`final_windows` is 1000000"),
        ] {
            let refused = SlowTraining::<Flex>::new(config).err();
            let Some(Failure::BadInput(cause)) = refused else { panic!("{named}") };
            assert!(cause.to_string().contains(named), "{cause}");
        }
    }

    #[test]
    fn scenes_of_the_autoencoder_are_scenes_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(&folder.path().join("clips"));
        let (learned_from, test) = (of(&clips, Split::Train), of(&clips, Split::Test));
        let fresh = learned(prepared(folder.path(), Some(&test)));
        let mut all = learned_from.clone();
        all.add(&test);
        assert_eq!(fresh.trained.config.trained_on, all);
        assert!(fresh.names_its_scenes());
        assert_eq!(fresh.autoencoder_trained_on, Some(test));
        let silent = learned(prepared(folder.path(), None));
        assert_eq!(silent.trained.config.trained_on, learned_from);
        assert!(!silent.names_its_scenes());
    }

    #[test]
    fn a_model_that_is_trained_further_keeps_what_it_tells_of_its_scenes() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(&folder.path().join("clips"));
        let test = of(&clips, Split::Test);
        let begun = folder.path().join("begun");
        fs::create_dir(&begun).unwrap();
        let further = |start: VideoModel<Flex>, scenes: Option<&TrainingScenes>| {
            start.save(&begun).unwrap();
            let start_from = Some(begun.clone());
            learned(SlowRun { start_from, ..prepared(folder.path(), scenes) })
        };
        let told = learned(prepared(folder.path(), Some(&test)));
        // The autoencoder in a model's own folder tells too.
        let again = further(told, None);
        assert!(again.names_its_scenes());
        assert_eq!(again.trained.config.trained_on.shared_with(&test), test.count());
        let silent = further(model(), Some(&test));
        assert!(!silent.names_its_scenes(), "the denoiser did not tell");
        assert_eq!(silent.trained.config.trained_on.shared_with(&test), test.count());
        assert!(!further(silent, Some(&test)).names_its_scenes(), "nor has it learned to tell");
    }
}
