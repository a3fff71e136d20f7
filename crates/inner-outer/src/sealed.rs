//! Safetensors files that say what they are, and can tell that they are no longer what was written.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

use crate::Result;
use crate::named_tensors::{metadata, with_metadata};

/// The digest's key in the metadata.
const DIGEST: &str = "sha256";

/// How files of one kind are sealed: with a description in their metadata and a digest of it and of all tensors.
#[derive(Clone, Copy, Debug)]
pub struct Seal {
    /// What such a file is called where it is refused, such as `memory`.
    pub kind: &'static str,
    /// The description's key in the metadata.
    pub key: &'static str,
    /// The SHA-256 of the description and the file without it, with the place where one ends.
    pub digest: fn(&[&[u8]]) -> String,
}

impl Seal {
    /// `content`, a safetensors file, with its `description` and their digest in place of other metadata.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) if `content` is no whole safetensors file.
    pub fn close(&self, description: &str, content: &[u8]) -> Result<Vec<u8>> {
        let metadata = [
            (self.key.to_owned(), description.to_owned()),
            (DIGEST.to_owned(), (self.digest)(&[description.as_bytes(), content])),
        ];
        with_metadata(content, &BTreeMap::from(metadata))
    }

    /// The description in a sealed file, and the safetensors file that it describes, as it was before it was sealed if it was
    /// written by [`write`](crate::named_tensors::write).
    ///
    /// # Errors
    /// What is wrong with the file: cut off, of another kind, or changed.
    pub fn open(&self, sealed: &[u8]) -> Result<(String, Vec<u8>), String> {
        let mut metadata =
            metadata(sealed).map_err(|error| format!("no whole {} ({error})", self.kind))?;
        let (Some(description), Some(stated)) = (metadata.remove(self.key), metadata.get(DIGEST))
        else {
            return Err(format!("a safetensors file, but no {}", self.kind));
        };
        let file = SafeTensors::deserialize(sealed).map_err(|error| error.to_string())?;
        let content =
            safetensors::serialize(file.tensors(), None).map_err(|error| error.to_string())?;
        match (self.digest)(&[description.as_bytes(), &content]) == *stated {
            true => Ok((description, content)),
            false => Err("changed since it was written".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::named_tensors::write;

    /// Not a digest to rely on, but one that every byte changes.
    fn sum(parts: &[&[u8]]) -> String {
        let bytes = parts.iter().flat_map(|part| part.iter().chain([&0xff]));
        bytes.fold(7_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte)).to_string()
    }

    const SEAL: Seal = Seal { kind: "memory", key: "memory", digest: sum };

    fn content() -> Vec<u8> {
        let tensors = [("b", 1.0), ("a", f32::NAN)];
        write(&tensors.map(|(name, x)| (name.to_owned(), TensorData::from([x])))).unwrap()
    }

    #[test]
    fn what_was_closed_is_opened() {
        for description in ["", "{\"seed\": 1}"] {
            let sealed = SEAL.close(description, &content()).unwrap();
            assert_eq!(SEAL.open(&sealed), Ok((description.to_owned(), content())));
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let sealed = SEAL.close("{}", &content()).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            // Blanks that fill up the header carry nothing, so a change there may be harmless.
            if let Ok(opened) = SEAL.open(&changed) {
                assert_eq!(opened, ("{}".to_owned(), content()));
            }
            let refused = SEAL.open(&sealed[..place]).unwrap_err();
            assert!(refused.starts_with("no whole memory"), "{place}: {refused}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let other = Seal { key: "another", ..SEAL }.close("{}", &content()).unwrap();
        for file in [content(), other] {
            assert_eq!(SEAL.open(&file), Err("a safetensors file, but no memory".into()));
        }
        assert!(SEAL.close("{}", &content()[1..]).is_err());
    }
}
