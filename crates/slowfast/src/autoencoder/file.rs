//! A trained autoencoder as one safetensors file, with its configuration and the scenes it was trained on in the metadata.

use std::path::Path;

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::atomic::write_atomically;
use experiment::run_directory::file_or_of_run;
use experiment::seed::Seed;
use inner_outer::named_tensors::{NamedTensors, Precision, parameters, with_values};

use super::{Autoencoder, AutoencoderConfig, AutoencoderError};
use crate::clip::TrainingScenes;
use crate::described_file::{describe, described};
use crate::remedies;

/// What a run leaves behind, and what a model's folder holds.
pub const AUTOENCODER_FILE: &str = "autoencoder.safetensors";
/// Key of the file's metadata.
const CONFIG: &str = "slowfast_autoencoder";

/// Writes an autoencoder of this configuration as one file, wholly or not at all, with the scenes that it was trained on if
/// they are known.
///
/// # Errors
/// [`AutoencoderError::State`] for a precision that such files do not have, [`AutoencoderError::Access`].
pub fn save_autoencoder<B: Backend>(
    autoencoder: &Autoencoder<B>,
    config: &AutoencoderConfig,
    trained_on: Option<&TrainingScenes>,
    path: &Path,
) -> Result<(), AutoencoderError> {
    let content = describe(&parameters(autoencoder), CONFIG, config, trained_on)
        .map_err(AutoencoderError::State)?;
    let access = |source| AutoencoderError::Access { path: path.to_owned(), source };
    write_atomically(path, &content).map_err(access)
}

/// Reads an autoencoder with its configuration, from its file or from the folder of a run or a model, and the scenes that it
/// was trained on; none in files of programs that did not write them down.
///
/// # Errors
/// [`AutoencoderError::Access`], and [`AutoencoderError::Damaged`] for a file that is cut off or something else.
pub fn load_autoencoder<B: Backend>(
    path: &Path,
    device: &Device<B>,
) -> Result<(Autoencoder<B>, AutoencoderConfig, Option<TrainingScenes>), AutoencoderError> {
    let path = &file_or_of_run(path, AUTOENCODER_FILE);
    let access = |source| AutoencoderError::Access { path: path.clone(), source };
    let content = std::fs::read(path).map_err(access)?;
    let damaged = |problem: String| AutoencoderError::Damaged { path: path.clone(), problem };
    let (config, trained_on) = described(&content, CONFIG, "autoencoder").map_err(damaged)?;
    let fresh = Autoencoder::new(&config, &Seed::new(0), device)
        .map_err(|error| damaged(error.to_string()))?;
    let filled = filled(fresh, content).map_err(|error| damaged(remedies::in_file(&error)))?;
    Ok((filled, config, trained_on))
}

fn filled<B: Backend>(
    autoencoder: Autoencoder<B>,
    content: Vec<u8>,
) -> inner_outer::Result<Autoencoder<B>> {
    let mut file = NamedTensors::read(content)?;
    let value = |name: &str, shape: &[usize]| file.take(name, shape).map(Some);
    let filled = with_values(autoencoder, Precision::OfParameter, value)?;
    file.finish()?;
    Ok(filled)
}
