//! Choices by nearness: Krum, Multi-Krum and Bulyan.

use std::cmp::Ordering;
use std::ops::Range;

use super::ServerError;
use super::blocks::in_blocks;
use super::sorted::{average, by_coordinate, middle};

/// Positions of the `keep` updates with the smallest scores, best first: the score of an update is the sum of its squared
/// distances to its `n - f - 2` nearest neighbours, for `n` updates and `f` bad ones (Blanchard et al. 2017).
///
/// # Errors
/// Those of [`require_nearest`].
pub(super) fn nearest(
    rule: &'static str,
    deltas: &[&[f32]],
    byzantine: usize,
    keep: usize,
) -> Result<Vec<usize>, ServerError> {
    let updates = deltas.len();
    require_nearest(rule, updates, byzantine, keep)?;
    let everybody: Vec<usize> = (0..updates).collect();
    Ok(ranked(&distances(deltas), &everybody, byzantine).into_iter().take(keep).collect())
}

/// Chooses `n - 2 f` updates by repeated Krum, then averages in each coordinate the `n - 4 f` of their values that are
/// nearest to the median (El Mhamdi, Guerraoui and Rouault 2018).
///
/// # Errors
/// Those of [`require_bulyan`].
pub(super) fn bulyan(deltas: &[&[f32]], byzantine: usize) -> Result<Vec<f32>, ServerError> {
    let updates = deltas.len();
    require_bulyan(updates, byzantine)?;
    let distances = distances(deltas);
    let mut remaining: Vec<usize> = (0..updates).collect();
    let mut chosen = Vec::new();
    for _ in 0..updates - 2 * byzantine {
        let best = ranked(&distances, &remaining, byzantine)[0];
        remaining.retain(|index| *index != best);
        chosen.push(deltas[best]);
    }
    let keep = updates - 4 * byzantine;
    Ok(by_coordinate(&chosen, |sorted| average(around_middle(sorted, keep))))
}

/// The `keep` values nearest to the median of `sorted`, which stand side by side.
fn around_middle(sorted: &[f32], keep: usize) -> &[f32] {
    let middle = middle(sorted);
    let farthest =
        |window: &[f32]| (middle - f64::from(window[0])).max(f64::from(window[keep - 1]) - middle);
    let windows = sorted.windows(keep);
    windows.min_by(|left, right| farthest(left).total_cmp(&farthest(right))).unwrap_or(sorted)
}

/// Whether `rule`, Krum or Multi-Krum, withstands `byzantine` bad ones among so many updates and can keep `keep` of them.
///
/// # Errors
/// [`ServerError::TooFewUpdates`] below `2 f + 3` updates, [`ServerError::Keep`] for more than can be good.
pub(super) fn require_nearest(
    rule: &'static str,
    updates: usize,
    byzantine: usize,
    keep: usize,
) -> Result<(), ServerError> {
    require_updates(rule, byzantine, 2, updates)?;
    match keep == 0 || keep > updates - byzantine {
        true => Err(ServerError::Keep { keep, updates, byzantine }),
        false => Ok(()),
    }
}

/// Whether Bulyan withstands `byzantine` bad ones among so many updates.
///
/// # Errors
/// [`ServerError::TooFewUpdates`] below `4 f + 3` updates.
pub(super) fn require_bulyan(updates: usize, byzantine: usize) -> Result<(), ServerError> {
    require_updates("bulyan", byzantine, 4, updates)
}

fn require_updates(
    rule: &'static str,
    byzantine: usize,
    factor: usize,
    found: usize,
) -> Result<(), ServerError> {
    let needed = byzantine.saturating_mul(factor).saturating_add(3);
    match found < needed {
        true => Err(ServerError::TooFewUpdates { rule, byzantine, needed, found }),
        false => Ok(()),
    }
}

/// The `remaining` updates by their score among themselves, best first.
///
/// Where few are left a score is the distance to one neighbour, which two updates have in common. Of equal scores the
/// one with the smaller sum of all distances is better, so that the order of the updates does not matter.
fn ranked(distances: &[Vec<f64>], remaining: &[usize], byzantine: usize) -> Vec<usize> {
    let neighbours = remaining.len().saturating_sub(byzantine + 2).max(1);
    let score = |index: usize| {
        let others = remaining.iter().filter(|other| **other != index);
        let mut others: Vec<f64> = others.map(|other| distances[index][*other]).collect();
        others.sort_unstable_by(f64::total_cmp);
        (others.iter().take(neighbours).sum::<f64>(), others.iter().sum::<f64>())
    };
    let mut scored: Vec<_> = remaining.iter().map(|index| (score(*index), *index)).collect();
    scored.sort_by(|((left, left_sum), _), ((right, right_sum), _)| {
        left.total_cmp(right).then(left_sum.total_cmp(right_sum))
    });
    scored.into_iter().map(|(_, index)| index).collect()
}

/// Coordinates whose share of all distances is summed before the next ones are looked at.
const COORDINATES: usize = 2048;
/// Sums that go on beside each other, which the compiler puts into vectors.
const LANES: usize = 8;

/// Squared distances between all updates.
fn distances(deltas: &[&[f32]]) -> Vec<Vec<f64>> {
    let updates = deltas.len();
    let coordinates = deltas.first().map_or(0, |delta| delta.len());
    let mut to_earlier: Vec<Vec<f64>> = (0..updates).map(|i| vec![0.0; i]).collect();
    let share = |block: Range<usize>| -> Vec<f64> {
        let of = |index: usize| &deltas[index][block.clone()];
        let pairs = (0..updates).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.map(|(i, j)| squared_distance(of(i), of(j))).collect()
    };
    in_blocks(coordinates, COORDINATES, share, |share| {
        to_earlier.iter_mut().flatten().zip(share).for_each(|(sum, more)| *sum += more);
    });
    let distance = |i: usize, j: usize| match i.cmp(&j) {
        Ordering::Less => to_earlier[j][i],
        Ordering::Equal => 0.0,
        Ordering::Greater => to_earlier[i][j],
    };
    (0..updates).map(|i| (0..updates).map(|j| distance(i, j)).collect()).collect()
}

/// In double precision the square of no difference of numbers of single precision overflows.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let squared = |a: &f32, b: &f32| (f64::from(*a) - f64::from(*b)).powi(2);
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        (0..LANES).for_each(|lane| lanes[lane] += squared(&a[lane], &b[lane]));
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| squared(a, b)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Updates of one coordinate.
    fn points(values: &[f32]) -> Vec<[f32; 1]> {
        values.iter().map(|value| [*value]).collect()
    }

    fn slices(points: &[[f32; 1]]) -> Vec<&[f32]> {
        points.iter().map(|point| point.as_slice()).collect()
    }

    /// For 0, 1, 2, 4, 100 and one bad client, the scores are sums over two neighbours: 5, 2, 5, 13, large. Of 0 and 2, the
    /// latter is nearer to all.
    #[test]
    fn krum_takes_the_update_with_the_nearest_neighbours() {
        let points = points(&[0.0, 1.0, 2.0, 4.0, 100.0]);
        assert_eq!(nearest("krum", &slices(&points), 1, 1).unwrap(), [1]);
        assert_eq!(nearest("multi-krum", &slices(&points), 1, 4).unwrap(), [1, 2, 0, 3]);
    }

    /// Distances go over the ends of blocks and of lanes: 2 * 2048 + 13 coordinates, each `i - j` apart.
    #[test]
    fn distances_are_those_of_arithmetic() {
        let updates: Vec<Vec<f32>> = (0..5).map(|i| vec![i as f32; 2 * COORDINATES + 13]).collect();
        let deltas: Vec<&[f32]> = updates.iter().map(Vec::as_slice).collect();
        for (i, row) in distances(&deltas).iter().enumerate() {
            for (j, found) in row.iter().enumerate() {
                let apart = i.abs_diff(j) as f64;
                assert_eq!(*found, (2 * COORDINATES + 13) as f64 * apart * apart, "{i} {j}");
            }
        }
    }

    #[test]
    fn too_few_updates_are_refused() {
        let points = points(&[0.0; 10]);
        let deltas = slices(&points);
        let few = nearest("krum", &deltas[..4], 1, 1).unwrap_err();
        let expected =
            ServerError::TooFewUpdates { rule: "krum", byzantine: 1, needed: 5, found: 4 };
        assert_eq!(few, expected);
        for keep in [0, 5] {
            let refused = nearest("multi-krum", &deltas[..5], 1, keep);
            assert_eq!(refused, Err(ServerError::Keep { keep, updates: 5, byzantine: 1 }));
        }
        let few = bulyan(&deltas, 2).unwrap_err();
        let expected =
            ServerError::TooFewUpdates { rule: "bulyan", byzantine: 2, needed: 11, found: 10 };
        assert_eq!(few, expected);
        assert!(bulyan(&deltas, usize::MAX).is_err());
    }

    #[test]
    fn values_around_the_median_stand_side_by_side() {
        assert_eq!(around_middle(&[-9.0, 1.0, 2.0, 3.0, 50.0], 3), [1.0, 2.0, 3.0]);
        assert_eq!(around_middle(&[0.0, 6.0, 7.0, 8.0, 20.0], 4), [0.0, 6.0, 7.0, 8.0]);
        assert_eq!(around_middle(&[1.0, 2.0], 2), [1.0, 2.0]);
    }

    #[test]
    fn without_bad_clients_bulyan_is_the_mean() {
        let points = points(&[1.0, 2.0, 6.0]);
        assert_eq!(bulyan(&slices(&points), 0).unwrap(), [3.0]);
    }

    #[test]
    fn bulyan_leaves_the_far_update_out() {
        let points = points(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e6]);
        let found = bulyan(&slices(&points), 1).unwrap()[0];
        assert!((2.0..5.0).contains(&found), "{found}");
    }
}
