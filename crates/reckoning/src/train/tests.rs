use burn::backend::Flex;

use super::*;
use crate::InnerScope;
use crate::config::Source;
use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};
use crate::data::{LoadOptions, native};
use crate::model::LoraConfig;

/// Two steps on five stories of two or three relations, with so many of them in a graph.
fn two_steps(config: &ExperimentConfig, sets_a_graph: usize) -> [MetaStep; 2] {
    let mut config = config.clone();
    config.outer.sets_a_graph = sets_a_graph;
    let mut trainer = Trainer::<Flex>::new(&config, &Default::default()).unwrap();
    [trainer.step().unwrap(), trainer.step().unwrap()]
}

fn config() -> ExperimentConfig {
    let mut config = ExperimentConfig::default();
    let kinship = KinshipConfig { hops: vec![2, 3], ..KinshipConfig::default() };
    config.data.source = Source::Kinship(kinship);
    config.evaluation.sets = 2;
    config.model.width = 16;
    config.model.layers = 2;
    config.model.heads = 2;
    config.model.context = 24;
    config.inner.steps = 2;
    config.outer.batch = 5;
    config.objective.retention = 0.3;
    config
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 2e-4 * expected.abs(), "{what}: {found}, not {expected}");
}

fn assert_same_learning(config: &ExperimentConfig) {
    let alone = two_steps(config, 1);
    for sets_a_graph in [3, 8] {
        let together = two_steps(config, sets_a_graph);
        for (found, expected) in together.iter().zip(&alone) {
            assert_close(found.outer_loss, expected.outer_loss, "outer loss");
            assert_close(found.gradient_norm, expected.gradient_norm, "norm of the gradient");
            for (found, expected) in found.inner_losses.iter().zip(&expected.inner_losses) {
                assert_close(*found, *expected, "inner loss");
            }
        }
    }
}

#[test]
fn sets_that_share_a_graph_learn_as_they_do_alone() {
    assert_same_learning(&config());
}

#[test]
fn momenta_of_sets_that_share_a_graph_are_their_own() {
    let mut config = config();
    config.inner.rule = RuleChoice::Momentum;
    config.model.tied_head = true;
    assert_same_learning(&config);
}

#[test]
fn frozen_parts_serve_all_sets_of_a_graph() {
    let mut config = config();
    config.inner.scope = InnerScope::LastLayers(1);
    assert_same_learning(&config);
    config.inner.scope = InnerScope::Lora;
    config.model.lora = Some(LoraConfig { rank: 2, alpha: 4.0 });
    assert_same_learning(&config);
}

/// They get a graph each, whatever is configured.
#[test]
fn what_looks_at_a_whole_task_has_its_own_graph() {
    let mut config = config();
    config.inner.rate_scope = RateScope::PerElement;
    assert_same_learning(&config);
    config.inner.rate_scope = RateScope::Global;
    config.inner.fixed_rates = true;
    config.inner.hypergradient = HypergradientChoice::Reptile {};
    config.objective.retention = 0.0;
    assert_same_learning(&config);
}

#[test]
fn what_diverges_is_told_by_its_sets_and_in_settings() {
    let sets = [KnowledgeSet { id: "a".into(), ..KnowledgeSet::default() }];
    let lost = inner_outer::Error::NonFiniteOuterLoss { loss: f64::NAN, steps: 2 };
    let lost = inner_outer::Error::InTask { task: 0, source: Box::new(lost) };
    let told = in_sets(7, &[&sets[..]], lost).to_string();
    assert!(told.starts_with("outer step 7, knowledge sets a: "), "{told}");
    assert!(told.contains("lower inner.rate") && !told.contains("task"), "{told}");
}

#[test]
fn random_facts_need_sets_of_other_theories() {
    let mut config = config();
    config.method = Method::RandomFacts;
    config.evaluation.sets = 8;
    config.evaluation.final_sets = 1;
    let refused = Trainer::<Flex>::new(&config, &Default::default()).err().expect("refused");
    assert!(matches!(refused, TrainingError::NoOtherFacts { .. }), "{refused}");
    config.evaluation.final_sets = 4;
    Trainer::<Flex>::new(&config, &Default::default()).map(drop).unwrap();
}

/// A file of 200 stories of two relations; `change` has the last of them.
fn file_of_stories(
    change: impl FnOnce(&mut KnowledgeSet),
) -> (tempfile::TempDir, ExperimentConfig) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stories.jsonl");
    let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
    let mut sets = generator.knowledge_sets(Chains::Any, 200).unwrap();
    change(sets.last_mut().unwrap());
    native::write(std::fs::File::create(&path).unwrap(), &sets).unwrap();
    let mut config = config();
    config.data.source = Source::File { path, options: LoadOptions::default() };
    config.data.held_out = 0.1;
    (folder, config)
}

#[test]
fn a_story_that_does_not_fit_is_found_at_the_start_and_named() {
    let (_folder, config) = file_of_stories(|set| {
        set.id = "the long one".to_owned();
        set.facts[0].text = "A son B . ".repeat(20);
    });
    let refused = Trainer::<Flex>::new(&config, &Default::default()).err().expect("refused");
    assert!(
        matches!(&refused, TrainingError::InSet { id, .. } if id == "the long one"),
        "{refused}"
    );
    let (_folder, config) = file_of_stories(|_| {});
    Trainer::<Flex>::new(&config, &Default::default()).map(drop).unwrap();
}

#[test]
fn facts_that_nobody_names_cannot_be_recited() {
    let (_folder, mut config) = file_of_stories(|_| {});
    let Source::File { path, .. } = &config.data.source else { unreachable!() };
    let mut sets = native::read("stories", &std::fs::read_to_string(path).unwrap()).unwrap();
    let questions = sets.iter_mut().flat_map(|set| &mut set.questions);
    questions.for_each(|question| question.relevant.clear());
    native::write(std::fs::File::create(path).unwrap(), &sets).unwrap();
    drop(trainer(&config));
    config.objective.recall = Recall::Joint;
    let refused = Trainer::<Flex>::new(&config, &Default::default()).err().expect("refused");
    assert!(refused.to_string().contains("objective.recall"), "{refused}");
}

#[test]
fn a_number_of_words_that_the_data_does_not_have_is_refused() {
    let mut config = config();
    let own = trainer(&config).config().model.vocabulary;
    config.model.vocabulary = own;
    drop(trainer(&config));
    config.model.vocabulary = own + 1;
    let refused = Trainer::<Flex>::new(&config, &Default::default()).err().expect("refused");
    assert!(refused.to_string().contains("model.vocabulary"), "{refused}");
}

/// A theory with several questions, of which a batch draws one each.
#[test]
fn a_batch_of_one_theory_takes_the_facts_of_the_next() {
    let (_folder, mut config) = file_of_stories(|_| {});
    config.method = Method::RandomFacts;
    config.outer.batch = 2;
    config.data.held_out = 0.2;
    let trainer = Trainer::<Flex>::new(&config, &Default::default()).unwrap();
    let set = |place| trainer.corpus.training_set(0, place, 2, &trainer.draws).unwrap();
    let first = set(0);
    let other = (2..).map(set).find(|set| set.theory() != first.theory()).unwrap();
    let exchanged = trainer.exchanged(0, vec![first.clone(), first.clone()]).unwrap();
    assert_eq!(exchanged.len(), 2);
    for set in exchanged {
        assert_eq!((&set.questions[0].text, &set.facts), (&first.questions[0].text, &other.facts));
    }
}

fn trainer(config: &ExperimentConfig) -> Trainer<Flex> {
    Trainer::new(config, &Default::default()).unwrap()
}

/// The configuration of a second stage, after one step of a first.
fn later_stage(config: &ExperimentConfig) -> (tempfile::TempDir, ExperimentConfig) {
    let folder = tempfile::tempdir().unwrap();
    let mut first = trainer(config);
    first.step().unwrap();
    first.system().save(folder.path()).unwrap();
    let start_from = Some(folder.path().to_owned());
    (folder, ExperimentConfig { start_from, ..config.clone() })
}

#[test]
fn a_later_stage_of_the_same_seed_draws_anew_and_again_when_it_is_resumed() {
    let mut config = config();
    config.method = Method::InContext;
    config.model.context = 40;
    config.objective.retention = 0.0;
    config.objective.shifted_positions = true;
    let (_folder, later) = later_stage(&config);
    let (first, mut whole) = (trainer(&config), trainer(&later));
    // Examples and positions of a training without a start are those of its seed alone.
    assert!(first.draws == Seed::new(config.seed) && whole.draws != first.draws);
    assert_ne!(whole.drawn(0).unwrap(), first.drawn(0).unwrap());
    whole.step().unwrap();
    let state = whole.learner.state().unwrap();
    let mut resumed = trainer(&later).with_state(&state).unwrap();
    assert_eq!(resumed.drawn(1).unwrap(), whole.drawn(1).unwrap());
    let [whole, resumed] = [&mut whole, &mut resumed].map(|trainer| trainer.step().unwrap());
    assert_eq!(resumed.outer_loss.to_bits(), whole.outer_loss.to_bits());
    assert_eq!(resumed.gradient_norm.to_bits(), whole.gradient_norm.to_bits());
}

#[test]
fn a_later_stage_tests_and_validates_on_nothing_that_the_first_was_trained_on() {
    let (_file, mut config) = file_of_stories(|_| {});
    config.data.held_out = 0.3;
    config.evaluation.sets = 1000;
    let (_folder, later) = later_stage(&config);
    let first = trainer(&config).corpus;
    let again = trainer(&later).corpus;
    assert!(again.tests == first.tests && again.validation == first.validation);
    assert!(!again.tests[0].1.is_empty() && !again.validation.is_empty());

    let divided_anew = |config: &ExperimentConfig| {
        let mut config = config.clone();
        config.data.split_seed = 7;
        trainer(&config).corpus
    };
    let (alone, after) = (divided_anew(&config), divided_anew(&later));
    let left_out = [first.tests[0].1.clone(), first.validation].concat();
    for (alone, after) in
        [(&alone.tests[0].1, &after.tests[0].1), (&alone.validation, &after.validation)]
    {
        assert!(after.len() < alone.len() && after.iter().all(|set| left_out.contains(set)));
    }
    assert!(!after.tests[0].1.is_empty());

    config.data.held_out = 0.0;
    let (_folder, mut later) = later_stage(&config);
    later.data.held_out = 0.3;
    let refused = Trainer::<Flex>::new(&later, &Default::default()).err().expect("refused");
    assert!(refused.to_string().contains("start_from was trained on all"), "{refused}");
}

#[test]
fn a_run_goes_on_only_with_the_same_words_and_test_files() {
    let (folder, mut config) = file_of_stories(|_| {});
    let stories = folder.path().join("stories");
    std::fs::create_dir(&stories).unwrap();
    std::fs::rename(folder.path().join("stories.jsonl"), stories.join("train.jsonl")).unwrap();
    config.data.source = Source::File { path: stories.clone(), options: LoadOptions::default() };
    let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
    let mut tested = generator.knowledge_sets(Chains::Any, 5).unwrap();
    let inputs = |tested: &[KnowledgeSet]| {
        let file = std::fs::File::create(stories.join("test.jsonl")).unwrap();
        native::write(file, tested).unwrap();
        trainer(&config).inputs
    };
    let [all, fewer] = [inputs(&tested), inputs(&tested[..4])];
    let what = |input: &String| input.split(' ').next().unwrap().to_owned();
    assert_eq!(all.iter().map(what).collect::<Vec<_>>(), ["data", "test", "tokenizer"]);
    assert!(fewer[0] == all[0] && fewer[1] != all[1] && fewer[2] == all[2]);
    tested[0].questions[0].text += " please";
    let words = inputs(&tested);
    assert!(words[0] == all[0] && words[1] != all[1] && words[2] != all[2]);
}

#[test]
fn a_system_tells_in_all_stages_that_it_was_trained_on_generated_sets() {
    let generated = |config: &ExperimentConfig| trainer(config).settings.is_trained_on_generated();
    let first = config();
    assert!(generated(&first));
    let (_file, on_file) = file_of_stories(|_| {});
    assert!(!generated(&on_file));
    let (_folder, later) = later_stage(&first);
    assert!(generated(&ExperimentConfig { data: on_file.data, ..later }));
}

/// Without renaming the stories of a test file are asked as they were trained on, where both files have them.
#[test]
fn outcomes_say_which_questions_were_trained_on() {
    let (folder, mut config) = file_of_stories(|_| {});
    let stories = folder.path().join("stories");
    std::fs::create_dir(&stories).unwrap();
    std::fs::rename(folder.path().join("stories.jsonl"), stories.join("train.jsonl")).unwrap();
    let text = std::fs::read_to_string(stories.join("train.jsonl")).unwrap();
    let mut tested = native::read("train", &text).unwrap()[..30].to_vec();
    let generator = KinshipGenerator::new(KinshipConfig { seed: 7, ..Default::default() }).unwrap();
    let others = generator.knowledge_sets(Chains::Any, 10).unwrap();
    tested
        .extend(others.into_iter().map(|set| KnowledgeSet { id: format!("{} b", set.id), ..set }));
    let file = std::fs::File::create(stories.join("test.jsonl")).unwrap();
    native::write(file, &tested).unwrap();
    config.data.source = Source::File { path: stories, options: LoadOptions::default() };
    config.data.held_out = 0.0;
    let seen = |config: &ExperimentConfig| {
        let trainer = trainer(config);
        let outcomes = trainer.outcomes(&trainer.corpus.tests[0].1).unwrap();
        outcomes.iter().map(|outcome| outcome.seen).collect::<Vec<_>>()
    };
    assert_eq!(seen(&config), [false; 40], "their names are drawn anew");
    config.data.rename = false;
    assert_eq!(seen(&config), [vec![true; 30], vec![false; 10]].concat());
    config.method = Method::RandomFacts;
    assert_eq!(seen(&config), [vec![true; 30], vec![false; 10]].concat(), "by what the data says");
}
