//! Which windows to learn from, in which order.

use experiment::seed::Seed;
use rand::RngExt;

use super::{ClipError, ClipSet, Split};

/// Where windows may begin: at frames `offset + k * every`.
///
/// With actions held for `h` frames, windows with `p` past frames whose next frame begins an action begin at
/// `offset = (1 + h - p) mod h`, `every = h`: see [`Self::after_past`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Frames from one possible beginning to the next, at least 1.
    pub every: usize,
    /// The first possible beginning.
    pub offset: usize,
}

impl Alignment {
    /// Anywhere.
    pub const ANY: Self = Self { every: 1, offset: 0 };

    /// Windows whose first `past` frames end where an action of `frames_per_action` frames begins; an action begins at
    /// frame 1 of an episode. A hold of 0 frames counts as 1. The first frame of an episode is in none of them, unless `past` is 1 more
    /// than whole actions have frames.
    pub fn after_past(past: usize, frames_per_action: usize) -> Self {
        let every = frames_per_action.max(1);
        Self { every, offset: (1 + every - past % every) % every }
    }
}

/// A window of an episode: its number in the [`ClipSet`] and its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowPlace {
    /// Number of the episode.
    pub episode: usize,
    /// The first frame.
    pub start: usize,
}

/// Draws windows of one length, each place as likely as any other, with replacement.
///
/// What a step draws depends on nothing but the seed and the step's number: a run resumed at a step draws what it would
/// have drawn.
#[derive(Clone, Debug)]
pub struct WindowSampler {
    /// Episodes with room for a window, and how many places they and those before them have.
    episodes: Vec<(usize, usize)>,
    alignment: Alignment,
    length: usize,
    seed: Seed,
}

impl WindowSampler {
    /// A sampler of windows of `length` frames of a split.
    ///
    /// # Errors
    /// [`ClipError::NoWindow`] if no episode is long enough, or the alignment or the length is 0.
    pub fn new(
        clips: &ClipSet,
        split: Split,
        length: usize,
        alignment: Alignment,
        seed: &Seed,
    ) -> Result<Self, ClipError> {
        let Alignment { every, offset } = alignment;
        let mut total = 0;
        let mut episodes = Vec::new();
        if every > 0 && length > 0 {
            for episode in clips.episodes_of(split) {
                let frames = clips.index().episodes[episode].frames;
                if let Some(last) = frames.checked_sub(length + offset) {
                    total += last / every + 1;
                    episodes.push((episode, total));
                }
            }
        }
        if episodes.is_empty() {
            return Err(ClipError::NoWindow { split, length, every, offset });
        }
        Ok(Self { episodes, alignment, length, seed: seed.child("windows") })
    }

    /// Number of different windows, at least 1.
    pub fn places(&self) -> usize {
        self.episodes.last().map_or(0, |(_, total)| *total)
    }

    /// Frames of a window.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The windows of a step.
    pub fn batch(&self, step: u64, size: usize) -> Vec<WindowPlace> {
        let mut rng = self.seed.index(step).rng();
        (0..size).map(|_| self.place(rng.random_range(0..self.places()))).collect()
    }

    /// The window of a number, 0 to [`Self::places`].
    fn place(&self, number: usize) -> WindowPlace {
        let which = self.episodes.partition_point(|(_, total)| *total <= number);
        let before = which.checked_sub(1).map_or(0, |earlier| self.episodes[earlier].1);
        let start = self.alignment.offset + (number - before) * self.alignment.every;
        WindowPlace { episode: self.episodes[which].0, start }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::set::tests::written;
    use super::*;

    #[test]
    fn every_place_is_a_window_and_all_come_up() {
        let (_folder, clips) = written();
        for (length, alignment) in [
            (3, Alignment::ANY),
            (9, Alignment::ANY),
            (2, Alignment { every: 4, offset: 3 }),
            (4, Alignment { every: 2, offset: 1 }),
        ] {
            let seed = Seed::new(1);
            let sampler =
                WindowSampler::new(&clips, Split::Train, length, alignment, &seed).unwrap();
            let mut seen = BTreeSet::new();
            for place in sampler.batch(0, 2000) {
                let range = place.start..place.start + length;
                assert_eq!(clips.window(place.episode, range).unwrap().len(), length);
                assert_eq!(clips.entry(place.episode).unwrap().split, Split::Train);
                assert_eq!(place.start % alignment.every, alignment.offset % alignment.every);
                seen.insert((place.episode, place.start));
            }
            assert_eq!(seen.len(), sampler.places());
        }
    }

    #[test]
    fn a_step_draws_the_same_whatever_was_drawn_before() {
        let (_folder, clips) = written();
        let sampler = |seed| {
            WindowSampler::new(&clips, Split::Train, 3, Alignment::ANY, &Seed::new(seed)).unwrap()
        };
        let (first, second) = (sampler(1), sampler(1));
        first.batch(0, 5);
        assert_eq!(first.batch(7, 20), second.batch(7, 20));
        assert_ne!(first.batch(7, 20), first.batch(8, 20));
        assert_ne!(first.batch(7, 20), sampler(2).batch(7, 20));
    }

    #[test]
    fn what_has_no_window_is_refused() {
        let (_folder, clips) = written();
        for (length, every, offset) in [(50, 1, 0), (3, 0, 0), (0, 1, 0), (9, 4, 3)] {
            let alignment = Alignment { every, offset };
            let failure =
                WindowSampler::new(&clips, Split::Train, length, alignment, &Seed::new(0));
            assert!(matches!(failure, Err(ClipError::NoWindow { split: Split::Train, .. })));
        }
    }

    #[test]
    fn pasts_end_where_actions_begin() {
        for hold in 1..6 {
            for past in 0..12 {
                let Alignment { every, offset } = Alignment::after_past(past, hold);
                assert_eq!((offset + past) % hold, 1 % hold);
                assert!(offset < every);
            }
        }
        assert_eq!(Alignment::after_past(3, 0), Alignment::ANY);
    }
}
