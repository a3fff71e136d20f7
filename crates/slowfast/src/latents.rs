//! Episodes as latents, in memory: what the denoiser learns from.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use crate::autoencoder::Autoencoder;
use crate::clip::{ClipError, ClipSet, Split, WindowPlace};
use crate::diffusion::Clip;
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

/// The episodes of a split as latents, by their numbers in the [`ClipSet`].
#[derive(Clone, Debug)]
pub struct LatentEpisodes<B: Backend> {
    episodes: BTreeMap<usize, Clip<B>>,
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
        let encoded = |episode: &usize| -> Result<(usize, Clip<B>), LatentsError> {
            let recorded = clips.episode(*episode)?;
            let clip = encode(autoencoder, vocabulary, words, &recorded);
            let episode = *episode;
            Ok((episode, clip.map_err(|source| LatentsError::Episode { episode, source })?))
        };
        let episodes = numbers.par_iter().map(encoded).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { episodes: episodes.into_iter().collect() })
    }

    /// The numbers of the episodes, in order.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.episodes.keys().copied()
    }

    /// An episode of the split.
    ///
    /// # Panics
    /// If the split has no such episode.
    pub fn episode(&self, number: usize) -> &Clip<B> {
        &self.episodes[&number]
    }

    /// Windows of `frames` frames, one below the other.
    ///
    /// # Panics
    /// If the split has no such windows.
    pub fn windows(&self, places: &[WindowPlace], frames: usize) -> Clip<B> {
        let window = |place: &WindowPlace| self.episode(place.episode).narrow(place.start, frames);
        let parts: Vec<Clip<B>> = places.iter().map(window).collect();
        let phrases: Vec<Phrases> = parts.iter().map(|part| part.phrases.clone()).collect();
        let latents = parts.into_iter().map(|part| part.latents).collect();
        Clip { latents: Tensor::cat(latents, 0), phrases: Phrases::stacked(&phrases) }
    }
}
