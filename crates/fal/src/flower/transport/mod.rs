//! How calls of the Fleet API reach a SuperLink.
//!
//! Flower keeps the messages and changes the transport: up to 1.39 it was gRPC, from 1.40 it is HTTP. So everything but
//! [`HttpTransport`] knows the trait [`FleetTransport`] alone.

mod error;
mod http;
mod retry;

pub use error::TransportError;
pub(super) use http::check_address;
pub use http::{HttpTransport, Security};
pub(super) use retry::pause;
pub use retry::{RetryPolicy, Retrying};

/// Calls of the Fleet API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Makes a key known.
    RegisterNode,
    /// Puts a node on line.
    ActivateNode,
    /// Takes a node off line.
    DeactivateNode,
    /// Forgets a node.
    UnregisterNode,
    /// Says that a node is alive.
    SendNodeHeartbeat,
    /// Asks for work.
    PullMessages,
    /// Announces a reply.
    PushMessages,
    /// Sends one object.
    PushObject,
    /// Asks for one object.
    PullObject,
    /// Says that all objects of a message were received.
    ConfirmMessageReceived,
}

impl Method {
    /// The last part of its address, such as `register-node`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RegisterNode => "register-node",
            Self::ActivateNode => "activate-node",
            Self::DeactivateNode => "deactivate-node",
            Self::UnregisterNode => "unregister-node",
            Self::SendNodeHeartbeat => "send-node-heartbeat",
            Self::PullMessages => "pull-messages",
            Self::PushMessages => "push-messages",
            Self::PushObject => "push-object",
            Self::PullObject => "pull-object",
            Self::ConfirmMessageReceived => "confirm-message-received",
        }
    }
}

/// A way to a SuperLink. Threads share it: heartbeats go on while objects are sent.
pub trait FleetTransport: Sync {
    /// Calls `method` with a protobuf message, and gives the one that comes back.
    ///
    /// # Errors
    /// [`TransportError`].
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError>;
}

impl<T: FleetTransport + ?Sized> FleetTransport for &T {
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).call(method, request)
    }
}
