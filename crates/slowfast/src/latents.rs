//! Episodes as latents, in memory: what the denoiser learns from.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::autoencoder::Autoencoder;
use crate::clip::{ClipError, ClipSet, Pose, PoseScale, Split, WindowPlace};
use crate::diffusion::Clip;
use crate::metrics::{Revisit, Tolerance, revisits};
use crate::text::{Phrases, Vocabulary};
use crate::video_model::{VideoModelError, encode};

/// Episodes that cannot be made latents.
#[derive(Debug, thiserror::Error)]
pub enum LatentsError {
    /// The clips.
    #[error(transparent)]
    Clips(#[from] ClipError),
    /// One episode.
    #[error("episode {episode}")]
    Episode {
        /// Its number.
        episode: usize,
        /// What is wrong.
        #[source]
        source: VideoModelError,
    },
}

/// How an episode is cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkLayout {
    /// Frames of the start, `X_0`, at least 1.
    pub start: usize,
    /// Frames of each chunk after it, at least 1.
    pub frames: usize,
}

impl Default for ChunkLayout {
    /// One given frame, and chunks of one action of the built-in worlds.
    fn default() -> Self {
        Self { start: 1, frames: 4 }
    }
}

impl ChunkLayout {
    /// The chunk that a frame is in; 0 is the start.
    pub fn chunk_of(self, frame: usize) -> usize {
        frame.checked_sub(self.start).map_or(0, |after| 1 + after / self.frames)
    }

    /// The chunks that mostly show views which were seen before, but not in the chunk just before, which a denoiser without
    /// memory is given. With `written`, only chunks after so many, and views of those.
    pub fn revisiting(
        self,
        poses: &[Pose],
        scale: PoseScale,
        written: Option<usize>,
    ) -> Vec<usize> {
        let mut frames = BTreeMap::new();
        for Revisit { first, again } in revisits(poses, scale, Tolerance::EXACT) {
            let (seen, now) = (self.chunk_of(first), self.chunk_of(again));
            let was_written = written.is_none_or(|written| seen <= written && now > written);
            let in_chunk_before = |frame: &usize| self.chunk_of(*frame) + 1 == now;
            let is_shown_by_chunk_before = (0..again)
                .filter(in_chunk_before)
                .any(|frame| Tolerance::EXACT.agree(poses[frame], poses[again], scale));
            if was_written && seen + 1 < now && !is_shown_by_chunk_before {
                *frames.entry(now).or_insert(0) += 1;
            }
        }
        let whole_chunks = 1..=poses.len().saturating_sub(self.start) / self.frames;
        let is_majority = |frames: usize| 2 * frames > self.frames;
        let revisiting = frames.into_iter().filter(|(_, frames)| is_majority(*frames));
        revisiting.map(|(chunk, _)| chunk).filter(|chunk| whole_chunks.contains(chunk)).collect()
    }
}

/// An episode as the denoiser sees it.
#[derive(Clone, Debug)]
pub struct LatentEpisode<B: Backend> {
    /// Its frames and actions, one clip.
    pub clip: Clip<B>,
    /// Where the agent was at each frame.
    pub poses: Vec<Pose>,
}

/// The episodes of a split as latents, by their numbers in the [`ClipSet`].
#[derive(Clone, Debug)]
pub struct LatentEpisodes<B: Backend> {
    episodes: BTreeMap<usize, LatentEpisode<B>>,
}

/// The words of all phrases of a split.
///
/// # Errors
/// [`LatentsError::Clips`] if they cannot be read.
pub fn vocabulary_of(clips: &ClipSet, split: Split) -> Result<Vocabulary, LatentsError> {
    let episodes: Vec<usize> = clips.episodes_of(split).collect();
    let said = |episode: &usize| clips.episode(*episode).map(|episode| episode.phrases);
    let phrases = episodes.par_iter().map(said).collect::<Result<Vec<_>, _>>()?;
    Ok(Vocabulary::of_phrases(phrases.iter().flatten().map(|phrase| &phrase.text)))
}

impl<B: Backend> LatentEpisode<B> {
    /// The start, `X_0`, and the whole chunks after it.
    ///
    /// # Panics
    /// If the episode has fewer frames than the start.
    pub fn chunks(&self, layout: ChunkLayout) -> Vec<Clip<B>> {
        let ChunkLayout { start, frames } = layout;
        let whole = (self.clip.frames() - start) / frames;
        let chunk = |number: usize| self.clip.narrow(start + number * frames, frames);
        std::iter::once(self.clip.narrow(0, start)).chain((0..whole).map(chunk)).collect()
    }
}

impl<B: Backend> LatentEpisodes<B> {
    /// Encodes the episodes of a split.
    ///
    /// # Errors
    /// [`LatentsError::Clips`] and [`LatentsError::Episode`].
    pub fn read(
        clips: &ClipSet,
        split: Split,
        autoencoder: &Autoencoder<B>,
        vocabulary: &Vocabulary,
        words: usize,
    ) -> Result<Self, LatentsError> {
        let numbers: Vec<usize> = clips.episodes_of(split).collect();
        let encoded = |&episode: &usize| -> Result<(usize, LatentEpisode<B>), LatentsError> {
            let recorded = clips.episode(episode)?;
            let clip = encode(autoencoder, vocabulary, words, &recorded);
            let clip = clip.map_err(|source| LatentsError::Episode { episode, source })?;
            Ok((episode, LatentEpisode { clip, poses: recorded.poses }))
        };
        let episodes = numbers.par_iter().map(encoded).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { episodes: episodes.into_iter().collect() })
    }

    /// The episodes with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &LatentEpisode<B>)> {
        self.episodes.iter().map(|(number, episode)| (*number, episode))
    }

    /// An episode of the split.
    ///
    /// # Panics
    /// If the split has no such episode.
    pub fn episode(&self, number: usize) -> &LatentEpisode<B> {
        &self.episodes[&number]
    }

    /// Windows of `frames` frames, one below the other.
    ///
    /// # Panics
    /// If the split has no such windows.
    pub fn windows(&self, places: &[WindowPlace], frames: usize) -> Clip<B> {
        let window =
            |place: &WindowPlace| self.episode(place.episode).clip.narrow(place.start, frames);
        let parts: Vec<Clip<B>> = places.iter().map(window).collect();
        let phrases: Vec<Phrases> = parts.iter().map(|part| part.phrases.clone()).collect();
        let latents = parts.into_iter().map(|part| part.latents).collect();
        Clip { latents: Tensor::cat(latents, 0), phrases: Phrases::stacked(&phrases) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: PoseScale = PoseScale { position: 1, heading: 8 };

    fn looking(headings: &[i32]) -> Vec<Pose> {
        headings.iter().map(|&heading| Pose { x: 0, y: 0, heading }).collect()
    }

    #[test]
    fn frames_are_in_the_start_or_in_a_chunk_after_it() {
        let layout = ChunkLayout { start: 2, frames: 3 };
        let chunks: Vec<usize> = (0..9).map(|frame| layout.chunk_of(frame)).collect();
        assert_eq!(chunks, [0, 0, 1, 1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn only_chunks_that_need_a_memory_are_asked_for() {
        let layout = ChunkLayout { start: 1, frames: 2 };
        // Away by four headings and back: half of chunk 3 shows what chunk 2 did, chunk 4 what chunk 1 and the start did.
        let poses = looking(&[0, 1, 2, 3, 4, 3, 2, 1, 0]);
        assert_eq!(layout.revisiting(&poses, SCALE, Some(2)), [4]);
        assert_eq!(layout.revisiting(&poses, SCALE, Some(3)), [4]);
        assert!(layout.revisiting(&poses, SCALE, Some(4)).is_empty());
        // What is cut off or only half seen does not count.
        assert!(layout.revisiting(&poses[..8], SCALE, Some(2)).is_empty());
        let half = looking(&[0, 1, 2, 3, 4, 3, 2, 1, 7]);
        assert!(layout.revisiting(&half, SCALE, Some(2)).is_empty());
        let away = looking(&[0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(layout.revisiting(&away, SCALE, None).is_empty());
        assert_eq!(layout.revisiting(&poses, SCALE, None), [4]);
        // Chunk 3 comes back to what chunk 1 showed; chunk 4 shows it once more, and is given chunk 3.
        let lingering = looking(&[0, 1, 2, 3, 4, 2, 1, 1, 2]);
        assert_eq!(layout.revisiting(&lingering, SCALE, None), [3]);
    }
}
