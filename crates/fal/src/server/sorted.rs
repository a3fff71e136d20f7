//! Rules that look at the values of one coordinate in their order.
//!
//! Sixteen coordinates are sorted at once, by a network of comparisons: which values are compared does not depend on the values, so
//! that the compiler puts the sixteen into vectors.

use std::ops::Range;

use super::blocks::in_blocks;

/// Coordinates that are sorted at once.
const LANES: usize = 16;
/// Blocks of them that a thread takes at once.
const BLOCKS: usize = 64;

/// `function` of the values of each coordinate in ascending order. All values must be finite.
pub(super) fn by_coordinate(
    deltas: &[&[f32]],
    function: impl Fn(&[f32]) -> f32 + Sync,
) -> Vec<f32> {
    let coordinates = deltas.first().map_or(0, |delta| delta.len());
    let comparisons = merge_exchange(deltas.len());
    let mut found = Vec::with_capacity(coordinates);
    let part = |Range { start, end }| {
        let (mut rows, mut column) = (vec![[0.0; LANES]; deltas.len()], vec![0.0; deltas.len()]);
        let mut values = Vec::with_capacity(end - start);
        for block in (start..end).step_by(LANES) {
            let width = LANES.min(end - block);
            for (row, delta) in rows.iter_mut().zip(deltas) {
                row[..width].copy_from_slice(&delta[block..block + width]);
            }
            sort_lanes(&mut rows, &comparisons);
            for lane in 0..width {
                column.iter_mut().zip(&rows).for_each(|(value, row)| *value = row[lane]);
                values.push(function(&column));
            }
        }
        values
    };
    in_blocks(coordinates, LANES * BLOCKS, part, |part| found.extend(part));
    found
}

/// Which two of so many values are compared, one after the other, and exchanged where the first is larger, so that they end in
/// ascending order: merge exchange (Batcher 1968; algorithm 5.2.2M of Knuth, "The Art of Computer Programming").
fn merge_exchange(values: usize) -> Vec<(usize, usize)> {
    let mut comparisons = Vec::new();
    let largest = values.next_power_of_two() / 2;
    let mut p = largest;
    while p > 0 {
        let (mut q, mut r, mut distance) = (largest, 0, p);
        loop {
            let first = (0..values.saturating_sub(distance)).filter(|first| first & p == r);
            comparisons.extend(first.map(|first| (first, first + distance)));
            if q == p {
                break;
            }
            (distance, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    comparisons
}

/// Brings the values of each lane into ascending order.
fn sort_lanes(rows: &mut [[f32; LANES]], comparisons: &[(usize, usize)]) {
    for (first, second) in comparisons {
        let (a, b) = (rows[*first], rows[*second]);
        let (mut smaller, mut larger) = (a, b);
        for lane in 0..LANES {
            smaller[lane] = if b[lane] < a[lane] { b[lane] } else { a[lane] };
            larger[lane] = if b[lane] < a[lane] { a[lane] } else { b[lane] };
        }
        (rows[*first], rows[*second]) = (smaller, larger);
    }
}

/// The median of values in ascending order.
pub(super) fn middle(sorted: &[f32]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (f64::from(sorted[half - 1]) + f64::from(sorted[half])) / 2.0,
        _ => sorted[half].into(),
    }
}

/// The mean of some values.
pub(super) fn average(values: &[f32]) -> f32 {
    (values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the zero-one principle a network that sorts all zeros and ones sorts everything.
    #[test]
    fn merge_exchange_sorts_all_zeros_and_ones() {
        for values in 0..=13 {
            let comparisons = merge_exchange(values);
            for bits in 0..1_u32 << values {
                let mut found: Vec<u32> = (0..values).map(|index| bits >> index & 1).collect();
                for (first, second) in &comparisons {
                    if found[*second] < found[*first] {
                        found.swap(*first, *second);
                    }
                }
                assert!(found.is_sorted(), "{bits:b} of {values} values became {found:?}");
            }
        }
    }

    fn updates() -> impl Strategy<Value = Vec<Vec<f32>>> {
        let values = prop_oneof![-1e3..1e3_f32, Just(0.0), Just(f32::MAX), Just(f32::MIN)];
        (1..40_usize, 1..1200_usize).prop_flat_map(move |(updates, coordinates)| {
            prop::collection::vec(prop::collection::vec(values.clone(), coordinates), updates)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_coordinate_is_seen_in_its_order(updates in updates()) {
            let deltas: Vec<&[f32]> = updates.iter().map(Vec::as_slice).collect();
            for rank in [0, updates.len() / 2, updates.len() - 1] {
                let found = by_coordinate(&deltas, |sorted| sorted[rank]);
                for (coordinate, found) in found.iter().enumerate() {
                    let mut values: Vec<f32> = deltas.iter().map(|delta| delta[coordinate]).collect();
                    values.sort_unstable_by(f32::total_cmp);
                    prop_assert_eq!(*found, values[rank]);
                }
                prop_assert_eq!(found.len(), updates[0].len());
            }
        }
    }

    #[test]
    fn nothing_of_no_coordinates() {
        assert_eq!(by_coordinate(&[&[][..], &[]], |_| 1.0), Vec::<f32>::new());
        assert_eq!(by_coordinate(&[], |_| 1.0), Vec::<f32>::new());
    }
}
