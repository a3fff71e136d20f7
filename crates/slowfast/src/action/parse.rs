//! From free text to an action.
//!
//! What decides are the words for a direction or for staying; verbs and fillers around them are known and passed over.
//! Anything else is refused by name, because a guess would be carried out silently.

use std::str::FromStr;

use super::{Action, Turn, Walk};

const VERBS: [&str; 22] = [
    "turn", "turning", "rotate", "rotating", "look", "looking", "face", "facing", "spin", "go",
    "going", "walk", "walking", "move", "moving", "step", "stepping", "head", "heading", "do",
    "run", "keep",
];
const FILLERS: [&str; 18] = [
    "and", "then", "while", "to", "the", "a", "an", "bit", "little", "please", "now", "you",
    "your", "side", "straight", "one", "here", "on",
];

/// A text that is no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseActionError {
    /// No word of the text says what to do.
    #[error(
        "`{0}` names no action: write something like `turn left`, `go forward`, `go back`, `stay` or `turn right, go forward`"
    )]
    Nothing(String),
    /// A word that is not understood.
    #[error(
        "`{word}` in `{text}` is not understood: use the words left, right, forward, ahead, back, backwards, stay or wait, \
         with verbs such as turn, look, go, walk"
    )]
    UnknownWord {
        /// The word.
        word: String,
        /// The whole text.
        text: String,
    },
    /// Two wishes that exclude each other.
    #[error("`{text}` asks for both {first} and {second}: keep one of them")]
    Contradiction {
        /// The whole text.
        text: String,
        /// One wish.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// What a word of the text says.
#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Turn(Turn),
    Walk(Walk),
    Stay,
    Nothing,
}

fn meaning(word: &str) -> Option<Meaning> {
    match word {
        "left" | "leftwards" | "leftward" => Some(Meaning::Turn(Turn::Left)),
        "right" | "rightwards" | "rightward" => Some(Meaning::Turn(Turn::Right)),
        "forward" | "forwards" | "ahead" | "onward" | "onwards" => {
            Some(Meaning::Walk(Walk::Forward))
        }
        "back" | "backward" | "backwards" => Some(Meaning::Walk(Walk::Back)),
        "stay" | "wait" | "stand" | "still" | "stop" | "nothing" | "pause" => Some(Meaning::Stay),
        word if VERBS.contains(&word) || FILLERS.contains(&word) => Some(Meaning::Nothing),
        _ => None,
    }
}

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, ParseActionError> {
        let (mut action, mut stays) = (Self::STAY, false);
        let contradiction = |first, second| ParseActionError::Contradiction {
            text: text.to_owned(),
            first,
            second,
        };
        for word in words(text) {
            match meaning(&word) {
                None => {
                    return Err(ParseActionError::UnknownWord { word, text: text.to_owned() });
                }
                Some(Meaning::Nothing) => {}
                Some(Meaning::Stay) => stays = true,
                Some(Meaning::Turn(turn)) => {
                    if action.turn.replace(turn).is_some_and(|earlier| earlier != turn) {
                        return Err(contradiction("left", "right"));
                    }
                }
                Some(Meaning::Walk(walk)) => {
                    if action.walk.replace(walk).is_some_and(|earlier| earlier != walk) {
                        return Err(contradiction("forward", "back"));
                    }
                }
            }
        }
        match (stays, action == Self::STAY) {
            (true, false) => Err(contradiction("staying", "moving")),
            (false, true) => Err(ParseActionError::Nothing(text.to_owned())),
            _ => Ok(action),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Action {
        text.parse().unwrap()
    }

    #[test]
    fn people_say_the_same_in_many_ways() {
        let both = Action { turn: Some(Turn::Left), walk: Some(Walk::Forward) };
        for text in [
            "turn left, go forward",
            "Go left and move ahead!",
            "walk forward while turning to the left",
            "LEFT; FORWARD",
        ] {
            assert_eq!(parsed(text), both, "{text}");
        }
        assert_eq!(parsed("please wait here"), Action::STAY);
        assert_eq!(parsed("go straight ahead"), Action::walk(Walk::Forward));
        assert_eq!(parsed("turn left, turn left"), Action::turn(Turn::Left));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let failure = "jump forward".parse::<Action>().unwrap_err();
        assert!(
            matches!(&failure, ParseActionError::UnknownWord { word, .. } if word == "jump"),
            "{failure}"
        );
    }

    #[test]
    fn a_text_without_a_direction_is_refused() {
        for text in ["", "  ,.", "turn", "go on then"] {
            let failure = text.parse::<Action>().unwrap_err();
            assert_eq!(failure, ParseActionError::Nothing(text.to_owned()));
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, one) in [
            ("turn left and right", "left"),
            ("go forward and back", "back"),
            ("stay and turn left", "staying"),
        ] {
            let failure = text.parse::<Action>().unwrap_err();
            assert!(matches!(failure, ParseActionError::Contradiction { .. }), "{text}");
            assert!(failure.to_string().contains(one), "{failure}");
        }
    }

    proptest! {
        #[test]
        fn no_text_brings_the_parser_down(text: String) {
            let _ = text.parse::<Action>();
        }

        #[test]
        fn case_and_punctuation_do_not_matter(code in 0_u8..9, joint in "[ ,.;!-]{1,3}") {
            let action = Action::from_code(code).unwrap();
            let text = action.to_string().to_uppercase().replace([' ', ','], &joint);
            prop_assert_eq!(text.parse::<Action>().unwrap(), action);
        }
    }
}
