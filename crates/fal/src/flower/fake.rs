//! A SuperLink in memory, with faults, and a client whose answers are known.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use experiment::interrupt::Interrupt;
use prost::Message as _;

use super::messages::{
    ActivateNodeRequest, ActivateNodeResponse, ConfirmMessageReceivedRequest, Error, Message,
    Metadata, ObjectTree, PullMessagesResponse, PullObjectRequest, PullObjectResponse,
    PushMessagesRequest, PushMessagesResponse, PushObjectRequest, PushObjectResponse,
    SendNodeHeartbeatResponse,
};
use super::objects::{Deflated, deflate, ids, inflate, object_id};
use super::record::{Metric, Metrics, Records};
use super::transport::{FleetTransport, Method, TransportError};
use super::{AppError, ClientApp, EvaluateReply, LARGEST_REQUEST, Request, TrainReply};

/// The number of the node.
pub const NODE: u64 = 77;
/// Questions for work in vain, after which a test is over.
const IDLE: usize = 3;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It does not reach the SuperLink.
    Unreachable,
    /// It is answered by this status, and with this number of an error.
    Status(u16, Option<i64>),
    /// It is done, but its answer is lost.
    AnswerLost,
    /// It is answered by something that is no protobuf.
    Garbage,
    /// An object is changed, or a heartbeat or an object is refused.
    Wrong,
}

/// Which fault the `n`-th call of a method has, counted from 0.
type Faults = Box<dyn Fn(Method, usize) -> Option<Fault> + Send>;

/// A SuperLink in memory.
pub struct FakeSuperLink {
    pub interrupt: Interrupt,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Option<Faults>,
    calls: Vec<Method>,
    queue: VecDeque<Deflated>,
    metadata: VecDeque<Metadata>,
    objects: HashMap<String, Vec<u8>>,
    late: HashMap<String, usize>,
    announced: Option<(Metadata, ObjectTree)>,
    lacking: BTreeSet<String>,
    session: usize,
    replies: Vec<(Metadata, Result<Records, Error>)>,
    idle: usize,
    awaited: Option<(Method, usize)>,
}

impl FakeSuperLink {
    /// One where everything works.
    pub fn new() -> Self {
        Self { interrupt: Interrupt::new(), state: Mutex::default() }
    }

    /// One where calls fail as `faults` says.
    pub fn with_faults(faults: impl Fn(Method, usize) -> Option<Fault> + Send + 'static) -> Self {
        let fake = Self::new();
        fake.state().faults = Some(Box::new(faults));
        fake
    }

    /// One that is not over before `method` was called so often, however long that takes.
    pub fn until(self, method: Method, calls: usize) -> Self {
        self.state().awaited = Some((method, calls));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets a ServerApp ask; the objects are there after having been asked for `late` times in vain.
    pub fn ask(&self, message_type: &str, ttl: f64, records: &Records, late: usize) {
        let created_at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let metadata = Metadata {
            run_id: 11,
            src_node_id: 1,
            dst_node_id: NODE,
            group_id: "2".to_owned(),
            ttl,
            message_type: message_type.to_owned(),
            created_at,
            ..Metadata::default()
        };
        let deflated = deflate(&metadata, Ok(records));
        let mut state = self.state();
        state.late.extend(deflated.objects.keys().map(|id| (id.clone(), late)));
        state.objects.extend(deflated.objects.clone());
        state
            .metadata
            .push_back(Metadata { message_id: deflated.message_id().to_owned(), ..metadata });
        state.queue.push_back(deflated);
    }

    /// What was answered, in order.
    pub fn replies(&self) -> Vec<(Metadata, Result<Records, Error>)> {
        self.state().replies.clone()
    }

    /// How often `method` was called.
    pub fn calls(&self, method: Method) -> usize {
        self.state().calls(method)
    }
}

impl FleetTransport for FakeSuperLink {
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut state = self.state();
        let nth = state.calls(method);
        state.calls.push(method);
        let fault = state.faults.as_ref().and_then(|faults| faults(method, nth));
        let broken = |cause: &str| TransportError::Connection {
            method,
            address: "fake:1".to_owned(),
            cause: cause.to_owned(),
        };
        match fault {
            Some(Fault::Unreachable) => return Err(broken("connection refused")),
            Some(Fault::Status(401, _)) => return Err(TransportError::Unauthorised { method }),
            Some(Fault::Status(status, code)) => {
                let detail = "as the test wants".to_owned();
                return Err(TransportError::Refused { method, status, code, detail });
            }
            Some(Fault::Garbage) => return Ok(b"<html>".to_vec()),
            Some(Fault::AnswerLost | Fault::Wrong) | None => {}
        }
        let answer = state.answer(method, request, matches!(fault, Some(Fault::Wrong)));
        if state.idle >= IDLE && state.has_what_it_awaits() {
            self.interrupt.request();
        }
        match fault {
            Some(Fault::AnswerLost) => Err(broken("connection reset")),
            _ => Ok(answer),
        }
    }
}

impl State {
    fn has_what_it_awaits(&self) -> bool {
        self.awaited.is_none_or(|(method, calls)| self.calls(method) >= calls)
    }

    fn calls(&self, method: Method) -> usize {
        self.calls.iter().filter(|called| **called == method).count()
    }

    fn answer(&mut self, method: Method, request: &[u8], wrong: bool) -> Vec<u8> {
        match method {
            Method::ActivateNode => {
                let request = ActivateNodeRequest::decode(request).unwrap();
                assert!(request.public_key.starts_with(b"-----BEGIN PUBLIC KEY-----\n"));
                ActivateNodeResponse { node_id: NODE }.encode_to_vec()
            }
            Method::SendNodeHeartbeat => {
                SendNodeHeartbeatResponse { success: !wrong }.encode_to_vec()
            }
            Method::PullMessages => self.next_message().encode_to_vec(),
            Method::PullObject => self.object(request, wrong).encode_to_vec(),
            Method::PushMessages => self.announce(request, wrong).encode_to_vec(),
            Method::PushObject => {
                PushObjectResponse { stored: !wrong && self.store(request) }.encode_to_vec()
            }
            Method::ConfirmMessageReceived => {
                let confirmed = ConfirmMessageReceivedRequest::decode(request).unwrap();
                assert!(self.objects.contains_key(&confirmed.message_object_id));
                Vec::new()
            }
            Method::RegisterNode | Method::DeactivateNode | Method::UnregisterNode => Vec::new(),
        }
    }

    fn next_message(&mut self) -> PullMessagesResponse {
        let (Some(deflated), Some(metadata)) = (self.queue.pop_front(), self.metadata.pop_front())
        else {
            self.idle += 1;
            return PullMessagesResponse::default();
        };
        let message = Message { metadata: Some(metadata), content: None, error: None };
        PullMessagesResponse {
            messages_list: vec![message],
            message_object_trees: vec![deflated.tree],
        }
    }

    fn object(&mut self, request: &[u8], wrong: bool) -> PullObjectResponse {
        let request = PullObjectRequest::decode(request).unwrap();
        let Some(content) = self.objects.get(&request.object_id) else {
            return PullObjectResponse::default();
        };
        let late = self.late.entry(request.object_id).or_default();
        let object_available = *late == 0;
        *late = late.saturating_sub(1);
        let mut object_content = if object_available { content.clone() } else { Vec::new() };
        if wrong {
            object_content.push(0);
        }
        PullObjectResponse { object_found: true, object_available, object_content }
    }

    fn announce(&mut self, request: &[u8], refused: bool) -> PushMessagesResponse {
        let mut request = PushMessagesRequest::decode(request).unwrap();
        let (message, tree) =
            (request.messages_list.remove(0), request.message_object_trees.remove(0));
        assert_ne!(message.content.is_some(), message.error.is_some());
        let metadata = message.metadata.unwrap();
        assert_eq!(metadata.message_id, tree.object_id);
        let is_done = self.replies.iter().any(|(done, _)| done.message_id == metadata.message_id);
        if refused || is_done {
            return PushMessagesResponse::default();
        }
        let known = |id: &String| self.objects.contains_key(id);
        self.lacking = ids(&tree).into_iter().filter(|id| !known(id)).collect();
        self.announced = Some((metadata, tree));
        self.session += 1;
        PushMessagesResponse {
            objects_to_push: self.lacking.iter().cloned().collect(),
            session_id: self.session.to_string(),
        }
    }

    fn store(&mut self, request: &[u8]) -> bool {
        let request = PushObjectRequest::decode(request).unwrap();
        let id = object_id(&request.object_content);
        assert_eq!(id, request.object_id);
        if request.session_id != self.session.to_string() || !self.lacking.remove(&id) {
            return false;
        }
        self.objects.insert(id, request.object_content);
        if self.lacking.is_empty() {
            let (metadata, tree) = self.announced.take().unwrap();
            let (_, content) = inflate(&tree.object_id, &self.objects, usize::MAX).unwrap();
            self.replies.push((metadata, content));
        }
        true
    }
}

/// A client that adds a constant to every weight, or fails.
pub struct AddsConstant {
    pub examples: u64,
    pub constant: f32,
    pub fails: bool,
    pub largest_request: usize,
}

impl AddsConstant {
    pub fn new(examples: u64, constant: f32) -> Self {
        Self { examples, constant, fails: false, largest_request: LARGEST_REQUEST }
    }

    fn metrics(&self) -> Metrics {
        [("loss".to_owned(), Metric::Number(f64::from(self.constant)))].into()
    }
}

impl ClientApp for AddsConstant {
    fn train(&mut self, request: Request) -> Result<TrainReply, AppError> {
        if self.fails {
            return Err("the loss is not finite".into());
        }
        let mut arrays = request.arrays;
        for value in arrays.values_mut().flat_map(|array| array.values_mut()) {
            *value += self.constant;
        }
        Ok(TrainReply { arrays, num_examples: self.examples, metrics: self.metrics() })
    }

    fn evaluate(&mut self, _request: Request) -> Result<EvaluateReply, AppError> {
        Ok(EvaluateReply { num_examples: self.examples, metrics: self.metrics() })
    }

    fn largest_request(&self) -> usize {
        self.largest_request
    }
}
