//! What a system was trained on, so that nobody examines it on that.

use serde::{Deserialize, Serialize};

use crate::data::{KnowledgeSet, split_by_id};
use crate::fingerprint::Fingerprint;

/// A file that a system was trained on, or on a part of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedFile {
    /// The file's text.
    pub content: Fingerprint,
    /// Share of its knowledge sets that were held out for testing; 0 if it was a training split of its own.
    pub held_out: f64,
    /// Seed of that division.
    pub split_seed: u64,
}

/// How much of a test set a system may be examined on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// All of it: none of it was trained on.
    Whole,
    /// The part that was held out: the system was trained on the rest of the same file.
    HeldOut,
    /// The part that the configuration holds out: the system does not tell what it was trained on.
    Presumed,
}

impl Part {
    /// The part with its reason, for a line of text.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Whole => "whole, not trained on",
            Self::HeldOut => "held-out part, trained on the rest",
            Self::Presumed => {
                "held-out part by the configuration, the system does not tell what it was trained on"
            }
        }
    }
}

/// The sets of a file that a system has not seen.
///
/// A file counts as seen if its text, whatever its name and place, is that of a file in `history`. Where several
/// entries are of this file, as after training in stages, a set must have been held out every time. A system without history
/// (`None`, saved before there was one) gets the part that `presumed` holds out.
pub fn unseen(
    history: Option<&[TrainedFile]>,
    files: &[Fingerprint],
    presumed: &TrainedFile,
    sets: Vec<KnowledgeSet>,
) -> (Part, Vec<KnowledgeSet>) {
    let held_out = |sets, file: &TrainedFile| split_by_id(sets, file.held_out, file.split_seed).1;
    let Some(history) = history else { return (Part::Presumed, held_out(sets, presumed)) };
    let seen: Vec<&TrainedFile> =
        history.iter().filter(|file| files.contains(&file.content)).collect();
    match seen.is_empty() {
        true => (Part::Whole, sets),
        false => (Part::HeldOut, seen.into_iter().fold(sets, held_out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};

    fn file(text: &str, held_out: f64, split_seed: u64) -> TrainedFile {
        TrainedFile { content: Fingerprint::of_parts(&[text.as_bytes()]), held_out, split_seed }
    }

    #[test]
    fn only_what_was_held_out_every_time_is_unseen() {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        let sets = generator.knowledge_sets(Chains::Any, 200).unwrap();
        let (first, second) = (file("this", 0.5, 0), file("this", 0.5, 1));
        let presumed = file("", 0.2, 0);
        let part = |history: Option<&[TrainedFile]>| {
            unseen(history, &[first.content], &presumed, sets.clone())
        };
        let held_out =
            |file: &TrainedFile| split_by_id(sets.clone(), file.held_out, file.split_seed).1;
        assert_eq!(part(Some(&[])), (Part::Whole, sets.clone()));
        assert_eq!(part(Some(&[file("other", 0.5, 0)])), (Part::Whole, sets.clone()));
        assert_eq!(part(Some(std::slice::from_ref(&first))), (Part::HeldOut, held_out(&first)));
        assert_eq!(part(None), (Part::Presumed, held_out(&presumed)));
        let (is_part, both) = part(Some(&[first.clone(), second.clone()]));
        assert!(is_part == Part::HeldOut && !both.is_empty());
        assert!(
            both.iter()
                .all(|set| held_out(&first).contains(set) && held_out(&second).contains(set))
        );
        assert!(part(Some(&[file("this", 0.0, 0)])).1.is_empty(), "a training split of its own");
    }
}
