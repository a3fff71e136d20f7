//! The calls of the Fleet API, with messages in place of bytes.

use prost::Message;

use super::FlowerError;
use super::messages::{
    ActivateNodeRequest, ActivateNodeResponse, ConfirmMessageReceivedRequest,
    ConfirmMessageReceivedResponse, DeactivateNodeRequest, DeactivateNodeResponse, Node,
    PullMessagesRequest, PullMessagesResponse, PullObjectRequest, PullObjectResponse,
    PushMessagesRequest, PushMessagesResponse, PushObjectRequest, PushObjectResponse,
    RegisterNodeRequest, RegisterNodeResponse, SendNodeHeartbeatRequest, SendNodeHeartbeatResponse,
    UnregisterNodeRequest, UnregisterNodeResponse,
};
use super::transport::{FleetTransport, Method};

/// A request, the call that it belongs to, and what comes back.
pub(super) trait Call: Message {
    const METHOD: Method;
    type Answer: Message + Default;
}

macro_rules! calls {
    ($($method:ident: $request:ty => $answer:ty,)*) => {
        $(impl Call for $request {
            const METHOD: Method = Method::$method;
            type Answer = $answer;
        })*
    };
}

calls! {
    RegisterNode: RegisterNodeRequest => RegisterNodeResponse,
    ActivateNode: ActivateNodeRequest => ActivateNodeResponse,
    DeactivateNode: DeactivateNodeRequest => DeactivateNodeResponse,
    UnregisterNode: UnregisterNodeRequest => UnregisterNodeResponse,
    SendNodeHeartbeat: SendNodeHeartbeatRequest => SendNodeHeartbeatResponse,
    PullMessages: PullMessagesRequest => PullMessagesResponse,
    PushMessages: PushMessagesRequest => PushMessagesResponse,
    PushObject: PushObjectRequest => PushObjectResponse,
    PullObject: PullObjectRequest => PullObjectResponse,
    ConfirmMessageReceived: ConfirmMessageReceivedRequest => ConfirmMessageReceivedResponse,
}

/// Sends `request` over `transport`.
pub(super) fn call<C: Call>(
    transport: &dyn FleetTransport,
    request: &C,
) -> Result<C::Answer, FlowerError> {
    let answer = transport.call(C::METHOD, &request.encode_to_vec())?;
    C::Answer::decode(answer.as_slice())
        .map_err(|cause| FlowerError::Answer { method: C::METHOD, cause: cause.to_string() })
}

/// The node as requests name it.
pub(super) fn named(node: u64) -> Option<Node> {
    Some(Node { node_id: node })
}
