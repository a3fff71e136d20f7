//! Calls that are made again when they may succeed later.

use std::thread;
use std::time::{Duration, Instant};

use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{FleetTransport, Method, TransportError};
use crate::flower::{Event, Observer};

/// How often a flag is looked at while waiting.
const GLANCE: Duration = Duration::from_millis(50);

/// How long to go on trying.
///
/// Before attempt `n + 1` lies a time that is drawn evenly between none and `min(longest, first * 2^(n - 1))`, so that
/// clients that were cut off together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts at a call that fails, at least 1; the usual number goes on for about five minutes
    #[arg(long = "retry-attempts", value_name = "NUMBER", default_value_t = Self::USUAL.attempts)]
    pub attempts: u32,
    /// Longest wait before the second attempt, in seconds
    #[arg(long = "retry-first-wait", value_name = "SECONDS", default_value_t = Self::USUAL.first_wait)]
    pub first_wait: f64,
    /// Longest wait before any attempt, in seconds
    #[arg(long = "retry-longest-wait", value_name = "SECONDS", default_value_t = Self::USUAL.longest_wait)]
    pub longest_wait: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::USUAL
    }
}

impl RetryPolicy {
    const USUAL: Self = Self { attempts: 15, first_wait: 1.0, longest_wait: 60.0 };

    /// The wait after `failed` attempts, of which there was at least one.
    pub(in crate::flower) fn wait(&self, failed: u32, random: &mut impl Rng) -> Duration {
        let bound = self.first_wait * 2_f64.powi(failed.saturating_sub(1).min(60) as i32);
        let bound = bound.min(self.longest_wait);
        // What is no time at all is no wait.
        Duration::try_from_secs_f64(bound * random.random::<f64>()).unwrap_or_default()
    }
}

/// A transport that tries again: after connections that failed, and statuses 429 and 500 and above.
pub struct Retrying<'a, T> {
    transport: T,
    policy: RetryPolicy,
    seed: Seed,
    interrupt: &'a Interrupt,
    observer: Observer<'a>,
}

impl<'a, T: FleetTransport> Retrying<'a, T> {
    /// `transport`, tried again by `policy` until `interrupt`; `observer` learns of every wait. `seed` draws the waits: give
    /// each client its own.
    pub fn new(
        transport: T,
        policy: RetryPolicy,
        seed: Seed,
        interrupt: &'a Interrupt,
        observer: Observer<'a>,
    ) -> Self {
        Self { transport, policy, seed, interrupt, observer }
    }
}

impl<T: FleetTransport> FleetTransport for Retrying<'_, T> {
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut random = self.seed.child(method.name()).rng();
        let mut failed = 0;
        loop {
            let failure = match self.transport.call(method, request) {
                Err(failure) if failure.is_transient() => failure,
                answer => return answer,
            };
            failed += 1;
            if failed >= self.policy.attempts || self.interrupt.requested() {
                return Err(failure);
            }
            let wait = self.policy.wait(failed, &mut random);
            (self.observer)(&Event::Retrying {
                method,
                attempt: failed + 1,
                wait: wait.as_secs_f64(),
                cause: failure.to_string(),
            });
            if pause(wait, self.interrupt) {
                return Err(failure);
            }
        }
    }
}

/// Waits, but no longer than until `interrupt`; whether that came.
pub(in crate::flower) fn pause(wait: Duration, interrupt: &Interrupt) -> bool {
    let end = Instant::now() + wait;
    while !interrupt.requested() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::sleep(left.min(GLANCE));
    }
    true
}
