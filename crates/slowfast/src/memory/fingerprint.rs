//! Which denoiser a memory belongs to, as a SHA-256.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::tensor::backend::Backend;
use inner_outer::named_tensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fingerprint; give the 64 hexadecimal digits that were printed or saved")]
pub struct NotAFingerprint(String);

impl Fingerprint {
    /// Of every parameter of a module, with its path, precision, shape and bits, and of `more`.
    pub fn of<B: Backend, M: Module<B>>(module: &M, more: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        named_tensors::visit(module, |path, value| {
            let data = value();
            let shape = format!("{:?} {:?}", data.dtype, data.shape.as_slice());
            for part in [path.as_bytes(), shape.as_bytes(), &data.bytes] {
                add(&mut digest, part);
            }
        });
        more.iter().for_each(|part| add(&mut digest, part));
        Self(digest.finalize().into())
    }

    /// Of byte strings; where one ends and the next begins counts.
    pub(super) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        parts.iter().for_each(|part| add(&mut digest, part));
        Self(digest.finalize().into())
    }
}

/// Adds a byte string after its length, so that no two lists of strings look alike.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_le_bytes());
    digest.update(part);
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let refused = || NotAFingerprint(text.to_owned());
        let digit = |digit: char| digit.to_digit(16).map(|value| value as u8).ok_or_else(refused);
        let digits = text.chars().map(digit).collect::<Result<Vec<u8>, _>>()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        match bytes.try_into() {
            Ok(bytes) if rest.is_empty() => Ok(Self(bytes)),
            _ => Err(refused()),
        }
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use proptest::prelude::*;

    use super::*;
    use crate::tiny;

    #[test]
    fn every_parameter_and_every_part_counts() {
        let of = |seed: u64, more: &[&[u8]]| {
            let moved = tiny::shaken(tiny::transformer(), 1e-6, seed);
            Fingerprint::of::<Flex, _>(&moved, more)
        };
        assert_eq!(of(1, &[]), of(1, &[]));
        assert_ne!(of(1, &[]), of(2, &[]));
        assert_ne!(of(1, &[b"ab", b"c"]), of(1, &[b"a", b"bc"]));
    }

    proptest! {
        #[test]
        fn texts_come_back(bytes: [u8; 32]) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65), &"é".repeat(32)]
        {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
