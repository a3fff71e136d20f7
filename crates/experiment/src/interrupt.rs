//! Leaving in order on Ctrl-C or when the system asks the process to end: the handler raises a flag and says so, and loops
//! look at it between steps, save a checkpoint and return [`Failure::Interrupted`](crate::cli::Failure).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cli::{Failure, print_note};

/// What a shell reports for a process that Ctrl-C ended.
pub const EXIT_CODE: u8 = 130;

/// One request often comes as several signals: `timeout` signals a process and its group, a closing terminal the shell's jobs
/// and then the group. Signals within this time of the first are the same request.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A flag that says whether the user or the system asked the process to end. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

/// The process's signals could not be caught.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch for Ctrl-C and termination: let no other library handle these signals")]
pub struct InterruptError(#[source] io::Error);

static INSTALLED: Mutex<Option<Interrupt>> = Mutex::new(None);

impl Interrupt {
    /// A flag that no signal raises, for a library call or a test that is stopped by [`Interrupt::request`] alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flag that Ctrl-C, SIGTERM and SIGHUP raise. Every call gives the same flag. Signals that the process was started to
    /// ignore stay ignored (on Linux), as `nohup` has it.
    ///
    /// A signal a second or more after the first ends the process at once with exit code 130: the first may have come while
    /// a step hangs. Nothing is lost that was saved, for files are replaced atomically.
    ///
    /// # Errors
    /// [`InterruptError`] if another library already handles these signals.
    pub fn install() -> Result<Self, InterruptError> {
        let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(interrupt) = &*installed {
            return Ok(interrupt.clone());
        }
        let interrupt = Self::new();
        let (flag, mut first) = (interrupt.clone(), None::<Instant>);
        watch(move || match first {
            None => {
                first = Some(Instant::now());
                flag.request();
                tell();
            }
            Some(first) if first.elapsed() < SAME_REQUEST => {}
            Some(_) => std::process::exit(i32::from(EXIT_CODE)),
        })
        .map_err(InterruptError)?;
        *installed = Some(interrupt.clone());
        Ok(interrupt)
    }

    /// Whether the loop should save what it has and leave.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Leaves what is under way, and can be begun again, once the flag is raised.
    ///
    /// # Errors
    /// [`Failure::Interrupted`].
    pub fn heed(&self) -> Result<(), Failure> {
        if self.requested() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Raises the flag, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }
}

/// Says that the request was heard, on a thread of its own: standard error may be full, and a second signal must still end the
/// process.
fn tell() {
    let told = || print_note("stopping after the work at hand; a second request ends it at once");
    // Without another thread nothing is said, and the work ends all the same.
    let _ = std::thread::Builder::new().name("note".into()).spawn(told);
}

/// Calls `on_signal` on a thread of its own for every signal that asks the process to end.
#[cfg(unix)]
fn watch(mut on_signal: impl FnMut() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let heeded = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !ignores(&status, *signal));
    let mut signals = signal_hook::iterator::Signals::new(heeded)?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(|_| on_signal()))
        .map(drop)
}

#[cfg(not(unix))]
fn watch(on_signal: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(on_signal).map_err(io::Error::other)
}

/// Whether a process with this `/proc/PID/status` ignores a signal: bit `signal - 1` of the mask `SigIgn`.
#[cfg(unix)]
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status =
            "Name:\tsleep\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\nSigCgt:\t0\n";
        assert!(ignores(status, 1));
        assert!(!ignores(status, 2) && !ignores(status, 15));
        assert!(!ignores("", 1));
    }

    #[test]
    fn clones_share_one_flag() {
        let interrupt = Interrupt::new();
        let clone = interrupt.clone();
        assert!(!clone.requested() && clone.heed().is_ok());
        interrupt.request();
        assert!(clone.requested());
        assert!(matches!(clone.heed(), Err(Failure::Interrupted)));
        assert!(!Interrupt::new().requested());
    }
}
