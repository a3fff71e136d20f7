//! Evaluations that cannot be made.

use crate::autoencoder::AutoencoderError;
use crate::clip::{ClipError, Route};
use crate::inverse_dynamics::InverseDynamicsError;
use crate::memory::MemoryError;
use crate::metrics::MetricError;
use crate::text::TextError;
use crate::video_model::VideoModelError;
use crate::world::WorldError;

/// A failure to evaluate or to plan. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// A setting out of its range.
    #[error("`{setting}` is {found}, but must be {range}; correct it")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A route that does not lead back.
    #[error(
        "`routes` has `{0}`, which does not lead back to where it began; plan on the routes that do"
    )]
    Route(Route),
    /// Two methods of one name, or names that the tables need themselves.
    #[error("two rows are called `{0}`: give every method its own `name`")]
    Name(String),
    /// A baseline that is no method.
    #[error("`baseline` is `{name}`, which is none of the methods {methods:?}: name one of them")]
    Baseline {
        /// The name.
        name: String,
        /// The names there are.
        methods: Vec<String>,
    },
    /// A denoiser whose window is too small for a method.
    #[error(
        "the method `{method}` needs a window of {past} given frames and at least {future} to come, but the denoiser's has {window}: lower `frames_per_chunk` or `context.past`, leave the method out, or train with more `frames`"
    )]
    Window {
        /// The method.
        method: String,
        /// Frames given.
        past: usize,
        /// Frames to come.
        future: usize,
        /// Frames of the window.
        window: usize,
    },
    /// No episode to evaluate on.
    #[error(
        "the clips have no {split} episode of the routes {routes} with frames left to generate: choose other `routes` or `split`, a smaller `observed`, or generate more episodes"
    )]
    NoEpisodes {
        /// The split.
        split: String,
        /// The routes.
        routes: String,
    },
    /// A phrase that the model cannot be told.
    #[error(
        "episode {episode} of the clips: {source}, or evaluate on clips whose every phrase the model can read"
    )]
    Phrase {
        /// Number of the episode.
        episode: usize,
        /// What is wrong with the phrase.
        source: TextError,
    },
    /// Given frames that are not in the episode.
    #[error(
        "{given} frames of {frames} are given: give at least 1 and at most all, with a pose for each"
    )]
    Given {
        /// Frames given.
        given: usize,
        /// Frames there are.
        frames: usize,
    },
    /// The clips.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The measures.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The inverse dynamics.
    #[error(transparent)]
    InverseDynamics(#[from] InverseDynamicsError),
    /// The model.
    #[error(transparent)]
    VideoModel(#[from] VideoModelError),
    /// The autoencoder.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// The memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The world.
    #[error(transparent)]
    World(#[from] WorldError),
}
