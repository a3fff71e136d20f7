//! What a model remembers of a set of facts: the parameters that the inner loop changed, as a file.
//!
//! Facts are encoded once and asked about many times. A memory is a safetensors file with the *values* of the adapted
//! parameters (not differences, which would not give the same bits back), and a description in its metadata: the
//! fingerprint of the base system, without which the values mean nothing, the facts, and the inner losses.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::atomic::write_atomically;
use inner_outer::inner::Adapted;
use inner_outer::sealed::Seal;
use inner_outer::tensors::to_f64;
use inner_outer::{Problem, Selection, load_selected, save_selected};
use serde::{Deserialize, Serialize};

use crate::Reckoning;
use crate::data::Fact;
use crate::fingerprint::Fingerprint;
use crate::model::Gpt2;
use crate::task::Task;

const VERSION: u32 = 1;
const SEAL: Seal = Seal {
    kind: "memory",
    key: "reckoning_memory",
    digest: |parts| Fingerprint::of_parts(parts).to_string(),
};

/// A failure to make, save, load or use a memory. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no memory, or no longer.
    #[error("{}: {problem}; encode the facts again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A version of the format that is not known here.
    #[error(
        "{}: a memory of format {found}, but only format {VERSION} can be read; encode the facts again, or use the \
         version of this program that wrote the file",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The memory was encoded by another system.
    #[error(
        "{}: encoded by the system {found}, but this one is {expected}; ask the system that encoded it, or encode the facts again with \
         this one",
        path.display()
    )]
    AnotherBase {
        /// The file.
        path: PathBuf,
        /// Fingerprint of the system that encoded it.
        found: Fingerprint,
        /// Fingerprint of the system at hand.
        expected: Fingerprint,
    },
    /// The memory's parameters are not those of the model.
    #[error("the memory does not fit the model: {0}")]
    OtherModel(#[source] inner_outer::Error),
    /// The adapted parameters cannot be stored.
    #[error("the adapted parameters cannot be stored: {0}")]
    NotStorable(#[source] inner_outer::Error),
    /// There is nothing to remember.
    #[error(
        "the knowledge set has no facts; a memory is made with a method that has an inner loop"
    )]
    NoFacts,
    /// A loss is NaN or infinite.
    #[error(
        "the loss of the facts is {loss} after {step} inner steps; train the system again with a lower inner.rate, or a lower outer.rate, by which inner rates are \
         learned"
    )]
    NotFinite {
        /// Inner steps taken.
        step: usize,
        /// The loss.
        loss: f64,
    },
}

/// The facts that a system has encoded, and what they changed in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    description: Description,
    /// A safetensors file of the adapted parameters by path.
    parameters: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    base: Fingerprint,
    facts: Vec<String>,
    losses: Vec<f64>,
}

impl Memory {
    /// The memory of `facts`, which `task` holds as tokens, in a model that the inner loop adapted to them. `base` is
    /// the fingerprint of the system before.
    ///
    /// # Errors
    /// [`MemoryError::NoFacts`], [`MemoryError::NotFinite`], and [`MemoryError::NotStorable`].
    pub fn encode<B: Backend>(
        problem: &Reckoning,
        base: Fingerprint,
        facts: &[Fact],
        task: &Task<B>,
        adapted: &Adapted<Reckoning, B>,
    ) -> Result<Self, MemoryError> {
        let rows = task.facts.as_ref().ok_or(MemoryError::NoFacts)?;
        let mut losses = adapted.inner_losses.clone();
        losses.extend(to_f64(&rows.loss(&adapted.inner)));
        if let Some((step, &loss)) = losses.iter().enumerate().find(|(_, loss)| !loss.is_finite()) {
            return Err(MemoryError::NotFinite { step, loss });
        }
        let parameters =
            save_selected(&adapted.inner, &problem.adapted()).map_err(MemoryError::NotStorable)?;
        let facts = facts.iter().map(|fact| fact.text.clone()).collect();
        Ok(Self { description: Description { version: VERSION, base, facts, losses }, parameters })
    }

    /// Writes the memory as one file, wholly or not at all.
    ///
    /// # Errors
    /// [`MemoryError::Access`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), MemoryError> {
        let access = |source| MemoryError::Access { path: path.to_owned(), source };
        write_atomically(path, &self.to_bytes()).map_err(access)
    }

    /// Reads a memory that the system with fingerprint `base` encoded.
    ///
    /// # Errors
    /// [`MemoryError::Access`], [`MemoryError::Damaged`] for a file with any byte changed or missing,
    /// [`MemoryError::Version`], and [`MemoryError::AnotherBase`].
    pub fn load(path: &Path, base: &Fingerprint) -> Result<Self, MemoryError> {
        let path = path.to_owned();
        let memory = Self::inspect(&path)?;
        match memory.description.base == *base {
            true => Ok(memory),
            false => Err(MemoryError::AnotherBase {
                path,
                found: memory.description.base,
                expected: *base,
            }),
        }
    }

    /// Reads a memory whoever encoded it, to look at what it holds.
    ///
    /// # Errors
    /// As [`Self::load`], but for the base.
    pub fn inspect(path: &Path) -> Result<Self, MemoryError> {
        let access = |source| MemoryError::Access { path: path.to_owned(), source };
        let content = std::fs::read(path).map_err(access)?;
        let damaged = |problem| MemoryError::Damaged { path: path.to_owned(), problem };
        let (description, parameters) = SEAL.open(&content).map_err(damaged)?;
        let version: Version =
            serde_json::from_str(&description).map_err(|error| damaged(error.to_string()))?;
        if version.version != VERSION {
            return Err(MemoryError::Version { path: path.to_owned(), found: version.version });
        }
        let description =
            serde_json::from_str(&description).map_err(|error| damaged(error.to_string()))?;
        Ok(Self { description, parameters })
    }

    /// The base model with the facts written into it, bit for bit as after the inner loop, which `adapted` these parameters.
    ///
    /// # Errors
    /// [`MemoryError::OtherModel`] if `base` is of another shape than the model that encoded the facts.
    pub fn apply<B: Backend>(
        &self,
        base: Gpt2<B>,
        adapted: &Selection,
    ) -> Result<Gpt2<B>, MemoryError> {
        load_selected(base, adapted, &self.parameters).map_err(MemoryError::OtherModel)
    }

    /// Fingerprint of the system that encoded the facts.
    pub fn base(&self) -> &Fingerprint {
        &self.description.base
    }

    /// The facts.
    pub fn facts(&self) -> &[String] {
        &self.description.facts
    }

    /// Loss of the facts before the first inner step and after each.
    pub fn losses(&self) -> &[f64] {
        &self.description.losses
    }

    /// Inner steps taken.
    pub fn inner_steps(&self) -> usize {
        self.description.losses.len().saturating_sub(1)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let description = serde_json::to_string(&self.description)
            .expect("texts and finite numbers are valid JSON");
        SEAL.close(&description, &self.parameters).expect("written or verified before")
    }
}

/// What every version of the description has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[cfg(test)]
mod tests;
