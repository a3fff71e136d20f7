//! GPT-2 as Hugging Face's Transformers saves it: a folder with `config.json` and `model.safetensors`.
//!
//! Their `Conv1D` stores weights as `[in, out]`, which is our layout too; only an untied output head is transposed.

mod config;
mod names;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn::tensor::{Device, TensorData};
use experiment::atomic::write_atomically;
use inner_outer::named_tensors::{self, Precision, parameters, with_values};

use self::names::Names;
use super::config::{Initialization, ModelConfig};
use super::gpt2::Gpt2;
use crate::parameter_file::{ParameterFile, ParameterFileError};

/// The file that tells a folder of this kind.
pub const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// A failure to load or save a Hugging Face model. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The configuration describes a model that this one is not.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The `config.json`.
        path: PathBuf,
        /// What is wrong and its remedy.
        problem: String,
    },
    /// The weights cannot be read.
    #[error(transparent)]
    Weights(#[from] ParameterFileError),
    /// A head of its own in a model that ties its head to the token embedding.
    #[error(
        "{}: `lm_head.weight` differs from the token embedding, but the configuration ties the two, as GPT-2 does where nothing is said; set \"tie_word_embeddings\": false to use \
         it, or remove the tensor",
        path.display()
    )]
    UntiedHead {
        /// The weights.
        path: PathBuf,
    },
    /// The configuration given for saving is not that of the model.
    #[error(
        "the configuration does not describe the model that is to be saved; pass the one it was made with"
    )]
    OtherShape,
    /// The weights cannot be written.
    #[error(
        "cannot save the model's weights: {0}; convert its parameters to half, single or double precision"
    )]
    Precision(#[source] inner_outer::Error),
}

/// Loads `config.json` and `model.safetensors` of a folder; see [`load_files`].
///
/// # Errors
/// As [`load_files`].
pub fn load<B: Backend>(
    folder: &Path,
    device: &Device<B>,
) -> Result<(Gpt2<B>, ModelConfig), HuggingFaceError> {
    load_files(&folder.join(CONFIG), &folder.join(WEIGHTS), device)
}

/// Loads a GPT-2 from its configuration and weights, with or without language-modelling head.
///
/// Weights of half, single or double precision are converted to the backend's usual precision. The head is
/// tied to the token embedding unless the configuration says otherwise. Settings of dropout are ignored: there is none here.
///
/// # Errors
/// [`HuggingFaceError::Access`] and [`HuggingFaceError::Config`] for the configuration, such as another activation
/// function than GPT-2's; [`HuggingFaceError::Weights`] for a damaged file and missing, unknown or misshapen tensors;
/// [`HuggingFaceError::UntiedHead`] for a head that contradicts the configuration.
pub fn load_files<B: Backend>(
    config: &Path,
    weights: &Path,
    device: &Device<B>,
) -> Result<(Gpt2<B>, ModelConfig), HuggingFaceError> {
    let config = config::load(config)?;
    let mut file = ParameterFile::open(weights)?;
    let names = Names::of_file(file.names());
    file.ignore(|name| names.is_mask(name));
    let has_head = file.names().any(|name| name == names::HEAD);
    if config.tied_head && has_head {
        check_tied(&mut file, weights, &names, &config)?;
    }
    let skeleton = Gpt2::skeleton(&config, device);
    let model = with_values(skeleton, Precision::OfParameter, |path, shape| {
        names.take(&mut file, path, shape).map(Some)
    })?;
    file.finish()?;
    Ok((model, config))
}

/// Saves `model`, whose shape is `config`, as `config.json` and `model.safetensors` in `folder`, which is made if need be.
/// Parameters keep their precision; low-rank adapters are merged into the weights, since the format has no place for
/// them.
///
/// # Errors
/// [`HuggingFaceError::OtherShape`], [`HuggingFaceError::Precision`], and [`HuggingFaceError::Access`] when a file
/// cannot be written.
pub fn save<B: Backend>(
    model: &Gpt2<B>,
    config: &ModelConfig,
    folder: &Path,
) -> Result<(), HuggingFaceError> {
    if !model.is_of_shape(config) {
        return Err(HuggingFaceError::OtherShape);
    }
    let names = Names::with_prefix();
    let parameters: Vec<(String, TensorData)> = parameters(&model.clone().with_merged_adapters())
        .into_iter()
        .map(|(path, data)| names.stored(&path, data))
        .collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let weights = named_tensors::write(&parameters)
        .and_then(|content| named_tensors::with_metadata(&content, &metadata))
        .map_err(HuggingFaceError::Precision)?;
    let access = |path: &Path| {
        let path = path.to_owned();
        |source| HuggingFaceError::Access { path, source }
    };
    std::fs::create_dir_all(folder).map_err(access(folder))?;
    for (name, content) in [(WEIGHTS, weights), (CONFIG, config::to_json(config))] {
        let path = folder.join(name);
        write_atomically(&path, &content).map_err(access(&path))?;
    }
    Ok(())
}

/// Refuses a stored head that differs from the embedding it is tied to; an equal one is a copy that can be left out.
fn check_tied(
    file: &mut ParameterFile,
    weights: &Path,
    names: &Names,
    config: &ModelConfig,
) -> Result<(), HuggingFaceError> {
    let shape = [config.vocabulary, config.width];
    let head = file.take(names::HEAD, &shape)?;
    let embedding = names.take(file, names::TOKEN_EMBEDDING, &shape)?;
    match head == embedding {
        true => Ok(()),
        false => Err(HuggingFaceError::UntiedHead { path: weights.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
