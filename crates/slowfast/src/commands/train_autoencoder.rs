//! `slowfast train-autoencoder`: pixels into latents and back, the first thing to train.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::checkpoint::Checkpoint;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use experiment::statistics::{Interval, grouped_mean_interval};
use inner_outer::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use super::training::{Pace, Place, Training, Values};
use super::{RESULTS_FILE, inputs, open_clips};
use crate::autoencoder::{
    AUTOENCODER_FILE, Autoencoder, AutoencoderConfig, AutoencoderTrainer, frames_from_pixels,
    pixels_from_frames, save_autoencoder,
};
use crate::clip::{Alignment, ClipSet, Split, TrainingScenes, WindowPlace, WindowSampler};
use crate::metrics::{Video, psnr, structural_similarity};
use crate::size::fits;

const STATE_FILE: &str = "trainer";
/// Training frames over which the scale of the latents is measured.
const MEASURED_FRAMES: usize = 1024;

/// How an autoencoder is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderRun {
    /// Seed of every random choice.
    pub seed: u64,
    /// Folder of clips; the autoencoder takes the size of their frames.
    pub data: PathBuf,
    /// How long, and how often to look up.
    pub pace: Pace,
    /// Frames in a step, a multiple of `graphs`.
    pub batch: usize,
    /// Graphs that a step's frames are divided among, which may run side by side.
    pub graphs: usize,
    /// The rate of AdamW.
    pub rate: Schedule,
    /// The shape of the autoencoder.
    pub autoencoder: AutoencoderConfig,
    /// Frames of unseen scenes that are looked at in training.
    pub glance_frames: usize,
    /// Frames of test scenes that are measured at the end.
    pub final_frames: usize,
}

impl Default for AutoencoderRun {
    fn default() -> Self {
        let steps = 6000;
        Self {
            seed: 0,
            data: "clips".into(),
            pace: Pace { steps, ..Pace::default() },
            batch: 32,
            graphs: 2,
            rate: Schedule {
                rate: 2e-3,
                warm_up: 100,
                steps: steps as usize,
                decay: Decay::Cosine,
            },
            autoencoder: AutoencoderConfig::default(),
            glance_frames: 128,
            final_frames: 1024,
        }
    }
}

/// The run where none is named.
const USUAL_OUT: &str = "runs/autoencoder";

/// Arguments of `train-autoencoder`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips, instead of `data` in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What an autoencoder came to.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Steps of training.
    pub steps: u64,
    /// Frames of test scenes.
    pub frames: usize,
    /// Peak signal-to-noise ratio of a frame that went through the latents, in decibels.
    pub psnr: Interval,
    /// Its structural similarity, -1 to 1.
    pub structural_similarity: Interval,
}

/// Trains, and leaves the run directory with the autoencoder and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[("--data", arguments.data.is_some())])?;
    let place = Place::of(common, USUAL_OUT)?;
    let out = place.out.clone();
    let config = place.config(|| configuration(&arguments))?;
    let read = [Some(&config.data), common.settings.config.as_ref()];
    place.require_apart(&[AUTOENCODER_FILE, RESULTS_FILE], &read)?;
    let results = experiment::on_device!(common.settings.device, B => {
        let training = AutoencoderTraining::<B>::new(config)?;
        let config = training.config.clone();
        let (training, run, interrupt) = place.train(training, &config, &config.pace)?;
        training.finish(run.path(), &interrupt)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!(
            "PSNR {:.2} dB, SSIM {:.3}, on {} frames of test scenes\n{}",
            results.psnr,
            results.structural_similarity,
            results.frames,
            out.join(AUTOENCODER_FILE).display()
        )),
    }
}

fn configuration(arguments: &Arguments) -> Result<AutoencoderRun, Failure> {
    let common = &arguments.common;
    let mut config: AutoencoderRun =
        common.settings.configuration(&AutoencoderRun::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.data = arguments.data.clone().unwrap_or(config.data);
    Ok(config)
}

/// Measures of frames, each with the number of its scene.
struct Measured {
    ratios: Vec<(usize, f64)>,
    similarities: Vec<(usize, f64)>,
}

struct AutoencoderTraining<B: Backend> {
    config: AutoencoderRun,
    clips: ClipSet,
    windows: WindowSampler,
    trainer: AutoencoderTrainer<B>,
    device: Device<B>,
    inputs: Vec<String>,
}

impl<B: Backend> AutoencoderTraining<B> {
    fn new(mut config: AutoencoderRun) -> Result<Self, Failure> {
        config.pace.check()?;
        config.pace.check_rate("rate", &config.rate)?;
        super::even_graphs(config.batch, config.graphs)?;
        super::positive("glance_frames", config.glance_frames)?;
        super::positive("final_frames", config.final_frames)?;
        let clips = open_clips(&config.data)?;
        let inputs = vec![inputs::of_clips(&clips)];
        let description = &clips.index().description;
        config.autoencoder.height = description.height;
        config.autoencoder.width = description.width;
        config.autoencoder.check().bad_input()?;
        fits("batch", config.batch, config.autoencoder.frame_bytes()).bad_input()?;
        let seed = Seed::new(config.seed);
        let windows =
            WindowSampler::new(&clips, Split::Train, 1, Alignment::ANY, &seed).bad_input()?;
        // What glances and the end need is tried before the folder is made.
        for split in [Split::Validation, Split::Test] {
            WindowSampler::new(&clips, split, 1, Alignment::ANY, &seed).bad_input()?;
        }
        let blank = vec![0; 3 * description.height * description.width];
        let frame = Video::new(&blank, description.height, description.width).bad_input()?;
        structural_similarity(frame, frame).bad_input()?;
        let device = Default::default();
        let fresh = Autoencoder::new(&config.autoencoder, &seed, &device).bad_input()?;
        let kl_weight = config.autoencoder.kl_weight;
        let trainer =
            AutoencoderTrainer::new(fresh, kl_weight, config.rate, seed.child("training"));
        Ok(Self { config, clips, windows, trainer, device, inputs })
    }

    /// Frames `[frames, height, width, 3]` with values from -1 to 1.
    fn images(&self, places: &[WindowPlace]) -> Result<Tensor<B, 4>, Failure> {
        Ok(self.frames(&self.pixels(places)?)?.squeeze_dim(0))
    }

    fn pixels(&self, places: &[WindowPlace]) -> Result<Vec<u8>, Failure> {
        let frame = |place: &WindowPlace| {
            let window = self.clips.window(place.episode, place.start..place.start + 1);
            window.map(|window| window.frames).failed()
        };
        Ok(places.iter().map(frame).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Frames `[1, frames, height, width, 3]`.
    fn frames(&self, pixels: &[u8]) -> Result<Tensor<B, 5>, Failure> {
        let AutoencoderConfig { height, width, .. } = self.config.autoencoder;
        let shape = [1, pixels.len() / (3 * height * width), height, width, 3];
        frames_from_pixels(pixels, shape, &self.device).failed()
    }

    /// PSNR and structural similarity of frames of a split, frame by frame, each with the number of its scene, unless it is
    /// interrupted.
    fn measure(
        &self,
        autoencoder: &Autoencoder<B>,
        split: Split,
        count: usize,
        interrupt: &Interrupt,
    ) -> Result<Measured, Failure> {
        let seed = Seed::new(self.config.seed).child("measured frames");
        let windows =
            WindowSampler::new(&self.clips, split, 1, Alignment::ANY, &seed).bad_input()?;
        let AutoencoderConfig { height, width, .. } = self.config.autoencoder;
        let (mut ratios, mut similarities) = (Vec::new(), Vec::new());
        for place in windows.batch(0, count) {
            interrupt.heed()?;
            let pixels = self.pixels(std::slice::from_ref(&place))?;
            let latents = autoencoder.encode(self.frames(&pixels)?).failed()?;
            let found = pixels_from_frames(&autoencoder.decode(latents).failed()?);
            let found = Video::new(&found, height, width).failed()?;
            let expected = Video::new(&pixels, height, width).failed()?;
            let scene = self.clips.scene(place.episode).failed()?;
            ratios.push((scene, psnr(found, expected).failed()?));
            similarities.push((scene, structural_similarity(found, expected).failed()?));
        }
        Ok(Measured { ratios, similarities })
    }

    /// Measures the latents, writes the autoencoder and what it came to.
    fn finish(self, folder: &Path, interrupt: &Interrupt) -> Result<Results, Failure> {
        let places = self.windows.batch(u64::MAX, MEASURED_FRAMES);
        let frames = self.images(&places)?.unsqueeze_dim(0);
        let autoencoder = self.trainer.autoencoder().clone().measured(frames).failed()?;
        let path = folder.join(AUTOENCODER_FILE);
        let learned_from = self.clips.episodes_of(Split::Train);
        let scenes = TrainingScenes::of(&self.clips, learned_from).failed()?;
        save_autoencoder(&autoencoder, &self.config.autoencoder, Some(&scenes), &path).failed()?;
        let count = self.config.final_frames;
        let Measured { ratios, similarities } =
            self.measure(&autoencoder, Split::Test, count, interrupt)?;
        let results = Results {
            steps: self.steps_taken(),
            frames: count,
            psnr: grouped_mean_interval(ratios).failed()?,
            structural_similarity: grouped_mean_interval(similarities).failed()?.within(-1.0..=1.0),
        };
        write_file(&folder.join(RESULTS_FILE), serde_json::to_string_pretty(&results).failed()?)?;
        Ok(results)
    }
}

impl<B: Backend> Training for AutoencoderTraining<B> {
    fn steps_taken(&self) -> u64 {
        self.trainer.steps_taken() as u64
    }

    fn step(&mut self) -> Result<Values, Failure> {
        let places = self.windows.batch(self.steps_taken(), self.config.batch);
        let share = places.len() / self.config.graphs;
        let batches: Vec<_> =
            places.chunks(share).map(|part| self.images(part)).collect::<Result<_, _>>()?;
        let done = self.trainer.step(&batches).failed()?;
        Ok(vec![("loss", done.outer_loss), ("gradient norm", done.gradient_norm)])
    }

    fn glance(&self) -> Result<Values, Failure> {
        let (autoencoder, frames) = (self.trainer.autoencoder(), self.config.glance_frames);
        let validation = self.measure(autoencoder, Split::Validation, frames, &Interrupt::new())?;
        let sum: f64 = validation.ratios.iter().map(|(_, ratio)| ratio).sum();
        Ok(vec![("validation PSNR", sum / validation.ratios.len() as f64)])
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn state(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
        Ok(vec![(STATE_FILE, self.trainer.state().failed()?)])
    }

    fn with_state(self, checkpoint: &Checkpoint) -> Result<Self, Failure> {
        let state = checkpoint.file(STATE_FILE).failed()?;
        let trainer = self.trainer.with_state(state, &self.device).failed()?;
        Ok(Self { trainer, ..self })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::autoencoder::load_autoencoder;
    use crate::inverse_dynamics::tests::clips;

    #[test]
    fn a_batch_that_no_machine_has_room_for_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("clips");
        clips(&data);
        let autoencoder = AutoencoderConfig { hidden: 512, ..AutoencoderConfig::default() };
        let config = AutoencoderRun { data, autoencoder, batch: 1_000_000, ..Default::default() };
        let refused = AutoencoderTraining::<Flex>::new(config).err();
        let Some(Failure::BadInput(cause)) = refused else { panic!("a million frames at once") };
        assert!(cause.to_string().contains("`batch` is 1000000, for which"), "{cause}");
    }

    #[test]
    fn a_trained_autoencoder_names_the_scenes_that_it_learned_from() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("clips");
        let clips = clips(&data);
        let autoencoder =
            AutoencoderConfig { hidden: 4, blocks: 1, ..AutoencoderConfig::default() };
        let config =
            AutoencoderRun { data, autoencoder, final_frames: 8, ..AutoencoderRun::default() };
        let training = AutoencoderTraining::<Flex>::new(config).unwrap();
        training.finish(folder.path(), &Interrupt::new()).unwrap();
        let read = load_autoencoder::<Flex>(folder.path(), &Default::default()).unwrap();
        let of = |split| TrainingScenes::of(&clips, clips.episodes_of(split)).unwrap();
        assert_eq!(read.2, Some(of(Split::Train)));
        assert_eq!(read.2.unwrap().shared_with(&of(Split::Test)), 0);
    }
}
