//! What can go wrong with clips on disk, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::{Split, VERSION};

/// Clips that cannot be written, read or sampled.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The file system refused.
    #[error("cannot access {}: check that it exists, its permissions and the space left", path.display())]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The folder has no index.
    #[error(
        "{} has no index.json: name a folder of clips, or run the same `data generate` again if it was cut off",
        .0.display()
    )]
    NoIndex(PathBuf),
    /// A file does not have the form it should have.
    #[error("{} is damaged or no part of these clips: {problem}; fetch or generate it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The clips were written by another version.
    #[error(
        "{} has version {found} of the format and this program reads version {VERSION}: use the program that wrote it, \
         or generate the clips again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A shard that the index names is not there.
    #[error("{} is missing: copy it from where the clips came from, or run the same `data generate` again", .0.display())]
    MissingShard(PathBuf),
    /// A shard is not as long as the index says.
    #[error(
        "{} has {found} bytes instead of {expected}, it was cut or changed: fetch it again, or delete it and run the same \
         `data generate` again",
        path.display()
    )]
    Length {
        /// The shard.
        path: PathBuf,
        /// Bytes that the index says.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A shard does not have the digest that the index says.
    #[error(
        "{} does not have the SHA-256 that the index says, it was changed: fetch it again, or delete it and run the same \
         `data generate` again",
        .0.display()
    )]
    Checksum(PathBuf),
    /// The folder holds clips of other settings.
    #[error("{} holds clips of other settings: name another folder, or delete this one", .0.display())]
    OtherSettings(PathBuf),
    /// A scene is in two splits.
    #[error(
        "the scene `{scene}` is in {first} and in {second}: give each scene one split, or tests would be about scenes that \
         were learned from"
    )]
    SharedScene {
        /// The scene.
        scene: String,
        /// One split.
        first: Split,
        /// The other.
        second: Split,
    },
    /// An episode that cannot be stored.
    #[error("episode {number} of scene `{scene}` cannot be stored: {problem}")]
    Episode {
        /// Its position in the shard or folder, from 0.
        number: usize,
        /// Its scene.
        scene: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such episode.
    #[error("there is no episode {asked}: there are {available}, counted from 0")]
    NoSuchEpisode {
        /// The number that was asked for.
        asked: usize,
        /// How many there are.
        available: usize,
    },
    /// An episode has no such frames.
    #[error("episode {episode} has no frames {start}..{end}: it has {available}, counted from 0")]
    NoSuchFrames {
        /// The episode.
        episode: usize,
        /// The first frame that was asked for.
        start: usize,
        /// One past the last.
        end: usize,
        /// How many there are.
        available: usize,
    },
    /// No episode of a split is long enough for a window.
    #[error(
        "no {split} episode has a window of {length} frames that begins at {offset} modulo {every}: choose shorter windows, \
         or generate longer or more episodes"
    )]
    NoWindow {
        /// The split.
        split: Split,
        /// Frames of a window.
        length: usize,
        /// The alignment's period.
        every: usize,
        /// The alignment's offset.
        offset: usize,
    },
    /// Clips that would be written among the episodes they are made of.
    #[error("{} holds the episodes to import: name another folder for the clips with --out", .0.display())]
    OntoItself(PathBuf),
    /// A folder with no episodes to import.
    #[error("{} has no *.safetensors file: name a folder with one such file an episode", .0.display())]
    NothingToImport(PathBuf),
}

impl ClipError {
    /// Makes an [`Self::Access`] of what the system answered about `path`.
    pub(super) fn access(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Access { path, source }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), problem: problem.into() }
    }
}
