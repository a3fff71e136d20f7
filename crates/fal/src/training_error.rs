//! What can go wrong in training, and what to do about it.

use crate::attack::AttackError;
use crate::data::{DataError, SphereError};
use crate::network::NetworkError;
use crate::partition::PartitionError;
use crate::server::ServerError;

/// A training that cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A setting lies outside of its range.
    #[error("`{setting}` is {value}, but must be {range}; correct it")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A section of the configuration that cannot be used.
    #[error("in `{section}`: {source}")]
    Section {
        /// Its dotted path.
        section: &'static str,
        /// What is wrong there.
        source: Box<TrainingError>,
    },
    /// Settings that exclude each other.
    #[error("{0}")]
    Excluded(&'static str),
    /// A client could not take a local step.
    #[error("client {client} in round {round}")]
    Client {
        /// The client.
        client: usize,
        /// The round, from 1.
        round: u64,
        /// What its inner loop said.
        #[source]
        source: inner_outer::Error,
    },
    /// The server could not make a model of the updates.
    #[error("the server in round {round}")]
    Aggregation {
        /// The round, from 1.
        round: u64,
        /// What the server said.
        #[source]
        source: ServerError,
    },
    /// The network's weights are finite, and its scores are not.
    #[error(
        "the network of round {round} scores a test image with {value}; {}, or `server.optimizer.rate`{}", TAME, bound(*.may_clip)
    )]
    NonFiniteScore {
        /// The round, from 1.
        round: u64,
        /// The score.
        value: f32,
        /// Whether nothing bounds updates, so that a bound could help.
        may_clip: bool,
    },
    /// Every update was NaN or infinite, of all clients or of most.
    #[error(
        "no client sent a finite update in {}; {}{}", last(*.rounds, *.round), TAME, bound(*.may_clip)
    )]
    NothingFinite {
        /// The last round, from 1.
        round: u64,
        /// How many rounds running it was so, at least 1.
        rounds: u64,
        /// Whether the model has grown and nothing bounds updates, so that a bound could help.
        may_clip: bool,
    },
    /// A training that trained nothing.
    #[error(
        "all {rounds} rounds were passed over, so that the network is as it was drawn, {nothing_finite} of them because no update that came was finite; where that is so lower `client.rate`, elsewhere let more clients take part, \
         lower `clients.participation.dropout`, or choose a `server.aggregator` that needs fewer updates"
    )]
    AllPassedOver {
        /// The rounds.
        rounds: u64,
        /// Those in which updates came, and none was finite.
        nothing_finite: u64,
    },
    /// A simulation of the theorem that left the finite numbers.
    #[error(
        "the network of round {round} has a loss or a distance that is not finite; lower `base.local_rate` or `base.global_rate`"
    )]
    Diverged {
        /// The round, counted from 1; 0 for the start.
        round: u64,
    },
    /// A saved state that cannot be gone on with.
    #[error("{what} does not belong to this run: {cause}; start again in another folder")]
    State {
        /// Which part.
        what: &'static str,
        /// What does not fit.
        cause: String,
    },
    /// The images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The theorem's points.
    #[error(transparent)]
    Sphere(#[from] SphereError),
    /// Their division among clients.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// An attack of the evaluation.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The bi-level core.
    #[error(transparent)]
    Core(#[from] inner_outer::Error),
}

/// What makes a client's steps too long. A bound on updates is none of it: what is not finite is set aside before it.
const TAME: &str = "lower `client.rate`, the weights in `loss`, `client.weight_decay` or what `clients.attackers` multiply by";

/// The rest of a remedy where updates could be bounded.
fn bound(may_clip: bool) -> &'static str {
    if may_clip {
        ", or, because the model has grown, bound updates with `server.clip`"
    } else {
        ""
    }
}

/// The last of so many rounds, in words.
fn last(rounds: u64, round: u64) -> String {
    match rounds {
        1 => format!("round {round}"),
        _ => format!("the {rounds} rounds up to round {round}"),
    }
}

/// Refuses a setting unless it is `accepted`.
pub(crate) fn require(
    accepted: bool,
    setting: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), TrainingError> {
    if accepted { Ok(()) } else { Err(TrainingError::OutOfRange { setting, value, range }) }
}

/// Says in which section of the configuration it is that something is wrong.
pub(crate) fn within<E: Into<TrainingError>>(
    section: &'static str,
    checked: Result<(), E>,
) -> Result<(), TrainingError> {
    checked.map_err(|source| TrainingError::Section { section, source: Box::new(source.into()) })
}

/// The largest number of steps, clients and the like: beyond it a run neither ends nor fits into any memory.
pub(crate) const MOST: usize = 1_000_000;

/// Refuses a number of steps, clients or the like unless it is from 1 to [`MOST`].
pub(crate) fn require_some(setting: &'static str, count: usize) -> Result<(), TrainingError> {
    let accepted = (1..=MOST).contains(&count);
    require(accepted, setting, count as f64, "at least 1 and at most a million")
}

/// The largest radius and the longest step: far more than any image spans, and still finite in single precision.
pub(crate) const LONGEST: f64 = 1e6;

/// Refuses a radius unless it is from 0 to [`LONGEST`].
pub(crate) fn require_radius(setting: &'static str, radius: f64) -> Result<(), TrainingError> {
    let accepted = (0.0..=LONGEST).contains(&radius);
    require(accepted, setting, radius, "at least 0 and at most a million")
}

/// Refuses the length of a step unless it is above 0 and at most [`LONGEST`].
pub(crate) fn require_step(setting: &'static str, length: f64) -> Result<(), TrainingError> {
    let accepted = length > 0.0 && length <= LONGEST;
    require(accepted, setting, length, "above 0 and at most a million")
}

/// Refuses a number of steps or the like that is beyond [`MOST`]; there may be none.
pub(crate) fn require_few(setting: &'static str, count: usize) -> Result<(), TrainingError> {
    require(count <= MOST, setting, count as f64, "at most a million")
}
