//! Writing clips shard by shard, so that a killed generation goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use experiment::atomic::write_atomically;
use experiment::fingerprint::sha256;

use super::index::require_disjoint;
use super::shard::{self, Shard};
use super::{ClipError, Description, Entry, Index, Recorded, ShardEntry};

/// Writes the shards of a folder, in any order, and then its index.
#[derive(Debug)]
pub struct ClipWriter {
    folder: PathBuf,
    description: Description,
    fingerprint: String,
    /// The shards of an index that is there already.
    listed: Vec<ShardEntry>,
}

impl ClipWriter {
    /// Makes the folder, or goes on with one of the same description. An index that was cut off counts as none: it is made
    /// of the shards.
    ///
    /// # Errors
    /// [`ClipError::OtherSettings`] if it holds other clips, [`ClipError::Access`] if it cannot be made.
    pub fn create(folder: &Path, description: Description) -> Result<Self, ClipError> {
        fs::create_dir_all(folder).map_err(ClipError::access(folder))?;
        let fingerprint = description.fingerprint();
        let listed = match Index::read(folder) {
            Ok(index) if index.description.fingerprint() == fingerprint => index.shards,
            Ok(_) => return Err(ClipError::OtherSettings(folder.to_owned())),
            Err(ClipError::NoIndex(_)) => Vec::new(),
            Err(_) if Index::is_cut_off(folder) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        Ok(Self { folder: folder.to_owned(), description, fingerprint, listed })
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(file_name(number))
    }

    /// Whether the shard of a number is there and whole: readable, and byte for byte what an index says, if there is one. One
    /// that was damaged is not, and will be written anew.
    ///
    /// # Errors
    /// [`ClipError::OtherSettings`] if it is one of other clips.
    pub fn has_shard(&self, number: usize) -> Result<bool, ClipError> {
        match Shard::open(&self.path(number)) {
            Ok(shard) if shard.contents.fingerprint == self.fingerprint => {
                Ok(self.listed.get(number).is_none_or(|listed| self.is_as_listed(number, listed)))
            }
            Ok(_) => Err(ClipError::OtherSettings(self.folder.clone())),
            Err(_) => Ok(false),
        }
    }

    fn is_as_listed(&self, number: usize, listed: &ShardEntry) -> bool {
        fs::read(self.path(number)).is_ok_and(|bytes| sha256(&bytes) == listed.sha256)
    }

    /// Writes a shard, wholly or not at all.
    ///
    /// # Errors
    /// [`ClipError::Episode`] if an episode's parts do not fit together or its frames have another size than the
    /// description says, [`ClipError::Access`] if the file cannot be written.
    pub fn write_shard(&self, number: usize, recordings: &[Recorded]) -> Result<(), ClipError> {
        let Description { height, width, .. } = self.description;
        for (number, Recorded { scene, episode, .. }) in recordings.iter().enumerate() {
            if (episode.height, episode.width) != (height, width) {
                let problem = format!(
                    "its frames are {} by {} and not {height} by {width} pixels",
                    episode.height, episode.width
                );
                return Err(ClipError::Episode { number, scene: scene.clone(), problem });
            }
        }
        let bytes = shard::encode(recordings, &self.fingerprint)?;
        let path = self.path(number);
        write_atomically(&path, &bytes).map_err(ClipError::access(&path))
    }

    /// Writes the index of the shards `0..shards`, which completes the clips.
    ///
    /// # Errors
    /// Those of reading the shards, and [`ClipError::SharedScene`].
    pub fn finish(self, shards: usize) -> Result<Index, ClipError> {
        let (mut files, mut episodes) = (Vec::new(), Vec::new());
        for number in 0..shards {
            let path = self.path(number);
            let contents = Shard::open(&path)?.contents;
            if contents.fingerprint != self.fingerprint {
                return Err(ClipError::OtherSettings(self.folder));
            }
            let bytes = fs::read(&path).map_err(ClipError::access(&path))?;
            files.push(ShardEntry {
                file: file_name(number),
                bytes: bytes.len() as u64,
                sha256: sha256(&bytes),
            });
            episodes.extend(contents.episodes.into_iter().enumerate().map(|(within, listed)| {
                Entry {
                    shard: number,
                    number: within,
                    scene: listed.scene,
                    split: listed.split,
                    route: listed.route,
                    frames: listed.frames,
                }
            }));
        }
        require_disjoint(episodes.iter().map(|entry| (entry.scene.as_str(), entry.split)))?;
        let index = Index::new(self.description, files, episodes);
        index.write(&self.folder)?;
        Ok(index)
    }
}

fn file_name(number: usize) -> String {
    format!("shard-{number:05}.safetensors")
}
