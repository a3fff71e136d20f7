//! Evaluations that cannot be made.

use crate::autoencoder::AutoencoderError;
use crate::clip::{ClipError, Route};
use crate::inverse_dynamics::InverseDynamicsError;
use crate::memory::MemoryError;
use crate::metrics::MetricError;
use crate::size::SizeError;
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
    /// A setting that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// A route that does not lead back.
    #[error(
        "`routes` has `{0}`, which does not lead back to where it began; plan on the routes that do"
    )]
    Route(Route),
    /// Two methods of one name, or names that the tables need themselves.
    #[error("two rows are called `{0}`: give every method its own `name`")]
    Name(String),
    /// Two models of one name.
    #[error("two models are called `{0}`: give every `--model NAME=FOLDER` its own name")]
    ModelName(String),
    /// A seed whose episodes would count twice.
    #[error(
        "`seeds` has {0} more than once, so that its episodes would count as often; name it once"
    )]
    Seed(u64),
    /// A sweep that combines with nothing.
    #[error(
        "`sweep.{0}` is empty, so that there is nothing to combine with; give `ranks`, `rates` and `steps` of the sweep, or none of them"
    )]
    EmptySweep(&'static str),
    /// A method that does not fit the model.
    #[error("in the method `{method}`: {source}")]
    Method {
        /// Its name.
        method: String,
        /// What does not fit.
        source: Box<EvaluationError>,
    },
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
        "it needs a window of {past} given frames and at least {future} to come, but the denoiser's has {window}: lower `frames_per_chunk` or `context.past`, leave the method out, or train with more `denoiser.frames`"
    )]
    Window {
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
    /// A phrase of a plan that a model cannot be told.
    #[error(
        "task {task}, model {model}: {source}, or plan on routes whose every phrase the model can read"
    )]
    PlanPhrase {
        /// Number of the task.
        task: usize,
        /// Name of the model.
        model: String,
        /// What is wrong with the phrase.
        source: TextError,
    },
    /// A task whose world has nowhere to walk straight ahead for an action.
    #[error(
        "task {task}: its world has no room for an action of {frames} frames straight ahead, so that turning around would be turning on the \
         spot; lower `frames_per_action`, raise `world.steps_per_cell` or `world.largest_room`, or leave `turn-around` out of `routes`"
    )]
    NoRoom {
        /// Number of the task.
        task: usize,
        /// Frames that an action is held for.
        frames: usize,
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
