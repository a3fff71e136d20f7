//! A node of Flower's federations: an unmodified SuperLink and ServerApp of Flower 1.41 ask, a [`ClientApp`] here answers.
//!
//! | to | read |
//! |---|---|
//! | write what a node does when it is asked | [`ClientApp`], [`Request`], [`record`] |
//! | join a federation | [`join`], [`Options`], [`Event`] |
//! | see who a node is | [`identity`] |
//! | reach a SuperLink in another way | [`transport`], [`participate`] |
//! | see what goes over the wire | [`messages`], [`objects`], [`npy`] |
//!
//! Flower has no published protocol. This one was read off Flower 1.41.0 and is checked against it byte by byte.

mod app;
mod error;
mod event;
mod exchange;
mod fleet;
mod heartbeat;
pub mod identity;
mod membership;
pub mod messages;
mod node;
pub mod npy;
pub mod objects;
mod options;
pub mod record;
pub mod transport;

#[cfg(test)]
mod fake;

pub use app::{
    AppError, ClientApp, EvaluateReply, LARGEST_REQUEST, QueryReply, Request, TrainReply,
};
pub use error::FlowerError;
pub use event::{Event, Observer};
pub use node::{join, participate};
pub use options::Options;
