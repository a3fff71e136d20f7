//! Leaving in order on Ctrl-C or when the system asks the process to end: the handler only raises a flag, and loops
//! look at it between steps, save a checkpoint and return [`Failure::Interrupted`](crate::cli::Failure).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a shell reports for a process that Ctrl-C ended.
pub const EXIT_CODE: u8 = 130;

/// A flag that says whether the user or the system asked the process to end. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

/// The process's signals could not be caught.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch for Ctrl-C and termination: let no other library handle these signals")]
pub struct InterruptError(#[source] ctrlc::Error);

static INSTALLED: Mutex<Option<Interrupt>> = Mutex::new(None);

impl Interrupt {
    /// A flag that no signal raises, for a library call or a test that is stopped by [`Interrupt::request`] alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flag that Ctrl-C, SIGTERM and SIGHUP raise. Every call gives the same flag.
    ///
    /// A second signal ends the process at once with exit code 130: the first may have come while a step hangs.
    /// Nothing is lost that was saved, for files are replaced atomically.
    ///
    /// # Errors
    /// [`InterruptError`] if another library already handles these signals.
    pub fn install() -> Result<Self, InterruptError> {
        let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(interrupt) = &*installed {
            return Ok(interrupt.clone());
        }
        let interrupt = Self::new();
        let flag = interrupt.clone();
        ctrlc::set_handler(move || {
            if flag.requested.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(EXIT_CODE));
            }
        })
        .map_err(InterruptError)?;
        *installed = Some(interrupt.clone());
        Ok(interrupt)
    }

    /// Whether the loop should save what it has and leave.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Raises the flag, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_flag() {
        let interrupt = Interrupt::new();
        let clone = interrupt.clone();
        assert!(!clone.requested());
        interrupt.request();
        assert!(clone.requested());
        assert!(!Interrupt::new().requested());
    }
}
