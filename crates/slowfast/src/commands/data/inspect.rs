//! `slowfast data inspect`: what is in a folder of clips, whether it is whole, and a picture of it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use experiment::atomic::write_atomically;
use experiment::cli::{Failure, OrFailure, print_line, refuse_to_lose, require_not_among};

use super::contact_sheet;
use super::summary::Summary;
use crate::clip::{ClipSet, Split};
use crate::size::fits;

/// What every PNG begins with.
const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Arguments of `data inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of clips
    folder: PathBuf,

    /// PNG file to draw a contact sheet into, a row an episode
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,

    /// Rows of the contact sheet
    #[arg(long, value_name = "NUMBER", default_value_t = 8, requires = "sheet")]
    rows: usize,

    /// Only episodes of this split on the contact sheet
    #[arg(long, value_name = "SPLIT", value_parser = split, requires = "sheet")]
    split: Option<Split>,

    /// Check only that all files are there and as long as they should be, not every byte
    #[arg(long)]
    quick: bool,

    /// Print the counts as JSON instead of text
    #[arg(long)]
    json: bool,
}

fn split(text: &str) -> Result<Split, String> {
    Split::ALL
        .into_iter()
        .find(|split| split.to_string() == text)
        .ok_or_else(|| "choose train, validation or test".to_owned())
}

/// Checks, counts and draws.
///
/// # Errors
/// Bad input: clips that are not whole, a split without episodes, a picture in the place of the clips. Failed: writing the picture.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { folder, sheet, rows, split, quick, json } = arguments;
    if let Some(path) = &sheet {
        require_not_among(path, &[&folder], is_picture)?;
        refuse_to_lose(path, "picture", is_picture)?;
    }
    let clips = ClipSet::open(&folder).bad_input()?;
    if !quick {
        clips.verify().bad_input()?;
    }
    if let Some(path) = &sheet {
        let chosen = spread(&clips, split, rows);
        if chosen.is_empty() {
            return Err(anyhow!("no episode to draw: choose another --split or more --rows"))
                .bad_input();
        }
        let row = contact_sheet::row_bytes(&clips.index().description);
        fits("--rows", chosen.len(), row).bad_input()?;
        let png = contact_sheet::draw(&clips, &chosen).bad_input()?;
        let refused =
            || format!("cannot write {}: check the path and its permissions", path.display());
        write_atomically(path, &png).with_context(refused).failed()?;
    }
    let summary = Summary::of(clips.index());
    if json {
        return print_line(summary.to_json(&folder));
    }
    print_line(summary.to_string().trim_end())?;
    if let Some(entry) = clips.index().episodes.first() {
        let episode = clips.episode(0).bad_input()?;
        let text = episode.text(1, episode.len().min(24));
        print_line(format!("begins      in {} with: {text}", entry.scene))?;
    }
    Ok(())
}

/// Whether a file is a picture, as earlier sheets are and no part of clips is.
fn is_picture(path: &Path) -> bool {
    let mut begin = [0; PNG.len()];
    // What is no file, such as a pipe, may have nothing to read for ever.
    fs::metadata(path).is_ok_and(|there| there.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == PNG
}

/// Up to `rows` episodes, spread evenly over those of a split.
fn spread(clips: &ClipSet, split: Option<Split>, rows: usize) -> Vec<usize> {
    let all: Vec<usize> = match split {
        Some(split) => clips.episodes_of(split).collect(),
        None => (0..clips.index().episodes.len()).collect(),
    };
    let rows = rows.min(all.len());
    (0..rows).map(|row| all[row * all.len() / rows]).collect()
}

#[cfg(test)]
mod tests {
    use experiment::interrupt::Interrupt;

    use super::*;
    use crate::generation::{GenerationSettings, generate};
    use crate::world::WorldSettings;

    fn generated(folder: &Path) -> ClipSet {
        let world = WorldSettings { size: 8, rays_per_pixel: 1, ..WorldSettings::default() };
        let settings = GenerationSettings { episodes: 6, actions: 2, world, ..Default::default() };
        generate(folder, &settings, &Interrupt::new()).unwrap();
        ClipSet::open(folder).unwrap()
    }

    fn arguments(folder: &Path, sheet: &Path) -> Arguments {
        Arguments {
            folder: folder.to_owned(),
            sheet: Some(sheet.to_owned()),
            rows: 3,
            split: None,
            quick: false,
            json: true,
        }
    }

    #[test]
    fn a_sheet_is_drawn_and_damage_is_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        let sheet = folder.path().join("sheet.png");
        let clips = generated(&folder.path().join("clips"));
        run(arguments(clips.folder(), &sheet)).unwrap();
        assert!(image::load_from_memory(&fs::read(&sheet).unwrap()).is_ok());
        let none = Arguments { rows: 0, ..arguments(clips.folder(), &sheet) };
        assert!(matches!(run(none), Err(Failure::BadInput(_))));
        let nowhere = folder.path().join("nowhere/sheet.png");
        assert!(matches!(run(arguments(clips.folder(), &nowhere)), Err(Failure::Failed(_))));
        let shard = clips.folder().join(&clips.index().shards[0].file);
        let mut bytes = fs::read(&shard).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&shard, bytes).unwrap();
        assert!(matches!(run(arguments(clips.folder(), &sheet)), Err(Failure::BadInput(_))));
        let quick = Arguments { quick: true, ..arguments(clips.folder(), &sheet) };
        run(quick).unwrap();
    }

    #[test]
    fn a_sheet_takes_no_place_but_that_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let clips = generated(folder.path());
        let shard = &clips.index().shards[0].file;
        for file in ["index.json", shard] {
            let path = folder.path().join(file);
            let before = fs::read(&path).unwrap();
            let refused = run(arguments(folder.path(), &path));
            let Err(Failure::BadInput(cause)) = refused else { panic!("{refused:?}") };
            assert!(cause.to_string().contains(file), "{cause}");
            assert_eq!(fs::read(&path).unwrap(), before);
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let notes = elsewhere.path().join("notes.md");
        fs::write(&notes, "mine").unwrap();
        let refused = run(arguments(folder.path(), &notes));
        assert!(matches!(refused, Err(Failure::BadInput(_))), "{refused:?}");
        assert_eq!(fs::read(&notes).unwrap(), b"mine");
        let within = folder.path().join("sheet.png");
        run(arguments(folder.path(), &within)).unwrap();
        run(arguments(folder.path(), &within)).unwrap();
    }

    #[test]
    fn rows_are_spread_over_the_episodes_of_a_split() {
        let folder = tempfile::tempdir().unwrap();
        let clips = generated(folder.path());
        assert_eq!(spread(&clips, None, 3), [0, 2, 4]);
        assert_eq!(spread(&clips, None, 99), [0, 1, 2, 3, 4, 5]);
        assert_eq!(spread(&clips, Some(Split::Test), 3), [5]);
        assert_eq!(split("test"), Ok(Split::Test));
        assert!(split("exam").is_err());
    }
}
