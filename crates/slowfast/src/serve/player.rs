//! A model that is played with: both sides of everything that a visitor can do to an episode.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use experiment::seed::Seed;
use inner_outer::inner::Iterate;

use super::{ChunkRecord, PlayConfig, Played, ServeError, Side, SideRecord, Sides, Starts};
use crate::animation::Animation;
use crate::diffusion::Clip;
use crate::fast::WorldModel;
use crate::memory::Episode;
use crate::text::Phrases;
use crate::video_model::VideoModel;

/// More than the words on a chunk take in a file.
const DESCRIPTION_BYTES: usize = 16 << 10;

/// A model, twice: as it remembers and as it does not.
#[derive(Clone, Debug)]
pub struct Player<B: Backend> {
    model: VideoModel<B>,
    worlds: Sides<WorldModel<B>>,
    starts: Starts,
    frames_per_chunk: usize,
    frames_per_second: f64,
    /// Of the fast learning after a chunk.
    steps_per_chunk: usize,
}

/// An action that the model has understood.
#[derive(Clone, Debug)]
pub struct Told {
    phrase: String,
    unknown: Vec<String>,
    tokens: Phrases,
}

impl<B: Backend> Player<B> {
    /// A model that starts where `starts` says.
    ///
    /// # Errors
    /// Settings that do not fit the model.
    pub fn new(
        model: VideoModel<B>,
        starts: Starts,
        config: &PlayConfig,
    ) -> Result<Self, ServeError> {
        config.check(&model.trained.config)?;
        let worlds = Sides {
            with_memory: model
                .world(config.sampler, Some(config.fast.clone()))?
                .in_chunks_of(config.frames_per_chunk),
            without_memory: model.world(config.sampler, None)?.conditioned_as(config.fast.form),
        };
        let PlayConfig { frames_per_chunk, frames_per_second, .. } = *config;
        let steps_per_chunk = config.fast.steps;
        Ok(Self { model, worlds, starts, frames_per_chunk, frames_per_second, steps_per_chunk })
    }

    /// The model.
    pub fn model(&self) -> &VideoModel<B> {
        &self.model
    }

    /// The model as it generates, with memory and without.
    pub fn worlds(&self) -> &Sides<WorldModel<B>> {
        &self.worlds
    }

    /// Where episodes can begin.
    pub fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Frames of a chunk.
    pub fn frames_per_chunk(&self) -> usize {
        self.frames_per_chunk
    }

    /// Frames a second that clips are shown at.
    pub fn frames_per_second(&self) -> f64 {
        self.frames_per_second
    }

    /// Begins at the start of a number, with the noise of a seed.
    ///
    /// # Errors
    /// [`ServeError::NoSuchStart`].
    pub fn begin(&self, start: u64, seed: u64) -> Result<Played<B>, ServeError> {
        let start = self.model.encode(&self.starts.first_frame(start)?)?;
        let seed = Seed::new(seed);
        let episodes = self.worlds.try_map(|world| world.begin(start.clone(), &seed))?;
        self.shown(episodes, Vec::new())
    }

    /// The action in words.
    ///
    /// # Errors
    /// [`ServeError::Text`].
    pub fn understand(&self, phrase: &str) -> Result<Told, ServeError> {
        let (tokens, unknown) = self.model.phrases(phrase, self.frames_per_chunk)?;
        Ok(Told { phrase: phrase.trim().to_owned(), unknown, tokens })
    }

    /// The next chunk on both sides. `show` is called with each frame's number and PNG as soon as it is decoded.
    ///
    /// # Errors
    /// Fast losses that are not finite.
    pub fn act(
        &self,
        before: &Played<B>,
        told: Told,
        mut show: impl FnMut(Side, usize, &[u8]),
    ) -> Result<Played<B>, ServeError> {
        let mut after = before.clone();
        for side in Side::ALL {
            let episode = after.episodes.of_mut(side);
            let chunk = self.worlds.of(side).next_chunk(episode, &told.tokens)?;
            for frame in 0..chunk.frames() {
                let png = self.picture(&chunk.narrow(frame, 1))?;
                show(side, frame, &png);
                *after.view.of_mut(side) = png;
            }
        }
        after.chunks.push(record(told.phrase, told.unknown, &after.episodes));
        Ok(after)
    }

    /// Both sides as they were after `chunks` chunks.
    ///
    /// # Errors
    /// [`crate::memory::MemoryError::NoSuchChunk`].
    pub fn rewound(&self, played: &Played<B>, chunks: usize) -> Result<Played<B>, ServeError> {
        let episodes = played.episodes.try_map(|episode| episode.clone().rewound(chunks))?;
        self.shown(episodes, played.chunks[..chunks].to_vec())
    }

    /// Both sides with other noise from here on.
    pub fn forked(&self, played: &Played<B>, seed: u64) -> Played<B> {
        let of = |side| played.episodes.of(side).forked(Seed::new(seed));
        let (with_memory, without_memory) = (of(Side::WithMemory), of(Side::WithoutMemory));
        Played { episodes: Sides { with_memory, without_memory }, ..played.clone() }
    }

    /// The file of the side with memory.
    ///
    /// # Errors
    /// [`crate::memory::MemoryError::NotStorable`].
    pub fn save(&self, played: &Played<B>) -> Result<Vec<u8>, ServeError> {
        Ok(self.worlds.with_memory.to_bytes(&played.episodes.with_memory)?)
    }

    /// Bytes that are enough for the file of an episode of so many chunks.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn memory_bytes(&self, chunks: usize) -> Result<usize, ServeError> {
        // Of the start and a fresh memory, which is as large as a later one.
        let fresh = self.save(&self.begin(0, 0)?)?.len();
        let latent = self.model.trained.config.denoiser.latent;
        let latent = latent.channels * latent.height * latent.width * size_of::<f64>();
        let chunk = fresh + self.frames_per_chunk * latent + DESCRIPTION_BYTES;
        Ok(chunk.saturating_mul(chunks.saturating_add(1)))
    }

    /// Goes on from a file of at most `most` chunks: bit for bit on the side with memory; the other side has the same past and
    /// remembers nothing of it.
    ///
    /// # Errors
    /// [`ServeError::Chunks`], before any is computed, and a file that is damaged, or of another model or other settings; errors call it
    /// `name`.
    pub fn load(&self, content: &[u8], name: &Path, most: usize) -> Result<Played<B>, ServeError> {
        let device = self.model.autoencoder.mean.device();
        let [remembering, forgetful] = [&self.worlds.with_memory, &self.worlds.without_memory];
        let with_memory = remembering.from_bytes(content, name, &device)?;
        if with_memory.chunks().len() > most {
            return Err(ServeError::Chunks { most });
        }
        self.check_clips(&with_memory)?;
        self.check_memories(&with_memory)?;
        let mut without_memory =
            forgetful.begin(with_memory.start().clone(), with_memory.seed())?;
        let mut chunks = Vec::new();
        for (number, chunk) in with_memory.chunks().iter().enumerate() {
            without_memory = without_memory.forked(chunk.seed.clone());
            forgetful.observe(&mut without_memory, chunk.clip.clone())?;
            let words = chunk.clip.phrases.shape()[2];
            let tokens = chunk.clip.phrases.tokens().get(..words).unwrap_or_default();
            let phrase = self.model.trained.config.vocabulary.decode(tokens);
            let so_far = with_memory.clone().rewound(number + 1)?;
            let episodes = Sides { with_memory: so_far, without_memory: without_memory.clone() };
            chunks.push(record(phrase.map_err(ServeError::Text)?, Vec::new(), &episodes));
        }
        without_memory = without_memory.forked(with_memory.seed().clone());
        self.shown(Sides { with_memory, without_memory }, chunks)
    }

    /// All frames of one side, or of both side by side.
    ///
    /// # Errors
    /// Those of the autoencoder.
    pub fn clip(&self, played: &Played<B>, side: Option<Side>) -> Result<Animation, ServeError> {
        let of = |side| self.animation(&played.episodes.of(side).latents());
        match side {
            Some(side) => of(side),
            None => Ok(of(Side::WithMemory)?.beside(&of(Side::WithoutMemory)?)?),
        }
    }

    /// Refuses what only a forged file can hold: frames and actions that would not fit the model.
    fn check_clips(&self, episode: &Episode<B>) -> Result<(), ServeError> {
        let config = &self.model.trained.config;
        let start = episode.start();
        let clips = || std::iter::once(start).chain(episode.chunks().iter().map(|c| &c.clip));
        let mut tokens = clips().flat_map(|clip| clip.phrases.tokens());
        if tokens.any(|&token| token as usize >= config.vocabulary.size()) {
            return Err(ServeError::Misfit("its actions have words beyond the vocabulary"));
        }
        if clips().any(|clip| clip.phrases.shape() != [1, clip.frames(), config.denoiser.words]) {
            return Err(ServeError::Misfit("its actions are not one for each of its frames"));
        }
        let precision = self.model.autoencoder.mean.dtype();
        if clips().any(|clip| clip.frames() == 0 || clip.latents.dtype() != precision) {
            return Err(ServeError::Misfit("its frames are of another precision, or none"));
        }
        Ok(())
    }

    /// The same of adapters and of the optimiser's state.
    fn check_memories(&self, episode: &Episode<B>) -> Result<(), ServeError> {
        let fresh = self.worlds.with_memory.begin(episode.start().clone(), episode.seed())?;
        let expected = fresh.memory().map(shapes);
        let of_chunks = episode.chunks().iter().map(|chunk| chunk.memory.as_ref());
        let all = std::iter::once(episode.fresh.as_ref()).chain(of_chunks);
        for (chunks, memory) in all.enumerate() {
            if memory.map(shapes) != expected {
                return Err(ServeError::Misfit("its adapters have other shapes"));
            }
            let most = self.steps_per_chunk.saturating_mul(chunks);
            if memory.is_some_and(|memory| memory.steps_taken > most) {
                return Err(ServeError::Misfit("its adapters took more steps than its chunks"));
            }
        }
        Ok(())
    }

    /// Episodes with a picture of where they are.
    fn shown(
        &self,
        episodes: Sides<Episode<B>>,
        chunks: Vec<ChunkRecord>,
    ) -> Result<Played<B>, ServeError> {
        let last = |episode: &Episode<B>| {
            let clip = episode.chunks().last().map_or(episode.start(), |chunk| &chunk.clip);
            self.picture(&clip.last(1))
        };
        let view = episodes.try_map(last)?;
        Ok(Played { episodes, chunks, view })
    }

    /// The PNG of a clip's first frame.
    fn picture(&self, clip: &Clip<B>) -> Result<Vec<u8>, ServeError> {
        Ok(self.animation(&clip.latents)?.png(0)?)
    }

    fn animation(&self, latents: &Tensor<B, 5>) -> Result<Animation, ServeError> {
        let config = &self.model.autoencoder_config;
        Ok(Animation::new(self.model.decode(latents)?, config.height, config.width)?)
    }
}

/// What is told of the last chunk of both sides.
fn record<B: Backend>(
    phrase: String,
    unknown: Vec<String>,
    episodes: &Sides<Episode<B>>,
) -> ChunkRecord {
    ChunkRecord {
        number: episodes.with_memory.chunks().len(),
        phrase,
        unknown,
        with_memory: SideRecord::of_last(&episodes.with_memory),
        without_memory: SideRecord::of_last(&episodes.without_memory),
    }
}

/// Sizes and precisions of the tensors of a memory: of its adapters, and of the optimiser's state.
fn shapes<B: Backend>(memory: &Iterate<B>) -> [Vec<(usize, DType)>; 2] {
    let of = |tensor: &Tensor<B, 1>| (tensor.dims()[0], tensor.dtype());
    [&memory.theta, &memory.state].map(|tensors| tensors.0.iter().map(of).collect())
}
