//! A deadlock ends a test with a message instead of hanging it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `work`; if it takes longer than `limit`, ends the whole test process with a message.
///
/// A thread that hangs in a lock cannot be stopped, so the process has to go with it.
pub fn within<R>(limit: Duration, what: &str, work: impl FnOnce() -> R) -> R {
    let (done, waiting) = channel::<()>();
    let what = what.to_owned();
    let guard = thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{what}: no end after {limit:?}, most likely a deadlock");
            std::process::abort();
        }
    });
    let result = work();
    drop(done);
    guard.join().expect("the watchdog only waits");
    result
}
