//! The words for an action: several wordings of each, so that a model learns what is meant and not one string.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Action, Turn, Walk};

const LEFT: [&str; 4] = ["turn left", "rotate left", "look left", "turn to the left"];
const RIGHT: [&str; 4] = ["turn right", "rotate right", "look right", "turn to the right"];
const FORWARD: [&str; 4] = ["go forward", "walk forward", "move ahead", "step forward"];
const BACK: [&str; 4] = ["go back", "walk backwards", "move back", "step backwards"];
const STAY: [&str; 4] = ["stay", "wait", "stand still", "do nothing"];
const JOINTS: [&str; 2] = [", ", " and "];

impl Action {
    /// All wordings, the plainest first; never empty.
    pub fn wordings(self) -> Vec<String> {
        let turns = self.turn.map(|turn| match turn {
            Turn::Left => LEFT,
            Turn::Right => RIGHT,
        });
        let walks = self.walk.map(|walk| match walk {
            Walk::Forward => FORWARD,
            Walk::Back => BACK,
        });
        match (turns, walks) {
            (None, None) => STAY.map(str::to_owned).to_vec(),
            (Some(words), None) | (None, Some(words)) => words.map(str::to_owned).to_vec(),
            (Some(turns), Some(walks)) => joined(&turns, &walks),
        }
    }

    /// One of the wordings, each as likely as the others.
    pub fn describe(self, rng: &mut impl Rng) -> String {
        self.wordings().choose(rng).expect("an action has wordings").clone()
    }
}

fn joined(turns: &[&str], walks: &[&str]) -> Vec<String> {
    let mut wordings = Vec::new();
    for joint in JOINTS {
        for turn in turns {
            wordings.extend(walks.iter().map(|walk| format!("{turn}{joint}{walk}")));
        }
    }
    wordings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use experiment::seed::Seed;

    use super::*;

    #[test]
    fn no_two_actions_share_a_wording() {
        let all: Vec<String> = Action::ALL.into_iter().flat_map(Action::wordings).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn the_seed_chooses_the_wording_and_all_come_up() {
        let draw = || -> Vec<String> {
            let mut rng = Seed::new(3).rng();
            (0..100).map(|_| Action::turn(Turn::Left).describe(&mut rng)).collect()
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().into_iter().collect::<BTreeSet<_>>().len(), LEFT.len());
    }
}
