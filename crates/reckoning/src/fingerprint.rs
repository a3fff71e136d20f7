//! Which system a memory belongs to, as a SHA-256.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use inner_outer::{Rates, named_tensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::Gpt2;

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fingerprint; give the 64 hexadecimal digits that were printed or saved")]
pub struct NotAFingerprint(String);

impl Fingerprint {
    /// Of every parameter of a model and every inner rate, with its path, precision, shape and bits.
    pub fn of_parameters<B: Backend>(model: &Gpt2<B>, rates: &Rates<B>) -> Self {
        let mut digest = Sha256::new();
        add_parameters(&mut digest, "model", model);
        add_parameters(&mut digest, "rates", rates);
        Self(digest.finalize().into())
    }

    /// Of everything that several fingerprints are of.
    pub(crate) fn of_all(parts: &[Self]) -> Self {
        Self::of_parts(&parts.iter().map(|part| part.0.as_slice()).collect::<Vec<_>>())
    }

    /// Of several byte strings; where one ends and the next begins counts.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        parts.iter().for_each(|part| add(&mut digest, part));
        Self(digest.finalize().into())
    }
}

fn add_parameters<B: Backend, M: Module<B>>(digest: &mut Sha256, role: &str, module: &M) {
    named_tensors::visit(module, |path, value| {
        let TensorData { bytes, shape, dtype } = &value();
        add(digest, role.as_bytes());
        add(digest, path.as_bytes());
        add(digest, format!("{dtype:?} {:?}", shape.as_slice()).as_bytes());
        add(digest, bytes);
    });
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
    use burn::module::Param;
    use proptest::prelude::*;

    use super::*;
    use crate::test_systems::{model, rates};

    #[test]
    fn one_bit_of_a_parameter_or_a_rate_changes_it() {
        let (base, learned) = (model(0), rates(&model(0)));
        let original = Fingerprint::of_parameters::<Flex>(&base, &learned);
        assert_eq!(Fingerprint::of_parameters(&base.clone(), &learned.clone()), original);
        assert_ne!(Fingerprint::of_parameters(&model(1), &learned), original);
        let mut other = learned.clone();
        let negated = other.tensors[3].val().neg();
        other.tensors[3] = Param::from_tensor(negated);
        assert_ne!(Fingerprint::of_parameters(&base, &other), original);
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
