//! What the command lines of the binaries have in common: arguments, outputs, one readable line for an error, exit codes.

mod arguments;
mod outputs;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

pub use arguments::{CommonArguments, Device, SettingsArguments, seeds, tell_default};
pub use outputs::{refuse_to_lose, require_not_among, require_writable, write_file};

use crate::interrupt;

/// Why a program ends without having done its work.
#[derive(Debug)]
pub enum Failure {
    /// What the user gave cannot be used: exit code 2.
    BadInput(anyhow::Error),
    /// The work failed: exit code 1.
    Failed(anyhow::Error),
    /// The user or the system asked the program to stop: exit code 130.
    Interrupted,
}

impl From<anyhow::Error> for Failure {
    fn from(cause: anyhow::Error) -> Self {
        Self::Failed(cause)
    }
}

/// What a user reads who asked a program to stop.
const INTERRUPTED: &str = "interrupted: what was saved is kept; go on by --resume --out FOLDER where the command has it, else by the same command";

/// Says whose fault an error is.
pub trait OrFailure<T> {
    /// The user's: what was given cannot be used.
    ///
    /// # Errors
    /// [`Failure::BadInput`] where `self` is an error.
    fn bad_input(self) -> Result<T, Failure>;

    /// The user's, in a section of the configuration such as `slow.rate`: the error names its settings as that section does.
    ///
    /// # Errors
    /// [`Failure::BadInput`] where `self` is an error.
    fn bad_section(self, section: &str) -> Result<T, Failure>;

    /// Not the user's: the work failed.
    ///
    /// # Errors
    /// [`Failure::Failed`] where `self` is an error.
    fn failed(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFailure<T> for Result<T, E> {
    fn bad_input(self) -> Result<T, Failure> {
        self.map_err(|cause| Failure::BadInput(cause.into()))
    }

    fn bad_section(self, section: &str) -> Result<T, Failure> {
        self.map_err(|cause| Failure::BadInput(cause.into().context(format!("in `{section}`"))))
    }

    fn failed(self) -> Result<T, Failure> {
        self.map_err(|cause| Failure::Failed(cause.into()))
    }
}

/// Runs a program: a failure becomes one line on standard error and an exit code.
///
/// ```no_run
/// use experiment::cli::{self, OrFailure};
///
/// fn main() -> std::process::ExitCode {
///     cli::run(|| {
///         let text = std::fs::read_to_string("facts.txt").bad_input()?;
///         cli::print_line(text.lines().count())
///     })
/// }
/// ```
pub fn run(main: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let (message, code) = match main() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => verdict(&failure),
    };
    if let Some(message) = message {
        // Where standard error is closed too there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{message}");
    }
    ExitCode::from(code)
}

/// The line to print, if any, and the exit code.
fn verdict(failure: &Failure) -> (Option<String>, u8) {
    match failure {
        Failure::Failed(cause) if cause.is::<OutputClosed>() => (None, 0),
        Failure::Failed(cause) => (Some(format!("error: {}", in_one_line(cause))), 1),
        Failure::BadInput(cause) => (Some(format!("error: {}", in_one_line(cause))), 2),
        Failure::Interrupted => (Some(INTERRUPTED.to_owned()), interrupt::EXIT_CODE),
    }
}

/// The error and its causes, without those that the message before already quotes.
fn in_one_line(cause: &anyhow::Error) -> String {
    let mut messages: Vec<String> = Vec::new();
    for cause in cause.chain() {
        let message = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !messages.iter().any(|earlier| earlier.contains(&message)) {
            messages.push(message);
        }
    }
    messages.join(": ")
}

/// The reader of standard output, such as `head`, has had enough.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
struct OutputClosed;

/// Prints a line on standard output. Unlike `println!` it does not panic when a reader such as `head` goes away: the
/// failure it returns then ends the program quietly and successfully under [`run`].
///
/// # Errors
/// [`Failure::Failed`] if standard output cannot be written to.
pub fn print_line(line: impl fmt::Display) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    print_line_to(&mut output, line)
}

fn print_line_to(output: &mut impl Write, line: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(OutputClosed.into()))
        }
        written => written
            .map_err(anyhow::Error::from)
            .map_err(|cause| cause.context("cannot write the output").into()),
    }
}

/// Prints what the user should know, and what is no result and no reason to stop, on standard error.
pub fn print_note(note: impl fmt::Display) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr().lock(), "note: {note}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn each_failure_has_its_code_and_line() {
        let line = |text: &str| Some(text.to_owned());
        assert_eq!(verdict(&Failure::BadInput(anyhow!("no file"))), (line("error: no file"), 2));
        assert_eq!(verdict(&anyhow!("no space").into()), (line("error: no space"), 1));
        assert_eq!(verdict(&Failure::Interrupted), (line(INTERRUPTED), 130));
    }

    #[test]
    fn causes_stand_in_one_line_and_only_once() {
        let cause = anyhow!("disk  full\n  at byte 3")
            .context("write failed: disk full at byte 3")
            .context("saving");
        assert_eq!(in_one_line(&cause), "saving: write failed: disk full at byte 3");
    }

    #[test]
    fn errors_are_blamed_by_the_caller() {
        let failing = || Err::<(), _>(io::Error::other("broken"));
        assert!(matches!(failing().bad_input(), Err(Failure::BadInput(_))));
        assert!(matches!(failing().failed(), Err(Failure::Failed(_))));
        let told = |failure: Failure| verdict(&failure).0.unwrap();
        assert_eq!(
            told(failing().bad_section("slow.rate").unwrap_err()),
            "error: in `slow.rate`: broken"
        );
        let through: Result<(), Failure> = (|| Ok(failing().context("while reading")?))();
        assert!(matches!(through, Err(Failure::Failed(_))));
    }

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
        let closed = print_line_to(&mut Refusing(io::ErrorKind::BrokenPipe), 3).unwrap_err();
        assert_eq!(verdict(&closed), (None, 0));
        let full = print_line_to(&mut Refusing(io::ErrorKind::StorageFull), 3).unwrap_err();
        assert_eq!(verdict(&full).1, 1);
        let elsewhere =
            Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).failed().unwrap_err();
        assert_eq!(verdict(&elsewhere).1, 1, "a socket that breaks is a failure");
    }
}
