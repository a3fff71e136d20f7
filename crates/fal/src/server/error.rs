//! What can go wrong at the server.

/// An aggregation that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServerError {
    /// No client reported back.
    #[error(
        "no client reported back in this round; leave the model as it is, or let more clients take part"
    )]
    NoUpdates,
    /// A vector of the wrong length.
    #[error("{what} has {found} values, but {expected} are needed; use vectors of the same model")]
    Length {
        /// What is wrong, such as the update of a client.
        what: String,
        /// Values that are needed.
        expected: usize,
        /// Values that are there.
        found: usize,
    },
    /// A client sent NaN or infinity.
    #[error(
        "client {client} sent {what} that is not finite; lower its rate, or set such clients aside with `set_aside_non_finite`"
    )]
    NotFinite {
        /// The client.
        client: usize,
        /// What it sent.
        what: &'static str,
    },
    /// Something that the server would remember is beyond single precision.
    #[error(
        "{what} would not be finite, for updates are too long; bound them with `server.clip`, choose a robust `server.aggregator`, or lower `client.rate`, `server.optimizer.rate` or what `clients.attackers` multiply by"
    )]
    Overflow {
        /// What the server would remember.
        what: &'static str,
    },
    /// A weighted mean without weights.
    #[error("no client has {what}, so nothing can be weighted by it; weight uniformly")]
    NoWeight {
        /// What weights are made of.
        what: &'static str,
    },
    /// Too few updates for a guarantee.
    #[error(
        "`{rule}` against {byzantine} bad clients needs at least {needed} updates, but has {found}; let more clients take part, or lower `byzantine`"
    )]
    TooFewUpdates {
        /// The rule.
        rule: &'static str,
        /// Bad clients that it should withstand.
        byzantine: usize,
        /// Updates that this takes.
        needed: usize,
        /// Updates that there are.
        found: usize,
    },
    /// A choice of more updates than can be good.
    #[error(
        "`keep` is {keep}, but of {updates} updates {byzantine} may be bad; keep at least 1 and at most the others"
    )]
    Keep {
        /// Updates to keep.
        keep: usize,
        /// Updates that there are.
        updates: usize,
        /// Bad clients.
        byzantine: usize,
    },
    /// A share of updates that is less than one.
    #[error(
        "a share of {share} of {updates} updates is less than one, so nothing would be trimmed; raise `share`, or let more clients take part"
    )]
    TrimsNobody {
        /// The share to trim at each end.
        share: f64,
        /// Updates that there are.
        updates: usize,
    },
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
}

impl ServerError {
    /// Whether a round is passed over, and the model left as it is, because too few updates came.
    pub fn passes_over(&self) -> bool {
        matches!(
            self,
            Self::NoUpdates
                | Self::TooFewUpdates { .. }
                | Self::TrimsNobody { .. }
                | Self::Keep { .. }
        )
    }
}

/// Refuses a setting unless it is `accepted`.
pub(super) fn require(
    accepted: bool,
    setting: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), ServerError> {
    if accepted { Ok(()) } else { Err(ServerError::OutOfRange { setting, value, range }) }
}
