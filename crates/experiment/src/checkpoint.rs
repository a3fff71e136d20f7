//! Checkpoints that survive kills, full disks and power cuts.
//!
//! A checkpoint is a folder `checkpoints/step-000000000120` of files and a manifest with the SHA-256 of each. It is
//! written under another name, pushed to the disk and renamed, so a folder with its final name is whole. Loading
//! verifies every file against the manifest all the same: disks rot, and people copy folders.

mod error;
mod manifest;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::atomic::{UNFINISHED, sync_folder, temporary_folders, write_and_sync};
use crate::metrics;
use crate::run_directory::{RunDirectory, RunError};
pub use error::CheckpointError;
use manifest::{Flaw, Manifest};

pub(crate) const FOLDER: &str = "checkpoints";
const STEP: &str = "step-";
/// The name of a checkpoint in the temporary folder that takes it away.
const SET_ASIDE: &str = "removed";

/// The checkpoints of one run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
    /// Why this process may not write, if so.
    read_only: bool,
}

/// One verified checkpoint, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The number of outer steps that were done when it was saved.
    pub step: u64,
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// The content of the file `name`.
    ///
    /// # Errors
    /// [`CheckpointError::NoFile`].
    pub fn file(&self, name: &str) -> Result<&[u8], CheckpointError> {
        let content = self.files.get(name).map(Vec::as_slice);
        content.ok_or_else(|| CheckpointError::NoFile { step: self.step, name: name.to_owned() })
    }
}

impl Checkpoints {
    /// The checkpoints of `run`, of which the last `keep` stay. What a kill left unfinished is removed, unless the run was
    /// opened for reading.
    ///
    /// # Errors
    /// [`CheckpointError::KeepNone`] and [`CheckpointError::FileSystem`].
    pub fn new(run: &RunDirectory, keep: usize) -> Result<Self, CheckpointError> {
        if keep == 0 {
            return Err(CheckpointError::KeepNone);
        }
        let read_only = run.require_writer().is_err();
        let checkpoints = Self { folder: run.path().join(FOLDER), keep, read_only };
        if !read_only {
            fs::create_dir_all(&checkpoints.folder).map_err(refused(&checkpoints.folder))?;
            // Else a power cut could take the folder with all the checkpoints that were pushed to the disk.
            sync_folder(run.path()).map_err(refused(run.path()))?;
            checkpoints.remove_unfinished()?;
        }
        Ok(checkpoints)
    }

    /// Saves the `files`, given as name and content, as the checkpoint of `step`, then removes older ones. Whatever
    /// interrupts it, the last whole checkpoint stays. A checkpoint of the same step is replaced; between its going and
    /// the new one's coming there is an instant in which only the earlier ones are there. Rows of metrics logged before are
    /// on the disk when it returns, so that none of them is missing from a run that goes on from here.
    ///
    /// # Errors
    /// [`CheckpointError::Name`], [`CheckpointError::Run`] for a run opened for reading, and
    /// [`CheckpointError::FileSystem`]; older checkpoints that cannot be removed stay beside the new one.
    pub fn save(&self, step: u64, files: &[(&str, &[u8])]) -> Result<(), CheckpointError> {
        self.save_through(step, files, |path| File::create_new(path))
    }

    /// Saves with the given way to make a file, so that tests can fill the disk.
    fn save_through(
        &self,
        step: u64,
        files: &[(&str, &[u8])],
        create: impl Fn(&Path) -> io::Result<File>,
    ) -> Result<(), CheckpointError> {
        self.require_writer()?;
        let manifest = Manifest::of(step, files)?;
        let unfinished =
            temporary_folders().tempdir_in(&self.folder).map_err(refused(&self.folder))?;
        let write = |name: &str, content: &[u8]| {
            let path = unfinished.path().join(name);
            create(&path)
                .and_then(|file| write_and_sync(file, content))
                .map_err(refused(&self.path_of(step).join(name)))
        };
        for (name, content) in files {
            write(name, content)?;
        }
        write(manifest::FILE_NAME, &manifest.to_bytes())?;
        sync_folder(unfinished.path()).map_err(refused(unfinished.path()))?;
        self.sync_metrics()?;
        self.put_in_place(step, unfinished.path())?;
        // The folder has its final name now, so there is nothing left to remove on drop.
        let _ = unfinished.keep();
        self.remove_old()
    }

    fn put_in_place(&self, step: u64, finished: &Path) -> Result<(), CheckpointError> {
        let place = self.path_of(step);
        let replaced = place.exists().then(|| self.set_aside(step)).transpose()?;
        if let Err(failure) = fs::rename(finished, &place) {
            if let Some(replaced) = replaced
                && fs::rename(replaced.path().join(SET_ASIDE), &place).is_err()
            {
                // There is no better answer than the first error. Whoever opens the run again puts it back.
                let _ = replaced.keep();
            }
            return Err(refused(&place)(failure));
        }
        sync_folder(&self.folder).map_err(refused(&self.folder))?;
        replaced.map_or(Ok(()), |replaced| replaced.close().map_err(refused(&self.folder)))
    }

    fn sync_metrics(&self) -> Result<(), CheckpointError> {
        let path = self.folder.with_file_name(metrics::FILE_NAME);
        match File::options().append(true).open(&path).and_then(|file| file.sync_data()) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced.map_err(refused(&path)),
        }
    }

    /// The step of the last checkpoint, or `None` before the first.
    ///
    /// # Errors
    /// [`CheckpointError::FileSystem`].
    pub fn latest(&self) -> Result<Option<u64>, CheckpointError> {
        Ok(self.steps()?.last().copied())
    }

    /// The steps of all checkpoints, in order.
    ///
    /// # Errors
    /// [`CheckpointError::FileSystem`].
    pub fn steps(&self) -> Result<Vec<u64>, CheckpointError> {
        let names = self.entries()?;
        let step = |name: &String| {
            let step = name.strip_prefix(STEP)?.parse().ok()?;
            // Somebody's copy under a like name is no checkpoint of ours.
            (*name == folder_name(step)).then_some(step)
        };
        let mut steps: Vec<u64> = names.iter().filter_map(step).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Loads and verifies the checkpoint of `step`.
    ///
    /// # Errors
    /// [`CheckpointError::Absent`]; [`CheckpointError::Corrupt`], which names the last whole checkpoint before it; and
    /// [`CheckpointError::FileSystem`].
    pub fn load(&self, step: u64) -> Result<Checkpoint, CheckpointError> {
        let steps = self.steps()?;
        if !steps.contains(&step) {
            return Err(CheckpointError::Absent { folder: self.folder.clone(), step, steps });
        }
        let folder = self.path_of(step);
        manifest::verified(&folder, step).map_err(|flaw| {
            let reason = match flaw {
                Flaw::Unreadable(path, source) => return refused(&path)(source),
                // A running program that saves more removes older ones, also while they are read.
                Flaw::Damage(_) if !folder.exists() => {
                    return CheckpointError::Absent { folder: self.folder.clone(), step, steps };
                }
                Flaw::Damage(reason) => reason,
            };
            let mut earlier = steps.iter().rev().filter(|other| **other < step).copied();
            let previous =
                earlier.find(|other| manifest::verified(&self.path_of(*other), *other).is_ok());
            CheckpointError::Corrupt { folder, reason, previous }
        })
    }

    fn remove_old(&self) -> Result<(), CheckpointError> {
        self.steps()?.into_iter().rev().skip(self.keep).try_for_each(|step| self.remove(step))
    }

    /// Renames before it removes, so that a kill in between leaves no half checkpoint with a step's name.
    fn remove(&self, step: u64) -> Result<(), CheckpointError> {
        self.set_aside(step)?.close().map_err(refused(&self.folder))
    }

    /// Moves a checkpoint into a temporary folder.
    fn set_aside(&self, step: u64) -> Result<TempDir, CheckpointError> {
        let aside = temporary_folders().tempdir_in(&self.folder).map_err(refused(&self.folder))?;
        let path = self.path_of(step);
        fs::rename(&path, aside.path().join(SET_ASIDE)).map_err(refused(&path))?;
        Ok(aside)
    }

    fn remove_unfinished(&self) -> Result<(), CheckpointError> {
        for name in self.entries()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = self.folder.join(name);
            self.put_back(&path.join(SET_ASIDE))?;
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(refused(&path))?;
        }
        Ok(())
    }

    /// Gives the checkpoint `aside` its name again if it is later than all others: it was to be replaced, and the other one never
    /// came. One that was to go because it is old has later ones beside it.
    fn put_back(&self, aside: &Path) -> Result<(), CheckpointError> {
        let Some(step) = manifest::step(aside).map_err(refused(aside))? else { return Ok(()) };
        if self.latest()?.is_some_and(|latest| latest >= step) {
            return Ok(());
        }
        fs::rename(aside, self.path_of(step)).map_err(refused(aside))
    }

    /// The names in the folder, which is not there for a run that was opened before its first checkpoint.
    fn entries(&self) -> Result<Vec<String>, CheckpointError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused(&self.folder))?,
        };
        let name =
            |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        entries.map(name).collect::<io::Result<_>>().map_err(refused(&self.folder))
    }

    fn require_writer(&self) -> Result<(), CheckpointError> {
        if self.read_only {
            let run = self.folder.parent().unwrap_or(&self.folder).to_owned();
            return Err(RunError::ReadOnly(run).into());
        }
        Ok(())
    }

    fn path_of(&self, step: u64) -> PathBuf {
        self.folder.join(folder_name(step))
    }
}

fn folder_name(step: u64) -> String {
    format!("{STEP}{step:012}")
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::FileSystem { path, source }
}
