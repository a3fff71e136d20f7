//! What the command lines of the binaries have in common: arguments, one readable line for an error, exit codes.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic::{self, write_atomically};
use crate::config::{self, ConfigError};
use crate::interrupt;
use crate::run_directory::RunDirectory;

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

/// Writes a file of the results, and its folder where that is not there.
///
/// # Errors
/// [`Failure::BadInput`] for a folder that cannot be made, [`Failure::Failed`] for a file that cannot be written.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    let refused = || {
        format!(
            "cannot write {}: check the path, its permissions and the space left",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(refused).bad_input()?;
    }
    write_atomically(path, content.as_ref()).with_context(refused).failed()
}

/// Makes a folder of results and tries whether a file can be made there, before hours go into what could not be kept.
///
/// # Errors
/// [`Failure::BadInput`] for a folder that cannot be made or written to.
pub fn require_writable(folder: &Path) -> Result<(), Failure> {
    let tried = fs::create_dir_all(folder).and_then(|()| atomic::try_writing(folder));
    let refused = || {
        format!(
            "cannot write to {}: check the path, its permissions and the space left",
            folder.display()
        )
    };
    tried.with_context(refused).bad_input()
}

/// What the tensors live on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// The arguments that every subcommand which runs an experiment takes; flatten it into the subcommand's own.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArguments {
    /// TOML file with what differs from the default configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one field of the configuration, such as --set section.field=0.5; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Folder of the run: configuration, metrics, checkpoints, report
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Go on with the run in --out from its last checkpoint
    #[arg(long, requires = "out")]
    pub resume: bool,

    /// Seed of every random choice
    // TOML, in which it is kept, has no larger integers.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Print the result as JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
}

impl CommonArguments {
    /// The configuration that results from `defaults`, `--config` and every `--set`.
    ///
    /// # Errors
    /// [`ConfigError`], as [`config::load`].
    pub fn configuration<C: Serialize + DeserializeOwned>(
        &self,
        defaults: &C,
    ) -> Result<C, ConfigError> {
        config::load(defaults, self.config.as_deref(), &self.set)
    }

    /// The run in `out` to go on with, where that is wished; it has its own configuration.
    ///
    /// # Errors
    /// [`Failure::BadInput`] for a folder without a run, and for arguments that would change its configuration.
    pub fn resumed(&self, out: &Path) -> Result<Option<RunDirectory>, Failure> {
        if !self.resume {
            return Ok(None);
        }
        if self.config.is_some() || self.seed.is_some() || !self.set.is_empty() {
            let cause = anyhow::anyhow!(
                "--resume goes on with the configuration of the run; leave out --config, --set and --seed, or choose another --out"
            );
            return Err(Failure::BadInput(cause));
        }
        RunDirectory::resume(out).bad_input().map(Some)
    }

    /// Refuses arguments beside `--resume` that are part of the run's configuration; each with whether it was given.
    ///
    /// # Errors
    /// [`Failure::BadInput`] naming the first.
    pub fn refuse_beside_resume(&self, arguments: &[(&str, bool)]) -> Result<(), Failure> {
        match arguments.iter().find(|(_, is_given)| self.resume && *is_given) {
            Some((name, _)) => Err(anyhow::anyhow!(
                "--resume goes on with what the run began with; leave out {name}, or choose another --out"
            ))
            .bad_input(),
            None => Ok(()),
        }
    }

    /// Refuses `--resume`, in commands that are done in one go and leave nothing to go on from.
    ///
    /// # Errors
    /// [`Failure::BadInput`] where it is given.
    pub fn refuse_resume(&self) -> Result<(), Failure> {
        match self.resume {
            true => Err(anyhow::anyhow!(
                "this command is done in one go, so there is nothing to go on with; leave out --resume"
            ))
            .bad_input(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        common: CommonArguments,
    }

    fn parse(arguments: &[&str]) -> Result<CommonArguments, clap::Error> {
        Program::try_parse_from(std::iter::once(&"program").chain(arguments))
            .map(|program| program.common)
    }

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

    #[test]
    fn the_common_arguments_are_understood() {
        let given = parse(&[
            "--set", "a=1", "--set", "b=2", "--out", "run", "--resume", "--seed", "3", "--device",
            "cuda",
        ]);
        let given = given.unwrap();
        assert_eq!(given.set, ["a=1", "b=2"]);
        assert_eq!(
            (given.resume, given.seed, given.json, given.device),
            (true, Some(3), false, Device::Cuda)
        );
        assert_eq!(parse(&[]).unwrap().device, Device::Cpu);
        assert!(parse(&["--resume"]).is_err(), "there is nothing to resume without --out");
        assert!(matches!(given.refuse_resume(), Err(Failure::BadInput(_))));
        given.refuse_beside_resume(&[("--data", false)]).unwrap();
        let refused = given.refuse_beside_resume(&[("--model", false), ("--data", true)]);
        let Err(Failure::BadInput(cause)) = refused else { panic!("--data was given") };
        assert!(cause.to_string().contains("leave out --data"), "{cause}");
        parse(&["--out", "run"]).unwrap().refuse_resume().unwrap();
        assert!(parse(&["--device", "abacus"]).is_err());
    }

    #[test]
    fn the_configuration_follows_the_arguments() {
        let defaults = std::collections::BTreeMap::from([("steps".to_owned(), 1)]);
        let configuration = |arguments: &[&str]| parse(arguments).unwrap().configuration(&defaults);
        assert_eq!(configuration(&["--set", "steps=5"]).unwrap()["steps"], 5);
        assert!(matches!(
            configuration(&["--set", "steps"]),
            Err(ConfigError::MalformedOverride(_))
        ));
    }

    #[test]
    fn a_resumed_run_keeps_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let out = run.to_str().unwrap();
        let resumed = |arguments: &[&str]| parse(arguments).unwrap().resumed(&run);
        assert!(resumed(&["--out", out]).unwrap().is_none());
        assert!(matches!(resumed(&["--out", out, "--resume"]), Err(Failure::BadInput(_))));
        drop(RunDirectory::create(&run, &std::collections::BTreeMap::from([("a", 1)])).unwrap());
        let changed = resumed(&["--out", out, "--resume", "--seed", "1"]).unwrap_err();
        assert!(
            matches!(changed, Failure::BadInput(cause) if cause.to_string().contains("--seed"))
        );
        let found = resumed(&["--out", out, "--resume"]).unwrap().expect("a run");
        assert_eq!(found.path(), run);
    }

    #[test]
    fn files_are_written_with_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/table.md");
        write_file(&path, "text").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        let within_a_file = write_file(&path.join("c.md"), "text").unwrap_err();
        assert!(matches!(within_a_file, Failure::BadInput(_)));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_known_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new/folder");
        require_writable(&new).unwrap();
        assert!(new.read_dir().unwrap().next().is_none());
        fs::write(new.join("file"), "text").unwrap();
        let within_a_file = require_writable(&new.join("file/folder")).unwrap_err();
        assert!(matches!(within_a_file, Failure::BadInput(_)));
    }

    #[test]
    fn devices_are_written_as_they_are_given() {
        for device in Device::value_variants() {
            let name = device.to_string();
            assert_eq!(Device::from_str(&name, false).unwrap(), *device);
            assert_eq!(serde_json::to_string(device).unwrap(), format!("\"{name}\""));
        }
    }
}
