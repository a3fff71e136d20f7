//! Built-in generator of rule-reasoning questions in the manner of ProofWriter, in an open world.
//!
//! A theory is written around a planted proof: rules that lead one entity from stated attributes to a conclusion in
//! exactly the wanted number of steps, while another entity lacks the first of these attributes. Each theory has
//! three questions about that conclusion, one for each answer, so that the answers are balanced and cannot be
//! guessed from the attribute. Random facts and rules surround the plant; where they change an answer or a depth,
//! the theory is thrown away.

use rand::seq::{SliceRandom, index};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::forward_chaining::{Answer, Support, Theory};
use super::statements::{Literal, Statement};
use super::words::{distinct, words};
use super::{DataError, Fact, KnowledgeSet, Question, Surface};

const ATTEMPTS: usize = 5_000;
const MOST_HOPS: usize = 5;
const MOST_CONDITIONS: usize = 3;
/// Random facts of a theory, and random rules: far fewer always spoil the planted proof.
const MOST_EXTRAS: usize = 1_000;
/// Stated attributes that the planted rules may ask for beside the chain itself.
const COMPANIONS: usize = 2;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// Depths of the planted proofs, each as likely as the others; 0 (a stated fact) to 5.
    pub hops: Vec<usize>,
    /// Names of entities to choose from, at least two; a theory uses up to four.
    pub names: Vec<String>,
    /// Attributes to choose from, at least the deepest proof and four more.
    pub attributes: Vec<String>,
    /// Random facts beside those of the planted proof, at most 1,000.
    pub extra_facts: usize,
    /// Random rules beside those of the planted proof, at most 1,000.
    pub extra_rules: usize,
    /// Wording of the questions.
    pub surface: Surface,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for RuleConfig {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            hops: vec![1, 2, 3],
            names: owned(&["Alan", "Bob", "Charlie", "Dave", "Eric", "Fred", "Gary", "Harry"]),
            attributes: owned(&[
                "big", "blue", "cold", "green", "kind", "nice", "red", "rough", "round", "young",
            ]),
            extra_facts: 5,
            extra_rules: 3,
            surface: Surface::Compact,
            seed: 0,
        }
    }
}

/// Generates rule-reasoning [`KnowledgeSet`]s, each addressed by a number and independent of the others.
#[derive(Clone, Debug)]
pub struct RuleGenerator {
    config: RuleConfig,
}

/// Statements of a theory under construction and the three questions about it.
struct Plan {
    statements: Vec<Statement>,
    questions: [(Literal, Answer); 3],
}

impl RuleGenerator {
    /// A generator for a checked configuration.
    ///
    /// # Errors
    /// [`DataError::Configuration`] when a value is out of range, or there are too few names or attributes.
    pub fn new(mut config: RuleConfig) -> Result<Self, DataError> {
        let refuse = |field, problem: String| Err(DataError::Configuration { field, problem });
        if config.hops.is_empty() || config.hops.iter().any(|hops| *hops > MOST_HOPS) {
            return refuse(
                "data.source.hops",
                format!("must list one or more proof depths from 0 to {MOST_HOPS}"),
            );
        }
        DataError::require_at_most("data.source.extra_facts", config.extra_facts, MOST_EXTRAS)?;
        DataError::require_at_most("data.source.extra_rules", config.extra_rules, MOST_EXTRAS)?;
        for words in [&mut config.names, &mut config.attributes] {
            words.sort();
            words.dedup();
        }
        if config.names.len() < 2 {
            return refuse(
                "data.source.names",
                "must hold at least two different names".to_owned(),
            );
        }
        let needed = config.hops.iter().max().copied().unwrap_or(0) + 2 + COMPANIONS;
        if config.attributes.len() < needed {
            let there = config.attributes.len();
            return refuse(
                "data.source.attributes",
                format!("holds {there} different words; proofs this deep need {needed}"),
            );
        }
        for name in &config.names {
            let is_name =
                matches!(Statement::parse(&format!("{name} is a-word.")), Some(Statement::Fact(_)));
            if !is_name || words(name).count() != 1 {
                return refuse(
                    "data.source.names",
                    format!("holds {name:?}, which is not a single word for an entity"),
                );
            }
        }
        for attribute in &config.attributes {
            if !matches!(
                Statement::parse(&format!("Name is {attribute}.")),
                Some(Statement::Fact(_))
            ) {
                return refuse(
                    "data.source.attributes",
                    format!("holds {attribute:?}, which is not a single describing word"),
                );
            }
        }
        Ok(Self { config })
    }

    /// The configuration, with names and attributes sorted and without repetitions.
    pub fn config(&self) -> &RuleConfig {
        &self.config
    }

    /// Every word that may occur in a text, sorted: names, attributes, the words of rules and questions, answers.
    pub fn vocabulary(&self) -> Vec<String> {
        let fixed =
            ["is", "not", "If", "someone", "and", "then", "they", "are", "yes", "no", "none"];
        let fixed = fixed
            .iter()
            .chain(self.config.surface.statement_words())
            .map(|word| (*word).to_owned());
        let mut words: Vec<String> =
            self.config.names.iter().chain(&self.config.attributes).cloned().chain(fixed).collect();
        words.sort();
        words.dedup();
        words
    }

    /// Knowledge set number `index`: facts, then rules, and three questions answered `yes`, `no` and `none`, all of
    /// the same depth. Depends only on the configuration and `index`.
    ///
    /// # Errors
    /// [`DataError::Exhausted`] when the random facts and rules always spoil the planted proof.
    pub fn knowledge_set(&self, index: u64) -> Result<KnowledgeSet, DataError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(index);
        let hops = self.config.hops[rng.random_range(0..self.config.hops.len())];
        for _ in 0..ATTEMPTS {
            let plan = self.plan(hops, &mut rng);
            let theory = Theory::new(&plan.statements);
            let supports: Vec<Support> =
                plan.questions.iter().map(|(asked, _)| theory.support(asked)).collect();
            let is_as_planned = |(support, (_, answer)): (&Support, &(Literal, Answer))| {
                support.answer == *answer && support.depth == hops
            };
            if supports.iter().zip(&plan.questions).all(is_as_planned) {
                return Ok(self.tell(
                    format!("rules-{}-{index}", self.config.seed),
                    plan,
                    supports,
                ));
            }
        }
        Err(DataError::Exhausted {
            what: format!("a theory with a proof of depth {hops}"),
            attempts: ATTEMPTS,
            remedy: "lower data.source.extra_facts and data.source.extra_rules, or give more data.source.attributes",
        })
    }

    /// Knowledge sets number 0 to `count - 1`.
    ///
    /// # Errors
    /// As [`RuleGenerator::knowledge_set`].
    pub fn knowledge_sets(&self, count: usize) -> Result<Vec<KnowledgeSet>, DataError> {
        (0..count as u64).map(|index| self.knowledge_set(index)).collect()
    }

    fn plan(&self, hops: usize, rng: &mut impl Rng) -> Plan {
        let names =
            sample(&self.config.names, rng.random_range(2..=4.min(self.config.names.len())), rng);
        let attributes = sample(&self.config.attributes, self.config.attributes.len(), rng);
        let (chain, others) = attributes.split_at(hops + 1);
        let companions = &others[..COMPANIONS];
        let fact =
            |name: &str, attribute: &str| Statement::Fact(Literal::new(name, attribute, true));
        let mut facts = vec![fact(&names[0], &chain[0])];
        if hops > 0 {
            facts.extend(
                companions
                    .iter()
                    .flat_map(|companion| names[..2].iter().map(|name| fact(name, companion))),
            );
        }
        let mut rules: Vec<Statement> =
            chain.windows(2).map(|step| planted_rule(step, companions, rng)).collect();
        for _ in 0..self.config.extra_facts {
            facts.push(fact(
                &names[rng.random_range(0..names.len())],
                &attributes[rng.random_range(0..attributes.len())],
            ));
        }
        for _ in 0..self.config.extra_rules {
            rules.push(random_rule(&attributes, rng));
        }
        facts.shuffle(rng);
        rules.shuffle(rng);
        facts.extend(rules);
        let asked = Literal::new(names[0].as_str(), chain[hops].as_str(), true);
        let unknown = Literal::new(names[1].as_str(), chain[hops].as_str(), rng.random());
        let questions =
            [(asked.clone(), Answer::Yes), (asked.negated(), Answer::No), (unknown, Answer::None)];
        Plan { statements: without_repetitions(facts), questions }
    }

    fn tell(&self, id: String, plan: Plan, supports: Vec<Support>) -> KnowledgeSet {
        let asked = plan.questions.iter().flat_map(|(asked, _)| asked.names());
        let entities = distinct(plan.statements.iter().flat_map(Statement::names).chain(asked));
        let facts: Vec<Fact> =
            plan.statements.iter().map(|statement| Fact { text: statement.to_string() }).collect();
        let questions =
            plan.questions.into_iter().zip(supports).map(|((asked, answer), support)| Question {
                text: self.config.surface.statement_question(&asked.to_string()),
                answer: answer.word().to_owned(),
                relevant: support.statements,
                hops: support.depth,
            });
        KnowledgeSet { id, facts, questions: questions.collect(), entities }
    }
}

fn sample(pool: &[String], count: usize, rng: &mut impl Rng) -> Vec<String> {
    index::sample(rng, pool.len(), count).into_iter().map(|at| pool[at].clone()).collect()
}

/// From the first attribute of `step`, and any of the companions, to the second.
fn planted_rule(step: &[String], companions: &[String], rng: &mut impl Rng) -> Statement {
    let mut conditions = vec![Literal::about_anyone(&*step[0], true)];
    conditions.extend(
        companions.iter().filter(|_| rng.random()).map(|word| Literal::about_anyone(word, true)),
    );
    conditions.shuffle(rng);
    Statement::Rule { conditions, conclusion: Literal::about_anyone(&*step[1], true) }
}

fn random_rule(attributes: &[String], rng: &mut impl Rng) -> Statement {
    let conditions = rng.random_range(1..=MOST_CONDITIONS.min(attributes.len() - 1));
    let mut literals = index::sample(rng, attributes.len(), conditions + 1)
        .into_iter()
        .map(|at| Literal::about_anyone(&*attributes[at], true));
    let conclusion =
        literals.next().unwrap_or_else(|| Literal::about_anyone(&*attributes[0], true));
    Statement::Rule { conditions: literals.collect(), conclusion }
}

fn without_repetitions(statements: Vec<Statement>) -> Vec<Statement> {
    let mut seen = std::collections::HashSet::new();
    statements.into_iter().filter(|statement| seen.insert(statement.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::data::{Distractors, words};

    fn read(set: &KnowledgeSet) -> Vec<Statement> {
        set.facts.iter().map(|fact| Statement::parse(&fact.text).unwrap()).collect()
    }

    fn asked(question: &Question) -> Literal {
        match Statement::parse(&question.text) {
            Some(Statement::Fact(literal)) => literal,
            other => panic!("{} was read as {other:?}", question.text),
        }
    }

    #[test]
    fn unusable_configurations_are_refused_by_field() {
        let refused = |config: RuleConfig| match RuleGenerator::new(config) {
            Err(DataError::Configuration { field, .. }) => field,
            other => panic!("expected a refusal, found {other:?}"),
        };
        let default = RuleConfig::default;
        let one = |word: &str| vec![word.to_owned()];
        assert_eq!(refused(RuleConfig { hops: vec![], ..default() }), "data.source.hops");
        assert_eq!(refused(RuleConfig { hops: vec![6], ..default() }), "data.source.hops");
        assert_eq!(refused(RuleConfig { names: one("Bob"), ..default() }), "data.source.names");
        assert_eq!(
            refused(RuleConfig {
                names: vec!["Bob".to_owned(), "the cat".to_owned()],
                ..default()
            }),
            "data.source.names"
        );
        assert_eq!(
            refused(RuleConfig { attributes: one("red"), ..default() }),
            "data.source.attributes"
        );
        assert_eq!(
            refused(RuleConfig { extra_facts: usize::MAX, ..default() }),
            "data.source.extra_facts"
        );
        assert_eq!(
            refused(RuleConfig { extra_rules: usize::MAX, ..default() }),
            "data.source.extra_rules"
        );
        let attributes = [default().attributes, one("very big")].concat();
        assert_eq!(refused(RuleConfig { attributes, ..default() }), "data.source.attributes");
    }

    #[test]
    fn a_spoiled_plant_is_reported() {
        let generator =
            RuleGenerator::new(RuleConfig { extra_facts: 500, ..RuleConfig::default() }).unwrap();
        let error = generator.knowledge_set(0).unwrap_err();
        assert!(matches!(error, DataError::Exhausted { .. }), "{error}");
    }

    #[test]
    fn every_depth_is_found_in_a_closed_vocabulary() {
        for surface in [Surface::Compact, Surface::Sentence] {
            for hops in 0..=MOST_HOPS {
                let config = RuleConfig { hops: vec![hops], surface, ..RuleConfig::default() };
                let generator = RuleGenerator::new(config).unwrap();
                let vocabulary: HashSet<String> = generator.vocabulary().into_iter().collect();
                for set in generator.knowledge_sets(20).unwrap() {
                    assert!(set.questions.iter().all(|question| question.hops == hops));
                    let stranger =
                        set.texts().flat_map(words).find(|word| !vocabulary.contains(*word));
                    assert_eq!(stranger, None);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn answers_are_what_the_theory_says(seed: u64, index in 0_u64..1_000) {
            let generator = RuleGenerator::new(RuleConfig { seed, ..RuleConfig::default() }).unwrap();
            let set = generator.knowledge_set(index).unwrap();
            prop_assert_eq!(&set, &generator.knowledge_set(index).unwrap());
            let theory = Theory::new(&read(&set));
            for (question, answer) in set.questions.iter().zip(["yes", "no", "none"]) {
                prop_assert_eq!(&question.answer, answer);
                let support = theory.support(&asked(question));
                prop_assert_eq!(support.answer.word(), answer);
                prop_assert_eq!(&support.statements, &question.relevant);
            }
        }

        #[test]
        fn answers_survive_any_number_of_distractors_and_renaming(seed: u64, count in 0_usize..8) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let generator = RuleGenerator::new(RuleConfig { seed, ..RuleConfig::default() }).unwrap();
            let whole = generator.knowledge_set(0).unwrap();
            for question in 0..3 {
                let part = whole.with_distractors(question, Distractors::UpTo(count), &mut rng).unwrap();
                let part = part.rename_entities(&mut rng, &super::super::letters()).unwrap();
                let support = Theory::new(&read(&part)).support(&asked(&part.questions[0]));
                prop_assert_eq!(support.answer.word(), part.questions[0].answer.as_str());
            }
        }
    }
}
