//! A trained system as a folder: everything that encoding facts and answering questions needs.
//!
//! | file | holds |
//! |---|---|
//! | `reckoning.toml` | format, fingerprint, shape of the model, settings |
//! | `model.safetensors` | every parameter of the model by path |
//! | `rates.safetensors` | the learned inner rates |
//! | `tokenizer.json` | a word vocabulary or a Hugging Face tokenizer |

mod tokenizer;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::atomic::write_atomically;
use inner_outer::Rates;
use inner_outer::named_tensors::{self, Precision, with_values};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use tokenizer::StoredTokenizer;

use crate::fingerprint::{Fingerprint, of_parameters};
use crate::model::{Gpt2, ModelConfig};
use crate::parameter_file::{ParameterFile, ParameterFileError};
use crate::tokenizer::TokenizerError;

const FORMAT: u32 = 2;
/// The format whose fingerprint was of parameters and rates alone.
const FORMAT_OF_PARAMETERS: u32 = 1;
/// The file that tells a folder of this kind.
pub const DESCRIPTION: &str = "reckoning.toml";
const MODEL: &str = "model.safetensors";
const RATES: &str = "rates.safetensors";
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// A failure to save or load a trained system. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainedSystemError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// No system.
    #[error("cannot access {}: there is no such file; name the folder of a trained system, such as RUN/system", path.display())]
    Absent {
        /// The file that tells a system.
        path: PathBuf,
    },
    /// The description cannot be read or written.
    #[error("{}: {problem}; use a folder that training has written, or correct the file", path.display())]
    Description {
        /// The `reckoning.toml`.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A version of the format that is not known here.
    #[error(
        "{}: a system of format {found}, but only formats {FORMAT_OF_PARAMETERS} to {FORMAT} can be read; use the version of this program that \
         wrote it, or train again",
        path.display()
    )]
    Version {
        /// The `reckoning.toml`.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Parameters or rates cannot be read.
    #[error(transparent)]
    Parameters(#[from] ParameterFileError),
    /// Parameters are of a precision that files do not have.
    #[error(
        "cannot save {file}: {source}; convert the parameters to half, single or double precision"
    )]
    Precision {
        /// The file.
        file: &'static str,
        /// What is wrong.
        source: inner_outer::Error,
    },
    /// The tokenizer cannot be read or written.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer has tokens that the model does not know.
    #[error(
        "the tokenizer has {tokens} tokens, but the model only {vocabulary}; use the tokenizer that the model was trained with"
    )]
    OtherTokenizer {
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Tokens of the model.
        vocabulary: usize,
    },
    /// The files are not those that were described.
    #[error(
        "{}: model, rates, tokenizer and settings have the fingerprint {found}, but {stated} was saved; the files are of different times or damaged, so copy \
         the folder again or train again",
        folder.display()
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// Fingerprint of the files.
        found: Fingerprint,
        /// Fingerprint in the description.
        stated: Fingerprint,
    },
    /// The configuration given for saving is not that of the model.
    #[error(
        "the configuration does not describe the model that is to be saved; pass the one it was made with"
    )]
    OtherShape,
}

/// A trained model, its inner rates, its tokenizer, and the settings of the inner loop and of texts that it was trained
/// with.
#[derive(Clone, Debug)]
pub struct TrainedSystem<B: Backend, Settings> {
    /// The shape of the model, with the size of its vocabulary.
    pub config: ModelConfig,
    /// The model.
    pub model: Gpt2<B>,
    /// The inner rates.
    pub rates: Rates<B>,
    /// The tokenizer.
    pub tokenizer: StoredTokenizer,
    /// Whatever else is needed to use the system, as it was trained.
    pub settings: Settings,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description<Settings> {
    format: u32,
    fingerprint: Fingerprint,
    model: ModelConfig,
    settings: Settings,
}

/// What every version of the description has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl<B: Backend, Settings: Serialize> TrainedSystem<B, Settings> {
    /// What memories name their base by: of the parameters and rates, the tokenizer, the model's shape and the settings.
    /// Systems with the same fingerprint encode and answer alike; a step of training changes it.
    ///
    /// # Panics
    /// If JSON cannot express the settings; it can express every structure of numbers, texts, lists and sections.
    pub fn fingerprint(&self) -> Fingerprint {
        let description = serde_json::to_vec(&(&self.config, &self.settings))
            .expect("settings are a structure that JSON can express");
        Fingerprint::of_all(&[
            of_parameters(&self.model, &self.rates),
            self.tokenizer.fingerprint(),
            Fingerprint::of_parts(&[&description]),
        ])
    }
}

impl<B: Backend, Settings> TrainedSystem<B, Settings> {
    /// Refuses parts that do not belong together.
    fn check(&self) -> Result<(), TrainedSystemError> {
        if !self.model.is_of_shape(&self.config) {
            return Err(TrainedSystemError::OtherShape);
        }
        let (tokens, vocabulary) =
            (self.tokenizer.tokenizer().vocabulary_size(), self.config.vocabulary);
        match tokens > vocabulary {
            true => Err(TrainedSystemError::OtherTokenizer { tokens, vocabulary }),
            false => Ok(()),
        }
    }
}

impl<B: Backend, Settings: Serialize> TrainedSystem<B, Settings> {
    /// Writes the system into `folder`, which is made if need be, and gives its fingerprint. An interruption leaves a
    /// folder that [`Self::load`] accepts or refuses, never a mixture that it takes for a system.
    ///
    /// # Errors
    /// [`TrainedSystemError::OtherShape`] and [`TrainedSystemError::OtherTokenizer`] for parts that do not belong
    /// together, [`TrainedSystemError::Precision`], [`TrainedSystemError::Description`] for settings that TOML cannot
    /// express, and [`TrainedSystemError::Access`] or [`TrainedSystemError::Tokenizer`] when a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<Fingerprint, TrainedSystemError> {
        self.check()?;
        let fingerprint = self.fingerprint();
        let description = Description {
            format: FORMAT,
            fingerprint,
            model: self.config.clone(),
            settings: &self.settings,
        };
        let description = toml::to_string_pretty(&description).map_err(|error| {
            TrainedSystemError::Description {
                path: folder.join(DESCRIPTION),
                problem: error.to_string(),
            }
        })?;
        let (model, rates) = (content(MODEL, &self.model)?, content(RATES, &self.rates)?);
        std::fs::create_dir_all(folder)
            .map_err(|source| TrainedSystemError::Access { path: folder.to_owned(), source })?;
        self.tokenizer.save(&folder.join(TOKENIZER))?;
        // The description comes last: its fingerprint vouches for the files before it.
        for (name, content) in
            [(MODEL, model), (RATES, rates), (DESCRIPTION, description.into_bytes())]
        {
            let path = folder.join(name);
            write_atomically(&path, &content)
                .map_err(|source| TrainedSystemError::Access { path, source })?;
        }
        Ok(fingerprint)
    }
}

impl<B: Backend, Settings: Serialize + DeserializeOwned> TrainedSystem<B, Settings> {
    /// Reads a system that [`Self::save`] wrote, with every bit of its parameters.
    ///
    /// # Errors
    /// [`TrainedSystemError::Access`], [`TrainedSystemError::Description`], [`TrainedSystemError::Version`],
    /// [`TrainedSystemError::Parameters`] and [`TrainedSystemError::Tokenizer`] for the file at fault,
    /// [`TrainedSystemError::OtherTokenizer`], and [`TrainedSystemError::Damaged`] if the files are not the ones that were
    /// saved together.
    pub fn load(folder: &Path, device: &Device<B>) -> Result<Self, TrainedSystemError> {
        let Description { format, fingerprint: stated, model: config, settings } =
            describe(&folder.join(DESCRIPTION))?;
        let mut file = ParameterFile::open(&folder.join(MODEL))?;
        let model =
            with_values(Gpt2::skeleton(&config, device), Precision::OfValue, |path, shape| {
                file.take(path, shape).map(Some)
            })?;
        file.finish()?;
        let rates = load_rates(&folder.join(RATES), device)?;
        let tokenizer = StoredTokenizer::load(&folder.join(TOKENIZER))?;
        let system = Self { config, model, rates, tokenizer, settings };
        system.check()?;
        let found = match format {
            FORMAT_OF_PARAMETERS => of_parameters(&system.model, &system.rates),
            _ => system.fingerprint(),
        };
        match found {
            found if found == stated => Ok(system),
            found => Err(TrainedSystemError::Damaged { folder: folder.to_owned(), found, stated }),
        }
    }
}

/// The shape of the model in a folder that [`TrainedSystem::save`] wrote.
///
/// # Errors
/// [`TrainedSystemError::Access`], [`TrainedSystemError::Description`] and [`TrainedSystemError::Version`].
pub fn shape<Settings: DeserializeOwned>(folder: &Path) -> Result<ModelConfig, TrainedSystemError> {
    Ok(describe::<Settings>(&folder.join(DESCRIPTION))?.model)
}

fn content<B: Backend, M: Module<B>>(
    file: &'static str,
    module: &M,
) -> Result<Vec<u8>, TrainedSystemError> {
    named_tensors::write(&named_tensors::parameters(module))
        .map_err(|source| TrainedSystemError::Precision { file, source })
}

fn describe<Settings: DeserializeOwned>(
    path: &Path,
) -> Result<Description<Settings>, TrainedSystemError> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => TrainedSystemError::Absent { path: path.to_owned() },
        _ => TrainedSystemError::Access { path: path.to_owned(), source },
    })?;
    let refused =
        |problem: String| TrainedSystemError::Description { path: path.to_owned(), problem };
    let version: Version = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if !(FORMAT_OF_PARAMETERS..=FORMAT).contains(&version.format) {
        return Err(TrainedSystemError::Version { path: path.to_owned(), found: version.format });
    }
    let description: Description<Settings> =
        toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
    description.model.check().map_err(refused)?;
    Ok(description)
}

/// Rates say by themselves how many tensors and steps they are for; the inner loop checks that they fit.
fn load_rates<B: Backend>(path: &Path, device: &Device<B>) -> Result<Rates<B>, ParameterFileError> {
    let mut file = ParameterFile::open(path)?;
    let count = file.names().count();
    let skeleton = |index| {
        let name = format!("tensors.{index}");
        let missing = || {
            let path = name.clone();
            file.refused(inner_outer::Error::ParameterNames { path, state: "missing in the file" })
        };
        let shape = file.shape(&name).ok_or_else(missing)?;
        let mismatch = |expected: Vec<usize>| {
            let (path, found) = (name.clone(), shape.to_vec());
            file.refused(inner_outer::Error::ShapeMismatch { path, expected, found })
        };
        match *shape {
            [steps, elements] if elements > 0 => {
                Ok(Param::from_tensor(Tensor::zeros([steps, elements], device)))
            }
            [steps, _] => Err(mismatch(vec![steps, 1])),
            _ => Err(mismatch(vec![shape.iter().product(), 1])),
        }
    };
    let tensors = (0..count).map(skeleton).collect::<Result<Vec<_>, ParameterFileError>>()?;
    let rates = with_values(Rates { tensors }, Precision::OfValue, |path, shape| {
        file.take(path, shape).map(Some)
    })?;
    file.finish()?;
    Ok(rates)
}

#[cfg(test)]
mod tests;
