//! Algorithm 1a: an episode is generated chunk by chunk, and each chunk is learned before the next.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::seed::Seed;
use inner_outer::tensors::Tensors;
use rand_chacha::ChaCha8Rng;

use crate::autoencoder::Autoencoder;
use crate::diffusion::{Clip, DiffusionError, Sampler};
use crate::memory::{
    Chunk, Episode, FastForm, FastLearner, Fingerprint, Learned, MemoryError, PlayedWith,
    of_module, with_memory,
};
use crate::model::Denoiser;
use crate::text::Phrases;

/// A trained world model: what episodes are generated with.
#[derive(Clone, Debug)]
pub struct WorldModel<B: Backend> {
    denoiser: Denoiser<B>,
    sampler: Sampler,
    fast: Option<FastLearner<B>>,
    form: FastForm,
    fingerprint: Fingerprint,
    frames_per_chunk: Option<usize>,
}

impl<B: Backend> WorldModel<B> {
    /// A model that remembers by `fast`, or not at all. A denoiser with adapters begins every episode with these.
    pub fn new(denoiser: Denoiser<B>, sampler: Sampler, fast: Option<FastLearner<B>>) -> Self {
        let fingerprint = fingerprint(&denoiser, &sampler, fast.as_ref());
        let form = fast.as_ref().map(|fast| fast.config().form).unwrap_or_default();
        Self { denoiser, sampler, fast, form, fingerprint, frames_per_chunk: None }
    }

    /// The model of the latents that this autoencoder makes: memories belong to both.
    pub fn of_autoencoder(self, autoencoder: &Autoencoder<B>) -> Self {
        let fingerprint = Fingerprint::of_all(&[self.fingerprint, of_module(autoencoder, &[])]);
        Self { fingerprint, ..self }
    }

    /// A model whose chunks all have so many frames: memories are gone on with by as many.
    pub fn in_chunks_of(self, frames: usize) -> Self {
        Self { frames_per_chunk: Some(frames), ..self }
    }

    /// A model without memory whose chunks are conditioned on as much as those of one that remembers in this form.
    pub fn conditioned_as(self, form: FastForm) -> Self {
        Self { form, ..self }
    }

    /// Algorithm 1a: the episode that begins with `start`, `X_0`, and takes these `actions`, a chunk for each entry.
    ///
    /// # Errors
    /// [`MemoryError::SeveralClips`], frames and actions that do not fit the denoiser, and fast losses that are not finite.
    pub fn generate(
        &self,
        start: Clip<B>,
        actions: &[Phrases],
        seed: &Seed,
    ) -> Result<Episode<B>, MemoryError> {
        let mut episode = self.begin(start, seed)?;
        for action in actions {
            self.next_chunk(&mut episode, action)?;
        }
        Ok(episode)
    }

    /// An episode before its first chunk, with a fresh memory `Theta_0`.
    ///
    /// # Errors
    /// [`MemoryError::SeveralClips`], and frames that do not fit the denoiser.
    pub fn begin(&self, start: Clip<B>, seed: &Seed) -> Result<Episode<B>, MemoryError> {
        if start.batch() != 1 {
            return Err(MemoryError::SeveralClips { found: start.batch() });
        }
        let fits = self.denoiser.check(start.latents.dims(), &start.phrases);
        fits.map_err(DiffusionError::from)?;
        let fresh = match &self.fast {
            Some(fast) => Some(fast.fresh(&fast.equip(&self.denoiser, seed)?)),
            None => None,
        };
        Ok(Episode { seed: seed.clone(), start, fresh, chunks: Vec::new() })
    }

    /// One pass of algorithm 1a: the frames that follow when these actions are taken, one for each, and the memory of
    /// them. Latents are handed on, never decoded and encoded again.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn next_chunk(
        &self,
        episode: &mut Episode<B>,
        actions: &Phrases,
    ) -> Result<Clip<B>, MemoryError> {
        // X_i = Y_{i-1}
        let past = self.past(episode, actions)?;
        // Y_i = sample(Phi + Theta_i; X_i, C_i)
        let mut noise = stream(episode, "noise").rng();
        let latents = self.sample(episode, &past, actions, &mut noise)?;
        let chunk = Clip { latents, phrases: actions.clone() };
        // Theta_{i+1} = Theta_i - alpha grad L(X_i, Y_i)
        self.observe(episode, chunk.clone())?;
        Ok(chunk)
    }

    /// `sample(Phi + Theta_i; past, actions)`, the frames that come next in an episode.
    pub(crate) fn sample(
        &self,
        episode: &Episode<B>,
        past: &Clip<B>,
        actions: &Phrases,
        noise: &mut ChaCha8Rng,
    ) -> Result<Tensor<B, 5>, MemoryError> {
        let denoiser = self.with_memory_of(episode)?;
        let sampled = match episode.memory() {
            Some(_) => self.sampler.sample_against(&denoiser, &self.denoiser, past, actions, noise),
            None => self.sampler.sample(&denoiser, past, actions, noise),
        };
        Ok(sampled?)
    }

    /// Adds a chunk to the episode and learns it, whether it was generated or seen.
    ///
    /// # Errors
    /// Frames that do not fit the denoiser, and fast losses that are not finite.
    pub fn observe(&self, episode: &mut Episode<B>, chunk: Clip<B>) -> Result<(), MemoryError> {
        episode.past(self.form).check_before(&chunk)?;
        let past = self.past(episode, &chunk.phrases)?;
        let local = past.followed_by(&chunk);
        let fits = self.denoiser.check(local.latents.dims(), &local.phrases);
        fits.map_err(DiffusionError::from)?;
        let mut random = stream(episode, "fast learning").rng();
        let (memory, losses) = match &self.fast {
            Some(fast) => {
                let equipped = fast.equip(&self.denoiser, episode.seed())?;
                let Learned { memory, losses } =
                    fast.learn(&equipped, episode, &past, &chunk, &mut random)?;
                (Some(memory), losses)
            }
            None => (None, Vec::new()),
        };
        let seed = episode.seed.clone();
        episode.chunks.push(Chunk { clip: chunk, memory, losses, seed });
        Ok(())
    }

    /// `Phi + Theta_i`: the denoiser with what the episode left in its memory.
    ///
    /// # Errors
    /// If the adapters do not fit the denoiser.
    pub fn with_memory_of(&self, episode: &Episode<B>) -> Result<Denoiser<B>, MemoryError> {
        match (&self.fast, episode.memory()) {
            (Some(fast), Some(memory)) => {
                let equipped = fast.equip(&self.denoiser, episode.seed())?;
                Ok(with_memory(equipped, &memory.theta))
            }
            _ => Ok(self.denoiser.clone()),
        }
    }

    /// Saves an episode of this model as one file.
    ///
    /// # Errors
    /// As [`Episode::save`].
    pub fn save(&self, episode: &Episode<B>, path: &Path) -> Result<(), MemoryError> {
        episode.save(path, &self.played_with())
    }

    /// Reads an episode of this model: it goes on bit for bit.
    ///
    /// # Errors
    /// As [`Episode::load`].
    pub fn load(&self, path: &Path, device: &Device<B>) -> Result<Episode<B>, MemoryError> {
        Episode::load(path, &self.played_with(), device)
    }

    /// The content of the file that [`Self::save`] writes.
    ///
    /// # Errors
    /// As [`Episode::to_bytes`].
    pub fn to_bytes(&self, episode: &Episode<B>) -> Result<Vec<u8>, MemoryError> {
        episode.to_bytes(&self.played_with())
    }

    /// Reads an episode of this model from a file's content; errors call it `path`.
    ///
    /// # Errors
    /// As [`Episode::from_bytes`].
    pub fn from_bytes(
        &self,
        content: &[u8],
        path: &Path,
        device: &Device<B>,
    ) -> Result<Episode<B>, MemoryError> {
        Episode::from_bytes(content, path, &self.played_with(), device)
    }

    /// What a chunk of these `actions` is conditioned on. Nothing led to the first frame of an episode, which is told what comes next,
    /// as [`encode`](crate::video_model::encode) has it.
    fn past(&self, episode: &Episode<B>, actions: &Phrases) -> Result<Clip<B>, MemoryError> {
        if !episode.chunks().is_empty() {
            return Ok(episode.past(self.form));
        }
        let Clip { latents, phrases } = episode.start().clone();
        phrases.check_before(actions).map_err(DiffusionError::from)?;
        let start = Clip { latents, phrases: phrases.beginning_with(actions) };
        Ok(self.form.past_of(&start))
    }

    /// What a chunk is conditioned on when `chunk` came before it.
    pub fn past_of(&self, chunk: &Clip<B>) -> Clip<B> {
        self.form.past_of(chunk)
    }

    /// The denoiser, `Phi`.
    pub fn denoiser(&self) -> &Denoiser<B> {
        &self.denoiser
    }

    /// The sampler.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Which model this is; memories name it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn played_with(&self) -> PlayedWith {
        PlayedWith {
            base: self.fingerprint,
            fast: self.fast.as_ref().map(FastLearner::config).cloned(),
            sampler: *self.sampler.config(),
            frames_per_chunk: self.frames_per_chunk,
        }
    }
}

/// The random stream of the episode's next chunk for one purpose.
fn stream<B: Backend>(episode: &Episode<B>, purpose: &str) -> Seed {
    episode.seed().child(purpose).index(episode.chunks().len() as u64)
}

/// Of everything that decides what a memory does: the denoiser, the noise it was trained on, and learned rates.
fn fingerprint<B: Backend>(
    denoiser: &Denoiser<B>,
    sampler: &Sampler,
    fast: Option<&FastLearner<B>>,
) -> Fingerprint {
    let diffusion = sampler.diffusion();
    let signal: Vec<u8> = (0..diffusion.schedule.steps())
        .flat_map(|t| diffusion.schedule.signal(t).to_le_bytes())
        .collect();
    let prediction = format!("{:?}", diffusion.prediction);
    let rates = fast.and_then(FastLearner::learned_rates).map(|rates| Tensors::of(rates).to_f64());
    let rates: Vec<u8> = rates.into_iter().flatten().flat_map(f64::to_le_bytes).collect();
    of_module(denoiser, &[&signal, prediction.as_bytes(), &rates])
}

#[cfg(test)]
mod tests;
