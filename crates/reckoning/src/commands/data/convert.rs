//! `reckoning data convert`: any readable data set in our own format.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use experiment::cli::{Failure, OrFailure, print_line, print_note};
use serde_json::{Value, json};

use super::{Output, Wording, counts, write_sets};
use crate::data::{Dataset, KnowledgeSet, Split, Statistics, load};

/// Arguments of `data convert`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// File, archive or folder of any known kind
    path: PathBuf,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    wording: Wording,

    /// Print what was written as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Reads the data set and writes it.
///
/// # Errors
/// Bad input: the path, its content, or an output that is there already. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { path, output, wording, json } = arguments;
    output.check(Some(path.as_path()))?;
    let dataset = load(&path, &wording.options()).bad_input()?;
    dataset.remarks.iter().for_each(print_note);
    let files = files(&output.out, &dataset);
    refuse_leftovers(&output.out, &files)?;
    for (file, sets) in &files {
        write_sets(file, sets)?;
    }
    if json {
        let written = files.iter().map(
            |(file, sets)| json!({ "out": file.to_string_lossy(), "statistics": counts(&Statistics::of(*sets)) }),
        );
        return print_line(Value::from_iter(written));
    }
    files.iter().try_for_each(|(file, sets)| {
        print_line(format!("{}: {} knowledge sets of {}", file.display(), sets.len(), dataset.kind))
    })
}

/// The files to write: `out` itself, or one for each split in the folder `out`.
fn files<'a>(out: &Path, dataset: &'a Dataset) -> Vec<(PathBuf, &'a [KnowledgeSet])> {
    if let [only] = dataset.splits.values().collect::<Vec<_>>().as_slice() {
        return vec![(out.to_owned(), only)];
    }
    let file = |split| out.join(format!("{}.jsonl", stem(split)));
    dataset.splits.iter().map(|(split, sets)| (file(split), sets.as_slice())).collect()
}

/// Refuses a folder with files that are not replaced: they would be taken for more splits of the data.
fn refuse_leftovers(out: &Path, files: &[(PathBuf, &[KnowledgeSet])]) -> Result<(), Failure> {
    let single = files.iter().any(|(path, _)| path == out);
    if single || !out.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(out).bad_input()? {
        let path = entry.bad_input()?.path();
        if files.iter().all(|(file, _)| *file != path) {
            let reason = "would stand beside the converted data: remove it, or name another --out";
            return Err(anyhow!("{} {reason}", path.display())).bad_input();
        }
    }
    Ok(())
}

/// A file name that [`Split::of_file`] reads as `split` again.
fn stem(split: &Split) -> String {
    match split {
        Split::TestAtHops(hops) => format!("1.{hops}_test"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::Kind;

    #[test]
    fn file_names_keep_the_splits() {
        let splits = [
            Split::Train,
            Split::Validation,
            Split::Test,
            Split::TestAtHops(10),
            Split::Other("facts".into()),
        ];
        for split in splits {
            assert_eq!(Split::of_file(&stem(&split)), split);
        }
    }

    #[test]
    fn one_split_is_one_file_and_several_are_a_folder() {
        let dataset = |splits: &[Split]| Dataset {
            kind: Kind::Clutrr,
            splits: splits
                .iter()
                .map(|split| (split.clone(), Vec::new()))
                .collect::<BTreeMap<_, _>>(),
            files: BTreeMap::new(),
            skipped: Vec::new(),
            remarks: Vec::new(),
        };
        let paths = |splits: &[Split]| -> Vec<PathBuf> {
            let dataset = dataset(splits);
            files(Path::new("out"), &dataset).into_iter().map(|(path, _)| path).collect()
        };
        assert_eq!(paths(&[Split::Test]), [Path::new("out")]);
        let both = paths(&[Split::Train, Split::TestAtHops(4)]);
        assert_eq!(both, [Path::new("out/train.jsonl"), Path::new("out/1.4_test.jsonl")]);
    }

    #[test]
    fn a_folder_with_other_files_is_not_mixed_with_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let train = folder.path().join("train.jsonl");
        let files = [(train.clone(), [].as_slice())];
        fs::write(&train, "").unwrap();
        assert!(refuse_leftovers(folder.path(), &files).is_ok());
        fs::write(folder.path().join("old.jsonl"), "").unwrap();
        assert!(matches!(refuse_leftovers(folder.path(), &files), Err(Failure::BadInput(_))));
    }
}
