//! Receiving a request and sending its reply.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use experiment::interrupt::Interrupt;
use experiment::seed::Seed;

use super::FlowerError;
use super::fleet::{call, named};
use super::messages::{
    ConfirmMessageReceivedRequest, Error, Message, Metadata, ObjectTree, PullMessagesRequest,
    PullObjectRequest, PushMessagesRequest, PushMessagesResponse, PushObjectRequest, RecordDict,
};
use super::objects::{Contents, Deflated, Object, ObjectError, deflate, ids, inflate};
use super::record::Records;
use super::transport::{FleetTransport, Method, RetryPolicy, pause};

/// Times that an object is asked for again if it was damaged on the way.
const DAMAGED: u32 = 3;
/// Times that a reply is announced if objects of it are refused, as they are after a connection that broke.
const ANNOUNCEMENTS: u32 = 3;
/// Waits for objects that are announced but not there yet.
const ARRIVING: RetryPolicy =
    RetryPolicy { attempts: u32::MAX, first_wait: 0.5, longest_wait: 10.0 };

/// A message that was announced: what it is about, and its objects' names.
pub(super) struct Announced {
    pub metadata: Metadata,
    tree: ObjectTree,
}

/// Messages between one node and its SuperLink.
pub(super) struct Exchange<'a> {
    pub transport: &'a dyn FleetTransport,
    pub node: u64,
    /// Seconds to wait for an object that was announced.
    pub object_patience: f64,
    /// Bytes of memory that a message may take.
    pub largest_message: usize,
    pub seed: Seed,
    pub interrupt: &'a Interrupt,
}

impl Exchange<'_> {
    /// Asks for work; there may be none.
    ///
    /// # Errors
    /// [`FlowerError::Incomplete`] for a message that cannot be read, and those of the call.
    pub fn next(&self) -> Result<Option<Announced>, FlowerError> {
        let answer = call(self.transport, &PullMessagesRequest { node: named(self.node) })?;
        let Some(message) = answer.messages_list.into_iter().next() else { return Ok(None) };
        let incomplete = |missing| FlowerError::Incomplete { missing };
        let metadata = message.metadata.ok_or(incomplete("metadata"))?;
        let tree = answer.message_object_trees.into_iter().next();
        let tree = tree.ok_or(incomplete("names of objects"))?;
        Ok(Some(Announced { metadata, tree }))
    }

    /// The records of a message, or the error that it carries, and the bytes that came.
    pub fn receive(
        &self,
        announced: &Announced,
    ) -> Result<(Result<Records, Error>, usize), FlowerError> {
        let (mut contents, mut bytes) = (Contents::new(), 0);
        for id in ids(&announced.tree) {
            let object = self.fetch(announced.metadata.run_id, &id)?;
            bytes += object.len();
            if bytes > self.largest_message {
                return Err(ObjectError::TooLarge { most: self.largest_message }.into());
            }
            contents.insert(id, object);
        }
        let confirmation = ConfirmMessageReceivedRequest {
            node: named(self.node),
            run_id: announced.metadata.run_id,
            message_object_id: announced.metadata.message_id.clone(),
        };
        call(self.transport, &confirmation)?;
        let (_, content) = inflate(&announced.tree.object_id, &contents, self.largest_message)?;
        Ok((content, bytes))
    }

    /// One object, once it has arrived undamaged.
    fn fetch(&self, run_id: u64, id: &str) -> Result<Vec<u8>, FlowerError> {
        let request =
            PullObjectRequest { node: named(self.node), run_id, object_id: id.to_owned() };
        let (start, mut random) = (Instant::now(), self.seed.child(id).rng());
        let (mut damaged, mut absent) = (0, 0);
        loop {
            let answer = call(self.transport, &request)?;
            if !answer.object_found {
                return Err(ObjectError::Missing { id: id.to_owned() }.into());
            }
            let wait = if answer.object_available {
                match Object::from_bytes(id, &answer.object_content) {
                    Err(ObjectError::Hash { .. }) if damaged < DAMAGED => damaged += 1,
                    read => return read.map(|_| answer.object_content).map_err(Into::into),
                }
                Duration::ZERO
            } else {
                absent += 1;
                ARRIVING.wait(absent, &mut random)
            };
            let seconds = start.elapsed().as_secs_f64();
            if absent > 0 && seconds > self.object_patience {
                return Err(FlowerError::ObjectUnavailable { id: id.to_owned(), seconds });
            }
            if pause(wait, self.interrupt) {
                return Err(FlowerError::Stopped);
            }
        }
    }

    /// Answers `request` with records, or with why there are none; `seconds` is how long the work took.
    pub fn reply(
        &self,
        request: &Metadata,
        content: Result<&Records, &Error>,
        seconds: f64,
    ) -> Result<(), FlowerError> {
        let metadata = reply_metadata(request, self.node, seconds_since_1970());
        if metadata.ttl <= 0.0 {
            let reason =
                "the request has expired; give messages a longer `ttl` or the nodes less work";
            return Err(FlowerError::NotTaken { reason });
        }
        let deflated = deflate(&metadata, content);
        let metadata = Metadata { message_id: deflated.message_id().to_owned(), ..metadata };
        // Content is empty but there: a SuperLink fails without it. An error has none.
        let (content, error) = match content {
            Ok(_) => (Some(RecordDict {}), None),
            Err(error) => (None, Some(error.clone())),
        };
        let mut announcement = PushMessagesRequest {
            node: named(self.node),
            messages_list: vec![Message { metadata: Some(metadata), content, error }],
            message_object_trees: vec![deflated.tree.clone()],
            clientapp_runtime_list: vec![seconds],
        };
        for attempt in 0..ANNOUNCEMENTS {
            let answer = call(self.transport, &announcement)?;
            if answer.objects_to_push.is_empty() {
                // The first time everything is lacking, for the time of the reply makes it new.
                let reason = "it has expired, was answered before, or its run has ended; look into the SuperLink's log";
                return if attempt == 0 { Err(FlowerError::NotTaken { reason }) } else { Ok(()) };
            }
            if self.send(request.run_id, &deflated, &answer)? {
                return Ok(());
            }
            announcement.clientapp_runtime_list.clear();
        }
        let reason = "it refuses objects of it; look into the SuperLink's log";
        Err(FlowerError::NotTaken { reason })
    }

    /// Sends the objects that are lacking, children first; false as soon as one is refused.
    fn send(
        &self,
        run_id: u64,
        deflated: &Deflated,
        lacking: &PushMessagesResponse,
    ) -> Result<bool, FlowerError> {
        let objects = &deflated.objects;
        if let Some(id) = lacking.objects_to_push.iter().find(|id| !objects.contains_key(*id)) {
            return Err(FlowerError::Answer {
                method: Method::PushMessages,
                cause: format!("it asks for object {id}, which is no part of the reply"),
            });
        }
        for (id, bytes) in objects.iter().filter(|(id, _)| lacking.objects_to_push.contains(id)) {
            let request = PushObjectRequest {
                node: named(self.node),
                run_id,
                object_id: id.clone(),
                object_content: bytes.clone(),
                session_id: lacking.session_id.clone(),
            };
            if !call(self.transport, &request)?.stored {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// From whom to whom a reply to `request` goes, made at `now` in seconds since 1970. It expires with its request.
fn reply_metadata(request: &Metadata, node: u64, now: f64) -> Metadata {
    Metadata {
        run_id: request.run_id,
        message_id: String::new(),
        src_node_id: node,
        dst_node_id: request.src_node_id,
        reply_to_message_id: request.message_id.clone(),
        group_id: request.group_id.clone(),
        ttl: request.created_at + request.ttl - now,
        message_type: request.message_type.clone(),
        created_at: now,
        src_task_id: request.dst_task_id,
        dst_task_id: request.src_task_id,
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_goes_back_and_expires_with_its_request() {
        let request = Metadata {
            run_id: 5,
            message_id: "asked".to_owned(),
            src_node_id: 1,
            dst_node_id: 9,
            group_id: "3".to_owned(),
            ttl: 100.0,
            message_type: "train".to_owned(),
            created_at: 1000.0,
            src_task_id: Some(6),
            ..Metadata::default()
        };
        let expected = Metadata {
            run_id: 5,
            src_node_id: 9,
            dst_node_id: 1,
            reply_to_message_id: "asked".to_owned(),
            group_id: "3".to_owned(),
            ttl: 70.0,
            message_type: "train".to_owned(),
            created_at: 1030.0,
            dst_task_id: Some(6),
            ..Metadata::default()
        };
        assert_eq!(reply_metadata(&request, 9, 1030.0), expected);
    }
}
