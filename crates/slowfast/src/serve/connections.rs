//! Connections, bounded in number and in the time that they may stay without a request.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use experiment::interrupt::Interrupt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::Limits;

/// How long requests that were begun may still take when the server should stop.
const GRACE: Duration = Duration::from_secs(10);

/// How often the server looks whether it should stop.
const GLANCE: Duration = Duration::from_millis(100);

/// Answers until the interrupt is requested, and then finishes what was begun if that takes no more than a few seconds.
pub(super) async fn listen(
    mut listener: TcpListener,
    router: Router,
    limits: &Limits,
    interrupt: &Interrupt,
) {
    let most = limits.connections.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let (stop, stopped) = watch::channel(());
    let accept = async {
        // Before it is accepted: until a place is free, a visitor waits in the system's queue.
        while let Ok(place) = places.clone().acquire_owned().await {
            let (stream, _) = Listener::accept(&mut listener).await;
            let served = serve(stream, router.clone(), limits.reading, stopped.clone());
            tokio::spawn(async move {
                served.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = requested(interrupt) => {}
    }
    drop(listener);
    stop.send_replace(());
    let _ = tokio::time::timeout(GRACE, places.acquire_many(most as u32)).await;
}

async fn requested(interrupt: &Interrupt) {
    while !interrupt.requested() {
        tokio::time::sleep(GLANCE).await;
    }
}

/// Answers one connection's requests, each of whose heads must be there in time, until it is closed.
async fn serve(
    stream: TcpStream,
    router: Router,
    reading: Duration,
    mut stopped: watch::Receiver<()>,
) {
    // HTTP/1 alone: telling versions apart would wait for a first byte without any limit.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(reading);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // A visitor who went away or was too slow is no error.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
