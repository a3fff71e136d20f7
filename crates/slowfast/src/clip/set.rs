//! Reading clips.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use experiment::fingerprint::sha256;
use rayon::prelude::*;

use super::shard::{Listed, Shard};
use super::{ClipError, Entry, Episode, Index, ShardEntry, Split};

/// A folder of clips, of which only the index and the headers are in memory. It may be shared by threads.
#[derive(Clone, Debug)]
pub struct ClipSet {
    folder: PathBuf,
    index: Index,
    shards: Vec<Shard>,
}

impl ClipSet {
    /// Opens the clips in a folder, and checks that every shard is there, as long as it should be, and holds the episodes
    /// that the index says. [`Self::verify`] checks the rest.
    ///
    /// # Errors
    /// Those of [`Index::read`], [`ClipError::MissingShard`], [`ClipError::Length`] and [`ClipError::Damaged`].
    pub fn open(folder: &Path) -> Result<Self, ClipError> {
        let index = Index::read(folder)?;
        let open = |(number, entry)| open_shard(folder, &index, number, entry);
        let shards = index.shards.iter().enumerate().map(open).collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), index, shards })
    }

    /// What is there.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The numbers of a split's episodes.
    pub fn episodes_of(&self, split: Split) -> impl Iterator<Item = usize> {
        let numbered = self.index.episodes.iter().enumerate();
        numbered.filter(move |(_, entry)| entry.split == split).map(|(number, _)| number)
    }

    /// The entry of an episode.
    ///
    /// # Errors
    /// [`ClipError::NoSuchEpisode`].
    pub fn entry(&self, episode: usize) -> Result<&Entry, ClipError> {
        let available = self.index.episodes.len();
        let missing = ClipError::NoSuchEpisode { asked: episode, available };
        self.index.episodes.get(episode).ok_or(missing)
    }

    /// The number of an episode's scene: that of the first episode in it.
    ///
    /// # Errors
    /// [`ClipError::NoSuchEpisode`].
    pub fn scene(&self, episode: usize) -> Result<usize, ClipError> {
        let scene = &self.entry(episode)?.scene;
        let first = self.index.episodes.iter().position(|entry| entry.scene == *scene);
        Ok(first.unwrap_or(episode))
    }

    /// A whole episode.
    ///
    /// # Errors
    /// As [`Self::window`].
    pub fn episode(&self, episode: usize) -> Result<Episode, ClipError> {
        let frames = self.entry(episode)?.frames;
        self.window(episode, 0..frames)
    }

    /// The frames `range` of an episode with their actions, poses and phrases; only these are read. Phrases are cut to the
    /// window and count from its first frame, and the first frame's action is the one that led to it.
    ///
    /// # Errors
    /// [`ClipError::NoSuchEpisode`], [`ClipError::NoSuchFrames`], and those of reading the shard.
    pub fn window(&self, episode: usize, range: Range<usize>) -> Result<Episode, ClipError> {
        let entry = self.entry(episode)?;
        if range.start >= range.end || range.end > entry.frames {
            let (start, end, available) = (range.start, range.end, entry.frames);
            return Err(ClipError::NoSuchFrames { episode, start, end, available });
        }
        self.shards[entry.shard].read(entry.number, range)
    }

    /// Reads everything and checks it: digests, shapes, codes and phrases.
    ///
    /// # Errors
    /// [`ClipError::Checksum`] and [`ClipError::Damaged`], of the first shard that is not as it should be.
    pub fn verify(&self) -> Result<(), ClipError> {
        let verified = |(number, entry): (usize, &ShardEntry)| -> Result<(), ClipError> {
            let path = self.folder.join(&entry.file);
            let bytes = fs::read(&path).map_err(ClipError::access(&path))?;
            if sha256(&bytes) != entry.sha256 {
                return Err(ClipError::Checksum(path));
            }
            let shard = &self.shards[number];
            for (within, listed) in shard.contents.episodes.iter().enumerate() {
                let episode = shard.read(within, 0..listed.frames)?;
                if let Some(problem) = episode.defect() {
                    return Err(ClipError::damaged(path, format!("episode {within}: {problem}")));
                }
            }
            Ok(())
        };
        // Collected, not reduced: the first failure is the same for any number of threads.
        let results: Vec<_> = self.index.shards.par_iter().enumerate().map(verified).collect();
        results.into_iter().collect()
    }
}

fn open_shard(
    folder: &Path,
    index: &Index,
    number: usize,
    entry: &ShardEntry,
) -> Result<Shard, ClipError> {
    let path = folder.join(&entry.file);
    if !path.is_file() {
        return Err(ClipError::MissingShard(path));
    }
    let found = fs::metadata(&path).map_err(ClipError::access(&path))?.len();
    if found != entry.bytes {
        return Err(ClipError::Length { path, expected: entry.bytes, found });
    }
    let shard = Shard::open(&path)?;
    let entries = || index.episodes.iter().filter(|entry| entry.shard == number);
    if !entries().map(|entry| entry.number).eq(0..entries().count()) {
        let problem = "the index does not number its episodes from 0 in their order";
        return Err(ClipError::damaged(path, problem));
    }
    let expected: Vec<Listed> = entries()
        .map(|Entry { scene, split, route, frames, .. }| Listed {
            scene: scene.clone(),
            split: *split,
            route: *route,
            frames: *frames,
        })
        .collect();
    if shard.contents.episodes != expected {
        return Err(ClipError::damaged(path, "it holds other episodes than the index says"));
    }
    if shard.contents.fingerprint != index.description.fingerprint() {
        return Err(ClipError::damaged(
            path,
            "it was made with other settings than the index says",
        ));
    }
    for (within, listed) in expected.iter().enumerate() {
        shard.check(within, listed.frames, index.description.height, index.description.width)?;
    }
    Ok(shard)
}

#[cfg(test)]
pub(super) mod tests;
