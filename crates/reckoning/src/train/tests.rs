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

/// A theory with several questions, of which a batch draws one each.
#[test]
fn a_batch_of_one_theory_takes_the_facts_of_the_next() {
    let (_folder, mut config) = file_of_stories(|_| {});
    config.method = Method::RandomFacts;
    config.outer.batch = 2;
    config.data.held_out = 0.2;
    let trainer = Trainer::<Flex>::new(&config, &Default::default()).unwrap();
    let set = |place| trainer.corpus.training_set(0, place, 2, &trainer.seed).unwrap();
    let first = set(0);
    let other = (2..).map(set).find(|set| set.theory() != first.theory()).unwrap();
    let exchanged = trainer.exchanged(0, vec![first.clone(), first.clone()]).unwrap();
    assert_eq!(exchanged.len(), 2);
    for set in exchanged {
        assert_eq!((&set.questions[0].text, &set.facts), (&first.questions[0].text, &other.facts));
    }
}
