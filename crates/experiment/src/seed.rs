//! Randomness that splits like a tree: every task, client or sample gets its own stream, named by what it is for,
//! so that no stream depends on how many numbers another one drew or on which thread ran first.

use std::fmt;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hexadecimal;

/// One node of the tree of random streams.
///
/// A child's key is the SHA-256 of its parent's key and of the child's name, so sibling streams are as independent
/// as the hash is good. In files a seed is written as 64 hexadecimal digits.
///
/// ```
/// use experiment::seed::Seed;
/// use rand::RngExt;
///
/// let seed = Seed::new(7);
/// let mut noise = seed.child("noise").index(3).rng();
/// let mut again = seed.child("noise").index(3).rng();
/// assert_eq!(noise.random::<u64>(), again.random::<u64>());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Seed([u8; 32]);

/// Keeps the three kinds of derivation apart: `child("0")` is not `index(0)`, and neither is the stream itself.
#[derive(Clone, Copy)]
enum Purpose {
    Root = 0,
    Child = 1,
    Index = 2,
    Stream = 3,
}

impl Seed {
    /// The root of the tree for the `number` a user chose.
    pub fn new(number: u64) -> Self {
        Self(derive([0; 32], Purpose::Root, &number.to_le_bytes()))
    }

    /// The sub-tree named `label`, such as `"weights"`.
    #[must_use]
    pub fn child(&self, label: &str) -> Self {
        Self(derive(self.0, Purpose::Child, label.as_bytes()))
    }

    /// The sub-tree of item number `index`, such as a step, a client or a sample.
    #[must_use]
    pub fn index(&self, index: u64) -> Self {
        Self(derive(self.0, Purpose::Index, &index.to_le_bytes()))
    }

    /// The generator of this node. Two calls give the same stream from its start.
    pub fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(derive(self.0, Purpose::Stream, &[]))
    }
}

fn derive(key: [u8; 32], purpose: Purpose, name: &[u8]) -> [u8; 32] {
    // The key and the purpose have a fixed length, so no two different inputs run together to the same bytes.
    Sha256::new()
        .chain_update(key)
        .chain_update([purpose as u8])
        .chain_update(name)
        .finalize()
        .into()
}

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Seed({})", hexadecimal::encode(&self.0))
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        hexadecimal::encode(&seed.0)
    }
}

/// A text that is not a seed.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a seed: write 64 hexadecimal digits, as a saved run has them")]
pub struct NotASeed(String);

impl TryFrom<String> for Seed {
    type Error = NotASeed;

    fn try_from(text: String) -> Result<Self, NotASeed> {
        hexadecimal::decode(&text).map(Self).ok_or(NotASeed(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::RngExt;

    fn first(seed: &Seed) -> [u64; 4] {
        seed.rng().random()
    }

    proptest! {
        #[test]
        fn different_children_have_different_streams(number: u64, left: String, right: String) {
            prop_assume!(left != right);
            let seed = Seed::new(number);
            prop_assert_ne!(first(&seed.child(&left)), first(&seed.child(&right)));
        }

        #[test]
        fn different_indices_and_roots_have_different_streams(left: u64, right: u64) {
            prop_assume!(left != right);
            prop_assert_ne!(first(&Seed::new(left)), first(&Seed::new(right)));
            prop_assert_ne!(first(&Seed::new(0).index(left)), first(&Seed::new(0).index(right)));
        }

        #[test]
        fn a_child_is_neither_an_index_nor_its_parent(number: u64, index: u64) {
            let seed = Seed::new(number);
            let label = index.to_string();
            prop_assert_ne!(first(&seed.child(&label)), first(&seed.index(index)));
            prop_assert_ne!(first(&seed.child(&label)), first(&seed));
        }

        #[test]
        fn the_path_matters_and_not_its_concatenation(number: u64, left in "[a-z]{1,4}", right in "[a-z]{1,4}") {
            let seed = Seed::new(number);
            let joined = seed.child(&format!("{left}{right}"));
            prop_assert_ne!(first(&seed.child(&left).child(&right)), first(&joined));
        }

        #[test]
        fn seeds_survive_being_saved(number: u64) {
            let seed = Seed::new(number).child("saved");
            let text = serde_json::to_string(&seed).unwrap();
            prop_assert_eq!(serde_json::from_str::<Seed>(&text).unwrap(), seed);
        }
    }

    /// Recomputed by hand with another SHA-256: a change of these bits silently changes every published run.
    #[test]
    fn the_derivation_is_fixed_for_ever() {
        let text = String::from(Seed::new(7).child("weights").index(3));
        assert_eq!(text, "f1892ce70b9759cef63d4a4eccf332215fb34cb3be1238815fd8263875dc6e17");
    }

    #[test]
    fn sibling_streams_are_uncorrelated() {
        let draw = |index| -> Vec<f64> {
            let mut rng = Seed::new(1).index(index).rng();
            (0..4000).map(|_| rng.random::<f64>() - 0.5).collect()
        };
        let (left, right) = (draw(0), draw(1));
        let covariance = left.iter().zip(&right).map(|(a, b)| a * b).sum::<f64>() / 4000.0;
        // The correlation of independent uniforms has a standard deviation of 1 / sqrt(4000) = 0.016.
        assert!((covariance * 12.0).abs() < 0.08, "correlation {}", covariance * 12.0);
    }

    #[test]
    fn a_text_that_is_no_seed_is_refused() {
        for text in [
            "\"\"",
            "\"12\"",
            &format!("\"{}\"", "g".repeat(64)),
            &format!("\"{}\"", "é".repeat(32)),
        ] {
            let failure = serde_json::from_str::<Seed>(text).unwrap_err().to_string();
            assert!(failure.contains("64 hexadecimal digits"), "{failure}");
        }
    }
}
