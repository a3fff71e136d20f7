//! What a trained system is examined on: no set that it was trained on.

use std::collections::BTreeSet;

use crate::config::{DataConfig, EvaluationConfig, Source};
use crate::corpus::{
    Corpus, Text, TrainedTexts, asked, asked_splits, asking, keep_hops, remark_on_seen,
    require_asked, require_relevant,
};
use crate::data::{DataError, DataFile, Dataset, KnowledgeSet, Split, load, some_by_id};
use crate::fingerprint::Fingerprint;
use crate::history::{Part, TrainedFile, absent, trained, unseen};

/// What is known of the examples of a training that is over.
const AS_ASKED: &str = " of the files in this data, if it had the data.distractors, data.rename, data.stories and data.train_hops given here";
const UNTOLD: &str = "the system does not tell what it was trained on, so that questions which training says and asks too are not told apart";

/// Knowledge sets to examine a system on.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSet {
    /// Name, such as `4 hops` or `test`.
    pub name: String,
    /// How much of it there is, and why.
    pub part: Part,
    /// The sets.
    pub sets: Vec<KnowledgeSet>,
    /// What of them is trained on all the same: other sets of the trained files that are in this data say and ask it, with distractors,
    /// names and hops of training as the configuration has them.
    pub seen: BTreeSet<Text>,
}

/// What [`test_sets`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSets {
    /// What is asked.
    pub tests: Vec<TestSet>,
    /// What of the data is left out, and what is known of questions that were trained on, for the user to know.
    pub remarks: Vec<String>,
}

/// The test sets that `config` describes, for a system with the given training history.
///
/// Generators draw test sets of their own ([`Part::Generated`]). Of data, each split that is asked is asked as a whole, unless
/// the system was trained on its files; see [`unseen`].
///
/// # Errors
/// As the readers and generators; [`DataError::Configuration`] for a split that the system was trained on as a whole.
pub fn test_sets(
    config: &DataConfig,
    evaluation: &EvaluationConfig,
    history: Option<&[TrainedFile]>,
) -> Result<TestSets, DataError> {
    let Source::File { path, options } = &config.source else {
        let part = Part::Generated;
        let test_set = |(name, sets)| TestSet { name, part, sets, seen: BTreeSet::new() };
        let tests = Corpus::new(config, evaluation)?.tests.into_iter().map(test_set).collect();
        let remarks = remark_on_absent(history.unwrap_or_default(), &[]).into_iter().collect();
        return Ok(TestSets { tests, remarks });
    };
    let dataset = load(path, options)?;
    let absent = remark_on_absent(history.unwrap_or_default(), &contents(&dataset));
    let trained_sets = trained_sets(config, history.unwrap_or_default(), &dataset);
    let trained_texts = TrainedTexts::new(config, &trained_sets);
    let Dataset { mut splits, mut files, mut remarks, .. } = dataset;
    let is_alone = splits.len() == 1;
    let mut tests = Vec::new();
    for split in asked_splits(splits.keys()) {
        let sets = splits.remove(&split).expect("one of the splits");
        if sets.is_empty() {
            continue;
        }
        let files = DataFile::contents(&files.remove(&split).unwrap_or_default());
        // What a training on this data holds out: nothing of a test split beside a training split.
        let is_divided = is_alone || split == Split::Train;
        let held_out = if is_divided { config.held_out } else { 1.0 };
        let content = Fingerprint::of_parts(&[]);
        let split_seed = config.split_seed;
        let presumed = TrainedFile { content, held_out, split_seed, validated: None };
        let (part, mut sets) = unseen(history, &files, &presumed, sets);
        if sets.is_empty() {
            let problem = format!(
                "the system was trained on all of the split `{split}`, which leaves nothing to ask; give other data, or train with data.held_out above 0"
            );
            return Err(DataError::Configuration { field: "data", problem });
        }
        keep_hops(&mut sets, &evaluation.hops);
        if sets.is_empty() {
            continue;
        }
        require_relevant(config.distractors, &sets)?;
        let sets = some_by_id(sets, evaluation.final_sets, config.split_seed);
        let sets = asked(&sets, config.distractors, &asking(config).child("test"))?;
        // A part is called what the training calls it that held it out.
        let is_part = is_divided && part != Part::Whole;
        let name = if is_part { Split::Test.to_string() } else { split.to_string() };
        let seen = trained_texts.among(&sets);
        tests.push(TestSet { name, part, sets, seen });
    }
    require_asked(tests.is_empty(), evaluation)?;
    if tests.is_empty() {
        let problem =
            "has test splits, but none of them has a question; give data with questions to ask";
        return Err(DataError::Configuration { field: "data", problem: problem.into() });
    }
    let asked = tests.iter().map(|test| (test.sets.as_slice(), &test.seen));
    let seen = remark_on_seen(asked, AS_ASKED);
    remarks.extend(seen.or_else(|| (!trained_sets.is_empty()).then(none_known)));
    remarks.extend(absent);
    if history.is_none() {
        remarks.push(UNTOLD.to_owned());
    }
    Ok(TestSets { tests, remarks })
}

/// The sets of a data set that a training with this history may have told.
fn trained_sets(
    config: &DataConfig,
    history: &[TrainedFile],
    dataset: &Dataset,
) -> Vec<KnowledgeSet> {
    let of_file = |(content, sets)| trained(history, &[content], sets);
    let mut sets: Vec<KnowledgeSet> = dataset.by_file().flat_map(of_file).collect();
    keep_hops(&mut sets, &config.train_hops);
    sets
}

fn contents(dataset: &Dataset) -> Vec<Fingerprint> {
    dataset.by_file().map(|(content, _)| content).collect()
}

/// What to tell where trained files are asked about and no question is found again.
fn none_known() -> String {
    format!("no question is known to say and ask the same as a training one{AS_ASKED}")
}

/// What to tell the user about trained files that are not among `files`; nothing where all are.
fn remark_on_absent(history: &[TrainedFile], files: &[Fingerprint]) -> Option<String> {
    let (all, absent) = absent(history, files);
    (absent > 0).then(|| {
        format!(
            "files that the system was trained on, but that are not in this data: {absent} of {all}; questions which these say and ask too are not told apart, so give data that has these files, too, to have them counted"
        )
    })
}

impl TestSets {
    /// The same for a system that was also trained on generated sets: files that it was not trained on may have some of them.
    pub fn beside_generated(mut self) -> Self {
        self.tests.iter_mut().for_each(|test| test.part = test.part.beside_generated());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};
    use crate::data::rules::{RuleConfig, RuleGenerator};
    use crate::data::test_data::{CLUTRR_HEAD, CLUTRR_ROW};
    use crate::data::{Distractors, LoadOptions, native};

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

    /// Gives a file another text with the same sets: by their texts files are told apart.
    fn make_different(folder: &tempfile::TempDir, file: &str) {
        let path = folder.path().join(file);
        let content = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, content + "\n").unwrap();
    }

    fn config(folder: &tempfile::TempDir, path: &str) -> DataConfig {
        let source =
            Source::File { path: folder.path().join(path), options: LoadOptions::default() };
        DataConfig { source, held_out: 0.3, ..DataConfig::default() }
    }

    fn of(config: &DataConfig, history: Option<&[TrainedFile]>) -> Vec<TestSet> {
        test_sets(config, &EvaluationConfig::default(), history).unwrap().tests
    }

    #[test]
    fn a_file_is_asked_as_a_whole_only_if_it_was_not_trained_on() {
        let folder = folder(&["kin.jsonl"]);
        let config = config(&folder, "kin.jsonl");
        let corpus = Corpus::new(&config, &EvaluationConfig::default()).unwrap();
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
        let error = test_sets(&config, &EvaluationConfig::default(), Some(&[all]));
        assert!(error.unwrap_err().to_string().contains("other data"));
    }

    #[test]
    fn the_test_split_of_trained_data_is_whole_in_a_folder_and_alone() {
        let folder = folder(&["train.jsonl", "test.jsonl"]);
        make_different(&folder, "test.jsonl");
        let whole = config(&folder, "");
        let corpus = Corpus::new(&whole, &EvaluationConfig::default()).unwrap();
        assert_eq!(corpus.trained_on.len(), 1, "the training split alone");
        let within = of(&whole, Some(&corpus.trained_on));
        assert_eq!((within[0].part, within[0].sets.len()), (Part::Whole, 100));
    }

    #[test]
    fn validation_data_alone_leaves_a_part_of_the_training_file_to_test_on() {
        let folder = folder(&["train.jsonl", "dev.jsonl"]);
        let config = config(&folder, "");
        let corpus = Corpus::new(&config, &EvaluationConfig::default()).unwrap();
        let found = of(&config, Some(&corpus.trained_on));
        assert_eq!((found[0].name.as_str(), found[0].part), ("test", Part::HeldOut));
        assert_eq!(found[0].sets, corpus.tests[0].1, "what training tests on");
        let other = of(&config, Some(&[]));
        assert_eq!((other[0].name.as_str(), other[0].part), ("train", Part::Whole));
    }

    /// Whatever file of a folder a system was trained on, and with whatever division.
    #[test]
    fn no_split_of_a_folder_is_asked_where_it_was_trained_on() {
        let folder = folder(&["train.jsonl", "1.4_test.jsonl", "1.5_test.jsonl"]);
        make_different(&folder, "1.4_test.jsonl");
        let alone = DataConfig { split_seed: 7, ..config(&folder, "1.4_test.jsonl") };
        let corpus = Corpus::new(&alone, &EvaluationConfig::default()).unwrap();
        let [four, five] = &of(&config(&folder, ""), Some(&corpus.trained_on))[..] else {
            panic!("two test splits")
        };
        assert_eq!((four.name.as_str(), four.part), ("test-4", Part::HeldOut));
        assert_eq!(four.sets, corpus.tests[0].1, "by the division of the training");
        assert_eq!((five.name.as_str(), five.part, five.sets.len()), ("test-5", Part::Whole, 100));
    }

    #[test]
    fn test_files_without_a_training_file_are_asked_as_a_whole_and_not_trained_on() {
        let folder = folder(&["1.4_test.jsonl", "1.5_test.jsonl", "dev.jsonl"]);
        let config = config(&folder, "");
        for history in [Some(&[][..]), None] {
            let found = of(&config, history);
            let names: Vec<&str> = found.iter().map(|set| set.name.as_str()).collect();
            assert_eq!(names, ["test-4", "test-5"]);
            assert!(found.iter().all(|set| set.sets.len() == 100));
        }
        let refused = Corpus::new(&config, &EvaluationConfig::default()).err().unwrap().to_string();
        assert!(
            refused.contains("no training split among validation, test-4, test-5"),
            "{refused}"
        );
    }

    /// Tables of a head alone are splits without sets.
    #[test]
    fn a_test_split_without_rows_is_passed_over_and_nothing_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let table = |name: &str, rows: &str| {
            std::fs::write(folder.path().join(name), format!("{CLUTRR_HEAD}\n{rows}")).unwrap();
        };
        table("1.2_train.csv", &format!("{CLUTRR_ROW}\n"));
        table("1.3_test.csv", "");
        let config = config(&folder, "");
        let refused = test_sets(&config, &EvaluationConfig::default(), Some(&[])).unwrap_err();
        assert!(refused.to_string().contains("none of them has a question"), "{refused}");
        table("1.2_test.csv", &format!("{CLUTRR_ROW}\n\n"));
        let found = of(&config, Some(&[]));
        let names: Vec<&str> = found.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["test-2"]);
    }

    #[test]
    fn distractors_do_not_depend_on_the_seed_of_an_experiment() {
        let folder = tempfile::tempdir().unwrap();
        let generator = RuleGenerator::new(RuleConfig::default()).unwrap();
        let sets: Vec<_> = (0..50).map(|number| generator.knowledge_set(number).unwrap()).collect();
        native::write(std::fs::File::create(folder.path().join("rules.jsonl")).unwrap(), &sets)
            .unwrap();
        let distractors = Some(Distractors::UpTo(1));
        let config = DataConfig { distractors, ..config(&folder, "rules.jsonl") };
        let corpus = Corpus::new(&config, &EvaluationConfig::default()).unwrap();
        let asked = of(&config, Some(&corpus.trained_on));
        assert!(asked[0].sets == corpus.tests[0].1, "what training tests on");
        let other = DataConfig { split_seed: 1, ..config.clone() };
        assert!(of(&other, Some(&[])) != of(&config, Some(&[])));
    }

    #[test]
    fn only_questions_of_the_chosen_hops_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let config_of = |hops: Vec<usize>| RuleConfig { hops, ..RuleConfig::default() };
        for (file, hops) in [
            ("train.jsonl", vec![0, 1, 2]),
            ("1.4_test.jsonl", vec![1]),
            ("1.5_test.jsonl", vec![2]),
        ] {
            let generator = RuleGenerator::new(config_of(hops)).unwrap();
            let sets: Vec<_> =
                (0..40).map(|number| generator.knowledge_set(number).unwrap()).collect();
            native::write(std::fs::File::create(folder.path().join(file)).unwrap(), &sets).unwrap();
        }
        let config = config(&folder, "");
        let with = |hops: &[usize]| EvaluationConfig {
            hops: hops.to_vec(),
            ..EvaluationConfig::default()
        };
        let deep = test_sets(&config, &with(&[2]), Some(&[])).unwrap().tests;
        let hops = deep.iter().flat_map(|test| &test.sets).flat_map(|set| &set.questions);
        assert!(hops.map(|question| question.hops).all(|hops| hops == 2));
        assert!(deep.iter().any(|test| test.name == "test-5"));
        let corpus = Corpus::new(&config, &with(&[2])).unwrap();
        let asked: Vec<_> = corpus.tests.iter().map(|(_, sets)| sets).collect();
        assert_eq!(asked, deep.iter().map(|test| &test.sets).collect::<Vec<_>>());
        for refused in [
            test_sets(&config, &with(&[9]), Some(&[])).map(drop),
            Corpus::new(&config, &with(&[9])).map(drop),
        ] {
            assert!(refused.unwrap_err().to_string().contains("evaluation.hops"));
        }
    }

    #[test]
    fn generators_have_test_sets_of_their_own() {
        let evaluation = EvaluationConfig { final_sets: 3, ..EvaluationConfig::default() };
        let found = test_sets(&DataConfig::default(), &evaluation, Some(&[])).unwrap().tests;
        assert_eq!((found[0].part, found[0].sets.len()), (Part::Generated, 3));
    }

    #[test]
    fn a_few_sets_of_a_file_are_not_the_first_ones() {
        let folder = folder(&["kin.jsonl"]);
        let evaluation = EvaluationConfig { final_sets: 10, ..EvaluationConfig::default() };
        let few = test_sets(&config(&folder, "kin.jsonl"), &evaluation, Some(&[]));
        let (few, all) = (few.unwrap().tests, of(&config(&folder, "kin.jsonl"), Some(&[])));
        assert_eq!(few[0].sets.len(), 10);
        assert_ne!(few[0].sets, all[0].sets[..10]);
        assert!(few[0].sets.iter().all(|set| all[0].sets.contains(set)));
    }

    /// Twins of the stories that were trained on, under identifiers of their own.
    #[test]
    fn what_other_sets_of_the_trained_file_ask_too_is_told() {
        let folder = folder(&["train.jsonl", "test.jsonl"]);
        make_different(&folder, "test.jsonl");
        let found = |rename, trained: bool| {
            let config = DataConfig { rename, ..config(&folder, "") };
            let history = Corpus::new(&config, &EvaluationConfig::default()).unwrap().trained_on;
            let history = if trained { history } else { Vec::new() };
            let found = test_sets(&config, &EvaluationConfig::default(), Some(&history)).unwrap();
            (found.tests[0].seen.len(), found.remarks)
        };
        let (seen, remarks) = found(false, true);
        assert!(seen > 80, "all but those that training validates on: {seen}");
        assert!(remarks.last().unwrap().contains("of 100 questions say and ask"), "{remarks:?}");
        assert_eq!(found(true, true).0, 0, "their names are drawn anew");
        assert_eq!(found(false, false), (0, Vec::new()));
    }

    /// Sets of questions of one and two hops in a file to train on, and once more in one to test on.
    fn folder_of_rules() -> tempfile::TempDir {
        let folder = folder(&[]);
        let rules = RuleConfig { hops: vec![1, 2], ..RuleConfig::default() };
        let sets = RuleGenerator::new(rules).unwrap().knowledge_sets(40).unwrap();
        for name in ["train.jsonl", "test.jsonl"] {
            native::write(std::fs::File::create(folder.path().join(name)).unwrap(), &sets).unwrap();
        }
        make_different(&folder, "test.jsonl");
        folder
    }

    #[test]
    fn questions_of_hops_that_training_leaves_out_were_not_trained_on() {
        let folder = folder_of_rules();
        let hops = |train_hops: &[usize]| {
            let config = DataConfig { train_hops: train_hops.to_vec(), ..config(&folder, "") };
            let history = Corpus::new(&config, &EvaluationConfig::default()).unwrap().trained_on;
            let TestSet { sets, seen, .. } = of(&config, Some(&history)).remove(0);
            let asked = sets.iter().flat_map(|set| set.questions.iter().zip(Text::of(set)));
            let again = asked.filter(|(_, text)| seen.contains(text));
            again.map(|(question, _)| question.hops).collect::<BTreeSet<_>>()
        };
        assert_eq!(hops(&[]), BTreeSet::from([1, 2]));
        assert_eq!(hops(&[2]), BTreeSet::from([2]));
    }

    #[test]
    fn only_the_files_of_a_split_that_were_trained_on_count() {
        let folder = folder(&["test.jsonl"]);
        let text = std::fs::read_to_string(folder.path().join("test.jsonl")).unwrap();
        let sets = native::read("test.jsonl", &text).unwrap();
        let content = |name: &str, sets: &[KnowledgeSet]| {
            let path = folder.path().join(name);
            native::write(std::fs::File::create(&path).unwrap(), sets).unwrap();
            Fingerprint::of_parts(&[&std::fs::read(path).unwrap()])
        };
        content("b_train.jsonl", &sets[50..]);
        let content = content("a_train.jsonl", &sets[..50]);
        let trained = TrainedFile { content, held_out: 0.0, split_seed: 0, validated: Some(0.0) };
        let config = DataConfig { rename: false, ..config(&folder, "") };
        let expected: BTreeSet<Text> = sets[..50].iter().flat_map(Text::of).collect();
        assert_eq!(of(&config, Some(&[trained]))[0].seen, expected);
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let folder = folder(&["train.jsonl", "test.jsonl"]);
        make_different(&folder, "test.jsonl");
        let evaluation = EvaluationConfig { final_sets: 3, ..EvaluationConfig::default() };
        let whole = config(&folder, "");
        let history = Corpus::new(&whole, &evaluation).unwrap().trained_on;
        let remarks = |config: &DataConfig, history: &[TrainedFile]| {
            test_sets(config, &evaluation, Some(history)).unwrap().remarks.join("\n")
        };
        // Their names are drawn anew, if the settings are those of the training.
        let compared = remarks(&whole, &history);
        assert!(compared.starts_with("no question is known to say and ask the same"), "{compared}");
        assert!(compared.contains("data.train_hops given here"), "{compared}");
        assert!(!compared.contains("not in this data"), "{compared}");
        for config in [config(&folder, "test.jsonl"), DataConfig::default()] {
            let absent = remarks(&config, &history);
            assert!(absent.contains("not in this data: 1 of 1;"), "{absent}");
            assert_eq!(remarks(&config, &[]), "");
        }
    }

    #[test]
    fn files_are_not_said_to_be_unknown_to_a_system_that_was_trained_on_generated_sets() {
        let folder = folder(&["kin.jsonl"]);
        let config = config(&folder, "kin.jsonl");
        let found = |history: &[TrainedFile]| {
            test_sets(&config, &EvaluationConfig::default(), Some(history)).unwrap()
        };
        let part = |found: TestSets| found.beside_generated().tests[0].part;
        assert_eq!(part(found(&[])), Part::PossiblyGenerated);
        let trained = Corpus::new(&config, &EvaluationConfig::default()).unwrap().trained_on;
        assert_eq!(part(found(&trained)), Part::HeldOut);
        assert_eq!(found(&[]).tests[0].part, Part::Whole);
    }
}
