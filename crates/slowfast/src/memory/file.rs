//! An episode as a file: its frames, actions, and the Temp-LoRA after every chunk.
//!
//! A safetensors file with the values of all tensors and, in its metadata, a description (what the episode was played
//! with, seeds, actions, losses) and a digest of everything.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::atomic::write_atomically;
use experiment::seed::Seed;
use inner_outer::inner::Iterate;
use inner_outer::named_tensors::{NamedTensors, write};
use inner_outer::sealed::Seal;
use inner_outer::tensors::Tensors;
use serde::{Deserialize, Serialize};

use super::{Chunk, Episode, FastConfig, Fingerprint, MemoryError};
use crate::diffusion::{Clip, SamplerConfig};
use crate::remedies;
use crate::text::Phrases;

const VERSION: u32 = 2;
const SEAL: Seal = Seal {
    kind: "memory",
    key: "slowfast_memory",
    digest: |parts| Fingerprint::of_parts(parts).to_string(),
};

/// What an episode is played with: with all of it alike it goes on bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayedWith {
    /// Which model.
    pub base: Fingerprint,
    /// The fast learning; none without memory.
    pub fast: Option<FastConfig>,
    /// How chunks are sampled.
    pub sampler: SamplerConfig,
    /// Frames of every chunk; none where each has a number of its own.
    pub frames_per_chunk: Option<usize>,
}

impl PlayedWith {
    /// The first setting that is another than here, with what it was in an `episode` and what it is here.
    fn difference(&self, episode: &Self) -> Option<(&'static str, String, String)> {
        let settings = |of: &Self| {
            [
                ("the fast learning", text(&of.fast)),
                ("`sampler`", text(&of.sampler)),
                ("`frames_per_chunk`", text(&of.frames_per_chunk)),
            ]
        };
        let pairs = settings(episode).into_iter().zip(settings(self));
        let mut different = pairs.filter(|((_, found), (_, expected))| found != expected);
        different.next().map(|((setting, found), (_, expected))| (setting, found, expected))
    }
}

fn text(setting: &impl Serialize) -> String {
    serde_json::to_string(setting).expect("settings are valid JSON")
}

/// Everything that is no tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    played_with: PlayedWith,
    seed: Seed,
    start: Phrases,
    fresh: Option<MemoryDescription>,
    chunks: Vec<ChunkDescription>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChunkDescription {
    phrases: Phrases,
    losses: Vec<f64>,
    seed: Seed,
    memory: Option<MemoryDescription>,
}

/// How many tensors a memory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryDescription {
    theta: usize,
    state: usize,
    steps_taken: usize,
}

/// What every version of the description has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl<B: Backend> Episode<B> {
    /// Writes the episode, which was `played_with` these, as one file, wholly or not at all.
    ///
    /// # Errors
    /// [`MemoryError::NotStorable`], and [`MemoryError::Access`] when the file cannot be written.
    pub fn save(&self, path: &Path, played_with: &PlayedWith) -> Result<(), MemoryError> {
        let content = self.to_bytes(played_with)?;
        let access = |source| MemoryError::Access { path: path.to_owned(), source };
        write_atomically(path, &content).map_err(access)
    }

    /// What [`Self::save`] writes.
    ///
    /// # Errors
    /// [`MemoryError::NotStorable`].
    pub fn to_bytes(&self, played_with: &PlayedWith) -> Result<Vec<u8>, MemoryError> {
        content(&text(&self.describe(played_with)), &self.tensors())
    }

    /// Reads an episode to go on with it with these.
    ///
    /// # Errors
    /// [`MemoryError::Access`], and those of [`Self::from_bytes`].
    pub fn load(path: &Path, with: &PlayedWith, device: &Device<B>) -> Result<Self, MemoryError> {
        let access = |source| MemoryError::Access { path: path.to_owned(), source };
        let content = std::fs::read(path).map_err(access)?;
        Self::from_bytes(&content, path, with, device)
    }

    /// Reads an episode from a file's content; errors call it `path`.
    ///
    /// # Errors
    /// [`MemoryError::Damaged`] for a file with any byte changed or missing, or with other tensors than it describes,
    /// [`MemoryError::Version`], [`MemoryError::AnotherBase`] and [`MemoryError::OtherSettings`].
    pub fn from_bytes(
        content: &[u8],
        path: &Path,
        with: &PlayedWith,
        device: &Device<B>,
    ) -> Result<Self, MemoryError> {
        let owned = || path.to_owned();
        let damaged = |problem: String| MemoryError::Damaged { path: owned(), problem };
        let (text, tensors) = SEAL.open(content).map_err(damaged)?;
        let told = |error: inner_outer::Error| damaged(remedies::in_file(&error));
        let tensors = NamedTensors::read(tensors).map_err(told)?;
        let unread = |error: serde_json::Error| damaged(error.to_string());
        let Version { version: found } = serde_json::from_str(&text).map_err(unread)?;
        if found != VERSION {
            return Err(MemoryError::Version { path: owned(), found, known: VERSION });
        }
        let description: Description = serde_json::from_str(&text).map_err(unread)?;
        let (found, expected) = (description.played_with.base, with.base);
        if found != expected {
            return Err(MemoryError::AnotherBase { path: owned(), found, expected });
        }
        if let Some((setting, found, expected)) = with.difference(&description.played_with) {
            return Err(MemoryError::OtherSettings { path: owned(), setting, found, expected });
        }
        let episode = Reader { tensors, device }.episode(description);
        episode.map_err(told)
    }

    fn describe(&self, played_with: &PlayedWith) -> Description {
        let memory = |memory: &Iterate<B>| MemoryDescription {
            theta: memory.theta.len(),
            state: memory.state.len(),
            steps_taken: memory.steps_taken,
        };
        let chunk = |chunk: &Chunk<B>| ChunkDescription {
            phrases: chunk.clip.phrases.clone(),
            losses: chunk.losses.clone(),
            seed: chunk.seed.clone(),
            memory: chunk.memory.as_ref().map(memory),
        };
        Description {
            version: VERSION,
            played_with: played_with.clone(),
            seed: self.seed.clone(),
            start: self.start.phrases.clone(),
            fresh: self.fresh.as_ref().map(memory),
            chunks: self.chunks.iter().map(chunk).collect(),
        }
    }

    fn tensors(&self) -> Vec<(String, TensorData)> {
        let mut found = vec![("start".to_owned(), self.start.latents.to_data())];
        let add = |prefix: &str, memory: Option<&Iterate<B>>| {
            let Some(Iterate { theta, state, .. }) = memory else { return Vec::new() };
            let part = |kind: &str, tensors: &Tensors<B>| {
                let named = tensors.0.iter().enumerate();
                named
                    .map(|(index, tensor)| (format!("{prefix}.{kind}.{index}"), tensor.to_data()))
                    .collect::<Vec<_>>()
            };
            [part("theta", theta), part("state", state)].concat()
        };
        found.extend(add("fresh", self.fresh.as_ref()));
        for (index, chunk) in self.chunks.iter().enumerate() {
            found.push((format!("chunks.{index}.latents"), chunk.clip.latents.to_data()));
            found.extend(add(&format!("chunks.{index}"), chunk.memory.as_ref()));
        }
        found
    }
}

/// The content of a file with these.
fn content(description: &str, tensors: &[(String, TensorData)]) -> Result<Vec<u8>, MemoryError> {
    let sealed = write(tensors).and_then(|content| SEAL.close(description, &content));
    sealed.map_err(MemoryError::NotStorable)
}

/// Takes an episode's tensors out of a file.
struct Reader<'d, B: Backend> {
    tensors: NamedTensors,
    device: &'d Device<B>,
}

impl<B: Backend> Reader<'_, B> {
    fn episode(mut self, description: Description) -> inner_outer::Result<Episode<B>> {
        let start = self.clip("start", description.start)?;
        let fresh = self.memory("fresh", description.fresh)?;
        let mut chunks = Vec::with_capacity(description.chunks.len());
        for (index, chunk) in description.chunks.into_iter().enumerate() {
            let prefix = format!("chunks.{index}");
            chunks.push(Chunk {
                clip: self.clip(&format!("{prefix}.latents"), chunk.phrases)?,
                memory: self.memory(&prefix, chunk.memory)?,
                losses: chunk.losses,
                seed: chunk.seed,
            });
        }
        self.tensors.finish()?;
        Ok(Episode { seed: description.seed, start, fresh, chunks })
    }

    fn clip(&mut self, name: &str, phrases: Phrases) -> inner_outer::Result<Clip<B>> {
        Ok(Clip { latents: self.tensor(name)?, phrases })
    }

    fn memory(
        &mut self,
        prefix: &str,
        description: Option<MemoryDescription>,
    ) -> inner_outer::Result<Option<Iterate<B>>> {
        let Some(MemoryDescription { theta, state, steps_taken }) = description else {
            return Ok(None);
        };
        let mut part = |kind: &str, count: usize| {
            let names = (0..count).map(|index| format!("{prefix}.{kind}.{index}"));
            names.map(|name| self.tensor(&name)).collect::<inner_outer::Result<_>>().map(Tensors)
        };
        Ok(Some(Iterate {
            theta: part("theta", theta)?,
            state: part("state", state)?,
            steps_taken,
        }))
    }

    fn tensor<const D: usize>(&mut self, name: &str) -> inner_outer::Result<Tensor<B, D>> {
        // Another rank than `D` is a mismatch that `take` reports.
        let shape = self.tensors.shape(name).filter(|shape| shape.len() == D);
        let shape = shape.unwrap_or(&[0; D]).to_vec();
        let data = self.tensors.take(name, &shape)?;
        let precision = data.dtype;
        Ok(Tensor::from_data(data, (self.device, precision)))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use serde_json::json;

    use super::*;
    use crate::tiny;

    #[test]
    fn tensors_that_nothing_describes_are_refused() {
        let (fast, frames_per_chunk) = (None, None);
        let (base, sampler) = (Fingerprint::of_parts(&[]), SamplerConfig::default());
        let with = PlayedWith { base, fast, sampler, frames_per_chunk };
        let (seed, start) = (Seed::new(1), tiny::clip(1, 1, 0));
        let episode = Episode { seed, start, fresh: None, chunks: Vec::new() };
        let read = |tensors: &[(String, TensorData)]| {
            let content = content(&text(&episode.describe(&with)), tensors).unwrap();
            let path = Path::new("memory.safetensors");
            Episode::<Flex>::from_bytes(&content, path, &with, &Default::default())
        };
        let mut tensors = episode.tensors();
        assert!(read(&tensors).is_ok());
        tensors.push(("fresh.theta.0".to_owned(), TensorData::from([0.5f32])));
        let refused = read(&tensors).unwrap_err();
        assert!(matches!(refused, MemoryError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("`fresh.theta.0`"), "{refused}");
    }

    #[test]
    fn memories_of_an_earlier_format_are_refused_as_such() {
        let base = Fingerprint::of_parts(&[]);
        let earlier = json!({ "version": 1, "base": base, "fast": null, "chunks": [] });
        let content = content(&earlier.to_string(), &[]).unwrap();
        let (fast, frames_per_chunk) = (None, None);
        let with = PlayedWith { base, fast, sampler: SamplerConfig::default(), frames_per_chunk };
        let path = Path::new("memory.safetensors");
        let refused = Episode::<Flex>::from_bytes(&content, path, &with, &Default::default());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("format 1") && refused.contains("format 2"), "{refused}");
    }
}
