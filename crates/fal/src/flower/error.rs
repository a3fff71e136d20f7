//! What ends a node.

use super::identity::IdentityError;
use super::objects::ObjectError;
use super::transport::{Method, TransportError};

/// Why a node cannot take part, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum FlowerError {
    /// A call failed, and went on failing.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A setting is out of range.
    #[error("`{setting}` is {found}, but must be {allowed}")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Plain HTTP needs no certificates.
    #[error(
        "`--insecure` and `--root-certificates` exclude each other; leave out `--insecure` to speak TLS"
    )]
    Contradiction,
    /// The answer is not of this protocol.
    #[error("the answer to `{}` cannot be read: {cause}; give the address of a SuperLink of Flower 1.40 to 1.42", method.name())]
    Answer {
        /// The call.
        method: Method,
        /// What is wrong.
        cause: String,
    },
    /// A message of which nothing but its coming is known.
    #[error(
        "a message came without its {missing}, and can be neither read nor answered; look into the SuperLink's log"
    )]
    Incomplete {
        /// What is missing.
        missing: &'static str,
    },
    /// The SuperLink has removed the node.
    #[error(
        "the SuperLink no longer knows node {node}; start the client again, and register its key again if keys are registered by hand"
    )]
    Removed {
        /// The node.
        node: u64,
    },
    /// An object that cannot be used.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// An object that does not come.
    #[error(
        "object {id} was announced, but did not arrive within {seconds} s; see that the ServerApp still sends, or raise `--object-patience`"
    )]
    ObjectUnavailable {
        /// The object.
        id: String,
        /// How long it was waited for.
        seconds: f64,
    },
    /// A reply that the SuperLink does not take.
    #[error("the SuperLink did not take the reply: {reason}")]
    NotTaken {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// The client was asked to stop.
    #[error("the client was stopped before it had answered")]
    Stopped,
}

impl FlowerError {
    /// Whether the settings, the key, the certificates or the address cannot be used, whatever the SuperLink says.
    pub fn is_of_options(&self) -> bool {
        match self {
            Self::Identity(identity) => identity.is_of_file(),
            Self::Transport(transport) => transport.is_of_options(),
            Self::OutOfRange { .. } | Self::Contradiction => true,
            _ => false,
        }
    }

    /// Whether the node is to go on with the next message: the fault was with this one alone.
    pub(super) fn is_of_one_message(&self) -> bool {
        match self {
            Self::Incomplete { .. }
            | Self::Object(_)
            | Self::ObjectUnavailable { .. }
            | Self::NotTaken { .. }
            | Self::Stopped => true,
            Self::Transport(transport) => transport.is_of_ended_run(),
            _ => false,
        }
    }

    /// Whether there is nobody left who waits for an answer.
    pub(super) fn is_of_ended_run(&self) -> bool {
        matches!(self, Self::Transport(transport) if transport.is_of_ended_run())
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Transport(transport) if transport.is_transient())
    }
}
