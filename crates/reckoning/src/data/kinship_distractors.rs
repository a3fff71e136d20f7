//! True facts that a kinship question does not need, of the three kinds that CLUTRR knows.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::family::Family;
use super::kinship_chain::member_between;
use super::kinship_rules::Relation;

const STRANGERS_TRIED: usize = 20;
/// Facts of one kind: a family of strangers has relations between any two of its members.
const MOST: usize = 1_000;

/// How many distracting facts of each kind a knowledge set gets, at most 1,000 of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KinshipDistractors {
    /// Detours: another way, in two facts through one more person, to say what a fact of the chain says.
    pub supporting: usize,
    /// Facts about a person of the chain and a relative who is not in it.
    pub irrelevant: usize,
    /// Facts about another family.
    pub disconnected: usize,
}

impl KinshipDistractors {
    /// Checks that no kind has more facts than a story could be told with.
    ///
    /// # Errors
    /// [`DataError::Configuration`] for the first that has.
    pub(super) fn check(self) -> Result<(), DataError> {
        let Self { supporting, irrelevant, disconnected } = self;
        DataError::require_at_most("data.source.distractors.supporting", supporting, MOST)?;
        DataError::require_at_most("data.source.distractors.irrelevant", irrelevant, MOST)?;
        DataError::require_at_most("data.source.distractors.disconnected", disconnected, MOST)
    }

    /// People that the distractors may add to those of the chain.
    pub(super) fn most_people(self) -> usize {
        let strangers = if self.disconnected == 0 { 0 } else { self.disconnected + 1 };
        self.supporting + self.irrelevant + strangers
    }
}

/// The fact that `person`'s `relation` is `relative`.
pub(super) struct Link {
    pub(super) person: usize,
    pub(super) relation: Relation,
    pub(super) relative: usize,
}

/// A chain of links, then its distractors. Members of the other family are numbered after those of the first.
pub(super) struct Story {
    pub(super) links: Vec<Link>,
    pub(super) hops: usize,
    pub(super) answer: Relation,
}

impl Story {
    /// The story of the chain `people` with distractors; `None` when the family has no suitable members.
    pub(super) fn around(
        family: &Family,
        people: Vec<usize>,
        wanted: &KinshipDistractors,
        rng: &mut impl Rng,
    ) -> Option<Self> {
        let hops = people.len() - 1;
        let answer = family.relation(people[0], people[hops])?;
        let mut story = Self { links: Vec::new(), hops, answer };
        for pair in people.windows(2) {
            story.link(family, pair[0], pair[1], 0)?;
        }
        let mut taken = people.clone();
        for _ in 0..wanted.supporting {
            let at = rng.random_range(0..hops);
            let member = member_between(family, people[at], people[at + 1], &taken, rng)?;
            story.link(family, people[at], member, 0)?;
            story.link(family, member, people[at + 1], 0)?;
            taken.push(member);
        }
        for _ in 0..wanted.irrelevant {
            let (person, relative) = hanging_pair(family, &people, &taken, rng)?;
            story.link(family, person, relative, 0)?;
            taken.push(relative);
        }
        story.add_strangers(family.len(), wanted.disconnected, rng)?;
        Some(story)
    }

    /// Everyone in the story, each once.
    pub(super) fn people(&self) -> Vec<usize> {
        let mut people: Vec<usize> =
            self.links.iter().flat_map(|link| [link.person, link.relative]).collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    fn link(
        &mut self,
        family: &Family,
        person: usize,
        relative: usize,
        first_number: usize,
    ) -> Option<()> {
        let relation = family.relation(person, relative)?;
        self.links.push(Link {
            person: first_number + person,
            relation,
            relative: first_number + relative,
        });
        Some(())
    }

    /// `count` connected facts about a family of its own.
    fn add_strangers(
        &mut self,
        first_number: usize,
        count: usize,
        rng: &mut impl Rng,
    ) -> Option<()> {
        if count == 0 {
            return Some(());
        }
        let family = Family::random(6 + 2 * count, rng);
        let mut known = vec![rng.random_range(0..family.len())];
        for _ in 0..count {
            let (person, relative) = hanging_pair(&family, &known, &known, rng)?;
            self.link(&family, person, relative, first_number)?;
            known.push(relative);
        }
        Some(())
    }
}

/// Someone of `people` and a relative outside `taken`.
fn hanging_pair(
    family: &Family,
    people: &[usize],
    taken: &[usize],
    rng: &mut impl Rng,
) -> Option<(usize, usize)> {
    (0..STRANGERS_TRIED).find_map(|_| {
        let person = *people.choose(rng)?;
        let is_free = |relative: &usize| {
            family.kinship(person, *relative).is_some() && !taken.contains(relative)
        };
        let relatives: Vec<usize> = (0..family.len()).filter(is_free).collect();
        relatives.choose(rng).map(|relative| (person, *relative))
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::kinship_chain::stretched_chain;

    /// A story of two hops with the wanted distractors, and the size of its first family.
    fn story(wanted: KinshipDistractors) -> (Story, usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let found = (0..200).find_map(|_| {
            let family = Family::random(16, &mut rng);
            let people = stretched_chain(&family, 2, &mut rng)?;
            Some((Story::around(&family, people, &wanted, &mut rng)?, family.len()))
        });
        found.expect("one family in two hundred is enough")
    }

    #[test]
    fn more_facts_than_a_story_could_be_told_with_are_refused_by_kind() {
        let refused = |wanted: KinshipDistractors| wanted.check().unwrap_err().to_string();
        let none = KinshipDistractors::default();
        let detours = refused(KinshipDistractors { supporting: usize::MAX, ..none });
        assert!(detours.contains("`data.source.distractors.supporting` is 18446744073709551615"));
        let hanging = refused(KinshipDistractors { irrelevant: 1_001, ..none });
        assert!(hanging.contains("irrelevant` is 1001; it must be at most 1000"), "{hanging}");
        assert!(refused(KinshipDistractors { disconnected: 1 << 60, ..none }).contains("at most"));
        let some = KinshipDistractors { supporting: 2, irrelevant: 9, disconnected: MOST };
        some.check().unwrap();
    }

    #[test]
    fn a_supporting_detour_composes_to_a_link_of_the_chain() {
        let (story, _) =
            story(KinshipDistractors { supporting: 1, ..KinshipDistractors::default() });
        let [.., first, second] = story.links.as_slice() else { panic!("two links of the detour") };
        assert_eq!(first.relative, second.person);
        let detoured = story.links[..2]
            .iter()
            .find(|link| (link.person, link.relative) == (first.person, second.relative));
        let whole = first.relation.kinship.then(second.relation.kinship);
        assert_eq!(whole, detoured.map(|link| link.relation.kinship));
    }

    #[test]
    fn irrelevant_facts_hang_off_the_chain() {
        let (story, _) =
            story(KinshipDistractors { irrelevant: 3, ..KinshipDistractors::default() });
        let chain: Vec<usize> =
            story.links[..2].iter().flat_map(|link| [link.person, link.relative]).collect();
        for link in &story.links[2..] {
            assert!(chain.contains(&link.person) && !chain.contains(&link.relative));
        }
    }

    #[test]
    fn disconnected_facts_are_about_another_family() {
        let (story, family) =
            story(KinshipDistractors { disconnected: 3, ..KinshipDistractors::default() });
        assert_eq!(story.links.len(), 5);
        assert!(
            story.links[2..].iter().all(|link| link.person >= family && link.relative >= family)
        );
        assert!(story.links[..2].iter().all(|link| link.person < family && link.relative < family));
    }
}
