//! What the calls of the Fleet API take and give back.

use super::{Message, ObjectTree};

/// Which node asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Node {
    /// The number that the SuperLink gave it.
    #[prost(uint64, tag = "1")]
    pub node_id: u64,
}

/// Makes a key known. In Flower: `RegisterNodeFleetRequest`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct RegisterNodeRequest {
    /// The node's public key in PEM.
    #[prost(bytes = "vec", tag = "1")]
    pub public_key: Vec<u8>,
}

/// The key is known now. In Flower: `RegisterNodeFleetResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct RegisterNodeResponse {
    /// The node's number.
    #[prost(uint64, tag = "1")]
    pub node_id: u64,
}

/// Puts the node of a known key on line.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ActivateNodeRequest {
    /// The node's public key in PEM.
    #[prost(bytes = "vec", tag = "1")]
    pub public_key: Vec<u8>,
    /// Seconds between heartbeats, 10 to 1800; a node that misses two is off line.
    #[prost(double, tag = "2")]
    pub heartbeat_interval: f64,
}

/// The node is on line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct ActivateNodeResponse {
    /// The node's number.
    #[prost(uint64, tag = "1")]
    pub node_id: u64,
}

/// Takes a node off line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct DeactivateNodeRequest {
    /// The node's number.
    #[prost(uint64, tag = "1")]
    pub node_id: u64,
}

/// The node is off line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct DeactivateNodeResponse {}

/// Forgets a node; its key cannot be used again. In Flower: `UnregisterNodeFleetRequest`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct UnregisterNodeRequest {
    /// The node's number.
    #[prost(uint64, tag = "1")]
    pub node_id: u64,
}

/// The node is forgotten. In Flower: `UnregisterNodeFleetResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct UnregisterNodeResponse {}

/// Says that the node is alive.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct SendNodeHeartbeatRequest {
    /// Who is alive.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// Seconds until the next heartbeat at the latest, 10 to 1800.
    #[prost(double, tag = "2")]
    pub heartbeat_interval: f64,
}

/// Whether the SuperLink knows the node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct SendNodeHeartbeatResponse {
    /// False for a node that was removed.
    #[prost(bool, tag = "1")]
    pub success: bool,
}

/// Asks for work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct PullMessagesRequest {
    /// Who asks.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
}

/// At most one message, without its content, and the tree of its objects.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PullMessagesResponse {
    /// The message, if there is one.
    #[prost(message, repeated, tag = "2")]
    pub messages_list: Vec<Message>,
    /// Its objects.
    #[prost(message, repeated, tag = "3")]
    pub message_object_trees: Vec<ObjectTree>,
}

/// Announces a reply.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PushMessagesRequest {
    /// Who replies.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The reply, whose content is empty but there.
    #[prost(message, repeated, tag = "2")]
    pub messages_list: Vec<Message>,
    /// Its objects.
    #[prost(message, repeated, tag = "3")]
    pub message_object_trees: Vec<ObjectTree>,
    /// Seconds that the work took; none where a reply is announced again.
    #[prost(double, repeated, tag = "4")]
    pub clientapp_runtime_list: Vec<f64>,
}

/// What the SuperLink still needs of a reply.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PushMessagesResponse {
    /// Objects that it lacks; none at all if it refuses the reply.
    #[prost(string, repeated, tag = "3")]
    pub objects_to_push: Vec<String>,
    /// Names this push.
    #[prost(string, tag = "4")]
    pub session_id: String,
}

/// Sends one object.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PushObjectRequest {
    /// Who sends.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The run it belongs to.
    #[prost(uint64, tag = "2")]
    pub run_id: u64,
    /// SHA-256 of the content.
    #[prost(string, tag = "3")]
    pub object_id: String,
    /// Head and body.
    #[prost(bytes = "vec", tag = "4")]
    pub object_content: Vec<u8>,
    /// From [`PushMessagesResponse`].
    #[prost(string, tag = "5")]
    pub session_id: String,
}

/// Whether the object was wanted and is what its name says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct PushObjectResponse {
    /// False where the push has expired, or was announced again.
    #[prost(bool, tag = "1")]
    pub stored: bool,
}

/// Asks for one object.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PullObjectRequest {
    /// Who asks.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The run it belongs to.
    #[prost(uint64, tag = "2")]
    pub run_id: u64,
    /// SHA-256 of the content.
    #[prost(string, tag = "3")]
    pub object_id: String,
}

/// An object, or when to ask again.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PullObjectResponse {
    /// Whether there is such an object.
    #[prost(bool, tag = "1")]
    pub object_found: bool,
    /// Whether its content has arrived.
    #[prost(bool, tag = "2")]
    pub object_available: bool,
    /// Head and body.
    #[prost(bytes = "vec", tag = "3")]
    pub object_content: Vec<u8>,
}

/// Says that every object of a message was received, so that the SuperLink may forget them.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ConfirmMessageReceivedRequest {
    /// Who received.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The run it belongs to.
    #[prost(uint64, tag = "2")]
    pub run_id: u64,
    /// The message.
    #[prost(string, tag = "3")]
    pub message_object_id: String,
}

/// The SuperLink has forgotten the objects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct ConfirmMessageReceivedResponse {}
