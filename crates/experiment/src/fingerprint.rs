//! Which data, model or file something belongs to, as a SHA-256.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hexadecimal;

/// The SHA-256 of one byte string as other tools know it, in 64 hexadecimal digits.
pub fn sha256(content: impl AsRef<[u8]>) -> String {
    hexadecimal::encode(&Sha256::digest(content))
}

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fingerprint; give the 64 hexadecimal digits that were printed or saved")]
pub struct NotAFingerprint(String);

impl Fingerprint {
    /// Of the byte strings that `parts` hands to the function it is given, one by one, so that they need not be in memory
    /// together. Where one ends and the next begins counts.
    pub fn of_stream(parts: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Self {
        let mut digest = Sha256::new();
        parts(&mut |part| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        });
        Self(digest.finalize().into())
    }

    /// Of several byte strings; where one ends and the next begins counts.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        Self::of_stream(|add| parts.iter().for_each(|part| add(part)))
    }

    /// Of everything that several fingerprints are of.
    pub fn of_all(parts: &[Self]) -> Self {
        Self::of_parts(&parts.iter().map(|part| part.0.as_slice()).collect::<Vec<_>>())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal::encode(&self.0))
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
        hexadecimal::decode(text).map(Self).ok_or_else(|| NotAFingerprint(text.to_owned()))
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sha256_is_that_of_fips_180() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), expected);
    }

    #[test]
    fn boundaries_between_parts_count() {
        let of = |parts: &[&[u8]]| Fingerprint::of_parts(parts);
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"ab"]), of(&[b"ab", b""]));
    }

    proptest! {
        #[test]
        fn texts_come_back(bytes: [u8; 32]) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            let json = serde_json::to_string(&fingerprint).unwrap();
            prop_assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
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
