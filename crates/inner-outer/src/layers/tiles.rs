//! Rows whose sums go through a pass together, so that what is read once serves all of them.

/// How many of the rows that are `left` make the next tile. Six occupy the registers, beside weights and rows; fewer are left
/// for the last tile than would leave most of them empty.
pub(super) const fn rows_of_tile(left: usize) -> usize {
    match left {
        1 => 1,
        2 | 3 => 2,
        4 | 5 | 8 => 4,
        _ => 6,
    }
}

/// `weight`, `[terms, rows]`, tile by tile: `[terms, rows of the tile]` each.
pub(super) fn by_tiles(weight: &[f32], rows: usize) -> Vec<f32> {
    let mut tiles = Vec::with_capacity(weight.len());
    let mut row = 0;
    while row < rows {
        let many = rows_of_tile(rows - row);
        for of_term in weight.chunks_exact(rows) {
            tiles.extend_from_slice(&of_term[row..][..many]);
        }
        row += many;
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_rows_are_six_and_one() {
        let weight: Vec<f32> = (0..14_u8).map(f32::from).collect();
        let expected = [0_u8, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 6, 13].map(f32::from);
        assert_eq!(by_tiles(&weight, 7), expected);
    }

    #[test]
    fn no_tile_has_more_rows_than_are_left() {
        for rows in 1..40_usize {
            let mut left = rows;
            while left > 0 {
                left = left.checked_sub(rows_of_tile(left)).expect("a tile is too large");
            }
        }
    }
}
