//! Knowledge sets by split, and splits that share neither sets nor proofs.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{KnowledgeSet, Statistics};
use crate::fingerprint::Fingerprint;

/// The kinds of data that [`super::load`] recognises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// CLUTRR's tables, crowd-sourced or templated.
    Clutrr,
    /// CLUTRR-SG: facts as relations between letters.
    ClutrrSg,
    /// ProofWriter, open world, with blanks to fill or in its original format.
    ProofWriter,
    /// Our own format, [`super::native`].
    Native,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Clutrr => "CLUTRR",
            Self::ClutrrSg => "CLUTRR-SG",
            Self::ProofWriter => "ProofWriter",
            Self::Native => "native",
        })
    }
}

/// What a part of a data set is for, read from its file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// `train...` or `..._train`.
    Train,
    /// `dev`, `val`, `valid` or `validation`.
    Validation,
    /// `test`.
    Test,
    /// CLUTRR's `1.K_test`: chains of K facts.
    TestAtHops(usize),
    /// Any other name, as written.
    Other(String),
}

impl Split {
    /// The split that a file name (without extension) speaks of, by its first or last word.
    pub fn of_file(stem: &str) -> Self {
        let lower = stem.to_lowercase();
        let parts: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
        let role = |part: &&&str| match **part {
            "train" | "training" => Some(Self::Train),
            "dev" | "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        };
        match (
            parts.as_slice(),
            parts.last().and_then(|part| role(&part)),
            parts.first().and_then(|part| role(&part)),
        ) {
            ([_, hops, _], Some(Self::Test), _) if hops.parse::<usize>().is_ok() => {
                hops.parse().map_or(Self::Test, Self::TestAtHops)
            }
            (_, Some(split), _) | (_, None, Some(split)) => split,
            (_, None, None) => Self::Other(stem.to_owned()),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Train => formatter.write_str("train"),
            Self::Validation => formatter.write_str("validation"),
            Self::Test => formatter.write_str("test"),
            Self::TestAtHops(hops) => write!(formatter, "test-{hops}"),
            Self::Other(name) => formatter.write_str(name),
        }
    }
}

/// A file of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its text, whatever the file is called and packed in.
    pub content: Fingerprint,
    /// How many knowledge sets it has. Those of a split's files stand one after the other in the split.
    pub sets: usize,
}

impl DataFile {
    /// The texts of several files.
    pub fn contents(files: &[Self]) -> Vec<Fingerprint> {
        files.iter().map(|file| file.content).collect()
    }
}

/// Everything loaded from one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What the files were recognised as.
    pub kind: Kind,
    /// Knowledge sets by split, in the order of the files. Never empty.
    pub splits: BTreeMap<Split, Vec<KnowledgeSet>>,
    /// The files of each split, in their order.
    pub files: BTreeMap<Split, Vec<DataFile>>,
    /// Files of the folder or archive that are no data, each with what it looks like.
    pub skipped: Vec<String>,
    /// What of the files is not in the knowledge sets, and why.
    pub remarks: Vec<String>,
}

impl Dataset {
    /// Every knowledge set, split after split.
    pub fn knowledge_sets(&self) -> impl Iterator<Item = &KnowledgeSet> {
        self.splits.values().flatten()
    }

    /// The text of each file with its knowledge sets.
    ///
    /// # Panics
    /// If a split has fewer sets than its files.
    pub fn by_file(&self) -> impl Iterator<Item = (Fingerprint, &[KnowledgeSet])> {
        self.files.iter().flat_map(move |(split, files)| {
            let mut rest = self.splits.get(split).map_or(&[][..], Vec::as_slice);
            files.iter().map(move |file| {
                let (sets, after) = rest.split_at(file.sets);
                rest = after;
                (file.content, sets)
            })
        })
    }

    /// Counts over every split together; [`Statistics::of`] counts one.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(self.knowledge_sets())
    }
}

/// Divides sets into (the rest, about `fraction` of them) by a hash of their identifiers.
///
/// A set goes to the same side wherever it stands in whatever list, so the two sides never share an identifier.
/// `fraction` is from 0 to 1.
pub fn split_by_id(
    sets: Vec<KnowledgeSet>,
    fraction: f64,
    seed: u64,
) -> (Vec<KnowledgeSet>, Vec<KnowledgeSet>) {
    sets.into_iter().partition(|set| draw(seed, &set.id) >= fraction)
}

/// `most` of the sets, in the order of the list; all where `most` is 0 or there are no more.
///
/// Which ones depends on their identifiers and the seed alone, so that a list in another order gives the same sets.
pub fn some_by_id(mut sets: Vec<KnowledgeSet>, most: usize, seed: u64) -> Vec<KnowledgeSet> {
    if most == 0 || sets.len() <= most {
        return sets;
    }
    let mut order: Vec<(f64, usize)> =
        sets.iter().zip(0..).map(|(set, place)| (draw(seed, &set.id), place)).collect();
    order.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let kept: HashSet<usize> = order[..most].iter().map(|(_, place)| *place).collect();
    let mut places = 0..;
    sets.retain(|_| places.next().is_some_and(|place| kept.contains(&place)));
    sets
}

/// A number from 0 to below 1 that depends on `seed` and `key` alone.
fn draw(seed: u64, key: &str) -> f64 {
    let hash = Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(key).finalize();
    unit_interval(&hash)
}

/// A hash as a number from 0 to below 1.
pub(super) fn unit_interval(hash: &[u8]) -> f64 {
    const BITS: u32 = 48;
    let leading = hash
        .iter()
        .take(BITS as usize / 8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    leading as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};

    fn kinship_sets() -> Vec<KnowledgeSet> {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        generator.knowledge_sets(Chains::Any, 600).unwrap()
    }

    #[test]
    fn file_names_speak_of_splits() {
        for (stem, name) in [
            ("1.2,1.3_train", "train"),
            ("1.10_test", "test-10"),
            ("1.2,1.3_test", "test"),
            ("sg_2hop_dev", "validation"),
            ("owa_natlang_dev_with_proofs", "owa_natlang_dev_with_proofs"),
            ("Test", "test"),
            ("train-00000-of-00001", "train"),
            ("facts", "facts"),
            ("", ""),
        ] {
            assert_eq!(Split::of_file(stem).to_string(), name, "{stem}");
        }
        assert!(Split::TestAtHops(9) < Split::TestAtHops(10));
    }

    #[test]
    fn splitting_by_identifier_keeps_everything_and_does_not_depend_on_order() {
        let mut sets = kinship_sets();
        let (train, held_out) = split_by_id(sets.clone(), 0.25, 3);
        assert_eq!(train.len() + held_out.len(), sets.len());
        assert!((100..200).contains(&held_out.len()), "{}", held_out.len());
        sets.reverse();
        let (_, mut again) = split_by_id(sets, 0.25, 3);
        again.reverse();
        assert_eq!(again, held_out);
    }

    #[test]
    fn the_ends_of_the_range_keep_or_hold_out_everything() {
        let sets = kinship_sets();
        assert_eq!(split_by_id(sets.clone(), 0.0, 1).1.len(), 0);
        assert_eq!(split_by_id(sets, 1.0, 1).0.len(), 0);
    }

    #[test]
    fn some_sets_are_the_same_ones_in_any_order() {
        let mut sets = kinship_sets();
        let some = some_by_id(sets.clone(), 50, 3);
        let places: Vec<usize> =
            some.iter().map(|set| sets.iter().position(|other| other == set).unwrap()).collect();
        assert!(places.len() == 50 && places.is_sorted(), "{places:?}");
        assert!(*places.last().unwrap() > 300, "not the first ones: {places:?}");
        assert_ne!(some_by_id(sets.clone(), 50, 4), some);
        assert_eq!(some_by_id(sets.clone(), 0, 3), sets);
        assert_eq!(some_by_id(sets.clone(), 601, 3), sets);
        sets.reverse();
        let mut again = some_by_id(sets, 50, 3);
        again.reverse();
        assert_eq!(again, some);
    }
}
