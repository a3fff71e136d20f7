//! A random family tree, and what any two of its members are to each other.

use rand::{Rng, RngExt};

use super::kinship_rules::{Gender, Kinship, Relation};

const MOST_CHILDREN: usize = 4;

struct Person {
    gender: Gender,
    parents: Option<[usize; 2]>,
    spouse: Option<usize>,
    children: usize,
}

/// A family grown from one couple. Members are numbered from 0; nobody marries a relative, and children have two
/// parents, so that any two members have at most one kinship.
pub(super) struct Family {
    people: Vec<Person>,
    kinships: Vec<Option<Kinship>>,
}

impl Family {
    /// A family of `size` or `size + 1` members (at least a couple), grown by random births, marriages and
    /// in-laws.
    pub(super) fn random(size: usize, rng: &mut impl Rng) -> Self {
        let mut family = Self { people: Vec::with_capacity(size + 1), kinships: Vec::new() };
        family.add_couple(rng);
        while family.people.len() < size {
            let person = rng.random_range(0..family.people.len());
            match rng.random_range(0..3) {
                0 => family.marry(person),
                1 => family.bear_child(person, rng),
                _ => family.add_parents(person, rng),
            }
        }
        family.kinships = family.all_kinships();
        family
    }

    /// Members.
    pub(super) fn len(&self) -> usize {
        self.people.len()
    }

    /// What `relative` is to `person`, leaving out gender; `None` for oneself and for everything without a word.
    pub(super) fn kinship(&self, person: usize, relative: usize) -> Option<Kinship> {
        self.kinships[person * self.people.len() + relative]
    }

    /// What `relative` is to `person`.
    pub(super) fn relation(&self, person: usize, relative: usize) -> Option<Relation> {
        let gender = self.people[relative].gender;
        self.kinship(person, relative).map(|kinship| Relation { kinship, gender })
    }

    /// Every ordered pair of members that has a relation.
    pub(super) fn related_pairs(&self) -> impl Iterator<Item = (usize, usize, Relation)> {
        let size = self.len();
        (0..size).flat_map(move |person| {
            (0..size).filter_map(move |relative| {
                self.relation(person, relative).map(|relation| (person, relative, relation))
            })
        })
    }

    fn add_person(&mut self, gender: Gender, parents: Option<[usize; 2]>) -> usize {
        self.people.push(Person { gender, parents, spouse: None, children: 0 });
        self.people.len() - 1
    }

    fn wed(&mut self, first: usize, second: usize) {
        self.people[first].spouse = Some(second);
        self.people[second].spouse = Some(first);
    }

    fn add_couple(&mut self, rng: &mut impl Rng) -> [usize; 2] {
        let gender = random_gender(rng);
        let first = self.add_person(gender, None);
        let second = self.add_person(opposite(gender), None);
        self.wed(first, second);
        [first, second]
    }

    fn marry(&mut self, person: usize) {
        if self.people[person].spouse.is_none() {
            let spouse = self.add_person(opposite(self.people[person].gender), None);
            self.wed(person, spouse);
        }
    }

    fn bear_child(&mut self, parent: usize, rng: &mut impl Rng) {
        if let Some(spouse) = self.people[parent].spouse
            && self.people[parent].children < MOST_CHILDREN
        {
            self.add_person(random_gender(rng), Some([parent, spouse]));
            self.people[parent].children += 1;
            self.people[spouse].children += 1;
        }
    }

    fn add_parents(&mut self, child: usize, rng: &mut impl Rng) {
        if self.people[child].parents.is_none() {
            let parents = self.add_couple(rng);
            self.people[child].parents = Some(parents);
            for parent in parents {
                self.people[parent].children = 1;
            }
        }
    }

    fn all_kinships(&self) -> Vec<Option<Kinship>> {
        let size = self.len();
        let mut kinships = vec![None; size * size];
        for person in 0..size {
            for relative in person + 1..size {
                let kinship = self.traced_kinship(person, relative);
                kinships[person * size + relative] = kinship;
                kinships[relative * size + person] = kinship.map(Kinship::inverse);
            }
        }
        kinships
    }

    fn traced_kinship(&self, person: usize, relative: usize) -> Option<Kinship> {
        let upwards = self.kinship_upwards(person, relative);
        upwards.or_else(|| self.kinship_upwards(relative, person).map(Kinship::inverse))
    }

    /// The kinships in which `relative` is of the same or an earlier generation.
    fn kinship_upwards(&self, person: usize, relative: usize) -> Option<Kinship> {
        let Person { parents, spouse, .. } = &self.people[person];
        let is_parent_of =
            |child: usize| self.people[child].parents.is_some_and(|pair| pair.contains(&relative));
        let is_sibling_of = |other: usize| {
            let same = (self.people[other].parents, self.people[relative].parents);
            other != relative
                && matches!(same, (Some(one), Some(two)) if one[0].min(one[1]) == two[0].min(two[1]))
        };
        if *spouse == Some(relative) {
            Some(Kinship::Spouse)
        } else if is_parent_of(person) {
            Some(Kinship::Parent)
        } else if is_sibling_of(person) {
            Some(Kinship::Sibling)
        } else if parents.is_some_and(|pair| pair.into_iter().any(is_parent_of)) {
            Some(Kinship::Grandparent)
        } else if parents.is_some_and(|pair| pair.into_iter().any(is_sibling_of)) {
            Some(Kinship::ParentsSibling)
        } else if spouse.is_some_and(is_parent_of) {
            Some(Kinship::ParentInLaw)
        } else {
            None
        }
    }
}

fn random_gender(rng: &mut impl Rng) -> Gender {
    if rng.random() { Gender::Female } else { Gender::Male }
}

fn opposite(gender: Gender) -> Gender {
    match gender {
        Gender::Female => Gender::Male,
        Gender::Male => Gender::Female,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn person(gender: Gender, parents: Option<[usize; 2]>, spouse: Option<usize>) -> Person {
        Person { gender, parents, spouse, children: 0 }
    }

    #[test]
    fn a_family_written_by_hand_has_the_relations_one_expects() {
        use Gender::{Female, Male};
        // 0 and 1 have the sons 2 and 3; 2 is married to 4, and their daughter is 5.
        let people = vec![
            person(Male, None, Some(1)),
            person(Female, None, Some(0)),
            person(Male, Some([0, 1]), Some(4)),
            person(Male, Some([1, 0]), None),
            person(Female, None, Some(2)),
            person(Female, Some([2, 4]), None),
        ];
        let mut family = Family { people, kinships: Vec::new() };
        family.kinships = family.all_kinships();
        let name = |a: usize, b: usize| family.relation(a, b).map(Relation::name);
        assert_eq!(name(0, 2), Some("son"));
        assert_eq!(name(2, 3), Some("brother"));
        assert_eq!(name(5, 1), Some("grandmother"));
        assert_eq!(name(1, 5), Some("granddaughter"));
        assert_eq!(name(5, 3), Some("uncle"));
        assert_eq!(name(3, 5), Some("niece"));
        assert_eq!(name(4, 0), Some("father-in-law"));
        assert_eq!(name(0, 4), Some("daughter-in-law"));
        assert_eq!(name(4, 2), Some("husband"));
        assert_eq!((name(3, 4), name(0, 0)), (None, None));
    }

    proptest! {
        #[test]
        fn kinship_is_mutual_and_never_with_oneself(seed: u64, size in 2_usize..40) {
            let family = Family::random(size, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(family.len() == size || family.len() == size + 1);
            for a in 0..family.len() {
                prop_assert_eq!(family.kinship(a, a), None);
                for b in 0..family.len() {
                    prop_assert_eq!(family.kinship(a, b), family.kinship(b, a).map(Kinship::inverse));
                }
            }
        }

        #[test]
        fn parents_children_and_marriages_are_sound(seed: u64) {
            let family = Family::random(25, &mut ChaCha8Rng::seed_from_u64(seed));
            for (a, b, relation) in family.related_pairs() {
                if relation.kinship == Kinship::Parent {
                    let other = family.people[b].spouse.expect("parents are couples");
                    prop_assert_eq!(family.kinship(a, other), Some(Kinship::Parent));
                    prop_assert_ne!(family.people[b].gender, family.people[other].gender);
                }
            }
        }
    }
}
