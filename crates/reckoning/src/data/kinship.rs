//! Built-in generator of kinship questions in the manner of CLUTRR: how is A related to B, through a chain of people?
//!
//! A question is made from a random family tree: one related pair is chosen, and its relation is stretched, one link
//! at a time, into a chain of facts through other members (the backward expansion of CLUTRR's generator, written
//! anew). The answer therefore holds in the tree *and* follows from the chain by [`super::kinship_rules`]; a chain
//! from which something else would follow as well is thrown away.

use rand::seq::{IndexedRandom, SliceRandom, index};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::family::Family;
use super::kinship_chain::stretched_chain;
pub use super::kinship_distractors::KinshipDistractors;
use super::kinship_distractors::{Link, Story};
use super::kinship_rules::{Relation, derivable};
use super::words::distinct;
use super::{DataError, Fact, KnowledgeSet, Question, Surface, letters};

const ATTEMPTS: usize = 5_000;
const MOST_HOPS: usize = 20;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KinshipConfig {
    /// Lengths of the chains, each as likely as the others; 1 to 20.
    pub hops: Vec<usize>,
    /// Facts that are true but not needed.
    pub distractors: KinshipDistractors,
    /// Wording.
    pub surface: Surface,
    /// Names to choose from; a set never uses one twice.
    pub names: Vec<String>,
    /// Share of relation chains (such as `father sister`) that only [`Chains::HeldOut`] may use, from 0 to below 1.
    pub held_out_chains: f64,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for KinshipConfig {
    fn default() -> Self {
        Self {
            hops: vec![2],
            distractors: KinshipDistractors::default(),
            surface: Surface::Compact,
            names: letters(),
            held_out_chains: 0.0,
            seed: 0,
        }
    }
}

/// Which relation chains a knowledge set may be made of; no chain is in both [`Chains::Training`] and
/// [`Chains::HeldOut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chains {
    /// Every chain.
    Any,
    /// All but those held out.
    Training,
    /// Only the share [`KinshipConfig::held_out_chains`], chosen by the seed.
    HeldOut,
}

/// Generates kinship [`KnowledgeSet`]s, each addressed by a number and independent of the others, so that threads may
/// share the work in any order.
#[derive(Clone, Debug)]
pub struct KinshipGenerator {
    config: KinshipConfig,
}

impl KinshipGenerator {
    /// A generator for a checked configuration.
    ///
    /// # Errors
    /// [`DataError::Configuration`] when a value is out of range or there are too few names for the longest chain
    /// and its distractors.
    pub fn new(mut config: KinshipConfig) -> Result<Self, DataError> {
        let refuse = |field, problem: String| Err(DataError::Configuration { field, problem });
        if config.hops.is_empty() || config.hops.iter().any(|hops| !(1..=MOST_HOPS).contains(hops))
        {
            return refuse(
                "data.source.hops",
                format!("must list one or more chain lengths from 1 to {MOST_HOPS}"),
            );
        }
        config.distractors.check()?;
        if !(0.0..1.0).contains(&config.held_out_chains) {
            return refuse(
                "data.source.held_out_chains",
                format!("is {}; it must be from 0 to below 1", config.held_out_chains),
            );
        }
        config.names.sort();
        config.names.dedup();
        let is_taken = |name: &&String| {
            Relation::from_name(name).is_some()
                || config.surface.kinship_words().contains(&name.as_str())
        };
        if let Some(taken) = config.names.iter().find(is_taken) {
            return refuse(
                "data.source.names",
                format!("holds `{taken}`, a word of the facts; call nobody that"),
            );
        }
        let longest = config.hops.iter().max().copied().unwrap_or(0);
        let people = longest + 1 + config.distractors.most_people();
        if config.names.len() < people {
            let names = config.names.len();
            return refuse(
                "data.source.names",
                format!("holds {names} different names; a set may need {people}, so add some"),
            );
        }
        Ok(Self { config })
    }

    /// The configuration, with its names sorted and without repetitions.
    pub fn config(&self) -> &KinshipConfig {
        &self.config
    }

    /// Every word that may occur in a text: names, relations and the words of the surface, sorted.
    pub fn vocabulary(&self) -> Vec<String> {
        let relations = Relation::all().map(|relation| relation.name().to_owned());
        let function_words =
            self.config.surface.kinship_words().iter().map(|word| (*word).to_owned());
        let mut words: Vec<String> =
            self.config.names.iter().cloned().chain(relations).chain(function_words).collect();
        words.sort();
        words.dedup();
        words
    }

    /// Knowledge set number `index` over the given chains: one question and its facts in random order.
    ///
    /// Depends only on the configuration and the arguments. Sets over different [`Chains`] have different
    /// identifiers.
    ///
    /// # Errors
    /// [`DataError::Exhausted`] when no chain of the wanted kind turns up, e.g. because nearly all are held out.
    pub fn knowledge_set(&self, chains: Chains, index: u64) -> Result<KnowledgeSet, DataError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(index.wrapping_mul(3).wrapping_add(chains as u64));
        let hops = *self.config.hops.choose(&mut rng).unwrap_or(&1);
        for _ in 0..ATTEMPTS {
            let family = Family::random(10 + 3 * hops, &mut rng);
            if let Some(chain) = self.chain(&family, hops, chains, &mut rng)
                && let Some(story) =
                    Story::around(&family, chain, &self.config.distractors, &mut rng)
            {
                let name = match chains {
                    Chains::Any => "any",
                    Chains::Training => "training",
                    Chains::HeldOut => "held-out",
                };
                return Ok(self.tell(
                    format!("kinship-{}-{name}-{index}", self.config.seed),
                    &story,
                    &mut rng,
                ));
            }
        }
        Err(DataError::Exhausted {
            what: format!("a kinship chain of {hops} hops"),
            attempts: ATTEMPTS,
            remedy: "lower data.source.held_out_chains, or set other data.source.hops or fewer data.source.distractors",
        })
    }

    /// Knowledge sets number 0 to `count - 1` over the given chains.
    ///
    /// # Errors
    /// As [`KinshipGenerator::knowledge_set`].
    pub fn knowledge_sets(
        &self,
        chains: Chains,
        count: usize,
    ) -> Result<Vec<KnowledgeSet>, DataError> {
        (0..count as u64).map(|index| self.knowledge_set(chains, index)).collect()
    }

    /// People of a chain from which exactly the relation of its ends follows.
    fn chain(
        &self,
        family: &Family,
        hops: usize,
        chains: Chains,
        rng: &mut impl Rng,
    ) -> Option<Vec<usize>> {
        let people = stretched_chain(family, hops, rng)?;
        let relations: Option<Vec<Relation>> =
            people.windows(2).map(|pair| family.relation(pair[0], pair[1])).collect();
        let relations = relations?;
        let answer = family.relation(people[0], people[hops])?;
        let allowed = match chains {
            Chains::Any => true,
            Chains::Training => !self.is_held_out(&relations),
            Chains::HeldOut => self.is_held_out(&relations),
        };
        (allowed && derivable(&relations) == [answer]).then_some(people)
    }

    fn is_held_out(&self, relations: &[Relation]) -> bool {
        if self.config.held_out_chains == 0.0 {
            return false;
        }
        let mut hash = Sha256::new_with_prefix(self.config.seed.to_le_bytes());
        for relation in relations {
            hash.update(relation.name());
            hash.update(" ");
        }
        super::dataset::unit_interval(&hash.finalize()) < self.config.held_out_chains
    }

    fn tell(&self, id: String, story: &Story, rng: &mut impl Rng) -> KnowledgeSet {
        let people = story.people();
        let chosen = index::sample(rng, self.config.names.len(), people.len());
        let name_of = |member: usize| {
            let at = people.iter().position(|person| *person == member).unwrap_or_default();
            self.config.names[chosen.index(at)].as_str()
        };
        let mut order: Vec<usize> = (0..story.links.len()).collect();
        order.shuffle(rng);
        let surface = self.config.surface;
        let word = |link: &Link| Fact {
            text: surface.kinship_fact(
                name_of(link.person),
                link.relation.name(),
                name_of(link.relative),
            ),
        };
        let told_at = |link: usize| order.iter().position(|told| *told == link).unwrap_or_default();
        let (first, last) = (story.links[0].person, story.links[story.hops - 1].relative);
        let question = Question {
            text: surface.kinship_question(name_of(first), name_of(last)),
            answer: story.answer.name().to_owned(),
            relevant: (0..story.hops).map(told_at).collect(),
            hops: story.hops,
        };
        let told_people =
            order.iter().flat_map(|&link| [story.links[link].person, story.links[link].relative]);
        let entities = distinct(told_people.map(name_of));
        let facts = order.iter().map(|&link| word(&story.links[link])).collect();
        KnowledgeSet { id, facts, questions: vec![question], entities }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::data::words;

    fn generator(config: KinshipConfig) -> KinshipGenerator {
        KinshipGenerator::new(config).unwrap()
    }

    /// The links of a compact set by fact, as (person, relation, relative).
    fn links(set: &KnowledgeSet) -> Vec<(&str, Relation, &str)> {
        let mut links = Vec::new();
        for fact in &set.facts {
            let words: Vec<&str> = words(&fact.text).collect();
            links.push((words[0], Relation::from_name(words[1]).unwrap(), words[2]));
        }
        links
    }

    #[test]
    fn unusable_configurations_are_refused_by_field() {
        let refused = |config: KinshipConfig| match KinshipGenerator::new(config) {
            Err(DataError::Configuration { field, .. }) => field,
            other => panic!("expected a refusal, found {other:?}"),
        };
        let default = KinshipConfig::default;
        assert_eq!(refused(KinshipConfig { hops: vec![], ..default() }), "data.source.hops");
        assert_eq!(refused(KinshipConfig { hops: vec![2, 0], ..default() }), "data.source.hops");
        assert_eq!(
            refused(KinshipConfig { held_out_chains: 1.0, ..default() }),
            "data.source.held_out_chains"
        );
        assert_eq!(
            refused(KinshipConfig { names: vec!["A".to_owned(); 30], ..default() }),
            "data.source.names"
        );
        let many = KinshipDistractors { disconnected: usize::MAX, ..Default::default() };
        assert_eq!(
            refused(KinshipConfig { distractors: many, ..default() }),
            "data.source.distractors.disconnected"
        );
        let with_word = [letters(), vec!["son".to_owned()]].concat();
        assert_eq!(refused(KinshipConfig { names: with_word, ..default() }), "data.source.names");
    }

    #[test]
    fn what_cannot_be_found_is_reported() {
        let config =
            KinshipConfig { hops: vec![1], held_out_chains: 1e-9, ..KinshipConfig::default() };
        let error = generator(config).knowledge_set(Chains::HeldOut, 0).unwrap_err();
        assert!(matches!(error, DataError::Exhausted { .. }), "{error}");
    }

    #[test]
    fn every_relation_is_asked_for() {
        let config = KinshipConfig { hops: vec![2, 3], ..KinshipConfig::default() };
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        for set in generator(config).knowledge_sets(Chains::Any, 3_000).unwrap() {
            *answers.entry(set.questions[0].answer.clone()).or_default() += 1;
        }
        // Husband and wife are never the sum of two links.
        assert_eq!(answers.len(), 18, "{answers:?}");
        assert!(answers.values().all(|count| *count > 60), "{answers:?}");
    }

    #[test]
    fn held_out_chains_are_not_trained_on() {
        let config =
            KinshipConfig { hops: vec![2, 3], held_out_chains: 0.3, ..KinshipConfig::default() };
        let generator = generator(config);
        let chains = |which| -> HashSet<Vec<Relation>> {
            let sets = generator.knowledge_sets(which, 500).unwrap();
            let chain = |set: &KnowledgeSet| {
                let links = links(set);
                set.questions[0].relevant.iter().map(|&fact| links[fact].1).collect()
            };
            sets.iter().map(chain).collect()
        };
        assert!(chains(Chains::Training).is_disjoint(&chains(Chains::HeldOut)));
    }

    #[test]
    fn the_vocabulary_is_closed() {
        for surface in [Surface::Compact, Surface::Sentence] {
            let distractors = KinshipDistractors { supporting: 1, irrelevant: 1, disconnected: 1 };
            let generator =
                generator(KinshipConfig { surface, distractors, ..KinshipConfig::default() });
            let vocabulary: HashSet<String> = generator.vocabulary().into_iter().collect();
            for set in generator.knowledge_sets(Chains::Any, 200).unwrap() {
                for word in set.texts().flat_map(words) {
                    assert!(vocabulary.contains(word), "{word}");
                }
            }
        }
    }

    #[test]
    fn long_chains_are_found() {
        for hops in [6, 10, 14] {
            let set = generator(KinshipConfig { hops: vec![hops], ..KinshipConfig::default() });
            assert_eq!(set.knowledge_set(Chains::Any, 3).unwrap().facts.len(), hops);
        }
    }

    proptest! {
        #[test]
        fn answers_follow_from_the_proof_and_only_from_it(
            seed: u64, index in 0_u64..1_000, hops in 1_usize..6,
            supporting in 0_usize..2, irrelevant in 0_usize..3, disconnected in 0_usize..3,
        ) {
            let distractors = KinshipDistractors { supporting, irrelevant, disconnected };
            let config = KinshipConfig { hops: vec![hops], distractors, seed, ..KinshipConfig::default() };
            let set = generator(config.clone()).knowledge_set(Chains::Any, index).unwrap();
            prop_assert_eq!(&set, &generator(config).knowledge_set(Chains::Any, index).unwrap());
            prop_assert_eq!(set.facts.len(), hops + 2 * supporting + irrelevant + disconnected);
            let question = &set.questions[0];
            let links = links(&set);
            let proof: Vec<_> = question.relevant.iter().map(|&fact| links[fact]).collect();
            prop_assert_eq!(proof.len(), hops);
            prop_assert!(proof.windows(2).all(|pair| pair[0].2 == pair[1].0));
            prop_assert_eq!(&question.text, &format!("{} ? {} .", proof[0].0, proof[hops - 1].2));
            let relations: Vec<Relation> = proof.iter().map(|link| link.1).collect();
            let derived: Vec<&str> = derivable(&relations).into_iter().map(Relation::name).collect();
            prop_assert_eq!(derived, [question.answer.as_str()]);
        }
    }
}
