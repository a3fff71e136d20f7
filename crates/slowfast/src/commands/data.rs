//! `slowfast data`: episodes as files.

mod contact_sheet;
mod generate;
mod import;
mod inspect;
mod summary;

use clap::Subcommand;
use experiment::cli::Failure;

/// What to do with episodes.
#[derive(Debug, Subcommand)]
pub enum Arguments {
    /// Explore built-in worlds and write what is seen
    ///
    /// The same command goes on where it was stopped.
    Generate(generate::Arguments),
    /// Check a folder of clips, count what is in it, and draw a contact sheet
    Inspect(inspect::Arguments),
    /// Make clips of episodes of other simulators, one safetensors file each
    Import(import::Arguments),
}

/// Generates, inspects or imports.
///
/// # Errors
/// Bad input: the settings, the clips or the place to write to. Failed: writing itself.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments {
        Arguments::Generate(arguments) => generate::run(arguments),
        Arguments::Inspect(arguments) => inspect::run(arguments),
        Arguments::Import(arguments) => import::run(arguments),
    }
}
