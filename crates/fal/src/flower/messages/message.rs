//! A message between a ServerApp and a node, without its records, which travel as objects.

/// A request or a reply.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Message {
    /// From whom to whom, and about what.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Metadata>,
    /// Empty but there, unless the message is an error: a SuperLink fails without it.
    #[prost(message, optional, tag = "2")]
    pub content: Option<RecordDict>,
    /// What went wrong.
    #[prost(message, optional, tag = "3")]
    pub error: Option<Error>,
}

/// From whom to whom, and about what.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metadata {
    /// The run it belongs to.
    #[prost(uint64, tag = "1")]
    pub run_id: u64,
    /// The id of the message as an object; empty inside that object.
    #[prost(string, tag = "2")]
    pub message_id: String,
    /// The sender.
    #[prost(uint64, tag = "3")]
    pub src_node_id: u64,
    /// The receiver.
    #[prost(uint64, tag = "4")]
    pub dst_node_id: u64,
    /// The request that this answers; empty in a request.
    #[prost(string, tag = "5")]
    pub reply_to_message_id: String,
    /// A name for messages that belong together, usually the round.
    #[prost(string, tag = "6")]
    pub group_id: String,
    /// Seconds after `created_at` at which the message expires.
    #[prost(double, tag = "7")]
    pub ttl: f64,
    /// `train`, `evaluate` or `query`, and after a point the name of an action.
    #[prost(string, tag = "8")]
    pub message_type: String,
    /// Seconds since 1970.
    #[prost(double, tag = "9")]
    pub created_at: f64,
    /// The task that sent it.
    #[prost(uint64, optional, tag = "10")]
    pub src_task_id: Option<u64>,
    /// The task that it is for.
    #[prost(uint64, optional, tag = "11")]
    pub dst_task_id: Option<u64>,
}

/// The records of a message. Always empty here: they travel as objects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct RecordDict {}

/// Why there is no reply.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Error {
    /// Kind of error; 2 says that the client's code failed.
    #[prost(sint64, tag = "1")]
    pub code: i64,
    /// For people.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// An object and what it is made of.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct ObjectTree {
    /// SHA-256 of the object's content.
    #[prost(string, tag = "1")]
    pub object_id: String,
    /// Its parts, each once.
    #[prost(message, repeated, tag = "2")]
    pub children: Vec<ObjectTree>,
}
