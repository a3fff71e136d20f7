//! `slowfast data import`: episodes of other simulators, as clips.

use std::path::PathBuf;

use experiment::cli::{Failure, OrFailure, print_line};

use super::summary::Summary;
use crate::clip::{ClipError, ClipSet, import};

/// Arguments of `data import`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with one safetensors file an episode, as python/export_episodes.py writes them
    source: PathBuf,

    /// Folder to write the clips to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Print the counts as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Reads and checks all episodes, writes them as clips, and reads these back.
///
/// # Errors
/// Bad input: an episode that is not as it should be, a scene in two splits, a folder with other clips. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { source, out, json } = arguments;
    let index = match import(&source, &out) {
        Err(ClipError::Access { path, source }) if path.starts_with(&out) => {
            Err(ClipError::Access { path, source }).failed()
        }
        imported => imported.bad_input(),
    }?;
    ClipSet::open(&out).and_then(|clips| clips.verify()).failed()?;
    let summary = Summary::of(&index);
    if json {
        return print_line(summary.to_json(&out));
    }
    print_line(format!("{summary}written to  {}", out.display()))
}
