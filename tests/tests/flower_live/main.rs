//! Rust nodes under an unmodified SuperLink and ServerApp of Flower 1.41. Skipped, with the reason, where the Python of the
//! variable `PYTHON`, or `python3`, has no such Flower.

mod adversarial;
mod federation;
mod node;

use std::thread;
use std::time::{Duration, Instant};

use experiment::interrupt::Interrupt;
use fal::flower::identity::Identity;
use fal::flower::transport::TransportError;
use fal::flower::{Event, FlowerError, Options, join};

use federation::{Federation, Run};
use node::{AddsConstant, NodeProcess};

/// Two nodes, one in this process and one in its own, give the mean that FedAvg promises: `(10 * 1 + 30 * 2) / 40` a round. The
/// array `large` travels in several chunks.
#[test]
fn fedavg_takes_the_weighted_mean_of_rust_nodes() {
    let Some(federation) = Federation::start() else { return };
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&interrupt);
        let own = scope.spawn(|| take_part(&federation, &interrupt, AddsConstant::new(10, 1.0)));
        let mut other = NodeProcess::start(&federation, 30, 2.0, Duration::ZERO);
        federation.wait_for_nodes(2);
        let result = federation.run(Run { rounds: 3, min_nodes: 2, large_values: 1_500_000 });
        for (name, shape) in
            [("weight", "[3,2]"), ("bias", "[4]"), ("scale", "[]"), ("large", "[1500000]")]
        {
            let array = &result["arrays"][name];
            assert_eq!(array["shape"].to_string(), shape, "{result}");
            assert_eq!(
                (array["least"].as_f64(), array["greatest"].as_f64()),
                (Some(5.25), Some(5.25)),
                "{result}"
            );
            assert_eq!(array["dtype"], "float32");
        }
        for round in ["1", "2", "3"] {
            assert_eq!(result["train"][round]["constant"], 1.75, "{result}");
            assert_eq!(result["evaluate"][round]["constant"], 1.75, "{result}");
            assert_eq!(
                result["train"][round]["round"].to_string(),
                format!("{round}.0"),
                "{result}"
            );
        }
        interrupt.request();
        let events = own.join().unwrap();
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Replied { .. })).count(), 6);
        assert!(matches!(events.last(), Some(Event::Left { .. })), "{events:?}");
        other.stop();
    });
    assert_eq!(federation.count_in_log("[Fleet.DeactivateNode] Deactivated"), 2);
}

/// One of two nodes is killed while it trains in the first round: FedAvg, which needs one, goes on with the other.
#[test]
fn a_run_survives_a_node_that_is_killed() {
    let Some(federation) = Federation::start() else { return };
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&interrupt);
        let own = scope.spawn(|| take_part(&federation, &interrupt, AddsConstant::new(10, 1.0)));
        let mut other = NodeProcess::start(&federation, 30, 2.0, Duration::from_secs(600));
        federation.wait_for_nodes(2);
        let run = scope.spawn(|| federation.run(Run { rounds: 2, min_nodes: 1, large_values: 4 }));
        other.wait_for_line("asked to train");
        other.kill();
        let result = run.join().unwrap();
        assert_eq!(result["arrays"]["weight"]["greatest"], 2.0, "{result}");
        assert_eq!(result["train"]["1"]["constant"], 1.0, "{result}");
        interrupt.request();
        own.join().unwrap();
    });
}

/// What a node does when its client fails in a round: FedAvg is told, and takes the mean of the others.
#[test]
fn fedavg_is_told_of_errors() {
    let Some(federation) = Federation::start() else { return };
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&interrupt);
        let own = scope.spawn(|| take_part(&federation, &interrupt, AddsConstant::new(10, 1.0)));
        let failing = AddsConstant::new(30, 2.0).failing_in(1);
        let other = scope.spawn(|| take_part(&federation, &interrupt, failing));
        federation.wait_for_nodes(2);
        let result = federation.run(Run { rounds: 2, min_nodes: 2, large_values: 4 });
        assert_eq!(result["arrays"]["weight"]["greatest"], 1.0 + 1.75, "{result}");
        assert!(
            result["log"].to_string().contains("the loss is not finite in round 1"),
            "{result}"
        );
        interrupt.request();
        own.join().unwrap();
        let failed = other.join().unwrap();
        assert!(failed.iter().any(|event| matches!(event, Event::Failed { .. })), "{failed:?}");
    });
}

/// A key on disk: the same node after a restart, and after a kill as soon as the SuperLink counts it as off line.
#[test]
fn a_node_with_a_key_comes_back() {
    let Some(federation) = Federation::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let options = Options { key: Some(folder.path().join("node.pem")), ..federation.options() };
    let joined = || {
        let interrupt = Interrupt::new();
        let number = std::sync::Mutex::new(0);
        let observer = |event: &Event| {
            if let Event::Joined { node } = event {
                *number.lock().unwrap() = *node;
                interrupt.request();
            }
        };
        join(&options, &mut AddsConstant::new(1, 0.0), &interrupt, &observer).unwrap();
        number.into_inner().unwrap()
    };
    let first = joined();
    assert_eq!(joined(), first);
    let mut killed = NodeProcess::start_with_key(&federation, options.key.as_deref().unwrap());
    killed.wait_for_line("is on line");
    killed.kill();
    let start = Instant::now();
    assert_eq!(joined(), first);
    assert!(
        start.elapsed() > Duration::from_secs(5),
        "it had to wait for two heartbeats that did not come"
    );
}

/// TLS, and a key that was registered by hand.
#[test]
fn a_registered_node_takes_part_over_tls() {
    let Some(federation) = Federation::start_secure() else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("node.pem");
    Identity::create(&key).unwrap();
    federation.register(&folder.path().join("node.pem.pub"));
    let options = Options { key: Some(key), ..federation.options() };
    let untrusted = Options { root_certificates: None, ..options.clone() };
    let refused = join(&untrusted, &mut AddsConstant::new(1, 0.0), &Interrupt::new(), &|_| {});
    assert!(
        matches!(refused, Err(FlowerError::Transport(TransportError::Tls { .. }))),
        "{refused:?}"
    );
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&interrupt);
        let node = scope.spawn(|| {
            join(&options, &mut AddsConstant::new(10, 1.0), &interrupt, &|event| {
                eprintln!("{event}")
            })
        });
        federation.wait_for_nodes(1);
        let result = federation.run(Run { rounds: 1, min_nodes: 1, large_values: 4 });
        assert_eq!(result["arrays"]["weight"]["least"], 1.0, "{result}");
        interrupt.request();
        node.join().unwrap().unwrap();
    });
}

/// Nodes stop when a test ends, also by a panic: a scope waits for its threads.
struct StopAtEnd<'a>(&'a Interrupt);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

fn take_part(federation: &Federation, interrupt: &Interrupt, mut app: AddsConstant) -> Vec<Event> {
    let events = std::sync::Mutex::new(Vec::new());
    let observer = |event: &Event| {
        eprintln!("{event}");
        events.lock().unwrap().push(event.clone());
    };
    join(&federation.options(), &mut app, interrupt, &observer).unwrap();
    events.into_inner().unwrap()
}
