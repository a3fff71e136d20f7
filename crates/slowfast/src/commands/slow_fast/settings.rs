//! What a loop is made of.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use serde::{Deserialize, Serialize};

use crate::clip::Route;
use crate::commands::training::Pace;
use crate::commands::{MODEL_FOLDER, positive};
use crate::diffusion::{Clip, Diffusion, Sampler, SamplerConfig};
use crate::latents::ChunkLayout;
use crate::memory::{FastConfig, FastLearner};
use crate::size::{NUMBER, fits};
use crate::slow::{ChunkSource, LoopConfig, Recall, SecondOrderConfig, SlowConfig};
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

impl LoopRun {
    /// Checks what can be told before the clips and the model are read.
    pub(super) fn check(&self) -> Result<(), Failure> {
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
    pub(super) fn check_room<B: Backend>(&self, model: &VideoModel<B>) -> Result<(), Failure> {
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

    pub(super) fn learns_start(&self) -> bool {
        matches!(&self.method, LoopMethod::SecondOrder { second_order } if second_order.learn_start)
    }

    /// Tries what steps and glances need, before the folder is made.
    pub(super) fn check_fit<B: Backend>(
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
    pub(super) fn fast(&self) -> &FastConfig {
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
    pub(super) fn written(&self) -> Option<usize> {
        match &self.method {
            LoopMethod::StopGradient { .. } => None,
            LoopMethod::SecondOrder { second_order } => Some(second_order.written),
        }
    }
}

#[cfg(test)]
mod tests {
    use experiment::config;

    use super::*;

    #[test]
    fn what_is_left_out_of_a_method_is_as_usual() {
        let chosen = "method={ kind = \"stop-gradient\" }".to_owned();
        let LoopRun { method, .. } = config::load(&LoopRun::default(), None, &[chosen]).unwrap();
        let LoopMethod::StopGradient { fast, source, batch } = method else { panic!("{method:?}") };
        let usual = LoopConfig::default();
        assert_eq!((fast, source, batch), (FastConfig::default(), usual.source, usual.batch));
    }
}
