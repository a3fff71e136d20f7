//! Chains of relatives: a relation told in one link, stretched to as many links as wanted.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::family::Family;
use super::kinship_rules::Relation;

/// `hops + 1` different members, neighbours related, from a related pair by repeatedly putting someone between two
/// neighbours.
pub(super) fn stretched_chain(
    family: &Family,
    hops: usize,
    rng: &mut impl Rng,
) -> Option<Vec<usize>> {
    let mut people = random_pair(family, rng)?.to_vec();
    while people.len() <= hops {
        let links = people.len() - 1;
        let start = rng.random_range(0..links);
        let between = (0..links).map(|offset| (start + offset) % links).find_map(|link| {
            let member = member_between(family, people[link], people[link + 1], &people, rng)?;
            Some((link, member))
        });
        let (link, member) = between?;
        people.insert(link + 1, member);
    }
    Some(people)
}

/// A pair whose relation is drawn evenly among the relations that the family has, so that rare ones are asked for too.
fn random_pair(family: &Family, rng: &mut impl Rng) -> Option<[usize; 2]> {
    let code = |relation: Relation| 2 * relation.kinship as u32 + relation.gender as u32;
    let present =
        family.related_pairs().fold(0_u32, |all, (_, _, relation)| all | 1 << code(relation));
    let wanted = random_bit(present, rng)?;
    let of_this_relation =
        family.related_pairs().filter(|(_, _, relation)| code(*relation) == wanted);
    let pairs: Vec<[usize; 2]> =
        of_this_relation.map(|(person, relative, _)| [person, relative]).collect();
    pairs.choose(rng).copied()
}

/// A member outside `taken` through whom the relation of `person` and `relative` can be told in two links; the kind of
/// the first link is drawn evenly before the member is.
pub(super) fn member_between(
    family: &Family,
    person: usize,
    relative: usize,
    taken: &[usize],
    rng: &mut impl Rng,
) -> Option<usize> {
    let whole = family.kinship(person, relative)?;
    let first_link = |member: usize| {
        let first = family.kinship(person, member)?;
        let second = family.kinship(member, relative)?;
        (first.then(second) == Some(whole) && !taken.contains(&member)).then_some(first as u32)
    };
    let candidates: Vec<(usize, u32)> = (0..family.len())
        .filter_map(|member| first_link(member).map(|first| (member, first)))
        .collect();
    let wanted = random_bit(candidates.iter().fold(0, |all, (_, first)| all | 1 << first), rng)?;
    let of_this_kind: Vec<usize> = candidates
        .into_iter()
        .filter(|(_, first)| *first == wanted)
        .map(|(member, _)| member)
        .collect();
    of_this_kind.choose(rng).copied()
}

/// The position of a random set bit.
fn random_bit(set: u32, rng: &mut impl Rng) -> Option<u32> {
    let count = set.count_ones();
    let chosen = if count == 0 { return None } else { rng.random_range(0..count) };
    (0..u32::BITS).filter(|position| set >> position & 1 == 1).nth(chosen as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::kinship_rules::derivable;

    #[test]
    fn a_random_bit_is_one_of_the_set() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let drawn: std::collections::BTreeSet<u32> =
            (0..200).filter_map(|_| random_bit(0b1010_0100, &mut rng)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [2, 5, 7]);
        assert_eq!(random_bit(0, &mut rng), None);
    }

    proptest! {
        #[test]
        fn the_ends_of_a_chain_are_related_as_the_chain_says(seed: u64, hops in 1_usize..8) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let family = Family::random(10 + 3 * hops, &mut rng);
            let Some(people) = stretched_chain(&family, hops, &mut rng) else { return Ok(()) };
            prop_assert_eq!(people.len(), hops + 1);
            let mut different = people.clone();
            different.sort_unstable();
            different.dedup();
            prop_assert_eq!(different.len(), people.len());
            let links: Option<Vec<Relation>> =
                people.windows(2).map(|pair| family.relation(pair[0], pair[1])).collect();
            let ends = family.relation(people[0], people[hops]).expect("the chain grew from a related pair");
            prop_assert!(derivable(&links.expect("neighbours are related")).contains(&ends));
        }
    }
}
