//! What a system was trained on, so that nobody examines it on that.

use std::collections::HashSet;

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
    /// Share of the rest that was validated on and not trained on, as [`divided_for_validation`] takes it; 0 where there was
    /// a validation split of its own. `None` in a system that was saved before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated: Option<f64>,
}

/// Divides what is left for training into (what is trained on, about `share` of it to validate on), apart from the division
/// for tests by the same seed. `share` is from 0 to 1.
pub fn divided_for_validation(
    sets: Vec<KnowledgeSet>,
    share: f64,
    split_seed: u64,
) -> (Vec<KnowledgeSet>, Vec<KnowledgeSet>) {
    split_by_id(sets, share, split_seed ^ 1)
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
    /// All of it, of which some may have been trained on: an earlier stage drew from a generator, and nobody keeps what it drew.
    PossiblyGenerated,
    /// As many as a generator is asked for. A training keeps out the sets that it tests on itself, so others may be among what it drew.
    Generated,
}

impl Part {
    /// The same part for a system that was also trained on generated sets, which may say and ask what a file does.
    pub fn beside_generated(self) -> Self {
        match self {
            Self::Whole => Self::PossiblyGenerated,
            Self::HeldOut | Self::Presumed | Self::Generated | Self::PossiblyGenerated => self,
        }
    }

    /// The part with its reason, for a line of text.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Whole => "whole, not trained on",
            Self::PossiblyGenerated => {
                "whole; the system was trained on generated sets, and questions of this file may be among them"
            }
            Self::HeldOut => "held-out part, trained on the rest",
            Self::Generated => "generated, kept out of training as far as that tested the same",
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
    match history {
        Some(history) => unseen_by(history, files, sets),
        None => (Part::Presumed, held_out(sets, presumed)),
    }
}

/// As [`unseen`], for a system that tells its history.
pub fn unseen_by(
    history: &[TrainedFile],
    files: &[Fingerprint],
    sets: Vec<KnowledgeSet>,
) -> (Part, Vec<KnowledgeSet>) {
    let seen: Vec<&TrainedFile> = of_files(history, files).collect();
    match seen.is_empty() {
        true => (Part::Whole, sets),
        false => (Part::HeldOut, seen.into_iter().fold(sets, held_out)),
    }
}

/// The sets of files to validate on that no earlier stage in `history` was trained on: what it held out, and what it validated
/// on itself. An entry that does not tell the share of the latter is taken to have had `presumed`.
pub fn untrained(
    history: &[TrainedFile],
    files: &[Fingerprint],
    presumed: f64,
    sets: Vec<KnowledgeSet>,
) -> Vec<KnowledgeSet> {
    let left_out = |sets, file: &TrainedFile| {
        let (rest, held_out) = split_by_id(sets, file.held_out, file.split_seed);
        let validated = file.validated.unwrap_or(presumed);
        [held_out, divided_for_validation(rest, validated, file.split_seed).1].concat()
    };
    of_files(history, files).fold(sets, left_out)
}

/// The sets of files that a system with this `history` may have been trained on. An entry that does not tell what was validated on
/// is taken for one without.
pub fn trained(
    history: &[TrainedFile],
    files: &[Fingerprint],
    sets: &[KnowledgeSet],
) -> Vec<KnowledgeSet> {
    let of_one = |file: &TrainedFile| {
        let (rest, _) = split_by_id(sets.to_vec(), file.held_out, file.split_seed);
        divided_for_validation(rest, file.validated.unwrap_or(0.0), file.split_seed).0
    };
    let mut told: Vec<&TrainedFile> = Vec::new();
    for file in of_files(history, files) {
        let parts = |file: &TrainedFile| (file.held_out, file.split_seed, file.validated);
        // Stages, and the files of one, divide alike.
        if !told.iter().any(|before| parts(before) == parts(file)) {
            told.push(file);
        }
    }
    told.into_iter().flat_map(of_one).collect()
}

/// How many different files there are in this `history`, and how many of these are not among `files`.
pub fn absent(history: &[TrainedFile], files: &[Fingerprint]) -> (usize, usize) {
    let all: HashSet<Fingerprint> = history.iter().map(|file| file.content).collect();
    let absent = all.iter().filter(|content| !files.contains(content)).count();
    (all.len(), absent)
}

fn held_out(sets: Vec<KnowledgeSet>, file: &TrainedFile) -> Vec<KnowledgeSet> {
    split_by_id(sets, file.held_out, file.split_seed).1
}

/// The entries of `history` that are of one of `files`.
fn of_files<'a>(
    history: &'a [TrainedFile],
    files: &'a [Fingerprint],
) -> impl Iterator<Item = &'a TrainedFile> {
    history.iter().filter(|file| files.contains(&file.content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};

    fn file(text: &str, held_out: f64, split_seed: u64) -> TrainedFile {
        let content = Fingerprint::of_parts(&[text.as_bytes()]);
        TrainedFile { content, held_out, split_seed, validated: Some(0.2) }
    }

    fn sets() -> Vec<KnowledgeSet> {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        generator.knowledge_sets(Chains::Any, 200).unwrap()
    }

    #[test]
    fn only_what_was_held_out_every_time_is_unseen() {
        let sets = sets();
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

    #[test]
    fn what_an_earlier_stage_validated_on_may_be_validated_on_again() {
        let (training, held_out) = split_by_id(sets(), 0.1, 0);
        let (trained, validated) = divided_for_validation(training.clone(), 0.2, 0);
        assert!(!trained.is_empty() && !validated.is_empty() && !held_out.is_empty());
        let earlier = file("this", 0.1, 0);
        let left = |history: &[TrainedFile], presumed, sets: &[KnowledgeSet]| {
            untrained(history, &[earlier.content], presumed, sets.to_vec())
        };
        let stage = std::slice::from_ref(&earlier);
        assert_eq!(left(stage, 0.0, &validated), validated);
        assert!(left(stage, 0.0, &trained).is_empty());
        assert_eq!(left(stage, 0.0, &training), validated);
        assert_eq!(left(stage, 0.0, &held_out), held_out);
        assert_eq!(left(&[file("other", 0.0, 0)], 0.0, &trained), trained);
        let untold = [TrainedFile { validated: None, ..earlier.clone() }];
        assert_eq!(left(&untold, 0.2, &validated), validated);
        assert!(left(&untold, 0.0, &validated).is_empty());
        // What one stage held out another may have been trained on.
        let both = [earlier.clone(), file("this", 0.0, 7)];
        assert!(left(&both, 0.0, &sets()).len() < validated.len() + held_out.len());
        assert_eq!(super::trained(stage, &[earlier.content], &sets()), trained);
        assert_eq!(super::trained(&untold, &[earlier.content], &sets()), training);
        assert!(super::trained(&[file("other", 0.0, 0)], &[earlier.content], &sets()).is_empty());
    }

    #[test]
    fn files_of_several_stages_are_counted_once() {
        let (this, other) = (file("this", 0.1, 0), file("other", 0.0, 0));
        let history = [this.clone(), other.clone(), file("this", 0.5, 1)];
        assert_eq!(absent(&history, &[]), (2, 2));
        assert_eq!(absent(&history, &[other.content]), (2, 1));
        assert_eq!(absent(&history, &[other.content, this.content]), (2, 0));
    }

    #[test]
    fn systems_saved_without_the_share_of_validation_are_read() {
        let told = file("this", 0.1, 0);
        let untold = TrainedFile { validated: None, ..told.clone() };
        let text = serde_json::to_string(&untold).unwrap();
        assert!(!text.contains("validated"), "{text}");
        for file in [told, untold] {
            let text = serde_json::to_string(&file).unwrap();
            assert_eq!(serde_json::from_str::<TrainedFile>(&text).unwrap(), file);
        }
    }
}
