use std::sync::Mutex;

use prost::Message as _;

use super::super::fake::{AddsConstant, FakeSuperLink, Fault, NODE};
use super::super::messages::PullMessagesResponse;
use super::super::record::Array;
use super::super::transport::{Method, RetryPolicy, TransportError};
use super::*;

/// Everything within a blink, but for the patience with a machine that is busy.
fn options() -> Options {
    Options {
        heartbeat_interval: 0.6,
        poll_interval: 0.01,
        object_patience: 20.0,
        retry: RetryPolicy { attempts: 4, first_wait: 0.001, longest_wait: 0.002 },
        ..Options::new("fake:1")
    }
}

fn weights(values: &[f32]) -> Records {
    let array = Array::new(vec![values.len()], values.to_vec()).unwrap();
    [("arrays".to_owned(), Record::Arrays([("w".to_owned(), array)].into()))].into()
}

fn trained(content: &Result<Records, Error>) -> Vec<f32> {
    match &content.as_ref().unwrap()["arrays"] {
        Record::Arrays(arrays) => arrays["w"].values().to_vec(),
        other => panic!("{other:?}"),
    }
}

fn take_part(
    fake: &FakeSuperLink,
    app: &mut AddsConstant,
    options: &Options,
) -> (Result<(), FlowerError>, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let observer = |event: &Event| events.lock().unwrap().push(event.clone());
    let identity = Identity::generate().unwrap();
    let ended = participate(fake, &identity, options, app, &fake.interrupt, &observer);
    (ended, events.into_inner().unwrap())
}

/// The node survives these faults and answers as if there were none.
fn survives(faults: impl Fn(Method, usize) -> Option<Fault> + Send + 'static) -> Vec<Event> {
    survives_with(&options(), faults)
}

/// Of a node that gives up late: how long it waits for itself to count as off line is real time, some of which a busy machine loses.
fn unhurried() -> Options {
    Options { heartbeat_interval: 1.5, ..options() }
}

fn survives_with(
    options: &Options,
    faults: impl Fn(Method, usize) -> Option<Fault> + Send + 'static,
) -> Vec<Event> {
    let fake = FakeSuperLink::with_faults(faults);
    fake.ask("train", 60.0, &weights(&[1.0, 2.0]), 0);
    fake.ask("train", 60.0, &weights(&[5.0]), 0);
    let (ended, events) = take_part(&fake, &mut AddsConstant::new(10, 0.5), options);
    ended.unwrap();
    let replies = fake.replies();
    assert_eq!(replies.len(), 2);
    assert_eq!(trained(&replies[0].1), [1.5, 2.5]);
    assert_eq!(trained(&replies[1].1), [5.5]);
    assert_eq!(events.last(), Some(&Event::Left { node: NODE }));
    events
}

/// The error that ends the node.
fn ends_with(faults: impl Fn(Method, usize) -> Option<Fault> + Send + 'static) -> FlowerError {
    let fake = FakeSuperLink::with_faults(faults);
    fake.ask("train", 60.0, &weights(&[1.0]), 0);
    take_part(&fake, &mut AddsConstant::new(10, 0.5), &options()).0.unwrap_err()
}

/// The reason that the ServerApp is told, and what the node says.
fn tells(fake: &FakeSuperLink, app: &mut AddsConstant, options: &Options) -> (Error, Vec<Event>) {
    let (ended, events) = take_part(fake, app, options);
    ended.unwrap();
    let (_, content) = fake.replies().remove(0);
    (content.unwrap_err(), events)
}

#[test]
fn a_node_joins_answers_and_leaves() {
    let events = survives(|_, _| None);
    let expected = ["joined", "received", "replied", "received", "replied", "left"];
    let names = events.iter().map(|event| serde_json::to_value(event).unwrap()["event"].clone());
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[test]
fn replies_go_back_to_who_asked() {
    let fake = FakeSuperLink::new();
    fake.ask("evaluate", 60.0, &weights(&[1.0]), 0);
    take_part(&fake, &mut AddsConstant::new(10, 0.5), &options()).0.unwrap();
    let (metadata, content) = fake.replies().remove(0);
    assert_eq!((metadata.src_node_id, metadata.dst_node_id), (NODE, 1));
    assert_eq!((metadata.message_type.as_str(), metadata.group_id.as_str()), ("evaluate", "2"));
    assert!(metadata.ttl > 50.0 && metadata.ttl <= 60.0);
    assert!(matches!(content.unwrap()["metrics"], Record::Metrics(_)));
}

#[test]
fn every_call_may_fail_a_few_times() {
    for method in [
        Method::RegisterNode,
        Method::ActivateNode,
        Method::PullMessages,
        Method::PullObject,
        Method::ConfirmMessageReceived,
        Method::PushMessages,
        Method::PushObject,
    ] {
        for fault in [Fault::Unreachable, Fault::Status(503, None), Fault::Status(429, None)] {
            let events =
                survives(move |called, nth| (called == method && nth < 3).then_some(fault));
            let retried = events.iter().filter(|event| matches!(event, Event::Retrying { .. }));
            assert_eq!(retried.count(), 3, "{method:?} {fault:?}");
        }
    }
}

#[test]
fn answers_may_be_lost_on_the_way() {
    for method in [
        Method::ActivateNode,
        Method::PullObject,
        Method::ConfirmMessageReceived,
        Method::PushMessages,
        Method::PushObject,
    ] {
        survives(move |called, nth| (called == method && nth == 1).then_some(Fault::AnswerLost));
        survives(move |called, nth| (called == method && nth == 0).then_some(Fault::AnswerLost));
    }
}

/// The activation is done and its answer lost, so the next attempts find the node on line.
#[test]
fn a_lost_answer_to_the_first_activation_is_waited_out() {
    let lost = |method: Method, nth: usize| match (method, nth) {
        (Method::ActivateNode, 0) => Some(Fault::AnswerLost),
        (Method::ActivateNode, 1 | 2) => Some(Fault::Status(412, Some(2004))),
        _ => None,
    };
    let waits = |events: &[Event]| {
        events.iter().filter(|event| matches!(event, Event::StillOnline { .. })).count()
    };
    assert_eq!(waits(&survives_with(&unhurried(), lost)), 2);
    // Longer than a node without heartbeats counts as on line.
    let events = survives_with(&unhurried(), move |method, nth| {
        if (method, nth) == (Method::ActivateNode, 0) {
            thread::sleep(Duration::from_millis(3500));
        }
        lost(method, nth)
    });
    assert_eq!(waits(&events), 2);
}

#[test]
fn a_superlink_that_stays_away_ends_the_node() {
    let failure =
        ends_with(|method, _| (method == Method::PullMessages).then_some(Fault::Unreachable));
    assert!(failure.to_string().contains("check that it runs"), "{failure}");
    let failure =
        ends_with(|method, _| (method == Method::PushObject).then_some(Fault::Status(500, None)));
    assert!(failure.to_string().contains("look into its log"), "{failure}");
}

#[test]
fn what_is_no_superlink_is_named() {
    let failure = ends_with(|_, _| Some(Fault::Garbage));
    assert!(matches!(failure, FlowerError::Answer { method: Method::RegisterNode, .. }));
    assert!(failure.to_string().contains("address of a SuperLink"), "{failure}");
}

#[test]
fn a_refused_signature_is_named() {
    let failure = ends_with(|_, _| Some(Fault::Status(401, None)));
    let unauthorised = TransportError::Unauthorised { method: Method::RegisterNode };
    assert_eq!(failure.to_string(), unauthorised.to_string());
    assert!(failure.to_string().contains("clocks"), "{failure}");
}

#[test]
fn objects_may_come_late() {
    let fake = FakeSuperLink::new();
    fake.ask("train", 60.0, &weights(&[1.0]), 2);
    take_part(&fake, &mut AddsConstant::new(10, 0.5), &options()).0.unwrap();
    assert_eq!(trained(&fake.replies()[0].1), [1.5]);
}

#[test]
fn objects_that_never_come_are_told() {
    let fake = FakeSuperLink::new();
    fake.ask("train", 60.0, &weights(&[1.0]), usize::MAX);
    let options = Options { object_patience: 0.0, ..options() };
    let (error, events) = tells(&fake, &mut AddsConstant::new(10, 0.5), &options);
    assert_eq!(error.code, MESSAGE_UNAVAILABLE);
    assert!(error.reason.contains("`--object-patience`"), "{}", error.reason);
    assert!(events.iter().any(|event| matches!(event, Event::Failed { .. })));
}

#[test]
fn damaged_objects_are_asked_for_again() {
    survives(|method, nth| (method == Method::PullObject && nth < 3).then_some(Fault::Wrong));
    let fake = FakeSuperLink::with_faults(|method, _| {
        (method == Method::PullObject).then_some(Fault::Wrong)
    });
    fake.ask("train", 60.0, &weights(&[1.0]), 0);
    let (error, _) = tells(&fake, &mut AddsConstant::new(10, 0.5), &options());
    assert!(error.reason.contains("was received with the hash"), "{}", error.reason);
}

#[test]
fn an_error_of_the_app_is_told_and_the_node_lives_on() {
    let fake = FakeSuperLink::new();
    fake.ask("train", 60.0, &weights(&[1.0]), 0);
    fake.ask("evaluate", 60.0, &weights(&[1.0]), 0);
    let mut app = AddsConstant { fails: true, ..AddsConstant::new(10, 0.5) };
    let (error, events) = tells(&fake, &mut app, &options());
    assert_eq!((error.code, error.reason.as_str()), (APP_FAILED, "the loss is not finite"));
    assert!(fake.replies()[1].1.is_ok());
    assert!(events.iter().any(|event| event.to_string().contains("cannot train: the loss")));
}

#[test]
fn replies_that_nobody_takes_are_dropped() {
    let dropped = |fake: &FakeSuperLink| {
        let (ended, events) = take_part(fake, &mut AddsConstant::new(10, 0.5), &options());
        ended.unwrap();
        events.into_iter().find_map(|event| match event {
            Event::Dropped { reason } => Some(reason),
            _ => None,
        })
    };
    let expired = FakeSuperLink::new();
    expired.ask("train", 0.0, &weights(&[1.0]), 0);
    assert!(dropped(&expired).unwrap().contains("longer `ttl`"));
    for (refused, fault, reason) in [
        (Method::PushMessages, Fault::Wrong, "was answered before"),
        (Method::PushObject, Fault::Wrong, "refuses objects"),
        (Method::PushMessages, Fault::Status(403, Some(2007)), "the run has ended"),
        (Method::PullObject, Fault::Status(403, Some(2007)), "the run has ended"),
    ] {
        let fake =
            FakeSuperLink::with_faults(move |method, _| (method == refused).then_some(fault));
        fake.ask("train", 60.0, &weights(&[1.0]), 0);
        let dropped = dropped(&fake).unwrap();
        assert!(dropped.contains(reason), "{dropped}");
    }
}

#[test]
fn a_key_that_is_known_is_used_again() {
    for code in [23, 2001] {
        survives(move |method, _| {
            (method == Method::RegisterNode).then_some(Fault::Status(412, Some(code)))
        });
    }
    let failure = ends_with(|method, _| {
        (method == Method::RegisterNode).then_some(Fault::Status(412, Some(99)))
    });
    assert!(matches!(failure, FlowerError::Transport(TransportError::Refused { .. })));
}

#[test]
fn a_killed_client_is_waited_for() {
    let events = survives_with(&unhurried(), |method, nth| match method {
        Method::RegisterNode => Some(Fault::Status(412, Some(23))),
        Method::ActivateNode if nth < 2 => Some(Fault::Status(412, Some(2004))),
        _ => None,
    });
    assert_eq!(events.iter().filter(|event| matches!(event, Event::StillOnline { .. })).count(), 2);
    let failure = ends_with(|method, _| match method {
        Method::RegisterNode => Some(Fault::Status(412, Some(2001))),
        Method::ActivateNode => Some(Fault::Status(412, Some(2004))),
        _ => None,
    });
    assert!(failure.to_string().contains("flwr supernode register"), "{failure}");
}

type Change = fn(&mut PullMessagesResponse);

/// A SuperLink whose announcements are changed on the way.
struct Changes<'a>(&'a FakeSuperLink, Change);

impl FleetTransport for Changes<'_> {
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.0.call(method, request)?;
        if method != Method::PullMessages || self.0.calls(method) > 1 {
            return Ok(answer);
        }
        let mut announcement = PullMessagesResponse::decode(answer.as_slice()).unwrap();
        (self.1)(&mut announcement);
        Ok(announcement.encode_to_vec())
    }
}

#[test]
fn a_message_that_cannot_be_answered_is_dropped_and_the_next_one_answered() {
    let nameless: Change = |announcement| announcement.messages_list[0].metadata = None;
    let empty: Change = |announcement| announcement.message_object_trees.clear();
    for (change, missing) in [(nameless, "metadata"), (empty, "names of objects")] {
        let fake = FakeSuperLink::new();
        fake.ask("train", 60.0, &weights(&[1.0, 2.0]), 0);
        fake.ask("train", 60.0, &weights(&[5.0]), 0);
        let dropped = Mutex::new(Vec::new());
        let observer = |event: &Event| {
            if let Event::Dropped { reason } = event {
                dropped.lock().unwrap().push(reason.clone());
            }
        };
        let (identity, mut app) = (Identity::generate().unwrap(), AddsConstant::new(10, 0.5));
        let transport = Changes(&fake, change);
        participate(&transport, &identity, &options(), &mut app, &fake.interrupt, &observer)
            .unwrap();
        let dropped = dropped.into_inner().unwrap();
        assert!(dropped.len() == 1 && dropped[0].contains(missing), "{dropped:?}");
        assert_eq!(fake.replies().len(), 1);
        assert_eq!(trained(&fake.replies()[0].1), [5.5]);
    }
}

/// The first is long, the second has weights once among its objects and eight thousand times in its record.
#[test]
fn a_request_that_is_larger_than_the_app_allows_is_told_and_the_node_lives_on() {
    let fake = FakeSuperLink::new();
    let zeros = Array::new(vec![1000], vec![0.0; 1000]).unwrap();
    let named = (0..8000).map(|name| (name.to_string(), zeros.clone())).collect();
    fake.ask("train", 60.0, &weights(&[0.5; 1_000_000]), 0);
    fake.ask("train", 60.0, &[("arrays".to_owned(), Record::Arrays(named))].into(), 0);
    fake.ask("train", 60.0, &weights(&[5.0]), 0);
    let mut app = AddsConstant { largest_request: 2_000_000, ..AddsConstant::new(10, 0.5) };
    take_part(&fake, &mut app, &options()).0.unwrap();
    let replies = fake.replies();
    for (_, refused) in &replies[..2] {
        let reason = &refused.as_ref().unwrap_err().reason;
        assert!(reason.contains("more than the 2000000 bytes"), "{reason}");
    }
    assert_eq!(trained(&replies[2].1), [5.5]);
}

#[test]
fn heartbeats_that_are_missed_resume() {
    let fake = FakeSuperLink::with_faults(|method, nth| {
        (method == Method::SendNodeHeartbeat && nth < 2).then_some(Fault::Status(503, None))
    });
    let fake = fake.until(Method::SendNodeHeartbeat, 3);
    let options = Options { heartbeat_interval: 0.2, poll_interval: 0.1, ..options() };
    let (ended, events) = take_part(&fake, &mut AddsConstant::new(10, 0.5), &options);
    ended.unwrap();
    let missed = events.iter().filter(|event| matches!(event, Event::HeartbeatMissed { .. }));
    assert_eq!(missed.count(), 2);
    assert!(events.contains(&Event::HeartbeatsResumed));
    assert!(fake.calls(Method::SendNodeHeartbeat) >= 3);
}

#[test]
fn a_node_that_was_removed_ends() {
    let faults =
        |method, nth| (method == Method::SendNodeHeartbeat && nth > 0).then_some(Fault::Wrong);
    let fake = FakeSuperLink::with_faults(faults);
    // Long after the refusal, so that a node that did not heed it would end well.
    let fake = fake.until(Method::SendNodeHeartbeat, 100);
    let options = Options { heartbeat_interval: 0.2, poll_interval: 0.2, ..options() };
    let failure = take_part(&fake, &mut AddsConstant::new(10, 0.5), &options).0.unwrap_err();
    assert!(matches!(failure, FlowerError::Removed { node: NODE }));
    assert!(failure.to_string().contains("start the client again"), "{failure}");
}

#[test]
fn a_node_leaves_when_it_is_told_to() {
    let fake = FakeSuperLink::new();
    fake.interrupt.request();
    let (ended, events) = take_part(&fake, &mut AddsConstant::new(10, 0.5), &options());
    ended.unwrap();
    assert_eq!(events, [Event::Joined { node: NODE }, Event::Left { node: NODE }]);
    assert_eq!((fake.calls(Method::DeactivateNode), fake.calls(Method::UnregisterNode)), (1, 1));
    assert_eq!(fake.calls(Method::PullMessages), 0);
}

#[test]
fn a_key_on_disk_stays_registered() {
    let fake = FakeSuperLink::new();
    let options = Options { key: Some("node.pem".into()), ..options() };
    take_part(&fake, &mut AddsConstant::new(10, 0.5), &options).0.unwrap();
    assert_eq!((fake.calls(Method::DeactivateNode), fake.calls(Method::UnregisterNode)), (1, 0));
}

#[test]
fn stopping_while_objects_are_awaited_is_told() {
    struct StopsLater<'a>(&'a FakeSuperLink);
    impl FleetTransport for StopsLater<'_> {
        fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
            if method == Method::PullObject {
                self.0.interrupt.request();
            }
            self.0.call(method, request)
        }
    }
    let fake = FakeSuperLink::new();
    fake.ask("train", 60.0, &weights(&[1.0]), usize::MAX);
    let identity = Identity::generate().unwrap();
    let mut app = AddsConstant::new(10, 0.5);
    let ended =
        participate(&StopsLater(&fake), &identity, &options(), &mut app, &fake.interrupt, &|_| {});
    ended.unwrap();
    assert!(fake.replies()[0].1.as_ref().unwrap_err().reason.contains("was stopped"));
}

#[test]
fn a_superlink_that_is_gone_at_the_end_is_told() {
    let fake = FakeSuperLink::with_faults(|method, _| {
        (method == Method::DeactivateNode).then_some(Fault::Unreachable)
    });
    let (ended, events) = take_part(&fake, &mut AddsConstant::new(10, 0.5), &options());
    ended.unwrap();
    assert!(matches!(events.last(), Some(Event::LeftSilently { .. })));
}
