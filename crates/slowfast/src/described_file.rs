//! Files of trained networks that say of themselves what they are: one description, and the scenes that were trained on.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use inner_outer::named_tensors::{metadata, with_metadata, write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clip::TrainingScenes;

/// The content of a safetensors file of these tensors, with a description under `key` in its metadata, and the scenes if they
/// are told beside it.
///
/// # Errors
/// Those of [`write`].
pub(crate) fn describe<T: Serialize>(
    tensors: &[(String, TensorData)],
    key: &str,
    description: &T,
    trained_on: Option<&TrainingScenes>,
) -> inner_outer::Result<Vec<u8>> {
    let text = serde_json::to_string(description).expect("settings are valid JSON");
    let mut metadata = BTreeMap::from([(key.to_owned(), text)]);
    if let Some(scenes) = trained_on {
        scenes.write(&mut metadata);
    }
    with_metadata(&write(tensors)?, &metadata)
}

/// The description under `key` in the metadata of a safetensors file of a `kind`, such as `denoiser`, and the scenes that are
/// told beside it.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn described<T: DeserializeOwned>(
    content: &[u8],
    key: &str,
    kind: &str,
) -> Result<(T, Option<TrainingScenes>), String> {
    let metadata =
        metadata(content).map_err(|error| format!("no whole safetensors file ({error})"))?;
    let text = metadata.get(key).ok_or_else(|| format!("a safetensors file, but no {kind}"))?;
    let description = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((description, TrainingScenes::read(&metadata)?))
}
