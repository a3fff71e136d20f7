//! The arguments that commands have in common.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::builder::RangedU64ValueParser;
use clap::{Arg, Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Failure, OrFailure};
use crate::config::{self, ConfigError};
use crate::run_directory::RunDirectory;

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

/// The arguments of a subcommand that has a configuration and is done in one go; flatten it into the subcommand's own. One that
/// makes a run, to be gone on with, takes [`CommonArguments`].
#[derive(Clone, Debug, Default, Args)]
pub struct SettingsArguments {
    /// TOML file with what differs from the default configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one field of the configuration, such as --set section.field=0.5; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Seed of every random choice
    #[arg(long, value_name = "NUMBER", value_parser = seeds())]
    pub seed: Option<u64>,

    /// Print the result as JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
}

impl SettingsArguments {
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
}

/// The arguments of a subcommand that makes a run, and goes on with one; flatten it into the subcommand's own.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArguments {
    /// What the run begins with.
    #[command(flatten)]
    pub settings: SettingsArguments,

    /// Folder of the run: configuration, metrics, checkpoints, report
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Go on with the run in --out from its last checkpoint
    #[arg(long, requires = "out")]
    pub resume: bool,
}

impl CommonArguments {
    /// The run in `out` to go on with, where that is wished; it has its own configuration.
    ///
    /// # Errors
    /// [`Failure::BadInput`] for a folder without a run, and for arguments that would change its configuration.
    pub fn resumed(&self, out: &Path) -> Result<Option<RunDirectory>, Failure> {
        if !self.resume {
            return Ok(None);
        }
        let SettingsArguments { config, set, seed, .. } = &self.settings;
        if config.is_some() || seed.is_some() || !set.is_empty() {
            let cause = anyhow!(
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
            Some((name, _)) => Err(anyhow!(
                "--resume goes on with what the run began with; leave out {name}, or choose another --out"
            ))
            .bad_input(),
            None => Ok(()),
        }
    }
}

/// Reads a seed from the command line: TOML, in which it is kept, has no integers beyond those of `i64`.
pub fn seeds() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

/// Says in the help of an argument, such as `--out`, which folder is taken where it is not given and its type does not tell.
///
/// ```
/// use clap::CommandFactory;
/// use experiment::cli::{CommonArguments, tell_default};
///
/// #[derive(clap::Parser)]
/// #[command(mut_arg("out", |argument| tell_default(argument, "runs/mine")))]
/// struct Arguments {
///     #[command(flatten)]
///     common: CommonArguments,
/// }
///
/// let help = Arguments::command().render_help().to_string();
/// assert!(help.contains("[default: runs/mine]"));
/// ```
#[must_use]
pub fn tell_default(argument: Arg, folder: &str) -> Arg {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    argument.help(format!("{help} [default: {folder}]"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

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
    fn the_common_arguments_are_understood() {
        let given = parse(&[
            "--set", "a=1", "--set", "b=2", "--out", "run", "--resume", "--seed", "3", "--device",
            "cuda",
        ]);
        let given = given.unwrap();
        assert_eq!(given.settings.set, ["a=1", "b=2"]);
        assert_eq!(
            (given.resume, given.settings.seed, given.settings.json, given.settings.device),
            (true, Some(3), false, Device::Cuda)
        );
        assert_eq!(parse(&[]).unwrap().settings.device, Device::Cpu);
        assert!(parse(&["--resume"]).is_err(), "there is nothing to resume without --out");
        given.refuse_beside_resume(&[("--data", false)]).unwrap();
        let refused = given.refuse_beside_resume(&[("--model", false), ("--data", true)]);
        let Err(Failure::BadInput(cause)) = refused else { panic!("--data was given") };
        assert!(cause.to_string().contains("leave out --data"), "{cause}");
        assert!(parse(&["--device", "abacus"]).is_err());
    }

    #[test]
    fn the_configuration_follows_the_arguments() {
        let defaults = std::collections::BTreeMap::from([("steps".to_owned(), 1)]);
        let configuration =
            |arguments: &[&str]| parse(arguments).unwrap().settings.configuration(&defaults);
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
    fn devices_are_written_as_they_are_given() {
        for device in Device::value_variants() {
            let name = device.to_string();
            assert_eq!(Device::from_str(&name, false).unwrap(), *device);
            assert_eq!(serde_json::to_string(device).unwrap(), format!("\"{name}\""));
        }
    }
}
