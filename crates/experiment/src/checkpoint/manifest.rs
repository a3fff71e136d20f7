//! The list of a checkpoint's files with their lengths and digests, and the check of a folder against it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{Checkpoint, CheckpointError};
use crate::fingerprint::sha256;

pub(super) const FILE_NAME: &str = "manifest.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    step: u64,
    files: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Entry {
    bytes: u64,
    sha256: String,
}

impl Entry {
    fn of(content: &[u8]) -> Self {
        Self { bytes: content.len() as u64, sha256: sha256(content) }
    }
}

impl Manifest {
    /// The manifest of files with distinct plain names.
    pub(super) fn of(step: u64, files: &[(&str, &[u8])]) -> Result<Self, CheckpointError> {
        let mut entries = BTreeMap::new();
        for (name, content) in files {
            check_name(name)?;
            if entries.insert((*name).to_owned(), Entry::of(content)).is_some() {
                return Err(CheckpointError::Name((*name).to_owned()));
            }
        }
        Ok(Self { step, files: entries })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a map of texts and numbers is always valid JSON")
    }
}

/// Refuses names that would leave the folder, be hidden, or hide the manifest.
fn check_name(name: &str) -> Result<(), CheckpointError> {
    let plain =
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0', ':']);
    if plain && name != FILE_NAME { Ok(()) } else { Err(CheckpointError::Name(name.to_owned())) }
}

/// Why a checkpoint cannot be loaded.
pub(super) enum Flaw {
    /// It is not what was saved.
    Damage(String),
    /// The system refuses to read it, which says nothing about what is there.
    Unreadable(PathBuf, io::Error),
}

fn damage(reason: String) -> Flaw {
    Flaw::Damage(reason)
}

/// The step of the checkpoint in `folder`, whose files may be damaged; `None` if there is no checkpoint.
pub(super) fn step(folder: &Path) -> io::Result<Option<u64>> {
    let content = match fs::read(folder.join(FILE_NAME)) {
        Err(absent)
            if matches!(absent.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        content => content?,
    };
    Ok(serde_json::from_slice(&content).ok().map(|Manifest { step, .. }| step))
}

/// The checkpoint in `folder`, or what is wrong with it.
pub(super) fn verified(folder: &Path, step: u64) -> Result<Checkpoint, Flaw> {
    let read = |name: &str| match fs::read(folder.join(name)) {
        Ok(content) => Ok(content),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
            Err(damage(format!("`{name}` is missing")))
        }
        Err(error) => Err(Flaw::Unreadable(folder.join(name), error)),
    };
    let manifest: Manifest = serde_json::from_slice(&read(FILE_NAME)?)
        .map_err(|failure| damage(format!("`{FILE_NAME}` is broken ({failure})")))?;
    if manifest.step != step {
        return Err(damage(format!("its manifest is that of step {}", manifest.step)));
    }
    let mut files = BTreeMap::new();
    for (name, expected) in manifest.files {
        check_name(&name).map_err(|failure| damage(failure.to_string()))?;
        let content = read(&name)?;
        let found = Entry::of(&content);
        if found.bytes != expected.bytes {
            let (found, expected) = (found.bytes, expected.bytes);
            return Err(damage(format!("`{name}` has {found} bytes instead of {expected}")));
        }
        if found != expected {
            return Err(damage(format!(
                "`{name}` does not have the SHA-256 that its manifest says"
            )));
        }
        files.insert(name, content);
    }
    Ok(Checkpoint { step, files })
}
