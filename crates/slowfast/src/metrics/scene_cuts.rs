//! Jumps of the picture: SCuts of StreamingT2V, which are the cuts of PySceneDetect's `AdaptiveDetector`.

use super::Video;
use super::hsv::hsv;

/// The detector's settings; the defaults are PySceneDetect's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveDetector {
    /// How many times the change around it a change must be.
    pub ratio: f64,
    /// How large a change must be, as the mean difference of hue (0 to 179), saturation and value (0 to 255).
    pub content: f64,
    /// Changes before and after a change that it is compared with.
    pub window: usize,
    /// Frames from one cut, or the beginning, to the next at least.
    pub shortest: usize,
}

impl Default for AdaptiveDetector {
    fn default() -> Self {
        Self { ratio: 3.0, content: 15.0, window: 2, shortest: 15 }
    }
}

/// Below this the change around a frame counts as none.
const STILL: f64 = 1e-5;
/// The ratio of a change in a still picture.
const LARGEST_RATIO: f64 = 255.0;

impl AdaptiveDetector {
    /// The frames, counted from 0, at which the picture jumps. A change with fewer than [`Self::window`] changes before or
    /// after it cannot be a cut.
    pub fn cuts(&self, video: Video<'_>) -> Vec<usize> {
        self.cuts_of(&changes(video))
    }

    fn cuts_of(&self, changes: &[f64]) -> Vec<usize> {
        let around = 2 * self.window;
        let mut cuts = Vec::new();
        let mut last = 0;
        for (start, changes) in changes.windows(around + 1).enumerate() {
            let (frame, change) = (start + self.window, changes[self.window]);
            let rest: f64 = (0..=around).filter(|i| *i != self.window).map(|i| changes[i]).sum();
            let rest = rest / around as f64;
            let ratio = if rest.abs() >= STILL {
                (change / rest).min(LARGEST_RATIO)
            } else if change >= self.content {
                LARGEST_RATIO
            } else {
                0.0
            };
            if ratio >= self.ratio && change >= self.content && frame - last >= self.shortest {
                cuts.push(frame);
                last = frame;
            }
        }
        cuts
    }
}

/// Number of cuts by the detector's defaults: SCuts. True walks have cuts too, at doors and in fast turns.
pub fn scene_cuts(video: Video<'_>) -> usize {
    AdaptiveDetector::default().cuts(video).len()
}

/// How much each frame differs from the one before, 0 for the first: the mean over pixels of the differences of hue,
/// saturation and value.
pub(super) fn changes(video: Video<'_>) -> Vec<f64> {
    let pixels = (video.height() * video.width()) as f64;
    let mut before: Option<Vec<[u8; 3]>> = None;
    let mut changes = Vec::with_capacity(video.len());
    for frame in video.frames() {
        let here: Vec<[u8; 3]> =
            frame.as_chunks::<3>().0.iter().map(|colour| hsv(*colour)).collect();
        let change = before.map_or(0.0, |before| {
            let difference = |part: usize| -> u64 {
                before
                    .iter()
                    .zip(&here)
                    .map(|(old, new)| u64::from(old[part].abs_diff(new[part])))
                    .sum()
            };
            [0, 1, 2].map(|part| difference(part) as f64 / pixels).iter().sum::<f64>() / 3.0
        });
        changes.push(change);
        before = Some(here);
    }
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Flat 2 by 2 frames of these values.
    fn cuts(values: &[u8]) -> Vec<usize> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| [*value; 12]).collect();
        AdaptiveDetector::default().cuts(Video::new(&bytes, 2, 2).unwrap())
    }

    fn shots(lengths: &[usize]) -> Vec<u8> {
        let shot = |(number, length): (usize, &usize)| {
            vec![if number % 2 == 0 { 20 } else { 200 }; *length]
        };
        lengths.iter().enumerate().flat_map(shot).collect()
    }

    #[test]
    fn every_long_shot_begins_with_a_cut() {
        assert_eq!(cuts(&shots(&[20, 20, 20])), [20, 40]);
        assert!(cuts(&[20; 60]).is_empty());
        assert!(cuts(&[]).is_empty());
    }

    #[test]
    fn short_shots_and_the_edges_have_no_cut() {
        assert_eq!(cuts(&shots(&[14, 30])), [0; 0]);
        assert_eq!(cuts(&shots(&[15, 30])), [15]);
        assert_eq!(cuts(&shots(&[20, 6, 30])), [20], "the shot of 6 frames ends too soon");
        assert_eq!(cuts(&shots(&[20, 2])), [0; 0], "one frame after the change is missing");
        assert_eq!(cuts(&shots(&[20, 3])), [20]);
    }

    #[test]
    fn small_and_steady_changes_are_no_cuts() {
        let slow: Vec<u8> = (0..60).map(|frame| frame * 4).collect();
        assert!(cuts(&slow).is_empty());
        let step = |height: u8| [vec![100; 20], vec![100 + height; 20]].concat();
        // A grey change of 45 levels is one of 15 on average over hue, saturation and value.
        assert!(cuts(&step(44)).is_empty());
        assert_eq!(cuts(&step(45)), [20]);
    }

    proptest! {
        #[test]
        fn cuts_are_apart_and_inside(values in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut last = 0;
            for cut in cuts(&values) {
                prop_assert!(cut - last >= 15 && cut + 2 < values.len());
                last = cut;
            }
        }
    }
}
