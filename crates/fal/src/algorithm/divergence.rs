//! When nothing that clients send is finite.

use std::collections::BTreeSet;

/// So many rounds running are no chance.
const ROUNDS: u64 = 3;
/// Nor are so many clients, where rounds ask few of very many.
const CLIENTS: usize = 10;

/// The last rounds, one after the other, in which clients reported back and none of them sent a finite update. The model has not
/// moved in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Divergence {
    /// How many there are.
    pub rounds: u64,
    /// The clients that were set aside in them.
    pub clients: BTreeSet<usize>,
}

impl Divergence {
    /// After one round more, of `finite` updates and the clients that were `set_aside`. A round that nobody reports back in says
    /// nothing.
    pub(super) fn after(&self, finite: usize, set_aside: &[usize]) -> Self {
        match (finite, set_aside) {
            (0, []) => self.clone(),
            (0, clients) => Self {
                rounds: self.rounds + 1,
                clients: self.clients.iter().chain(clients).copied().collect(),
            },
            _ => Self::default(),
        }
    }

    /// Whether it is the model, of which `population` clients learn, that has diverged, and not some clients: all of them
    /// failed at it, or in several rounds more than half of them or ten. Fewer may be bad clients that rounds happened to ask alone.
    pub(super) fn is_of_the_model(&self, population: usize) -> bool {
        let failed = self.clients.len();
        failed == population
            || (self.rounds >= ROUNDS && failed > (population / 2).min(CLIENTS - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rounds: &[(usize, &[usize])]) -> Divergence {
        let start = Divergence::default();
        rounds.iter().fold(start, |divergence, (finite, aside)| divergence.after(*finite, aside))
    }

    #[test]
    fn a_model_has_diverged_if_all_fail_at_it_or_most_in_several_rounds() {
        for (rounds, expected) in [
            (&[(0, &[0, 1, 2, 3, 4][..])][..], true),
            (&[(0, &[0, 1, 2, 3])], false),
            (&[(0, &[0, 1]), (0, &[2, 3, 4])], true),
            (&[(0, &[0, 1]), (0, &[1, 2])], false),
            (&[(0, &[0, 1]), (0, &[1, 2]), (0, &[0, 2])], true),
            (&[(0, &[0, 1]), (0, &[0, 1]), (0, &[0, 1]), (0, &[0, 1])], false),
        ] {
            assert_eq!(after(rounds).is_of_the_model(5), expected, "{rounds:?}");
        }
    }

    #[test]
    fn a_few_of_very_many_clients_tell() {
        let rounds: [(usize, &[usize]); 3] =
            [(0, &[7, 8, 9, 10]), (0, &[99, 101, 104]), (0, &[7, 5, 4, 2])];
        assert!(after(&rounds).is_of_the_model(1000));
        assert!(!after(&rounds[..2]).is_of_the_model(1000));
        assert!(!after(&[rounds[0]; 3]).is_of_the_model(1000));
    }

    #[test]
    fn a_finite_update_ends_it_and_a_round_without_any_does_not() {
        assert_eq!(after(&[(0, &[0, 1]), (1, &[0, 1])]), Divergence::default());
        assert_eq!(after(&[(0, &[0, 1]), (0, &[])]), after(&[(0, &[0, 1])]));
        assert!(!Divergence::default().is_of_the_model(5));
    }
}
