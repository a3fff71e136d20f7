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
    /// Every update of a round was NaN or infinite.
    #[error(
        "no client sent a finite update in round {round}; lower `client.rate`, or bound updates with `server.clip`"
    )]
    NothingFinite {
        /// The round, from 1.
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

/// Refuses a setting unless it is `accepted`.
pub(crate) fn require(
    accepted: bool,
    setting: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), TrainingError> {
    if accepted { Ok(()) } else { Err(TrainingError::OutOfRange { setting, value, range }) }
}

/// The largest number of steps, clients and the like: beyond it a run neither ends nor fits into any memory.
pub(crate) const MOST: usize = 1_000_000;

/// Refuses a number of steps, clients or the like unless it is from 1 to [`MOST`].
pub(crate) fn require_some(setting: &'static str, count: usize) -> Result<(), TrainingError> {
    let accepted = (1..=MOST).contains(&count);
    require(accepted, setting, count as f64, "at least 1 and at most a million")
}

/// Refuses a number of steps or the like that is beyond [`MOST`]; there may be none.
pub(crate) fn require_few(setting: &'static str, count: usize) -> Result<(), TrainingError> {
    require(count <= MOST, setting, count as f64, "at most a million")
}
