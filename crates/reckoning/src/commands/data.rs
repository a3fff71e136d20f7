//! `reckoning data`: knowledge sets outside of training. Generate them, look at them, bring them into our own format.

mod convert;
mod generate;
mod inspect;
mod telling;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Subcommand;
use experiment::atomic::write_atomically;
use experiment::cli::{Failure, OrFailure, require_not_among};
use serde_json::{Value, json};

use super::reading::refuse_to_replace;
use crate::data::{EntityNames, KnowledgeSet, LoadOptions, Statistics, native};

/// What to do with knowledge sets.
#[derive(Debug, Subcommand)]
pub enum Arguments {
    /// Write knowledge sets of a built-in generator to a file
    Generate(generate::Arguments),
    /// Count what is in a file, archive, folder or generator, and print a few knowledge sets
    Inspect(inspect::Arguments),
    /// Bring a file, archive or folder of any known kind into our own format, one knowledge set a line
    ///
    /// A data set of several splits becomes a folder with a file for each.
    Convert(convert::Arguments),
}

/// Generates, inspects or converts.
///
/// # Errors
/// Bad input: the configuration, the data or the place to write to. Failed: writing itself.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments {
        Arguments::Generate(arguments) => generate::run(arguments),
        Arguments::Inspect(arguments) => inspect::run(arguments),
        Arguments::Convert(arguments) => convert::run(arguments),
    }
}

/// How a published data set is put into words.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(requires = "path")]
struct Wording {
    /// Keep the sentences of the file instead of our short ones
    #[arg(long)]
    original_words: bool,

    /// Keep the people's names of the file instead of random letters
    #[arg(long)]
    original_names: bool,

    /// Seed for the choice of letters
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

impl Wording {
    fn options(self) -> LoadOptions {
        let defaults = LoadOptions::default();
        LoadOptions {
            surface: if self.original_words { None } else { defaults.surface },
            names: if self.original_names { EntityNames::Original } else { defaults.names },
            seed: self.seed,
        }
    }
}

/// Where knowledge sets are written to.
#[derive(Clone, Debug, clap::Args)]
struct Output {
    /// File to write, one knowledge set a line
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Replace what --out names
    #[arg(long)]
    overwrite: bool,
}

impl Output {
    /// Refuses to replace what is read, and what the user did not offer.
    fn check(&self, read: Option<&Path>) -> Result<(), Failure> {
        require_not_among(&self.out, read.as_slice(), |_| false)?;
        refuse_to_replace(&self.out, self.overwrite)
    }
}

/// Writes `sets` to the file `path` in our own format, wholly or not at all; its folder is made if it is not there.
fn write_sets(path: &Path, sets: &[KnowledgeSet]) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(anyhow!("{} is a folder: name a file with --out", path.display())).bad_input();
    }
    let mut lines = Vec::new();
    native::write(&mut lines, sets).failed()?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| not_writable(folder)).bad_input()?;
    }
    write_atomically(path, &lines).with_context(|| not_writable(path)).failed()
}

fn not_writable(path: &Path) -> String {
    format!("cannot write {}: check the path, its permissions and the space left", path.display())
}

/// Counts for machines.
fn counts(statistics: &Statistics) -> Value {
    let (fewest, most) = statistics.facts_per_set;
    json!({
        "sets": statistics.sets,
        "facts": statistics.facts,
        "fewest facts of a set": fewest,
        "most facts of a set": most,
        "questions": statistics.questions,
        "words": statistics.vocabulary.len(),
        "answers": statistics.answers,
        "hops": statistics.hops,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_takes_the_place_of_nothing_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let train = data.join("train.jsonl");
        fs::write(&train, "").unwrap();
        let check = |out: &Path, read: Option<&Path>| {
            Output { out: out.to_owned(), overwrite: true }.check(read)
        };
        for (out, read) in [(&train, &train), (&data, &data), (&train, &data)] {
            let refused = check(out, Some(read.as_path()));
            assert!(matches!(refused, Err(Failure::BadInput(_))), "{} {refused:?}", out.display());
        }
        check(&folder.path().join("new.jsonl"), Some(data.as_path())).unwrap();
        check(&train, None).unwrap();
    }
}
