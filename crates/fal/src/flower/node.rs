//! The life of a node: join, answer until told to stop, leave.

use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use experiment::interrupt::Interrupt;
use experiment::seed::Seed;

use super::app::{SERVER_ROUND, answer, in_one_line};
use super::exchange::{Announced, Exchange};
use super::heartbeat::Heart;
use super::identity::Identity;
use super::messages::{Error, Metadata};
use super::record::{Record, Records};
use super::transport::{FleetTransport, HttpTransport, Retrying, pause};
use super::{ClientApp, Event, FlowerError, Observer, Options, membership};

/// Flower's number for code of a client that failed.
const APP_FAILED: i64 = 2;
/// Flower's number for a request that did not reach the client's code.
const MESSAGE_UNAVAILABLE: i64 = 3;

/// Joins the federation of `options` and lets `app` answer until `interrupt`. `observer` learns of everything that happens.
///
/// An error of the app is told to the ServerApp, and a message that is lost or damaged is told to the observer and, where
/// somebody still waits, to the ServerApp; the node goes on.
///
/// # Errors
/// [`FlowerError`]: settings, key or address that cannot be used; a SuperLink that cannot be reached for as long as
/// `options.retry` says, or that does not want the node.
pub fn join(
    options: &Options,
    app: &mut dyn ClientApp,
    interrupt: &Interrupt,
    observer: Observer<'_>,
) -> Result<(), FlowerError> {
    options.check()?;
    let identity = match &options.key {
        Some(path) => Identity::load_or_create(path)?,
        None => Identity::generate()?,
    };
    let timeout = Duration::from_secs_f64(options.call_timeout);
    let security = options.security();
    let transport = HttpTransport::new(&options.superlink, &security, identity.clone(), timeout)?;
    participate(&transport, &identity, options, app, interrupt, observer)
}

/// As [`join`], but over any transport, and with `identity` for the key; of `options` only the times and whether there is a
/// key are read, and they are not checked.
///
/// # Errors
/// As [`join`].
pub fn participate(
    transport: &dyn FleetTransport,
    identity: &Identity,
    options: &Options,
    app: &mut dyn ClientApp,
    interrupt: &Interrupt,
    observer: Observer<'_>,
) -> Result<(), FlowerError> {
    // Every client waits for other times, for clients that were cut off together must not come back together.
    let seed = Seed::new(0).child(identity.public_pem());
    let retrying =
        Retrying::new(transport, options.retry, seed.child("retry"), interrupt, observer);
    let node = membership::join(&retrying, identity, options, interrupt, observer)?;
    let heart = Heart {
        transport,
        node,
        interval: options.heartbeat_interval,
        seed: seed.child("heartbeat"),
        observer,
    };
    let exchange = Exchange {
        transport: &retrying,
        node,
        object_patience: options.object_patience,
        largest_message: app.largest_request(),
        seed: seed.child("objects"),
        interrupt,
    };
    let lost = OnceLock::new();
    let served = thread::scope(|scope| {
        // Dropped at the end of the work, however it ends, which stops the heart.
        let (_alive, stopped) = mpsc::channel();
        let (heart, lost) = (&heart, &lost);
        scope.spawn(move || heart.beat(&stopped, lost));
        Service { exchange, lost, poll: options.poll(), interrupt, observer }.serve(app)
    });
    membership::leave(transport, node, options.key.is_none(), observer);
    match lost.into_inner() {
        Some(lost) if served.is_ok() => Err(lost),
        _ => served,
    }
}

/// A node that is on line.
struct Service<'a> {
    exchange: Exchange<'a>,
    lost: &'a OnceLock<FlowerError>,
    poll: Duration,
    interrupt: &'a Interrupt,
    observer: Observer<'a>,
}

impl Service<'_> {
    /// Answers until told to stop, or until the heart has found out that nobody wants the node.
    fn serve(&self, app: &mut dyn ClientApp) -> Result<(), FlowerError> {
        while !self.interrupt.requested() && self.lost.get().is_none() {
            match self.exchange.next() {
                Ok(Some(announced)) => {
                    self.handle(&announced, app)?;
                    continue;
                }
                Ok(None) => {}
                Err(failure @ FlowerError::Incomplete { .. }) => self.drop_message(&failure),
                Err(failure) => return Err(failure),
            }
            pause(self.poll, self.interrupt);
        }
        Ok(())
    }

    fn handle(&self, announced: &Announced, app: &mut dyn ClientApp) -> Result<(), FlowerError> {
        let request = &announced.metadata;
        let start = Instant::now();
        let mut round = None;
        let (content, code) = match self.exchange.receive(announced) {
            Ok((Ok(records), bytes)) => {
                round = round_of(&records);
                (self.observer)(&Event::Received {
                    run: request.run_id,
                    round,
                    message_type: request.message_type.clone(),
                    bytes,
                });
                (answer(app, request.run_id, &request.message_type, records), APP_FAILED)
            }
            Ok((Err(error), _)) => {
                let failure =
                    format!("the request carries an error in place of records: {}", error.reason);
                (Err(failure.into()), MESSAGE_UNAVAILABLE)
            }
            Err(failure) if failure.is_of_ended_run() => {
                self.drop_message(&failure);
                return Ok(());
            }
            Err(failure) if failure.is_of_one_message() => {
                (Err(failure.into()), MESSAGE_UNAVAILABLE)
            }
            Err(failure) => return Err(failure),
        };
        let content = content.map_err(|failure| Error { code, reason: in_one_line(&failure) });
        self.reply(request, round, content, start.elapsed().as_secs_f64())
    }

    fn reply(
        &self,
        request: &Metadata,
        round: Option<i64>,
        content: Result<Records, Error>,
        seconds: f64,
    ) -> Result<(), FlowerError> {
        let (run, message_type) = (request.run_id, request.message_type.clone());
        if let Err(Error { reason, .. }) = &content {
            let (message_type, reason) = (message_type.clone(), reason.clone());
            (self.observer)(&Event::Failed { run, round, message_type, reason });
        }
        match self.exchange.reply(request, content.as_ref(), seconds) {
            Ok(()) if content.is_ok() => {
                (self.observer)(&Event::Replied { run, round, message_type, seconds });
            }
            Ok(()) => {}
            Err(failure) if failure.is_of_one_message() => self.drop_message(&failure),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn drop_message(&self, failure: &FlowerError) {
        (self.observer)(&Event::Dropped { reason: failure.to_string() });
    }
}

/// The round, where the ServerApp counts.
fn round_of(records: &Records) -> Option<i64> {
    records.values().find_map(|record| match record {
        Record::Config(config) => config.integer(SERVER_ROUND).ok().flatten(),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
