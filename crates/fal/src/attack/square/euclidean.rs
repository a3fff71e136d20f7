//! The L2 form: patches move the perturbation's length from one window to another.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Window, random_sign};
use crate::attack::images::Size;
use crate::attack::{Norm, ThreatModel};

/// The smallest side of a window, and so of an image.
pub(super) const SMALLEST: usize = 3;
/// The tiles of the first perturbation have this share of the shorter side of the image.
const TILES: usize = 5;

/// Tiles of [`bump`], each with a random sign in each channel, together of length 1. They begin as far from the upper and the
/// left edge as five of them would if they were centred along the shorter side, and go on as long as there is room.
pub(super) fn start(size: Size, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let shorter = size.height.min(size.width);
    let side = (shorter / TILES).max(1);
    let begin = shorter.saturating_sub(TILES * side) / 2;
    let starts = |length: usize| (begin..=length - side).step_by(side);
    let mut change = vec![0.0; size.elements()];
    for (top, left) in
        starts(size.height).flat_map(|top| starts(size.width).map(move |left| (top, left)))
    {
        let bump = bump(side, rng);
        for channel in 0..size.channels {
            let sign = random_sign(rng);
            for (pixel, height) in (Window { top, left, side }).pixels(size, channel).zip(&bump) {
                change[pixel] = sign * height;
            }
        }
    }
    let length = Norm::L2.length(change.iter().map(|x| f64::from(*x))) as f32;
    change.iter_mut().for_each(|x| *x /= length);
    change
}

/// `image` with the perturbation of a second window taken away and its length, with whatever is unused of epsilon, given to
/// a first window, there shaped by a [`bump`] on top of what it had.
pub(super) fn patch(
    threat: &ThreatModel,
    size: Size,
    original: &[f32],
    image: &[f32],
    side: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let mut change: Vec<f64> = image
        .iter()
        .zip(original)
        .map(|(x, original)| f64::from(*x) - f64::from(*original))
        .collect();
    let side = odd(side.round() as usize, size.height.min(size.width));
    let (first, second) = (Window::random(size, side, rng), Window::random(size, side, rng));
    let bump = bump(side, rng);
    let used: f64 = change.iter().map(|x| x * x).sum();
    let unused = (threat.epsilon * threat.epsilon - used).max(0.0) / size.channels as f64;
    for channel in 0..size.channels {
        let old: Vec<f64> = first.pixels(size, channel).map(|pixel| change[pixel]).collect();
        // First the second window, so that pixels in both are counted once.
        let mut available = unused + old.iter().map(|x| x * x).sum::<f64>();
        first.pixels(size, channel).for_each(|pixel| change[pixel] = 0.0);
        for pixel in second.pixels(size, channel) {
            available += change[pixel] * change[pixel];
            change[pixel] = 0.0;
        }
        let sign = f64::from(random_sign(rng));
        let old = unit(old);
        let new = old.iter().zip(&bump).map(|(old, bump)| old + sign * f64::from(*bump)).collect();
        for (pixel, new) in first.pixels(size, channel).zip(unit(new)) {
            change[pixel] = new * available.sqrt();
        }
    }
    let change: Vec<f32> = unit(change).into_iter().map(|x| x as f32).collect();
    threat.moved(original, original, &change, threat.epsilon)
}

/// The closest odd number from above, as far as the image has room.
fn odd(side: usize, largest: usize) -> usize {
    let largest = if largest.is_multiple_of(2) { largest - 1 } else { largest };
    (side.max(SMALLEST) | 1).min(largest)
}

fn unit(change: Vec<f64>) -> Vec<f64> {
    let length = Norm::L2.length(change.iter().copied());
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    change.into_iter().map(|x| x * scale).collect()
}

/// A square of length 1 in rows: a hill in its upper half and a hollow in its lower half, or left and right.
fn bump(side: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let upper = side / 2;
    let (hill, hollow) = (hill(upper, side), hill(side - upper, side));
    let heights = hill.into_iter().chain(hollow.into_iter().map(|height| -height)).collect();
    let heights = unit(heights);
    let transposed = rng.random::<bool>();
    let at = |row: usize, column: usize| {
        if transposed { heights[column * side + row] } else { heights[row * side + column] }
    };
    (0..side * side).map(|position| at(position / side, position % side) as f32).collect()
}

/// A hill of length 1, `rows * columns`: the sum over `k` of `1 / k^2` on nested squares of side `2 k - 1` about the middle.
fn hill(rows: usize, columns: usize) -> Vec<f64> {
    let rings = rows.max(columns) / 2 + 1;
    let height = |row: usize, column: usize| -> f64 {
        let ring = row.abs_diff(rows / 2).max(column.abs_diff(columns / 2));
        (ring + 1..=rings).map(|k| ((k * k) as f64).recip()).sum()
    };
    unit(
        (0..rows * columns)
            .map(|position| height(position / columns, position % columns))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;

    const SIZE: Size = Size { channels: 2, height: 9, width: 7 };

    fn length(change: &[f32]) -> f64 {
        Norm::L2.length(change.iter().map(|x| f64::from(*x)))
    }

    #[test]
    fn a_hill_is_highest_in_the_middle() {
        let hill = hill(3, 5);
        let unscaled: Vec<f64> = hill.iter().map(|height| height / hill[0] / 9.0).collect();
        let expected = [1.0 / 9.0, 1.0 / 9.0 + 0.25, 1.0 / 9.0 + 0.25 + 1.0];
        for (position, expected) in [0, 1, 7].into_iter().zip(expected) {
            assert!((unscaled[position] - expected).abs() < 1e-12, "{unscaled:?}");
        }
        assert!((Norm::L2.length(hill) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bumps_have_both_signs_and_both_orientations() {
        let mut rng = Seed::new(1).rng();
        let (mut rows, mut columns) = (false, false);
        for _ in 0..20 {
            let bump = bump(5, &mut rng);
            assert!((length(&bump) - 1.0).abs() < 1e-6);
            let (first_row, first_column) = (&bump[..5], [0, 5, 10, 15, 20].map(|i| bump[i]));
            rows |= first_row.iter().all(|x| *x > 0.0);
            columns |= first_column.iter().all(|x| *x > 0.0);
        }
        assert!(rows && columns);
        assert_eq!(bump(1, &mut rng), [-1.0]);
    }

    #[test]
    fn sides_are_odd_and_fit() {
        assert_eq!([odd(1, 9), odd(4, 9), odd(7, 9), odd(99, 8)], [3, 5, 7, 7]);
    }

    #[test]
    fn tiles_begin_as_far_from_both_edges_and_reach_the_others() {
        let wide = Size { channels: 1, height: 7, width: 40 };
        for size in [SIZE, wide] {
            let first = start(size, &mut Seed::new(2).rng());
            assert!((length(&first) - 1.0).abs() < 1e-6);
            for (position, change) in first.iter().enumerate() {
                let place = position % (size.height * size.width);
                let (row, column) = (place / size.width, place % size.width);
                assert_eq!(*change != 0.0, row >= 1 && column >= 1, "row {row}, column {column}");
            }
        }
    }

    #[test]
    fn patches_keep_the_length() {
        let mut rng = Seed::new(2).rng();
        let first = start(SIZE, &mut rng);
        let threat = ThreatModel::l2(0.7);
        let original = vec![0.5; SIZE.elements()];
        let mut image = threat.moved(&original, &original, &first, 0.7);
        for side in [1.0, 2.0, 4.4, 30.0].into_iter().cycle().take(40) {
            let next = patch(&threat, SIZE, &original, &image, side, &mut rng);
            assert!(threat.allows(&original, &next) && next != image);
            assert!((Norm::L2.distance(&original, &next) - 0.7).abs() < 1e-5);
            image = next;
        }
    }

    /// Nine pixels in both channels, less those that the first window takes over.
    #[test]
    fn a_patch_empties_its_second_window() {
        let threat = ThreatModel::l2(0.7);
        let original = vec![0.5; SIZE.elements()];
        let everywhere = Norm::L2.random_direction(SIZE.elements(), &mut Seed::new(2).rng());
        let image = threat.moved(&original, &original, &everywhere, 0.7);
        let emptied = |seed| {
            let next = patch(&threat, SIZE, &original, &image, 3.0, &mut Seed::new(seed).rng());
            next.iter().filter(|x| **x == 0.5).count()
        };
        let counts: Vec<usize> = (0..40).map(emptied).collect();
        assert!(counts.iter().all(|count| count % 2 == 0), "{counts:?}");
        assert_eq!(counts.iter().max(), Some(&18), "{counts:?}");
    }
}
