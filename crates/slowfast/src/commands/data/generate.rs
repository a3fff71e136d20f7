//! `slowfast data generate`: episodes in built-in worlds, as clips.

use std::path::PathBuf;

use experiment::cli::{Failure, OrFailure, print_line, require_not_among};
use experiment::config::{self, ConfigError};
use experiment::interrupt::Interrupt;

use super::summary::Summary;
use crate::clip::INDEX_FILE;
use crate::generation::{self, GenerationSettings};

/// Arguments of `data generate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder to write the clips to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Number of episodes, instead of `episodes` in the settings
    #[arg(long, value_name = "NUMBER")]
    episodes: Option<usize>,

    /// Height and width of frames in pixels, instead of `world.size` in the settings
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    /// Seed of every random choice, instead of `seed` in the settings
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// TOML file with what differs from the default settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set one field, such as --set world.room_columns=2 or --set there_and_back=0.5; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Print the counts as JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn settings(&self) -> Result<GenerationSettings, ConfigError> {
        let defaults = GenerationSettings::default();
        let mut settings = config::load(&defaults, self.config.as_deref(), &self.set)?;
        settings.episodes = self.episodes.unwrap_or(settings.episodes);
        settings.world.size = self.size.unwrap_or(settings.world.size);
        settings.seed = self.seed.unwrap_or(settings.seed);
        Ok(settings)
    }
}

/// Generates the clips.
///
/// # Errors
/// Bad input: the settings, or a folder with other clips. Failed: writing. Interrupted: the same command goes on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = arguments.settings().bad_input()?;
    let read: Vec<&PathBuf> = arguments.config.iter().collect();
    require_not_among(&arguments.out.join(INDEX_FILE), &read, |_| false)?;
    let interrupt = Interrupt::install().failed()?;
    let index = generation::generate(&arguments.out, &settings, &interrupt)?;
    let summary = Summary::of(&index);
    if arguments.json {
        return print_line(summary.to_json(&arguments.out));
    }
    print_line(format!("{summary}written to  {}", arguments.out.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(arguments: &[&str]) -> Result<GenerationSettings, ConfigError> {
        let arguments = ["generate", "--out", "clips"].iter().chain(arguments);
        Program::try_parse_from(arguments).unwrap().arguments.settings()
    }

    #[test]
    fn flags_come_before_set_and_set_before_the_defaults() {
        let found =
            settings(&["--set", "world.size=32", "--set", "seed=5", "--size", "16"]).unwrap();
        assert_eq!((found.world.size, found.seed, found.episodes), (16, 5, 400));
    }

    #[test]
    fn settings_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join(INDEX_FILE);
        std::fs::write(&config, "episodes = 3").unwrap();
        let (out, config) = (folder.path().display(), config.display());
        let line = format!("generate --out {out} --config {config}");
        let arguments = Program::parse_from(line.split(' ')).arguments;
        assert!(matches!(run(arguments), Err(Failure::BadInput(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let failure = settings(&["--set", "world.sise=32"]).unwrap_err().to_string();
        assert!(failure.contains("sise"), "{failure}");
    }
}
