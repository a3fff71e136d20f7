//! What is asked: which splits, which questions of them, and in which form.

use experiment::seed::Seed;

use crate::config::{DataConfig, EvaluationConfig};
use crate::data::{DataError, Distractors, KnowledgeSet, Split};

/// The seed of the distractors of sets that are asked: that of the data, so that all systems are asked the same.
pub(crate) fn asking(config: &DataConfig) -> Seed {
    Seed::new(config.split_seed).child("corpus")
}

/// Which of a data set's splits are asked: proper test splits, beside which files of other names are variants of the
/// same data; else those of other names; else the one that is trained on, or the only one there is.
pub(crate) fn asked_splits<'a>(splits: impl Iterator<Item = &'a Split>) -> Vec<Split> {
    let splits: Vec<&Split> = splits.collect();
    let kinds: [fn(&Split) -> bool; 3] = [
        |split| matches!(split, Split::Test | Split::TestAtHops(_)),
        |split| matches!(split, Split::Other(_)),
        |split| matches!(split, Split::Train),
    ];
    let of_kind = |is_of_kind: &fn(&Split) -> bool| -> Vec<Split> {
        splits.iter().filter(|split| is_of_kind(split)).map(|&split| split.clone()).collect()
    };
    let all = || splits.iter().map(|&split| split.clone()).collect();
    kinds.iter().map(of_kind).find(|found| !found.is_empty()).unwrap_or_else(all)
}

/// The sets of an evaluation, in the form that questions are asked in: one set a question where distractors are
/// controlled.
///
/// # Errors
/// As [`KnowledgeSet::with_distractors`].
pub fn asked(
    sets: &[KnowledgeSet],
    distractors: Option<Distractors>,
    seed: &Seed,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let Some(distractors) = distractors else { return Ok(sets.to_vec()) };
    let mut asked = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let mut random = seed.child("asked").index(index as u64).rng();
        for question in 0..set.questions.len() {
            asked.push(set.with_distractors(question, distractors, &mut random)?);
        }
    }
    Ok(asked)
}

/// Drops questions of other hops, and sets without question; no `hops` are all.
pub(crate) fn keep_hops(sets: &mut Vec<KnowledgeSet>, hops: &[usize]) {
    let wanted = |hop: usize| hops.is_empty() || hops.contains(&hop);
    sets.iter_mut().for_each(|set| set.questions.retain(|question| wanted(question.hops)));
    sets.retain(|set| !set.questions.is_empty());
}

/// Refuses an evaluation that asks nothing for its choice of hops.
pub(crate) fn require_asked(
    is_empty: bool,
    evaluation: &EvaluationConfig,
) -> Result<(), DataError> {
    if !is_empty || evaluation.hops.is_empty() {
        return Ok(());
    }
    let hops = &evaluation.hops;
    let problem = format!("is {hops:?}, but no question of the test splits has one of these hops");
    Err(DataError::Configuration { field: "evaluation.hops", problem })
}
