//! Joining a federation and leaving it.

use std::time::{Duration, Instant};

use experiment::interrupt::Interrupt;

use super::fleet::call;
use super::identity::Identity;
use super::messages::{
    ActivateNodeRequest, DeactivateNodeRequest, RegisterNodeRequest, UnregisterNodeRequest,
};
use super::transport::FleetTransport;
use super::transport::pause;
use super::{Event, FlowerError, Observer, Options};

/// Heartbeats that a node may miss before it counts as off line.
const PATIENCE: f64 = 2.0;
/// Attempts to come on line within that time.
const ATTEMPTS: f64 = 10.0;

/// Registers the key, unless it is known already, puts its node on line, and gives the node's number.
///
/// A key that is on line is waited for: its last client was killed, or the answer to an earlier attempt was lost. A node
/// whose number never came cannot be unregistered, for that takes the number.
pub(super) fn join(
    transport: &dyn FleetTransport,
    identity: &Identity,
    options: &Options,
    interrupt: &Interrupt,
    observer: Observer<'_>,
) -> Result<u64, FlowerError> {
    let public_key = identity.public_pem().as_bytes().to_vec();
    match call(transport, &RegisterNodeRequest { public_key: public_key.clone() }) {
        Err(FlowerError::Transport(refusal)) if refusal.is_registered_elsewhere() => {}
        registered => drop(registered?),
    }
    let request =
        ActivateNodeRequest { public_key, heartbeat_interval: options.heartbeat_interval };
    let wait = PATIENCE * options.heartbeat_interval / ATTEMPTS;
    // Counted from the first refusal: the attempts before it may have taken any time, and the last of them may be what put the
    // node on line.
    let mut first_refusal = None;
    loop {
        let failure = match call(transport, &request) {
            Ok(answer) => {
                observer(&Event::Joined { node: answer.node_id });
                return Ok(answer.node_id);
            }
            Err(failure) => failure,
        };
        let may_be_online =
            matches!(&failure, FlowerError::Transport(refusal) if refusal.is_activation_failure());
        let waited = first_refusal.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        // One wait more than a lost client counts as on line.
        let too_late = waited > PATIENCE * options.heartbeat_interval + wait;
        if !may_be_online || too_late {
            return Err(failure);
        }
        observer(&Event::StillOnline { wait });
        if pause(Duration::from_secs_f64(wait), interrupt) {
            return Err(failure);
        }
    }
}

/// Takes the node off line, and lets it be forgotten if its key is. The end must not wait, so each call is made once.
pub(super) fn leave(
    transport: &dyn FleetTransport,
    node: u64,
    forget: bool,
    observer: Observer<'_>,
) {
    let left = call(transport, &DeactivateNodeRequest { node_id: node }).and_then(|_| {
        if forget {
            call(transport, &UnregisterNodeRequest { node_id: node })?;
        }
        Ok(())
    });
    observer(&match left {
        Ok(()) => Event::Left { node },
        Err(failure) => Event::LeftSilently { cause: failure.to_string() },
    });
}
