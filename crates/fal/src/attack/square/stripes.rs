//! The Linf form: every pixel stands at the edge of its interval, and patches flip which edge.

use rand_chacha::ChaCha8Rng;

use super::{Window, random_sign};
use crate::attack::ThreatModel;
use crate::attack::images::Size;

/// Vertical stripes, each up or down in a channel: convolutional networks are sensitive to high frequencies.
pub(super) fn start(size: Size, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut change = Vec::with_capacity(size.elements());
    for _ in 0..size.channels {
        let stripes: Vec<f32> = (0..size.width).map(|_| random_sign(rng)).collect();
        (0..size.height).for_each(|_| change.extend(&stripes));
    }
    change
}

/// `image` with all pixels of one window moved to the same edge, drawn for each channel.
pub(super) fn patch(
    threat: &ThreatModel,
    size: Size,
    original: &[f32],
    image: &[f32],
    side: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let side = (side.round() as usize).clamp(1, size.height.min(size.width));
    let window = Window::random(size, side, rng);
    let mut proposal = image.to_vec();
    for channel in 0..size.channels {
        let edge = random_sign(rng) * threat.epsilon as f32;
        for pixel in window.pixels(size, channel) {
            proposal[pixel] = original[pixel] + edge;
        }
    }
    threat.project(original, &mut proposal);
    proposal
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;

    const SIZE: Size = Size { channels: 2, height: 5, width: 4 };

    #[test]
    fn stripes_are_constant_along_columns() {
        let change = start(SIZE, &mut Seed::new(1).rng());
        assert_eq!(change.len(), 40);
        for (position, change_here) in change.iter().enumerate() {
            assert_eq!(change_here.abs(), 1.0);
            assert_eq!(*change_here, change[position / 20 * 20 + position % 4]);
        }
    }

    #[test]
    fn a_patch_changes_one_square_of_each_channel() {
        let threat = ThreatModel::linf(0.25);
        let (original, mut rng) = ([0.5; 40], Seed::new(2).rng());
        for _ in 0..50 {
            let proposal = patch(&threat, SIZE, &original, &original, 2.2, &mut rng);
            for channel in proposal.chunks(20) {
                let changed: Vec<f32> = channel.iter().copied().filter(|x| *x != 0.5).collect();
                assert_eq!(changed.len(), 4);
                assert!(changed.iter().all(|x| *x == changed[0] && (x - 0.5).abs() == 0.25));
            }
        }
        let everything = patch(&threat, SIZE, &original, &original, 9.0, &mut rng);
        assert_eq!(everything.iter().filter(|x| **x != 0.5).count(), 2 * 16);
    }
}
