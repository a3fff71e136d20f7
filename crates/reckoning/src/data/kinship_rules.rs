//! Family relations and how two of them compose: the algebra behind the kinship questions.
//!
//! A relation is a [`Kinship`] and the [`Gender`] of the relative. Composition only concerns the kinship, since the
//! gender of "A's mother's brother" is the brother's; that is why sixteen rules are enough for twenty relations.

/// Whether a relative is a woman or a man.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    /// As in daughter.
    Female,
    /// As in son.
    Male,
}

/// What a relative is to a person, leaving out gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the definitions")]
pub enum Kinship {
    Spouse,
    Parent,
    Child,
    Sibling,
    Grandparent,
    Grandchild,
    ParentsSibling,
    SiblingsChild,
    ParentInLaw,
    ChildInLaw,
}

use Kinship::*;

impl Kinship {
    /// All ten, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Spouse,
        Parent,
        Child,
        Sibling,
        Grandparent,
        Grandchild,
        ParentsSibling,
        SiblingsChild,
        ParentInLaw,
        ChildInLaw,
    ];

    /// What the person is to the relative.
    pub fn inverse(self) -> Self {
        match self {
            Spouse => Spouse,
            Parent => Child,
            Child => Parent,
            Sibling => Sibling,
            Grandparent => Grandchild,
            Grandchild => Grandparent,
            ParentsSibling => SiblingsChild,
            SiblingsChild => ParentsSibling,
            ParentInLaw => ChildInLaw,
            ChildInLaw => ParentInLaw,
        }
    }

    /// What C is to A, when B is `self` to A and C is `next` to B; `None` where kinship alone does not tell.
    ///
    /// These are the compositions that CLUTRR's proofs use. Three of them (a child's grandparent is a parent, a child's
    /// uncle or aunt is a sibling, a parent's child is a sibling) leave out other possibilities that a real family
    /// may have; the generator therefore checks every answer against its family tree.
    pub fn then(self, next: Self) -> Option<Self> {
        Some(match (self, next) {
            (Spouse, Child) => Child,
            (Spouse, Parent) => ParentInLaw,
            (Spouse, Grandchild) => Grandchild,
            (Parent, Parent) => Grandparent,
            (Parent, Child) => Sibling,
            (Parent, Sibling) => ParentsSibling,
            (Child, Spouse) => ChildInLaw,
            (Child, Child) => Grandchild,
            (Child, Sibling) => Child,
            (Child, Grandparent) => Parent,
            (Child, ParentsSibling) => Sibling,
            (Sibling, Parent) => Parent,
            (Sibling, Child) => SiblingsChild,
            (Sibling, Sibling) => Sibling,
            (Sibling, Grandparent) => Grandparent,
            (Grandchild, Sibling) => Grandchild,
            _ => return None,
        })
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A relation as a word says it: `daughter` is the kinship [`Kinship::Child`] with the gender [`Gender::Female`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Relation {
    /// What the relative is to the person.
    pub kinship: Kinship,
    /// The relative's gender.
    pub gender: Gender,
}

impl Relation {
    /// All twenty relations.
    pub fn all() -> impl Iterator<Item = Self> {
        let genders = [Gender::Female, Gender::Male];
        Kinship::ALL
            .into_iter()
            .flat_map(move |kinship| genders.map(|gender| Self { kinship, gender }))
    }

    /// The English word, e.g. `mother-in-law`.
    pub fn name(self) -> &'static str {
        let (female, male) = match self.kinship {
            Spouse => ("wife", "husband"),
            Parent => ("mother", "father"),
            Child => ("daughter", "son"),
            Sibling => ("sister", "brother"),
            Grandparent => ("grandmother", "grandfather"),
            Grandchild => ("granddaughter", "grandson"),
            ParentsSibling => ("aunt", "uncle"),
            SiblingsChild => ("niece", "nephew"),
            ParentInLaw => ("mother-in-law", "father-in-law"),
            ChildInLaw => ("daughter-in-law", "son-in-law"),
        };
        match self.gender {
            Gender::Female => female,
            Gender::Male => male,
        }
    }

    /// The relation of an English word; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|relation| relation.name() == name)
    }
}

/// Everything that a chain of relations may come to, over all ways to compose it two neighbours at a time.
///
/// The chain is read from the first person on: `[father, sister]` is the father's sister and gives `aunt`. The empty
/// chain gives nothing. Cost grows with the cube of the length.
pub fn derivable(chain: &[Relation]) -> Vec<Relation> {
    let Some(last) = chain.last() else { return Vec::new() };
    let length = chain.len();
    // reachable[start][end]: the kinships, one bit each, that links start..=end may compose to.
    let mut reachable = vec![vec![0_u16; length]; length];
    for (at, relation) in chain.iter().enumerate() {
        reachable[at][at] = relation.kinship.bit();
    }
    for width in 1..length {
        for start in 0..length - width {
            let end = start + width;
            reachable[start][end] = (start..end)
                .map(|middle| compose_sets(reachable[start][middle], reachable[middle + 1][end]))
                .fold(0, |all, found| all | found);
        }
    }
    let whole = reachable[0][length - 1];
    let found = Kinship::ALL.into_iter().filter(|kinship| whole & kinship.bit() != 0);
    found.map(|kinship| Relation { kinship, gender: last.gender }).collect()
}

fn compose_sets(first: u16, second: u16) -> u16 {
    let members =
        |set: u16| Kinship::ALL.into_iter().filter(move |kinship| set & kinship.bit() != 0);
    members(first)
        .flat_map(|left| members(second).filter_map(move |right| left.then(right)))
        .fold(0, |all, found| all | found.bit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Relation> {
        names.iter().map(|name| Relation::from_name(name).unwrap()).collect()
    }

    fn derived_names(names: &[&str]) -> Vec<&'static str> {
        derivable(&named(names)).into_iter().map(Relation::name).collect()
    }

    #[test]
    fn names_are_distinct_and_read_back() {
        assert_eq!(Relation::all().count(), 20);
        for relation in Relation::all() {
            assert_eq!(Relation::from_name(relation.name()), Some(relation));
        }
        assert_eq!(Relation::from_name("cousin"), None);
    }

    #[test]
    fn the_inverse_of_the_inverse_is_the_relation() {
        assert!(Kinship::ALL.into_iter().all(|kinship| kinship.inverse().inverse() == kinship));
    }

    #[test]
    fn two_links_follow_the_table() {
        assert_eq!(derived_names(&["father", "sister"]), ["aunt"]);
        assert_eq!(derived_names(&["daughter", "husband"]), ["son-in-law"]);
        assert_eq!(derived_names(&["wife", "father"]), ["father-in-law"]);
        assert!(derived_names(&["uncle", "wife"]).is_empty());
    }

    #[test]
    fn long_chains_may_need_to_be_composed_from_the_middle() {
        // From the left nothing follows (a son's father is not in the table); father-son first makes a brother.
        assert_eq!(derived_names(&["son", "father", "son"]), ["son"]);
        let from_a_test_file = ["son", "father", "son", "aunt", "son", "sister", "brother"];
        assert_eq!(derived_names(&from_a_test_file), ["nephew"]);
    }

    #[test]
    fn a_single_link_is_itself_and_no_link_is_nothing() {
        assert_eq!(derived_names(&["wife"]), ["wife"]);
        assert!(derivable(&[]).is_empty());
    }
}
