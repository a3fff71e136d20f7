//! The graph of a CLUTRR story and the part of it that proves the answer.

use std::collections::{HashSet, VecDeque};

use super::python_literal::Literal;

/// A fact of the story's graph: the `relation` of person number `from` is person number `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) relation: String,
    pub(super) to: usize,
}

/// A relation as one word, with the data's misspelling of niece put right; `None` for what is no word.
pub(super) fn relation_word(relation: &str) -> Option<String> {
    let word = relation.trim().to_lowercase().replace([' ', '_'], "-");
    let is_word = !word.is_empty() && word.chars().all(|c| c.is_alphabetic() || c == '-');
    is_word.then(|| if word == "neice" { "niece".to_owned() } else { word })
}

/// A name as one word: spaces become hyphens.
pub(super) fn person_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Whether the edges lead, one after the other, from one end to the other.
pub(super) fn is_walk(edges: &[Edge], (from, to): (usize, usize)) -> bool {
    let is_connected = edges.windows(2).all(|pair| pair[0].to == pair[1].from);
    let starts = edges.first().is_some_and(|edge| edge.from == from);
    is_connected && starts && edges.last().is_some_and(|edge| edge.to == to)
}

/// Indices of the edges from which `state`, as CLUTRR's column `proof_state`, derives the relation of `ends`, in order;
/// `None` when it is of another form or does not rest on the edges.
pub(super) fn proof_leaves(
    state: &Literal,
    people: &[String],
    edges: &[Edge],
    ends: (usize, usize),
) -> Option<Vec<usize>> {
    let steps = proof_steps(state, people)?;
    let query =
        steps.iter().map(|(conclusion, _)| conclusion).find(|edge| (edge.from, edge.to) == ends)?;
    let mut leaves = Vec::new();
    collect_leaves(query, &steps, &mut Vec::new(), &mut leaves);
    leaves.iter().map(|leaf| edges.iter().position(|edge| edge == leaf)).collect()
}

type ProofStep = (Edge, Vec<Edge>);

/// The steps of `[{conclusion: [premise, premise]}, ...]`, each triple with names.
fn proof_steps(state: &Literal, people: &[String]) -> Option<Vec<ProofStep>> {
    let edge = |triple: &Literal| match triple.sequence()? {
        [from, relation, to] => {
            let number = |name: &Literal| {
                let name = person_name(name.text()?);
                people.iter().position(|person| *person == name)
            };
            Some(Edge {
                from: number(from)?,
                relation: relation_word(relation.text()?)?,
                to: number(to)?,
            })
        }
        _ => None,
    };
    let mut steps = Vec::new();
    for step in state.sequence()? {
        let Literal::Dictionary(entries) = step else { return None };
        for (conclusion, premises) in entries {
            let premises: Option<Vec<Edge>> = premises.sequence()?.iter().map(edge).collect();
            steps.push((edge(conclusion)?, premises?));
        }
    }
    Some(steps)
}

/// Premises that no step concludes, in the order of the proof; `open` holds the conclusions being derived.
fn collect_leaves(goal: &Edge, steps: &[ProofStep], open: &mut Vec<Edge>, leaves: &mut Vec<Edge>) {
    let step = steps.iter().find(|(conclusion, _)| conclusion == goal && !open.contains(goal));
    let Some((_, premises)) = step else {
        leaves.push(goal.clone());
        return;
    };
    open.push(goal.clone());
    for premise in premises {
        collect_leaves(premise, steps, open, leaves);
    }
    open.pop();
}

/// A shortest way along the edges, in either direction, by breadth-first search.
pub(super) fn shortest_path(edges: &[Edge], (from, to): (usize, usize)) -> Option<Vec<usize>> {
    let mut paths = VecDeque::from([(from, Vec::new())]);
    let mut reached = HashSet::from([from]);
    while let Some((person, path)) = paths.pop_front() {
        if person == to && !path.is_empty() {
            return Some(path);
        }
        for (at, edge) in edges.iter().enumerate() {
            let next = match (edge.from == person, edge.to == person) {
                (true, _) => edge.to,
                (_, true) => edge.from,
                _ => continue,
            };
            if next == to || reached.insert(next) {
                paths.push_back((next, [path.as_slice(), &[at]].concat()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, relation: &str, to: usize) -> Edge {
        Edge { from, relation: relation.to_owned(), to }
    }

    fn people() -> Vec<String> {
        ["Ann", "Bob", "Cas", "Dan"].map(String::from).to_vec()
    }

    #[test]
    fn relations_are_one_lower_case_word() {
        assert_eq!(relation_word(" neice").as_deref(), Some("niece"));
        assert_eq!(relation_word("Mother in_law").as_deref(), Some("mother-in-law"));
        assert_eq!(relation_word(""), None);
        assert_eq!(relation_word("a.b"), None);
    }

    #[test]
    fn a_walk_is_connected_and_ends_where_asked() {
        let walk = [edge(0, "son", 1), edge(1, "sister", 2), edge(2, "brother", 1)];
        assert!(is_walk(&walk, (0, 1)));
        assert!(!is_walk(&walk, (0, 2)));
        assert!(!is_walk(&walk[1..], (0, 1)));
        assert!(!is_walk(&[], (0, 0)));
    }

    #[test]
    fn leaves_are_collected_in_the_order_of_the_chain() {
        let state = "[{('Ann','neice','Dan'): [('Ann','sister','Cas'), ('Cas','daughter','Dan')]}, \
                     {('Ann','sister','Cas'): [('Ann','brother','Bob'), ('Bob','sister','Cas')]}]";
        let state = Literal::parse(state).unwrap();
        let edges = [
            edge(3, "son", 1),
            edge(2, "daughter", 3),
            edge(0, "brother", 1),
            edge(1, "sister", 2),
        ];
        assert_eq!(proof_leaves(&state, &people(), &edges, (0, 3)), Some(vec![2, 3, 1]));
        assert_eq!(proof_leaves(&state, &people(), &edges[..3], (0, 3)), None, "a leaf is missing");
        assert_eq!(
            proof_leaves(&state, &people(), &edges, (3, 0)),
            None,
            "nothing concludes the query"
        );
    }

    #[test]
    fn circular_and_misshapen_proofs_end() {
        let circular = Literal::parse("[{('Ann','son','Bob'): [('Ann','son','Bob')]}]").unwrap();
        assert_eq!(proof_leaves(&circular, &people(), &[edge(0, "son", 1)], (0, 1)), Some(vec![0]));
        for state in ["3", "[3]", "[{3: 4}]", "[{('Ann','son','Eve'): []}]"] {
            assert_eq!(
                proof_leaves(&Literal::parse(state).unwrap(), &people(), &[], (0, 1)),
                None,
                "{state}"
            );
        }
    }

    #[test]
    fn the_shortest_path_may_go_against_edges() {
        let edges = [
            edge(0, "son", 1),
            edge(1, "son", 2),
            edge(3, "son", 0),
            edge(3, "aunt", 2),
            edge(2, "son", 2),
        ];
        assert_eq!(shortest_path(&edges, (0, 2)).map(|path| path.len()), Some(2));
        assert_eq!(shortest_path(&edges, (1, 3)), Some(vec![0, 2]));
        assert_eq!(shortest_path(&edges[..2], (0, 3)), None);
    }
}
