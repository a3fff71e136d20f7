//! The proofs of CLUTRR-SG in words: `since person 6 is a uncle to person 3 , and ... , then person 6 is ...`

use super::clutrr_proof::relation_word;
use super::words;

/// `subject` is the `relation` of `object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) subject: String,
    pub(super) relation: String,
    pub(super) object: String,
}

/// A step of a proof along a chain: the relation, and whether the step goes from its subject to its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) relation: String,
    pub(super) is_forward: bool,
}

/// What a proof says: the steps from the subject of its conclusion to the object, and the concluded relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) steps: Vec<Step>,
    pub(super) relation: String,
}

/// Reads the sentences of one proof; `None` when they are worded otherwise or do not make one chain.
pub(super) fn read_chain(sentences: &[String]) -> Option<Chain> {
    let mut premises: Vec<Claim> = Vec::new();
    let mut conclusions: Vec<Claim> = Vec::new();
    for sentence in sentences {
        let (before, after) = sentence.split_once(" then ")?;
        premises.extend(claims(before));
        conclusions.extend(claims(after));
    }
    let last = conclusions.last()?;
    premises.retain(|premise| !conclusions.contains(premise));
    let mut steps = Vec::with_capacity(premises.len());
    let mut person = last.subject.clone();
    while !premises.is_empty() {
        let at =
            premises.iter().position(|claim| claim.subject == person || claim.object == person)?;
        let claim = premises.remove(at);
        let is_forward = claim.subject == person;
        person = if is_forward { claim.object } else { claim.subject };
        steps.push(Step { relation: claim.relation, is_forward });
    }
    (person == last.object && !steps.is_empty())
        .then(|| Chain { steps, relation: last.relation.clone() })
}

/// Every `X is [a|an|the] RELATION to|of Y` of a text, where X and Y are a word or `person N`.
fn claims(text: &str) -> Vec<Claim> {
    let words: Vec<&str> = words(text).collect();
    let verbs = (0..words.len()).filter(|&at| words[at] == "is");
    verbs.filter_map(|verb| claim(&words[..verb], &words[verb + 1..])).collect()
}

fn claim(before: &[&str], after: &[&str]) -> Option<Claim> {
    let subject = match before {
        [.., "person", number] => format!("person {number}"),
        [.., name] => (*name).to_owned(),
        [] => return None,
    };
    let after = match after {
        ["a" | "an" | "the", rest @ ..] => rest,
        rest => rest,
    };
    let (relation, object) = match after {
        [relation, "to" | "of", "person", number, ..] => (relation, format!("person {number}")),
        [relation, "to" | "of", name, ..] => (relation, (*name).to_owned()),
        _ => return None,
    };
    Some(Claim { subject, relation: relation_word(relation)?, object })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(sentences: &[&str]) -> Option<Chain> {
        read_chain(&sentences.iter().map(|sentence| (*sentence).to_owned()).collect::<Vec<_>>())
    }

    fn step(relation: &str, is_forward: bool) -> Step {
        Step { relation: relation.to_owned(), is_forward }
    }

    #[test]
    fn a_proof_of_two_steps_is_read() {
        let proof = "since person 6 is a uncle to person 3 , and person 3 is a son of person 20 , then person 6 is a \
                     brother to person 20 .";
        let read = chain(&[proof]).unwrap();
        assert_eq!(read.steps, [step("uncle", true), step("son", true)]);
        assert_eq!(read.relation, "brother");
    }

    #[test]
    fn longer_proofs_name_their_intermediate_conclusions() {
        let read = chain(&[
            "since A is the son of B , and B is the son of C , then A is the grandson of C .",
            "since A is the grandson of C , and D is the neice of C , then A is the friend of D .",
        ]);
        let steps = vec![step("son", true), step("son", true), step("niece", false)];
        assert_eq!(read, Some(Chain { steps, relation: "friend".to_owned() }));
    }

    #[test]
    fn other_wordings_and_broken_chains_are_not_guessed() {
        assert_eq!(chain(&[]), None);
        assert_eq!(chain(&["because I say so"]), None);
        assert_eq!(
            chain(&["since A is a son of B , and C is a son of D , then A is a son of D ."]),
            None
        );
        assert_eq!(chain(&["since nothing , then A is a son of B ."]), None);
    }
}
