use experiment::seed::Seed;

use super::drawing::DRAWS;
use super::*;
use crate::data::{DataFile, Question};

/// Questions of one link between people of so many names.
fn small_world(names: usize, asked: usize) -> Corpus {
    small_world_of(names, asked, DataConfig { rename: false, ..Default::default() })
}

fn small_world_of(names: usize, asked: usize, config: DataConfig) -> Corpus {
    let names = letters().into_iter().take(names).collect();
    let source = Source::Kinship(KinshipConfig { hops: vec![1], names, ..Default::default() });
    let config = DataConfig { source, ..config };
    let evaluation = EvaluationConfig { sets: asked, final_sets: asked, ..Default::default() };
    Corpus::new(&config, &evaluation).unwrap()
}

#[test]
fn generated_splits_share_no_text() {
    let corpus = small_world(26, 200);
    let (test, validation) = (texts(&corpus.tests[0].1), texts(&corpus.validation));
    assert!(!validation.is_empty() && test.is_disjoint(&validation));
    let training = texts(&drawn(&corpus, 4000));
    assert!(training.is_disjoint(&test) && training.is_disjoint(&validation));
}

#[test]
fn hops_that_no_generator_can_ask_are_refused_as_those_of_the_evaluation() {
    let rules = Source::Rules(RuleConfig::default());
    for source in [Source::Kinship(KinshipConfig::default()), rules] {
        let config = DataConfig { source, ..Default::default() };
        let evaluation = EvaluationConfig { hops: vec![usize::MAX], ..Default::default() };
        let refused = Corpus::new(&config, &evaluation).err().unwrap().to_string();
        assert!(refused.contains("`evaluation.hops` must list"), "{refused}");
    }
}

fn texts(sets: &[KnowledgeSet]) -> BTreeSet<Text> {
    sets.iter().flat_map(Text::of).collect()
}

fn drawn(corpus: &Corpus, count: usize) -> Vec<KnowledgeSet> {
    let drawn = |place| corpus.training_set(0, place, count, &Seed::new(0)).unwrap();
    (0..count).map(drawn).collect()
}

/// A story that is told alone, or beside others, has the names of its last renaming.
#[test]
fn stories_that_are_told_together_are_not_asked_either() {
    let corpus = small_world_of(6, 60, DataConfig { stories: 2, ..Default::default() });
    let asked = &texts(&corpus.tests[0].1);
    let (mut alone, mut beside) = (0, 0);
    for set in drawn(&corpus, 2000) {
        match set.questions.len() {
            1 => alone += 1,
            _ => beside += 1,
        }
        // A story of one link is one fact and one question.
        let stories = set.questions.iter().map(|question| {
            let facts = question.relevant.iter().map(|&fact| set.facts[fact].text.clone());
            Text { facts: facts.collect(), question: question.text.clone() }
        });
        assert!(stories.into_iter().all(|story| !asked.contains(&story)));
    }
    assert!(alone > 500 && beside > 500, "{alone} and {beside}");
}

/// A training example has one of the questions of a theory, an asked set has all of them.
#[test]
fn questions_of_one_theory_are_kept_out_one_by_one() {
    let rules = RuleConfig {
        hops: vec![0],
        extra_facts: 0,
        extra_rules: 0,
        names: vec!["Ann".into(), "Bob".into()],
        attributes: ["red", "big", "kind", "cold"].map(String::from).to_vec(),
        ..RuleConfig::default()
    };
    let evaluation = EvaluationConfig { sets: 10, final_sets: 10, ..Default::default() };
    let config = DataConfig { source: Source::Rules(rules), questions: 1, ..Default::default() };
    let corpus = Corpus::new(&config, &evaluation).unwrap();
    let training = drawn(&corpus, 500);
    assert!(training.iter().all(|set| set.questions.len() == 1));
    assert!(texts(&training).is_disjoint(&texts(&corpus.tests[0].1)));
}

#[test]
fn people_are_renamed_to_the_names_of_the_generator() {
    let names = letters().into_iter().take(6).collect::<BTreeSet<_>>();
    let corpus = small_world_of(6, 20, DataConfig::default());
    let renamed: BTreeSet<String> =
        drawn(&corpus, 200).into_iter().flat_map(|set| set.entities).collect();
    assert_eq!(renamed, names);
}

#[test]
fn several_stories_are_told_at_once_and_every_one_of_them_is_asked_about() {
    let source = Source::Kinship(KinshipConfig { hops: vec![2, 3], ..Default::default() });
    let config = DataConfig { source, stories: 3, ..Default::default() };
    let corpus = Corpus::new(&config, &EvaluationConfig::default()).unwrap();
    let drawn = |place| corpus.training_set(0, place, 100, &Seed::new(0)).unwrap();
    let counts: BTreeSet<usize> = (0..100)
        .map(drawn)
        .map(|set| {
            let needed: BTreeSet<usize> =
                set.questions.iter().flat_map(|question| question.relevant.clone()).collect();
            assert_eq!(needed, (0..set.facts.len()).collect());
            assert!(set.questions.iter().all(|question| question.relevant.len() == question.hops));
            set.questions.len()
        })
        .collect();
    assert_eq!(counts, BTreeSet::from([1, 2, 3]));
    assert_eq!(drawn(7), drawn(7));
}

fn of_sets(config: DataConfig, training: Vec<KnowledgeSet>) -> Result<Corpus, DataError> {
    let dataset = Dataset {
        kind: crate::data::Kind::Native,
        splits: BTreeMap::from([(Split::Train, training)]),
        files: BTreeMap::new(),
        skipped: Vec::new(),
        remarks: vec!["something".to_owned()],
    };
    Corpus::of_dataset(&config, dataset, &EvaluationConfig::default(), Some(&[]))
}

fn rule_sets(count: u64) -> Vec<KnowledgeSet> {
    let generator = RuleGenerator::new(RuleConfig::default()).unwrap();
    (0..count).map(|number| generator.knowledge_set(number).unwrap()).collect()
}

fn kinship_sets(count: usize) -> Vec<KnowledgeSet> {
    let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
    generator.knowledge_sets(Chains::Any, count).unwrap()
}

#[test]
fn stories_whose_people_are_not_known_are_not_told_together() {
    let together = || DataConfig { stories: 2, ..DataConfig::default() };
    assert!(of_sets(together(), kinship_sets(20)).is_ok());
    let mut nameless = kinship_sets(20);
    nameless.iter_mut().for_each(|set| set.entities.clear());
    assert!(of_sets(DataConfig::default(), nameless.clone()).is_ok());
    let refused = of_sets(together(), nameless).err().unwrap().to_string();
    assert!(refused.contains("data.stories") && refused.contains("`entities`"), "{refused}");
}

#[test]
fn stories_with_rules_are_not_told_together() {
    let mut sets = rule_sets(20);
    sets.iter_mut().for_each(|set| set.entities = vec!["A".into()]);
    assert!(of_sets(DataConfig::default(), sets.clone()).is_ok());
    let together = DataConfig { stories: 2, ..DataConfig::default() };
    let refused = of_sets(together, sets).err().unwrap().to_string();
    assert!(refused.contains("data.stories") && refused.contains("rules"), "{refused}");
}

#[test]
fn facts_that_are_not_needed_must_be_known_to_be_left_out() {
    let controlled =
        || DataConfig { distractors: Some(Distractors::UpTo(0)), ..DataConfig::default() };
    let mut sets = kinship_sets(20);
    assert!(of_sets(controlled(), sets.clone()).is_ok());
    let questions = sets.iter_mut().flat_map(|set| &mut set.questions);
    questions.for_each(|question| question.relevant.clear());
    assert!(of_sets(DataConfig::default(), sets.clone()).is_ok());
    let refused = of_sets(controlled(), sets).err().unwrap().to_string();
    assert!(refused.contains("data.distractors") && refused.contains("`relevant`"), "{refused}");
}

#[test]
fn sets_without_questions_are_left_out_of_validation_too() {
    let mut sets = kinship_sets(100);
    sets.iter_mut().step_by(2).for_each(|set| set.questions.clear());
    let corpus = of_sets(DataConfig::default(), sets).unwrap();
    assert!(!corpus.validation.is_empty());
    assert!(corpus.validation.iter().all(|set| !set.questions.is_empty()));
}

#[test]
fn nothing_left_to_test_on_is_remarked() {
    let remarks = |held_out| {
        let config = DataConfig { held_out, ..DataConfig::default() };
        of_sets(config, kinship_sets(20)).unwrap().remarks
    };
    assert_eq!(remarks(0.5), ["something"]);
    assert!(remarks(0.0)[1].contains("data.held_out"), "{:?}", remarks(0.0));
}

#[test]
fn no_set_that_is_drawn_is_longer_than_the_longest() {
    let by_words: fn(&str) -> usize = |text| words(text).count();
    // Theories have facts that a question does not need, and these differ in length.
    for (stories, distractors, sets) in [
        (1, None, kinship_sets(60)),
        (2, None, kinship_sets(60)),
        (1, Some(Distractors::UpTo(1)), rule_sets(60)),
        (1, Some(Distractors::Any), rule_sets(60)),
    ] {
        let config = DataConfig { stories, distractors, ..DataConfig::default() };
        let corpus = of_sets(config, sets).unwrap();
        for tokens in [by_words, str::len] {
            let longest = corpus.longest_training_sets(&Seed::new(0), tokens).unwrap();
            let longest = longest.iter().map(|set| length(set, tokens)).max().unwrap();
            assert!(drawn(&corpus, 200).iter().all(|set| length(set, tokens) <= longest));
        }
    }
}

/// The longest text that a set makes in one context: its facts, then a question with its answer.
fn length(set: &KnowledgeSet, tokens: fn(&str) -> usize) -> usize {
    let facts: usize = set.facts.iter().map(|fact| tokens(&fact.text)).sum();
    let asked = set.questions.iter().map(|asked| tokens(&asked.text) + tokens(&asked.answer));
    facts + asked.max().unwrap()
}

/// Stories of one link between two of three people.
fn of_three(people: [&str; 3]) -> Vec<KnowledgeSet> {
    let names = people.map(String::from).to_vec();
    let kinship = KinshipConfig { hops: vec![1], names, ..Default::default() };
    KinshipGenerator::new(kinship).unwrap().knowledge_sets(Chains::Any, 20).unwrap()
}

#[test]
fn the_vocabulary_has_every_name_that_training_gives() {
    let named = || of_three(["Anne", "Bob", "Carol"]);
    let mixed = [of_three(["A", "B", "C"]), named()].concat();
    for (stories, sets) in [(1, mixed), (2, named())] {
        let corpus = of_sets(DataConfig { stories, ..DataConfig::default() }, sets).unwrap();
        let longest = corpus.longest_training_sets(&Seed::new(0), str::len).unwrap();
        for training in [drawn(&corpus, 200), longest] {
            let texts = training.iter().flat_map(KnowledgeSet::texts);
            for word in texts.flat_map(words) {
                assert!(corpus.vocabulary.iter().any(|known| known == word), "{word}");
            }
            let people = || training.iter().flat_map(|set| &set.entities);
            assert!(
                people().any(|name| name.len() == 1 && name.as_str() > "C"),
                "letters of no file"
            );
            assert_eq!(people().any(|name| name == "Anne"), stories == 1);
        }
    }
}

#[test]
fn names_that_training_keeps_need_no_letters() {
    let sets = of_three(["Anne", "Bob", "Carol"]);
    let corpus = of_sets(DataConfig::default(), sets).unwrap();
    assert!(!corpus.vocabulary.contains(&"Z".to_owned()));
}

#[test]
fn a_generator_of_which_everything_is_asked_is_refused() {
    let corpus = small_world(2, 1000);
    let refused = corpus.training_set(0, 0, 1, &Seed::new(0)).unwrap_err();
    assert!(matches!(refused, DataError::Exhausted { attempts: DRAWS, .. }), "{refused}");
}

#[test]
fn validation_that_an_earlier_stage_was_trained_on_is_left_out_and_remarked() {
    let sets = kinship_sets(200);
    let (tested, training) = sets.split_at(20);
    let content = Fingerprint::of_parts(&[b"training"]);
    let file = DataFile { content, sets: training.len() };
    let dataset = || Dataset {
        kind: crate::data::Kind::Native,
        splits: BTreeMap::from([(Split::Train, training.to_vec()), (Split::Test, tested.to_vec())]),
        files: BTreeMap::from([(Split::Train, vec![file])]),
        skipped: Vec::new(),
        remarks: Vec::new(),
    };
    let corpus = |history: Option<&[TrainedFile]>| {
        let config = DataConfig { held_out: 0.2, ..DataConfig::default() };
        Corpus::of_dataset(&config, dataset(), &EvaluationConfig::default(), history).unwrap()
    };
    let alone = corpus(Some(&[]));
    assert!(!alone.validation.is_empty() && alone.remarks.is_empty());
    let [stage] = &alone.trained_on[..] else { panic!("one file") };
    let left = |validated| {
        let stage = TrainedFile { validated, ..stage.clone() };
        let corpus = corpus(Some(&[stage]));
        assert_eq!(corpus.tests, alone.tests, "of a file of their own");
        (corpus.validation.len(), corpus.remarks)
    };
    let all = alone.validation.len();
    assert_eq!(left(stage.validated), (all, Vec::new()), "the same as before");
    assert_eq!(left(None), (all, Vec::new()), "as this configuration has it");
    assert_eq!(left(Some(0.0)), (0, vec![TRAINED_ON_VALIDATION.to_owned()]));
    let untold = corpus(None);
    assert_eq!((untold.validation.len(), &untold.remarks[..]), (all, &[NO_HISTORY.to_owned()][..]));
}

fn of_splits(
    config: &DataConfig,
    training: Vec<KnowledgeSet>,
    tested: Vec<KnowledgeSet>,
) -> Corpus {
    let dataset = Dataset {
        kind: crate::data::Kind::Native,
        splits: BTreeMap::from([(Split::Train, training), (Split::Test, tested)]),
        files: BTreeMap::new(),
        skipped: Vec::new(),
        remarks: Vec::new(),
    };
    Corpus::of_dataset(config, dataset, &EvaluationConfig::default(), Some(&[])).unwrap()
}

/// A theory of stated facts, each asked as it is.
fn stated(id: &str, facts: &[&str]) -> KnowledgeSet {
    let question = |(fact, text): (usize, &&str)| Question {
        text: (*text).to_owned(),
        answer: "yes".into(),
        relevant: vec![fact],
        hops: 0,
    };
    KnowledgeSet {
        id: id.into(),
        facts: facts.iter().map(|fact| Fact::from((*fact).to_owned())).collect(),
        questions: facts.iter().enumerate().map(question).collect(),
        entities: vec!["Gary".into()],
    }
}

/// As on ProofWriter without irrelevant statements, where a stated fact is asked with itself.
#[test]
fn questions_of_a_file_that_training_asks_too_are_counted() {
    let training = vec![stated("a", &["Gary is red .", "Gary is big .", "Gary is kind ."])];
    let tested = vec![stated("b", &["Gary is red .", "Gary is big .", "Gary is cold ."])];
    let seen = |distractors| {
        let config = DataConfig { distractors, held_out: 0.0, ..DataConfig::default() };
        let corpus = of_splits(&config, training.clone(), tested.clone());
        assert_eq!(corpus.remarks.len(), usize::from(!corpus.seen.is_empty()));
        (corpus.seen, corpus.remarks)
    };
    let (texts, remarks) = seen(Some(Distractors::UpTo(0)));
    let questions: Vec<&str> = texts.iter().map(|text| text.question.as_str()).collect();
    assert_eq!(questions, ["Gary is big .", "Gary is red ."]);
    assert!(remarks[0].starts_with("2 of 3 questions say and ask the same"), "{remarks:?}");
    // With all that is said, no two of these theories are the same.
    for distractors in [Some(Distractors::All), None] {
        assert_eq!(seen(distractors), (BTreeSet::new(), Vec::new()));
    }
    let config = DataConfig { held_out: 0.0, ..DataConfig::default() };
    let same = of_splits(&config, tested.clone(), tested.clone());
    assert!(same.remarks[0].starts_with("3 of 3"), "{:?}", same.remarks);
}

/// Where the number of distractors is drawn, a smaller theory may be what is left of a larger one.
#[test]
fn what_sampled_distractors_may_leave_counts_as_trained_on() {
    let training = vec![stated("a", &["Gary is red .", "Gary is big .", "Gary is kind ."])];
    let seen = |distractors, facts: &[&str]| {
        let config = DataConfig { distractors, held_out: 0.0, ..DataConfig::default() };
        of_splits(&config, training.clone(), vec![stated("b", facts)]).seen.len()
    };
    let smaller = ["Gary is red .", "Gary is big ."];
    assert_eq!(seen(Some(Distractors::UpTo(1)), &smaller), 2);
    let other = ["Gary is red .", "Gary is cold ."];
    assert_eq!(seen(Some(Distractors::UpTo(1)), &other), 0);
    assert_eq!(seen(Some(Distractors::Any), &smaller), 2);
    assert_eq!(seen(Some(Distractors::All), &smaller), 0);
}

/// Stories of one link between two of four people, of which half are asked.
fn split_small_world(rename: bool) -> Corpus {
    let names = letters().into_iter().take(4).collect();
    let kinship = KinshipConfig { hops: vec![1], names, ..Default::default() };
    let sets = KinshipGenerator::new(kinship).unwrap().knowledge_sets(Chains::Any, 400).unwrap();
    let (tested, training) = sets.split_at(200);
    let config = DataConfig { held_out: 0.0, rename, ..DataConfig::default() };
    of_splits(&config, training.to_vec(), tested.to_vec())
}

#[test]
fn no_story_of_a_file_is_renamed_to_one_that_is_asked() {
    let corpus = split_small_world(true);
    let asked = texts(&corpus.tests[0].1);
    assert!(corpus.seen.is_empty() && corpus.remarks.iter().all(|remark| !remark.contains("say")));
    assert!(texts(&drawn(&corpus, 4000)).is_disjoint(&asked));
    let Training::Pool { sets, .. } = &corpus.training else { panic!("a file") };
    assert!(!texts(sets).is_disjoint(&asked), "some would be asked under the names of the file");
}

/// Hardly another text would be left to train on.
#[test]
fn stories_that_keep_their_names_are_trained_on_and_counted() {
    let corpus = split_small_world(false);
    assert!(!corpus.seen.is_empty() && !texts(&drawn(&corpus, 4000)).is_disjoint(&corpus.seen));
    assert!(corpus.remarks.iter().any(|remark| remark.contains("of 200 questions say and ask")));
}

#[test]
fn what_is_not_drawn_anew_is_drawn_as_before() {
    let mut corpus = split_small_world(true);
    let kept = drawn(&corpus, 1000);
    let asked = std::mem::take(&mut corpus.kept_out);
    let before = drawn(&corpus, 1000);
    let mut anew = 0;
    for (kept, before) in kept.iter().zip(&before) {
        match Text::of(before).any(|text| asked.contains(&text)) {
            true => anew += 1,
            false => assert_eq!(kept, before),
        }
    }
    assert!(anew > 0, "{anew}");
}
