//! What a trained system is examined on: nothing that it was trained on.

use experiment::seed::Seed;

use crate::config::{DataConfig, EvaluationConfig, Source};
use crate::corpus::{Corpus, asked};
use crate::data::{DataError, Dataset, KnowledgeSet, Split, load, some_by_id};
use crate::fingerprint::Fingerprint;
use crate::history::{Part, TrainedFile, unseen};

/// Knowledge sets to examine a system on.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSet {
    /// Name, such as `4 hops` or `test`.
    pub name: String,
    /// How much of it there is, and why.
    pub part: Part,
    /// The sets.
    pub sets: Vec<KnowledgeSet>,
}

/// The test sets that `config` describes, for a system with the given training history.
///
/// Generators and data of several splits have test sets of their own. A single split is asked as a whole, unless the
/// system was trained on that file; see [`unseen`].
///
/// # Errors
/// As the readers and generators; [`DataError::Configuration`] for a file that the system was trained on as a whole.
pub fn test_sets(
    config: &DataConfig,
    evaluation: &EvaluationConfig,
    history: Option<&[TrainedFile]>,
    seed: &Seed,
) -> Result<Vec<TestSet>, DataError> {
    let corpus = match &config.source {
        Source::File { path, options } => {
            let dataset = load(path, options)?;
            if dataset.splits.len() == 1 {
                return Ok(vec![single_split(dataset, config, evaluation, history, seed)?]);
            }
            Corpus::of_dataset(config, dataset, evaluation, seed)?
        }
        Source::Kinship(_) | Source::Rules(_) => Corpus::new(config, evaluation, seed)?,
    };
    let part = if corpus.tests_are_divided_off() { Part::HeldOut } else { Part::Whole };
    let test_set = |(name, sets)| TestSet { name, part, sets };
    Ok(corpus.tests.into_iter().map(test_set).collect())
}

fn single_split(
    dataset: Dataset,
    config: &DataConfig,
    evaluation: &EvaluationConfig,
    history: Option<&[TrainedFile]>,
    seed: &Seed,
) -> Result<TestSet, DataError> {
    let (split, sets) = dataset.splits.into_iter().next().expect("a data set is never empty");
    let files: Vec<Fingerprint> = dataset.files.into_values().flatten().collect();
    let presumed = TrainedFile {
        content: Fingerprint::of_parts(&[]),
        held_out: config.held_out,
        split_seed: config.split_seed,
    };
    let (part, sets) = unseen(history, &files, &presumed, sets);
    if sets.is_empty() {
        let problem = "has nothing to ask: the system was trained on all of this file; give other data, or train with data.held_out above 0";
        return Err(DataError::Configuration { field: "data", problem: problem.into() });
    }
    let sets = some_by_id(sets, evaluation.final_sets, config.split_seed);
    let sets = asked(&sets, config.distractors, &seed.child("test"))?;
    let name = if part == Part::Whole { split.to_string() } else { Split::Test.to_string() };
    Ok(TestSet { name, part, sets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};
    use crate::data::{LoadOptions, native};

    /// A folder with one file of 100 sets for each name, and the configuration that reads `path` in it.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        let sets = generator.knowledge_sets(Chains::Any, 100).unwrap();
        for name in files {
            native::write(std::fs::File::create(folder.path().join(name)).unwrap(), &sets).unwrap();
        }
        folder
    }

    fn config(folder: &tempfile::TempDir, path: &str) -> DataConfig {
        let source =
            Source::File { path: folder.path().join(path), options: LoadOptions::default() };
        DataConfig { source, held_out: 0.3, ..DataConfig::default() }
    }

    fn of(config: &DataConfig, history: Option<&[TrainedFile]>) -> Vec<TestSet> {
        test_sets(config, &EvaluationConfig::default(), history, &Seed::new(0)).unwrap()
    }

    #[test]
    fn a_file_is_asked_as_a_whole_only_if_it_was_not_trained_on() {
        let folder = folder(&["kin.jsonl"]);
        let config = config(&folder, "kin.jsonl");
        let corpus = Corpus::new(&config, &EvaluationConfig::default(), &Seed::new(0)).unwrap();
        let trained = of(&config, Some(&corpus.trained_on));
        assert_eq!((trained[0].name.as_str(), trained[0].part), ("test", Part::HeldOut));
        assert_eq!(trained[0].sets, corpus.tests[0].1, "what training tests on");
        let other = of(&config, Some(&[]));
        assert_eq!(
            (other[0].name.as_str(), other[0].part, other[0].sets.len()),
            ("kin", Part::Whole, 100)
        );
        let unknown = of(&config, None);
        assert_eq!((unknown[0].part, &unknown[0].sets), (Part::Presumed, &trained[0].sets));

        let all = TrainedFile { held_out: 0.0, ..corpus.trained_on[0].clone() };
        let error = test_sets(&config, &EvaluationConfig::default(), Some(&[all]), &Seed::new(0));
        assert!(error.unwrap_err().to_string().contains("other data"));
    }

    #[test]
    fn the_test_split_of_trained_data_is_whole_in_a_folder_and_alone() {
        let folder = folder(&["train.jsonl", "test.jsonl"]);
        let whole = config(&folder, "");
        let corpus = Corpus::new(&whole, &EvaluationConfig::default(), &Seed::new(0)).unwrap();
        assert_eq!(corpus.trained_on.len(), 1, "the training split alone");
        let within = of(&whole, Some(&corpus.trained_on));
        assert_eq!((within[0].part, within[0].sets.len()), (Part::Whole, 100));
    }

    #[test]
    fn validation_data_alone_leaves_a_part_of_the_training_file_to_test_on() {
        let folder = folder(&["train.jsonl", "dev.jsonl"]);
        let found = of(&config(&folder, ""), Some(&[]));
        assert_eq!((found[0].name.as_str(), found[0].part), ("test", Part::HeldOut));
    }

    #[test]
    fn generators_have_test_sets_of_their_own() {
        let evaluation = EvaluationConfig { final_sets: 3, ..EvaluationConfig::default() };
        let found =
            test_sets(&DataConfig::default(), &evaluation, Some(&[]), &Seed::new(0)).unwrap();
        assert_eq!((found[0].part, found[0].sets.len()), (Part::Whole, 3));
    }

    #[test]
    fn a_few_sets_of_a_file_are_not_the_first_ones() {
        let folder = folder(&["kin.jsonl"]);
        let evaluation = EvaluationConfig { final_sets: 10, ..EvaluationConfig::default() };
        let few = test_sets(&config(&folder, "kin.jsonl"), &evaluation, Some(&[]), &Seed::new(0));
        let (few, all) = (few.unwrap(), of(&config(&folder, "kin.jsonl"), Some(&[])));
        assert_eq!(few[0].sets.len(), 10);
        assert_ne!(few[0].sets, all[0].sets[..10]);
        assert!(few[0].sets.iter().all(|set| all[0].sets.contains(set)));
    }
}
