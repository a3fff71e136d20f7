//! One recording: frames, and between them what was done, from where, and in which words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;

/// A place and a heading, in the whole units of a [`PoseScale`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pose {
    /// East.
    pub x: i32,
    /// North.
    pub y: i32,
    /// Counter-clockwise from east.
    pub heading: i32,
}

/// The units of poses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseScale {
    /// Units of place in the world's unit of length (a cell of the built-in worlds).
    pub position: u32,
    /// Units of heading in a full circle.
    pub heading: u32,
}

/// What scenes are used for. A scene belongs to one split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose settings by.
    Validation,
    /// To report on.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// The kinds of episode. All but the first end at the pose where they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Wander through rooms.
    Explore,
    /// Turn by a half circle and back.
    LookAway,
    /// Turn by a full circle.
    FullTurn,
    /// Explore, then undo every action in reverse order, walking backwards: every frame of the way comes again.
    Retrace,
    /// Walk straight, turn around, walk back, turn around again: the places come again, seen from the other side, and
    /// at the end the first view.
    TurnAround,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 5] =
        [Self::Explore, Self::LookAway, Self::FullTurn, Self::Retrace, Self::TurnAround];

    /// The routes that lead back.
    pub const THERE_AND_BACK: [Self; 4] =
        [Self::LookAway, Self::FullTurn, Self::Retrace, Self::TurnAround];
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Explore => "explore",
            Self::LookAway => "look-away",
            Self::FullTurn => "full-turn",
            Self::Retrace => "retrace",
            Self::TurnAround => "turn-around",
        })
    }
}

/// Words for what happened from one frame up to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrase {
    /// The first frame that the action brought about, from 1.
    pub first: usize,
    /// One past the last.
    pub end: usize,
    /// The words.
    pub text: String,
}

/// A recording of `n` frames, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Height of a frame in pixels.
    pub height: usize,
    /// Width of a frame in pixels.
    pub width: usize,
    /// Frames `[n, height, width, 3]`, rows from the top, red, green, blue.
    pub frames: Vec<u8>,
    /// The action that led to each frame `[n]`; the first of a whole recording is [`Action::STAY`].
    pub actions: Vec<Action>,
    /// The pose of each frame `[n]`.
    pub poses: Vec<Pose>,
    /// What was said, in the order of frames, without overlaps.
    pub phrases: Vec<Phrase>,
}

/// An episode with what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Name of the scene; the same name is the same scene.
    pub scene: String,
    /// The split of the scene.
    pub split: Split,
    /// What the agent did.
    pub route: Route,
    /// The recording.
    pub episode: Episode,
}

impl Episode {
    /// Number of frames.
    pub fn len(&self) -> usize {
        self.poses.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.poses.is_empty()
    }

    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        3 * self.height * self.width
    }

    /// The frame of a number, `[height, width, 3]`.
    ///
    /// # Panics
    /// From [`Self::len`] on.
    pub fn frame(&self, number: usize) -> &[u8] {
        &self.frames[number * self.frame_bytes()..(number + 1) * self.frame_bytes()]
    }

    /// What is said about the frames `first..end`: the phrases that reach into them, joined by `, then `.
    pub fn text(&self, first: usize, end: usize) -> String {
        let said = self.phrases.iter().filter(|phrase| phrase.first < end && first < phrase.end);
        said.map(|phrase| phrase.text.as_str()).collect::<Vec<_>>().join(", then ")
    }

    /// Why this is no whole recording that could be stored; `None` if it is one.
    pub(super) fn defect(&self) -> Option<String> {
        let count = self.poses.len();
        if count == 0 || self.height == 0 || self.width == 0 {
            return Some("it has no pixel".to_owned());
        }
        if self.frames.len() != count * self.frame_bytes() || self.actions.len() != count {
            return Some(format!(
                "it has {} bytes of frames of {} each, {} actions and {count} poses",
                self.frames.len(),
                self.frame_bytes(),
                self.actions.len()
            ));
        }
        if self.actions[0] != Action::STAY {
            return Some(format!("its first frame follows the action `{}`", self.actions[0]));
        }
        phrase_defect(&self.phrases, count)
    }
}

/// What is wrong with the phrases of an episode of `count` frames.
pub(super) fn phrase_defect(phrases: &[Phrase], count: usize) -> Option<String> {
    let mut end = 1;
    for phrase in phrases {
        if phrase.first < end || phrase.end <= phrase.first || phrase.end > count {
            return Some(format!(
                "its phrase `{}` is about the frames {}..{}, but those from {end} to {count} are left",
                phrase.text, phrase.first, phrase.end
            ));
        }
        if phrase.text.contains('\n') {
            return Some(format!("its phrase `{}` has a line feed", phrase.text.escape_debug()));
        }
        end = phrase.end;
    }
    None
}

#[cfg(test)]
pub(crate) mod test_episodes {
    use super::*;

    /// Four recordings in three scenes, one a split, and another one of the first.
    pub(crate) fn recordings() -> Vec<Recorded> {
        let recorded = |number: usize, scene: &str, split, route| Recorded {
            scene: scene.to_owned(),
            split,
            route,
            episode: episode(number, 9 + number),
        };
        vec![
            recorded(0, "hall", Split::Train, Route::Explore),
            recorded(1, "hall", Split::Train, Route::Retrace),
            recorded(2, "cellar", Split::Validation, Route::Explore),
            recorded(3, "attic", Split::Test, Route::LookAway),
        ]
    }

    /// An episode of `count` frames of 4 by 6 pixels, whose bytes and poses tell which `number` it has.
    pub(crate) fn episode(number: usize, count: usize) -> Episode {
        let pose = |frame: usize| Pose { x: frame as i32, y: -(number as i32), heading: 7 };
        let action = |frame: usize| {
            Action::from_code(if frame == 0 { 0 } else { ((frame + number) % 9) as u8 })
        };
        let phrase = |first: usize| Phrase {
            first,
            end: (first + 2).min(count),
            text: format!("episode {number}, frame {first}"),
        };
        Episode {
            height: 4,
            width: 6,
            frames: (0..count * 72)
                .map(|byte| ((byte / 72 * 31 + byte + number * 7) % 251) as u8)
                .collect(),
            actions: (0..count).filter_map(action).collect(),
            poses: (0..count).map(pose).collect(),
            phrases: (1..count).step_by(2).map(phrase).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::test_episodes::episode;
    use super::*;

    #[test]
    fn texts_tell_what_reaches_into_the_frames() {
        let episode = episode(3, 8);
        assert_eq!(episode.text(0, 1), "");
        assert_eq!(episode.text(1, 3), "episode 3, frame 1");
        assert_eq!(episode.text(2, 4), "episode 3, frame 1, then episode 3, frame 3");
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        assert_eq!(episode(0, 5).defect(), None);
        assert_eq!(episode(0, 1).defect(), None);
        let broken = |change: fn(&mut Episode)| {
            let mut episode = episode(0, 5);
            change(&mut episode);
            episode.defect().unwrap()
        };
        assert!(broken(|episode| episode.frames.truncate(359)).contains("359 bytes"));
        assert!(broken(|episode| episode.actions.truncate(4)).contains("4 actions"));
        assert!(broken(|episode| episode.height = 0).contains("no pixel"));
        assert!(broken(|episode| episode.actions.swap(0, 1)).contains("first frame"));
        assert!(broken(|episode| episode.phrases[1].first = 2).contains("2..5"));
        assert!(broken(|episode| episode.phrases[1].end = 6).contains("3..6"));
        assert!(broken(|episode| episode.phrases[0].first = 0).contains("0..3"));
        assert!(broken(|episode| episode.phrases[0].text.push('\n')).contains("line feed"));
    }
}
