//! Signs of life.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use experiment::seed::Seed;
use rand::RngExt;

use super::fleet::{call, named};
use super::messages::SendNodeHeartbeatRequest;
use super::transport::{FleetTransport, RetryPolicy};
use super::{Event, FlowerError, Observer};

/// Share of the interval after which the next heartbeat is sent, so that one that is repeated still comes in time.
const HASTE: std::ops::Range<f64> = 0.6..0.8;

/// The heart of one node.
pub(super) struct Heart<'a> {
    pub transport: &'a dyn FleetTransport,
    pub node: u64,
    /// Seconds.
    pub interval: f64,
    pub seed: Seed,
    pub observer: Observer<'a>,
}

impl Heart<'_> {
    /// Beats until the other end of `stopped` is dropped. If the SuperLink no longer wants the node, `lost` says why.
    pub fn beat(&self, stopped: &Receiver<()>, lost: &OnceLock<FlowerError>) {
        let mut random = self.seed.rng();
        let again = self.retries();
        let mut missed = 0;
        loop {
            let wait = match self.beat_once() {
                Ok(()) => {
                    if missed > 0 {
                        (self.observer)(&Event::HeartbeatsResumed);
                    }
                    missed = 0;
                    Duration::from_secs_f64(self.interval * random.random_range(HASTE))
                }
                Err(failure) if failure.is_transient() => {
                    missed += 1;
                    (self.observer)(&Event::HeartbeatMissed { cause: failure.to_string() });
                    again.wait(missed, &mut random)
                }
                Err(failure) => {
                    // Only this thread writes it, and only once.
                    let _ = lost.set(failure);
                    return;
                }
            };
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn beat_once(&self) -> Result<(), FlowerError> {
        let request =
            SendNodeHeartbeatRequest { node: named(self.node), heartbeat_interval: self.interval };
        let known = call(self.transport, &request)?.success;
        if known { Ok(()) } else { Err(FlowerError::Removed { node: self.node }) }
    }

    /// A missed heartbeat is repeated for ever, for the work may outlast a SuperLink that is started anew.
    fn retries(&self) -> RetryPolicy {
        RetryPolicy {
            attempts: u32::MAX,
            first_wait: self.interval / 30.0,
            longest_wait: self.interval / 3.0,
        }
    }
}
