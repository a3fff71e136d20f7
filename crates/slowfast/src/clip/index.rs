//! What a folder of clips holds.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path};

use experiment::fingerprint::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClipError, PoseScale, Route, Split};

/// The version of the format that this program writes and reads.
pub const VERSION: u64 = 1;
/// What the index says it is an index of.
const FORMAT: &str = "slowfast clips";
/// The index in a folder of clips.
pub(crate) const INDEX_FILE: &str = "index.json";

/// Where clips come from and what their numbers mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the generator or simulator.
    pub generator: String,
    /// Its settings: the same settings make the same clips.
    pub settings: Value,
    /// Height of a frame in pixels.
    pub height: usize,
    /// Width of a frame in pixels.
    pub width: usize,
    /// Units of poses.
    pub pose: PoseScale,
}

impl Description {
    /// The SHA-256 of the description, as hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).expect("a description is numbers, texts and JSON");
        sha256(json)
    }
}

/// An episode, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Number of the shard, from 0.
    pub shard: usize,
    /// Number of the episode in the shard, from 0.
    pub number: usize,
    /// Name of the scene.
    pub scene: String,
    /// The scene's split.
    pub split: Split,
    /// What the agent did.
    pub route: Route,
    /// Number of frames.
    pub frames: usize,
}

/// A file of episodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// Name of the file, in the folder of the index and nowhere else.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, as hexadecimal digits.
    pub sha256: String,
}

impl ShardEntry {
    /// Whether the file's name is one, and not a path that leads elsewhere.
    fn is_here(&self) -> bool {
        let mut parts = Path::new(&self.file).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == self.file.as_str())
    }
}

/// The content of `index.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    format: String,
    version: u64,
    /// Where the clips come from.
    pub description: Description,
    /// The files.
    pub shards: Vec<ShardEntry>,
    /// The episodes, in the order of shards.
    pub episodes: Vec<Entry>,
}

impl Index {
    pub(super) fn new(
        description: Description,
        shards: Vec<ShardEntry>,
        episodes: Vec<Entry>,
    ) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, description, shards, episodes }
    }

    /// Reads the index of a folder, and checks that it is one of this version, that its files are in the folder and
    /// that no scene is in two splits.
    ///
    /// # Errors
    /// [`ClipError::NoIndex`], [`ClipError::Access`], [`ClipError::Damaged`], [`ClipError::Version`] and
    /// [`ClipError::SharedScene`].
    pub fn read(folder: &Path) -> Result<Self, ClipError> {
        let path = folder.join(INDEX_FILE);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => ClipError::NoIndex(folder.to_owned()),
            _ => ClipError::access(&path)(source),
        })?;
        let json: Value = serde_json::from_slice(&bytes)
            .map_err(|failure| ClipError::damaged(&path, failure.to_string()))?;
        if json.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(ClipError::damaged(&path, format!("it is no index of {FORMAT}")));
        }
        // Before the rest, whose form another version may have changed.
        match json.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(found) => return Err(ClipError::Version { path, found }),
            None => return Err(ClipError::damaged(&path, "it names no version")),
        }
        let index: Self = serde_json::from_value(json)
            .map_err(|failure| ClipError::damaged(&path, failure.to_string()))?;
        if let Some(ShardEntry { file, .. }) = index.shards.iter().find(|entry| !entry.is_here()) {
            let problem =
                format!("`shards` has `{file}`, which is no name of a file in its folder");
            return Err(ClipError::damaged(&path, problem));
        }
        require_disjoint(index.episodes.iter().map(|entry| (entry.scene.as_str(), entry.split)))?;
        match index.episodes.iter().find(|entry| entry.shard >= index.shards.len()) {
            Some(entry) => {
                let problem =
                    format!("an episode is in shard {}, which it does not name", entry.shard);
                Err(ClipError::damaged(&path, problem))
            }
            None => Ok(index),
        }
    }

    /// Whether the folder has an index that is no JSON at all, as a copy has that was cut off.
    pub(super) fn is_cut_off(folder: &Path) -> bool {
        let bytes = fs::read(folder.join(INDEX_FILE));
        bytes.is_ok_and(|bytes| serde_json::from_slice::<Value>(&bytes).is_err())
    }

    /// Writes the index, wholly or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), ClipError> {
        let path = folder.join(INDEX_FILE);
        let json = serde_json::to_vec_pretty(self).expect("an index is numbers, texts and JSON");
        experiment::atomic::write_atomically(&path, &json).map_err(ClipError::access(&path))
    }
}

/// Refuses scenes that are in more than one split.
pub(super) fn require_disjoint<'s>(
    scenes: impl IntoIterator<Item = (&'s str, Split)>,
) -> Result<(), ClipError> {
    let mut splits = BTreeMap::new();
    for (scene, split) in scenes {
        let first = *splits.entry(scene).or_insert(split);
        if first != split {
            let scene = scene.to_owned();
            return Err(ClipError::SharedScene { scene, first, second: split });
        }
    }
    Ok(())
}
