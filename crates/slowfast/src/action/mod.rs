//! What an agent can be asked to do, as a code in a file and as words.

mod wording;

use std::fmt;

/// A change of heading by the world's fixed angle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Counter-clockwise seen from above.
    Left,
    /// Clockwise seen from above.
    Right,
}

/// A change of place by the world's fixed step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Walk {
    /// The way the agent looks.
    Forward,
    /// The opposite way; the agent does not turn around for it.
    Back,
}

/// One of nine actions: turn or not, and walk or not, in the same frame.
///
/// Displays as its plainest wording, such as `turn left, go forward`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Action {
    /// The turn, if any.
    pub turn: Option<Turn>,
    /// The walk, if any.
    pub walk: Option<Walk>,
}

impl Action {
    /// Neither turns nor walks.
    pub const STAY: Self = Self { turn: None, walk: None };

    /// All nine, in the order of their codes.
    pub const ALL: [Self; 9] = {
        let mut all = [Self::STAY; 9];
        let mut code = 0;
        while code < 9 {
            all[code] = Self { turn: TURNS[code / 3], walk: WALKS[code % 3] };
            code += 1;
        }
        all
    };

    /// Turns on the spot.
    pub const fn turn(turn: Turn) -> Self {
        Self { turn: Some(turn), walk: None }
    }

    /// Walks straight.
    pub const fn walk(walk: Walk) -> Self {
        Self { turn: None, walk: Some(walk) }
    }

    /// The action's number in files, 0..9: three times the turn (none 0, left 1, right 2) plus the walk (none 0,
    /// forward 1, back 2).
    pub fn code(self) -> u8 {
        let turn = match self.turn {
            None => 0,
            Some(Turn::Left) => 1,
            Some(Turn::Right) => 2,
        };
        let walk = match self.walk {
            None => 0,
            Some(Walk::Forward) => 1,
            Some(Walk::Back) => 2,
        };
        3 * turn + walk
    }

    /// The action of a number in a file; `None` from 9 on.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The action that undoes this one exactly where nothing is in the way: the world turns by half, walks, and turns
    /// by the other half, so that both ways run along the same line.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            turn: self.turn.map(|turn| match turn {
                Turn::Left => Turn::Right,
                Turn::Right => Turn::Left,
            }),
            walk: self.walk.map(|walk| match walk {
                Walk::Forward => Walk::Back,
                Walk::Back => Walk::Forward,
            }),
        }
    }
}

const TURNS: [Option<Turn>; 3] = [None, Some(Turn::Left), Some(Turn::Right)];
const WALKS: [Option<Walk>; 3] = [None, Some(Walk::Forward), Some(Walk::Back)];

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.wordings()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_number_the_actions() {
        for (code, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(action.code()), code);
            assert_eq!(Action::from_code(code as u8), Some(action));
        }
        assert_eq!(Action::from_code(9), None);
        assert_eq!(Action::ALL[0], Action::STAY);
    }

    #[test]
    fn undoing_twice_is_doing() {
        for action in Action::ALL {
            assert_eq!(action.inverse().inverse(), action);
            assert_eq!(action.inverse() == action, action == Action::STAY);
        }
    }

    #[test]
    fn actions_are_shown_in_plain_words() {
        let both = Action { turn: Some(Turn::Left), walk: Some(Walk::Forward) };
        assert_eq!(both.to_string(), "turn left, go forward");
        assert_eq!(Action::STAY.to_string(), "stay");
    }
}
