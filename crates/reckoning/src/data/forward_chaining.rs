//! What follows from a theory of facts and rules, and the shortest proof of it.
//!
//! Worlds are open: what is not proved is not false but unknown, and `not red` must be stated or concluded like any
//! attribute. Negation is therefore just another attribute, as is a relation to an entity, and chaining only ever adds
//! conclusions.

use std::collections::HashMap;
use std::hash::Hash;

use super::statements::{Literal, Predicate, Statement, Subject};

/// How far the search for a failing proof goes, in rules; ProofWriter's deepest questions have 5.
const DEEPEST_ATTEMPT: usize = 5;

/// What a theory says about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It follows.
    Yes,
    /// Its contrary follows.
    No,
    /// Neither follows.
    None,
}

impl Answer {
    /// The word used in questions: `yes`, `no` or `none`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::None => "none",
        }
    }
}

/// The answer to a question about a theory, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// The answer.
    pub answer: Answer,
    /// Indices of statements, each after those it builds on.
    pub statements: Vec<usize>,
    /// Rules on the longest path of the proof, or of the failed attempt; 0 for a stated fact.
    pub depth: usize,
    /// Statements of the proof counted as often as they are used (ProofWriter's `QLen`); 0 for [`Answer::None`].
    pub size: usize,
}

/// The shortest way to a conclusion found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Derivation {
    size: usize,
    depth: usize,
    by: usize,
}

/// A property is the number of a predicate and whether it is asserted.
type Property = (usize, bool);

/// A statement with its words replaced by numbers.
struct Rule {
    conditions: Vec<(Who, Property)>,
    conclusion: (Who, Property),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Anyone,
    Entity(usize),
}

impl Who {
    fn applied_to(self, entity: usize) -> usize {
        match self {
            Self::Anyone => entity,
            Self::Entity(named) => named,
        }
    }
}

/// A theory with everything that follows from it.
pub struct Theory {
    entities: HashMap<String, usize>,
    predicates: HashMap<Predicate, usize>,
    rules: Vec<Rule>,
    /// By conclusion: (entity, property).
    derived: HashMap<(usize, Property), Derivation>,
}

/// Number of `key`, a new one if it has none yet.
fn number<K: Clone + Eq + Hash>(numbers: &mut HashMap<K, usize>, key: &K) -> usize {
    let next = numbers.len();
    *numbers.entry(key.clone()).or_insert(next)
}

impl Theory {
    /// Chains forward until nothing new, and no shorter proof, is found.
    pub fn new(statements: &[Statement]) -> Self {
        let mut theory = Self {
            entities: HashMap::new(),
            predicates: HashMap::new(),
            rules: Vec::with_capacity(statements.len()),
            derived: HashMap::new(),
        };
        for statement in statements {
            let (conditions, conclusion) = match statement {
                Statement::Fact(literal) => (&[][..], literal),
                Statement::Rule { conditions, conclusion } => (&conditions[..], conclusion),
            };
            let conditions = conditions.iter().map(|literal| theory.numbered(literal)).collect();
            let conclusion = theory.numbered(conclusion);
            theory.rules.push(Rule { conditions, conclusion });
        }
        while theory.chain_once() {}
        theory
    }

    fn numbered(&mut self, literal: &Literal) -> (Who, Property) {
        let who = match &literal.subject {
            Subject::Anyone => Who::Anyone,
            Subject::Named(name) => Who::Entity(number(&mut self.entities, name)),
        };
        (who, (number(&mut self.predicates, &literal.predicate), literal.positive))
    }

    /// Applies every statement to everyone it may concern; whether that improved anything.
    fn chain_once(&mut self) -> bool {
        let mut improved = false;
        for (by, rule) in self.rules.iter().enumerate() {
            let concerns_anyone = rule.conditions.iter().any(|(who, _)| *who == Who::Anyone);
            let entities = if concerns_anyone { self.entities.len() } else { 1 };
            for entity in 0..entities {
                let Some((size, depth)) = self.application(rule, entity) else { continue };
                let goal = (rule.conclusion.0.applied_to(entity), rule.conclusion.1);
                let known = self.derived.get(&goal);
                if known.is_none_or(|known| (size, depth) < (known.size, known.depth)) {
                    self.derived.insert(goal, Derivation { size, depth, by });
                    improved = true;
                }
            }
        }
        improved
    }

    /// Size and depth of a proof that ends in `rule` applied to `entity`, if its conditions hold.
    fn application(&self, rule: &Rule, entity: usize) -> Option<(usize, usize)> {
        let mut size = 1;
        let mut depth = 0;
        for (who, property) in &rule.conditions {
            let condition = self.derived.get(&(who.applied_to(entity), *property))?;
            size += condition.size;
            depth = depth.max(condition.depth + 1);
        }
        Some((size, depth))
    }

    /// Every literal that follows, with the depth of its shortest proof, in no particular order.
    #[cfg(test)]
    fn conclusions(&self) -> impl Iterator<Item = (Literal, usize)> {
        let entities: HashMap<usize, &String> =
            self.entities.iter().map(|(name, number)| (*number, name)).collect();
        let predicates: HashMap<usize, &Predicate> =
            self.predicates.iter().map(|(predicate, number)| (*number, predicate)).collect();
        let literal = move |((entity, (predicate, positive)), derivation): (
            &(usize, Property),
            &Derivation,
        )| {
            let subject = Subject::Named(entities[entity].clone());
            let predicate = predicates[predicate].clone();
            (Literal { subject, predicate, positive: *positive }, derivation.depth)
        };
        self.derived.iter().map(literal)
    }

    /// Whether `question` follows, and what shows it.
    ///
    /// For [`Answer::Yes`] and [`Answer::No`] that is the proof with the fewest statements, counted as often as they
    /// are used; among equals the least deep, then the first found. For [`Answer::None`] it is the deepest attempt that fails: the
    /// rules of a backward search for the statement or its contrary, together with the proofs of those of their
    /// conditions that do hold. An attempt is as deep as the shallowest of a rule's failing conditions allows
    /// (ProofWriter's `QDep` of unknown questions); the search stops at depth 5. Where no rule concludes the
    /// attribute, the facts about the entity stand in for the attempt, else the facts about the attribute, else the
    /// first statement, so that it is only empty for an empty theory.
    pub fn support(&self, question: &Literal) -> Support {
        for (literal, answer) in [(question.clone(), Answer::Yes), (question.negated(), Answer::No)]
        {
            if let (Some(entity), Some(property)) = self.goal(&literal)
                && let Some(derivation) = self.derived.get(&(entity, property))
            {
                let mut statements = Vec::new();
                self.collect_proof((entity, property), &mut statements);
                return Support {
                    answer,
                    statements,
                    depth: derivation.depth,
                    size: derivation.size,
                };
            }
        }
        let contrary = self.failed_attempt(&question.negated());
        let asked = self.failed_attempt(question);
        let (depth, mut statements) = if contrary.0 > asked.0 { contrary } else { asked };
        if statements.is_empty() {
            statements = self.related_statements(question);
        }
        Support { answer: Answer::None, statements, depth, size: 0 }
    }

    /// Numbers of the entity and property of a literal, where the theory mentions them.
    fn goal(&self, literal: &Literal) -> (Option<usize>, Option<Property>) {
        let entity = match &literal.subject {
            Subject::Named(name) => self.entities.get(name).copied(),
            Subject::Anyone => None,
        };
        (entity, self.predicates.get(&literal.predicate).map(|number| (*number, literal.positive)))
    }

    /// Appends the statements of a proof, premises first, each once.
    fn collect_proof(&self, goal: (usize, Property), proof: &mut Vec<usize>) {
        let Some(derivation) = self.derived.get(&goal) else { return };
        for (who, property) in &self.rules[derivation.by].conditions {
            self.collect_proof((who.applied_to(goal.0), *property), proof);
        }
        if !proof.contains(&derivation.by) {
            proof.push(derivation.by);
        }
    }

    fn failed_attempt(&self, question: &Literal) -> (usize, Vec<usize>) {
        let mut statements = Vec::new();
        let depth = match self.goal(question) {
            (entity, Some(property)) => {
                let path = self.deepest_failure(entity, property, &mut Vec::new());
                for &rule in path.iter().rev() {
                    self.collect_attempt(entity, rule, &mut statements);
                }
                path.len()
            }
            (_, None) => 0,
        };
        (depth, statements)
    }

    /// The chain of rules, from the goal backwards, that gets furthest before a condition fails without recourse.
    fn deepest_failure(
        &self,
        entity: Option<usize>,
        goal: Property,
        path: &mut Vec<Property>,
    ) -> Vec<usize> {
        let mut deepest = Vec::new();
        if path.contains(&goal) || path.len() == DEEPEST_ATTEMPT {
            return deepest;
        }
        path.push(goal);
        for (at, rule) in self.rules.iter().enumerate() {
            let concludes_goal =
                rule.conclusion.1 == goal && self.concerns(rule.conclusion.0, entity);
            if rule.conditions.is_empty() || !concludes_goal {
                continue;
            }
            let failures =
                rule.conditions.iter().filter(|condition| !self.holds(entity, condition));
            let shallowest = failures
                .map(|(who, property)| {
                    self.deepest_failure(self.subject_of(*who, entity), *property, path)
                })
                .min_by_key(Vec::len);
            if let Some(mut rest) = shallowest
                && rest.len() + 1 > deepest.len()
            {
                rest.insert(0, at);
                deepest = rest;
            }
        }
        path.pop();
        deepest
    }

    /// Appends those conditions of `rule` that hold, with their proofs, and then the rule.
    fn collect_attempt(&self, entity: Option<usize>, rule: usize, statements: &mut Vec<usize>) {
        for (who, property) in &self.rules[rule].conditions {
            if let Some(subject) = self.subject_of(*who, entity) {
                self.collect_proof((subject, *property), statements);
            }
        }
        if !statements.contains(&rule) {
            statements.push(rule);
        }
    }

    fn related_statements(&self, question: &Literal) -> Vec<usize> {
        let facts = |wanted: &dyn Fn(&Rule) -> bool| -> Vec<usize> {
            (0..self.rules.len())
                .filter(|&at| self.rules[at].conditions.is_empty() && wanted(&self.rules[at]))
                .collect()
        };
        let (entity, property) = self.goal(question);
        let about_entity =
            facts(&|rule| entity.is_some_and(|entity| rule.conclusion.0 == Who::Entity(entity)));
        if !about_entity.is_empty() {
            return about_entity;
        }
        let about_attribute =
            facts(&|rule| property.is_some_and(|property| rule.conclusion.1.0 == property.0));
        if about_attribute.is_empty() {
            (0..self.rules.len().min(1)).collect()
        } else {
            about_attribute
        }
    }

    fn subject_of(&self, who: Who, entity: Option<usize>) -> Option<usize> {
        match who {
            Who::Anyone => entity,
            Who::Entity(named) => Some(named),
        }
    }

    fn concerns(&self, who: Who, entity: Option<usize>) -> bool {
        match who {
            Who::Anyone => true,
            Who::Entity(named) => Some(named) == entity,
        }
    }

    fn holds(&self, entity: Option<usize>, (who, property): &(Who, Property)) -> bool {
        self.subject_of(*who, entity)
            .is_some_and(|subject| self.derived.contains_key(&(subject, *property)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn statements(texts: &[&str]) -> Vec<Statement> {
        texts.iter().map(|text| Statement::parse(text).unwrap()).collect()
    }

    fn support(theory: &Theory, question: &str) -> Support {
        let Some(Statement::Fact(literal)) = Statement::parse(question) else {
            panic!("{question} is no literal")
        };
        theory.support(&literal)
    }

    fn example() -> Theory {
        Theory::new(&statements(&[
            "Gary is rough.",
            "Gary is red.",
            "Gary is nice.",
            "Gary is blue.",
            "If someone is round and red then they are young.",
            "If someone is nice and blue then they are round.",
            "If someone is red and young and blue then they are cold.",
            "If someone is cold and kind then they are big.",
            "Bob is not red.",
            "If Bob is not red then Gary is smart.",
        ]))
    }

    #[test]
    fn proofs_are_shortest_and_in_order() {
        let theory = example();
        let stated = support(&theory, "Gary is rough.");
        assert_eq!(
            (stated.answer, stated.statements, stated.depth, stated.size),
            (Answer::Yes, vec![0], 0, 1)
        );
        let two_rules = support(&theory, "Gary is young.");
        assert_eq!(
            (two_rules.statements, two_rules.depth, two_rules.size),
            (vec![2, 3, 5, 1, 4], 2, 5)
        );
        let reused = support(&theory, "Gary is cold.");
        assert_eq!((reused.statements, reused.depth, reused.size), (vec![1, 2, 3, 5, 4, 6], 3, 8));
    }

    #[test]
    fn negation_must_be_stated_or_concluded() {
        let theory = example();
        assert_eq!(support(&theory, "Gary is not young.").answer, Answer::No);
        assert_eq!(support(&theory, "Bob is red.").answer, Answer::No);
        assert_eq!(support(&theory, "Bob is not red.").answer, Answer::Yes);
        assert_eq!(support(&theory, "Gary is smart.").statements, [8, 9]);
        assert_eq!(support(&theory, "Gary is not kind.").answer, Answer::None);
    }

    #[test]
    fn failed_attempts_hold_what_was_tried() {
        let theory = example();
        let failed = support(&theory, "Gary is big.");
        assert_eq!((failed.answer, failed.depth), (Answer::None, 1));
        assert_eq!(failed.statements, [1, 2, 3, 5, 4, 6, 7]);
        let deeper = support(&theory, "Bob is not cold.");
        assert_eq!((deeper.depth, deeper.statements), (1, vec![6]));
    }

    #[test]
    fn without_a_rule_the_nearest_facts_stand_in() {
        let theory = example();
        assert_eq!(support(&theory, "Gary is kind.").statements, [0, 1, 2, 3]);
        assert_eq!(support(&theory, "Zoe is rough.").statements, [0]);
        assert_eq!(support(&theory, "Zoe is tall.").statements, [0]);
        assert!(support(&Theory::new(&[]), "Zoe is tall.").statements.is_empty());
    }

    #[test]
    fn circular_rules_end() {
        let theory = Theory::new(&statements(&[
            "If someone is red then they are big.",
            "If someone is big then they are red.",
            "Bob is nice.",
        ]));
        assert_eq!(support(&theory, "Bob is red.").answer, Answer::None);
        assert_eq!(support(&theory, "Bob is red.").depth, 2);
    }

    fn literal(names: &'static [&'static str]) -> impl Strategy<Value = Literal> {
        const ATTRIBUTES: &[&str] = &["red", "big", "cold", "kind", "nice", "young"];
        (prop::sample::select(names), prop::sample::select(ATTRIBUTES), prop::bool::weighted(0.8))
            .prop_map(|(name, attribute, positive)| match name {
                "" => Literal::about_anyone(attribute, positive),
                _ => Literal::new(name, attribute, positive),
            })
    }

    fn theory(
        size: impl Into<prop::collection::SizeRange>,
    ) -> impl Strategy<Value = Vec<Statement>> {
        let fact = literal(&["Bob", "Gary", "Zoe"]).prop_map(Statement::Fact);
        let rule = (prop::collection::vec(literal(&[""]), 1..4), literal(&[""]))
            .prop_map(|(conditions, conclusion)| Statement::Rule { conditions, conclusion });
        prop::collection::vec(prop_oneof![fact, rule], size)
    }

    proptest! {
        #[test]
        fn more_statements_never_prove_less(statements in theory(0..14), extra in theory(0..4)) {
            let before: HashSet<Literal> = Theory::new(&statements).conclusions().map(|(literal, _)| literal).collect();
            let all: Vec<Statement> = statements.into_iter().chain(extra).collect();
            let after: HashSet<Literal> = Theory::new(&all).conclusions().map(|(literal, _)| literal).collect();
            prop_assert!(before.is_subset(&after));
        }

        #[test]
        fn a_proof_proves_and_no_part_of_it_does(statements in theory(1..14)) {
            for (literal, depth) in Theory::new(&statements).conclusions() {
                let support = Theory::new(&statements).support(&literal);
                prop_assert_eq!((support.answer, support.depth), (Answer::Yes, depth));
                let proof: Vec<Statement> =
                    support.statements.iter().map(|&at| statements[at].clone()).collect();
                prop_assert_eq!(Theory::new(&proof).support(&literal).answer, Answer::Yes);
                for left_out in 0..proof.len() {
                    let mut part = proof.clone();
                    part.remove(left_out);
                    prop_assert_ne!(Theory::new(&part).support(&literal).answer, Answer::Yes);
                }
            }
        }

        #[test]
        fn what_fails_in_the_theory_fails_in_the_attempt(statements in theory(1..14), asked in literal(&["Bob"])) {
            let support = Theory::new(&statements).support(&asked);
            let attempt: Vec<Statement> = support.statements.iter().map(|&at| statements[at].clone()).collect();
            prop_assert!(!attempt.is_empty());
            prop_assert_eq!(Theory::new(&attempt).support(&asked).answer, support.answer);
        }
    }
}
