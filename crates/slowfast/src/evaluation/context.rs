//! Which frames a chunk is conditioned on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::clip::{Pose, PoseScale};

/// Degrees that count as much as the width of a cell when frames are retrieved.
const DEGREES_OF_A_CELL: f64 = 45.0;

/// Which frames of the episode so far a chunk is conditioned on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Context {
    /// The chunk before, as in the paper.
    #[default]
    LastChunk,
    /// The last `past` frames, which leaves fewer to generate at once.
    Longer {
        /// Frames given.
        past: usize,
    },
    /// The first frame of all, and the last ones; as many together as a chunk.
    Anchor,
    /// The frames seen from poses nearest to those to come, and the last ones; as many together as a chunk. Meant as
    /// an upper bound, for it is told all poses; a learned memory can gain more.
    PoseRetrieved {
        /// Frames that are retrieved, at most; one of the last always stays.
        frames: usize,
    },
}

impl Context {
    /// The numbers of the frames before frame `future.start` that the frames `future` are conditioned on, in order. `last`
    /// of them would be given without any context of another kind, and `poses` are those of the whole episode.
    pub fn frames(
        self,
        last: usize,
        future: Range<usize>,
        poses: &[Pose],
        scale: PoseScale,
    ) -> Vec<usize> {
        let now = future.start;
        match self {
            Self::LastChunk => (now - last.min(now)..now).collect(),
            Self::Longer { past } => (now - past.min(now)..now).collect(),
            Self::Anchor => {
                let rest = last.saturating_sub(1).max(1);
                let recent = now - rest.min(now)..now;
                (0..1.min(recent.start)).chain(recent).collect()
            }
            Self::PoseRetrieved { frames } => {
                let retrieved = frames.min(last.saturating_sub(1));
                let recent = now - (last - retrieved).min(now)..now;
                let mut chosen = nearest(retrieved, recent.start, future, poses, scale);
                chosen.extend(recent);
                chosen
            }
        }
    }
}

/// `count` different frames before frame `end`, in order: for poses spread over the future, the nearest one each.
fn nearest(
    count: usize,
    end: usize,
    future: Range<usize>,
    poses: &[Pose],
    scale: PoseScale,
) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for slot in 0..count.min(end) {
        let target = future.start + (2 * slot + 1) * future.len() / (2 * count);
        let free = (0..end).filter(|frame| !chosen.contains(frame));
        let way = |frame: &usize| distance(poses[*frame], poses[target], scale);
        // Of poses equally near the latest.
        chosen
            .extend(free.min_by(|one, other| way(one).total_cmp(&way(other)).then(other.cmp(one))));
    }
    chosen.sort_unstable();
    chosen
}

/// How unlike two views are: cells apart, and turned.
fn distance(one: Pose, other: Pose, scale: PoseScale) -> f64 {
    let length = |one: i32, other: i32| {
        (f64::from(one) - f64::from(other)) / f64::from(scale.position.max(1))
    };
    let circle = i64::from(scale.heading.max(1));
    let turned = (i64::from(one.heading) - i64::from(other.heading)).rem_euclid(circle);
    let degrees = turned.min(circle - turned) as f64 * 360.0 / circle as f64;
    length(one.x, other.x).hypot(length(one.y, other.y)) + degrees / DEGREES_OF_A_CELL
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: PoseScale = PoseScale { position: 1, heading: 8 };

    /// Three places to the east and back.
    fn poses() -> Vec<Pose> {
        [0, 1, 2, 3, 2, 1, 0].map(|x| Pose { x, y: 0, heading: 0 }).to_vec()
    }

    fn frames(context: Context, last: usize, future: Range<usize>) -> Vec<usize> {
        context.frames(last, future, &poses(), SCALE)
    }

    #[test]
    fn contexts_are_as_their_names_say() {
        assert_eq!(frames(Context::LastChunk, 2, 5..7), [3, 4]);
        assert_eq!(frames(Context::Longer { past: 4 }, 2, 5..7), [1, 2, 3, 4]);
        assert_eq!(frames(Context::Anchor, 2, 5..7), [0, 4]);
        assert_eq!(frames(Context::PoseRetrieved { frames: 2 }, 3, 5..7), [0, 1, 4]);
    }

    #[test]
    fn at_the_start_there_is_the_first_frame_only() {
        for context in [
            Context::LastChunk,
            Context::Longer { past: 4 },
            Context::Anchor,
            Context::PoseRetrieved { frames: 2 },
        ] {
            assert_eq!(frames(context, 1, 1..3), [0], "{context:?}");
        }
    }

    #[test]
    fn retrieved_frames_differ_and_one_of_the_last_stays() {
        let found = frames(Context::PoseRetrieved { frames: 9 }, 4, 5..7);
        assert_eq!(found, [0, 1, 2, 4]);
    }

    #[test]
    fn headings_count_around_the_circle() {
        let view = |heading| Pose { x: 0, y: 0, heading };
        assert_eq!(distance(view(0), view(7), SCALE), distance(view(0), view(1), SCALE));
        assert_eq!(distance(view(0), view(4), SCALE), 4.0);
    }
}
