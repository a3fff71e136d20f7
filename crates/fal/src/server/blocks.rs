//! Coordinates block by block, on threads: what all updates have in a block stays in the cache while it is looked at.

use std::convert::Infallible;
use std::ops::Range;

use inner_outer::Threads;
use inner_outer::parallel::in_order;

/// Hands what `work` makes of each block of `size` coordinates to `fold`, in the order of the coordinates.
pub(super) fn in_blocks<R: Send>(
    coordinates: usize,
    size: usize,
    work: impl Fn(Range<usize>) -> R + Sync,
    mut fold: impl FnMut(R) + Send,
) {
    let starts: Vec<usize> = (0..coordinates).step_by(size).collect();
    let block = |_, start: &usize| {
        Ok::<R, Infallible>(work(*start..coordinates.min(start.saturating_add(size))))
    };
    let Ok(()) = in_order(&starts, Threads::default(), block, |_, made| fold(made));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coordinate_is_in_one_block() {
        for (coordinates, sizes) in [(0, vec![]), (3, vec![3]), (4, vec![4]), (9, vec![4, 4, 1])] {
            let (mut found, mut seen) = (Vec::new(), Vec::new());
            in_blocks(
                coordinates,
                4,
                |block| block,
                |block| {
                    found.push(block.len());
                    seen.extend(block);
                },
            );
            assert_eq!(found, sizes);
            assert_eq!(seen, (0..coordinates).collect::<Vec<_>>());
        }
    }
}
