//! The protobuf messages of Flower's Fleet API, as far as a node sends or reads them.
//!
//! Package `flwr.proto` of Flower 1.41; names and numbers of fields are the wire's. A field that is not named here, such as
//! `reconnect`, is skipped when read.

mod fleet;
mod message;
mod record;

pub use fleet::{
    ActivateNodeRequest, ActivateNodeResponse, ConfirmMessageReceivedRequest,
    ConfirmMessageReceivedResponse, DeactivateNodeRequest, DeactivateNodeResponse, Node,
    PullMessagesRequest, PullMessagesResponse, PullObjectRequest, PullObjectResponse,
    PushMessagesRequest, PushMessagesResponse, PushObjectRequest, PushObjectResponse,
    RegisterNodeRequest, RegisterNodeResponse, SendNodeHeartbeatRequest, SendNodeHeartbeatResponse,
    UnregisterNodeRequest, UnregisterNodeResponse,
};
pub use message::{Error, Message, Metadata, ObjectTree, RecordDict};
pub use record::{
    BoolList, BytesList, ConfigItem, ConfigRecord, ConfigValue, DoubleList, MetricItem,
    MetricRecord, MetricValue, SintList, StringList, UintList, config_value, metric_value,
};
