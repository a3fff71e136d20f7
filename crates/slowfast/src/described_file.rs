//! What files of trained networks say of themselves.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::de::DeserializeOwned;

/// The description under `key` in the metadata of a safetensors file of a `kind`, such as `denoiser`, and all of the metadata.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn described<T: DeserializeOwned>(
    content: &[u8],
    key: &str,
    kind: &str,
) -> Result<(T, BTreeMap<String, String>), String> {
    let (_, header) = SafeTensors::read_metadata(content)
        .map_err(|error| format!("no whole safetensors file ({error})"))?;
    let metadata: BTreeMap<String, String> =
        header.metadata().clone().into_iter().flatten().collect();
    let text = metadata.get(key).ok_or_else(|| format!("a safetensors file, but no {kind}"))?;
    let description = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((description, metadata))
}
