//! Where the parts of a frame went.

use serde::{Deserialize, Serialize};

use super::InverseDynamicsError;

/// Values that say where a block went.
const VALUES: usize = 5;
/// What the share of a place falls by a factor `e` over, as part of how far the best place stands out.
const SOFTNESS: f64 = 0.1;

/// A frame is cut into blocks, and each is looked for in the next frame at every whole displacement within reach, by the
/// sum of absolute differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockMatching {
    /// Blocks along each side of a frame.
    pub blocks: usize,
    /// How far to the sides a block is looked for, as a share of the frame's width.
    pub sideways: f64,
    /// How far up and down a block is looked for, as a share of the frame's height.
    pub upwards: f64,
}

impl Default for BlockMatching {
    fn default() -> Self {
        Self { blocks: 8, sideways: 0.22, upwards: 0.05 }
    }
}

/// Frames of one size.
#[derive(Clone, Copy)]
struct Search<'f> {
    before: &'f [u8],
    after: &'f [u8],
    height: usize,
    width: usize,
    /// Rows and columns of a block.
    block: [usize; 2],
    /// Rows and columns of the reach.
    reach: [i32; 2],
}

impl BlockMatching {
    /// Values of a pair of frames.
    pub fn values(&self) -> usize {
        VALUES.saturating_mul(self.blocks).saturating_mul(self.blocks)
    }

    /// Checks that frames of this size have so many blocks.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Blocks`] and [`InverseDynamicsError::Setting`].
    pub fn check(&self, [height, width]: [usize; 2]) -> Result<(), InverseDynamicsError> {
        for (setting, found) in [("sideways", self.sideways), ("upwards", self.upwards)] {
            if !(0.0..=1.0).contains(&found) {
                let range = "a share from 0 to 1";
                return Err(InverseDynamicsError::Setting { setting, found, range });
            }
        }
        match self.blocks > 0 && self.blocks <= height.min(width) {
            true => Ok(()),
            false => Err(InverseDynamicsError::Blocks { blocks: self.blocks, height, width }),
        }
    }

    /// For each block of the frame `before`: how far it went to the right and down, as shares of the reach; the same as a mean
    /// over the places that fit nearly as well, to the right; how far these places are apart; and how well the best
    /// place stands out, 0 to 1.
    pub fn between(&self, before: &[u8], after: &[u8], [height, width]: [usize; 2]) -> Vec<f32> {
        let reach = |share: f64, size: usize| ((share * size as f64).round() as i32).max(1);
        let search = Search {
            before,
            after,
            height,
            width,
            block: [height / self.blocks, width / self.blocks],
            reach: [reach(self.upwards, height), reach(self.sideways, width)],
        };
        let blocks = 0..self.blocks;
        let corners =
            blocks.clone().flat_map(|row| blocks.clone().map(move |column| (row, column)));
        corners.flat_map(|(row, column)| search.look_for(row, column)).collect()
    }
}

impl Search<'_> {
    /// Where the block of this row and column of blocks went.
    fn look_for(&self, row: usize, column: usize) -> [f32; VALUES] {
        let [down, right] = self.reach;
        let corner = [(row * self.block[0]) as i32, (column * self.block[1]) as i32];
        let columns = (2 * right + 1) as usize;
        let costs: Vec<Option<f64>> = (-down..=down)
            .flat_map(|y| (-right..=right).map(move |x| (y, x)))
            .map(|(y, x)| self.cost(corner, [y, x]))
            .collect();
        let at = |index: usize| [index / columns, index % columns];
        let known = || costs.iter().enumerate().filter_map(|(index, cost)| Some((index, (*cost)?)));
        let (mut best, mut least, mut sum, mut count) = (0, f64::INFINITY, 0.0, 0.0);
        for (index, cost) in known() {
            (sum, count) = (sum + cost, count + 1.0);
            // Of places that fit alike the one nearest to where the block was.
            let nearer = |index: usize| {
                let [y, x] = at(index);
                (y as i32 - down).abs() + (x as i32 - right).abs()
            };
            if cost < least || (cost == least && nearer(index) < nearer(best)) {
                (best, least) = (index, cost);
            }
        }
        let mean = sum / count;
        let softness = SOFTNESS * (mean - least) + 1e-3;
        let (mut weights, mut first, mut second) = (0.0, 0.0, 0.0);
        for (index, cost) in known() {
            let weight = (-(cost - least) / softness).exp();
            let x = (at(index)[1] as f64 - f64::from(right)) / f64::from(right);
            (weights, first, second) =
                (weights + weight, first + weight * x, second + weight * x * x);
        }
        let (centre, spread) = (first / weights, second / weights);
        let [y, x] = at(best);
        let beside = |step: i32, y_step: i32| -> Option<f64> {
            let (y, x) = (y as i32 + y_step, x as i32 + step);
            let inside = (0..=2 * right).contains(&x) && (0..=2 * down).contains(&y);
            inside.then(|| costs[(y as usize) * columns + x as usize]).flatten()
        };
        let x_part = between_places(beside(-1, 0), least, beside(1, 0));
        let y_part = between_places(beside(0, -1), least, beside(0, 1));
        [
            (x as f64 - f64::from(right) + x_part) / f64::from(right),
            (y as f64 - f64::from(down) + y_part) / f64::from(down),
            centre,
            (spread - centre * centre).max(0.0).sqrt(),
            if mean > 0.0 { (mean - least) / mean } else { 0.0 },
        ]
        .map(|value| value as f32)
    }

    /// Mean absolute difference of a block and the place it may have gone to; `None` outside of the frame.
    fn cost(&self, [top, left]: [i32; 2], [down, right]: [i32; 2]) -> Option<f64> {
        let (to_top, to_left) = (top + down, left + right);
        let [rows, columns] = self.block;
        let fits =
            |start: i32, length: usize, size: usize| start >= 0 && start as usize + length <= size;
        if !fits(to_top, rows, self.height) || !fits(to_left, columns, self.width) {
            return None;
        }
        let start = |top: i32, left: i32, row: usize| {
            3 * ((top as usize + row) * self.width + left as usize)
        };
        let mut sum = 0_u64;
        for row in 0..rows {
            let before = &self.before[start(top, left, row)..][..3 * columns];
            let after = &self.after[start(to_top, to_left, row)..][..3 * columns];
            let differences = before.iter().zip(after).map(|(a, b)| u32::from(a.abs_diff(*b)));
            sum += u64::from(differences.sum::<u32>());
        }
        Some(sum as f64 / (3 * rows * columns) as f64)
    }
}

/// The lowest point of the parabola through three neighbouring costs, between -1/2 and 1/2 places from the middle one.
fn between_places(before: Option<f64>, least: f64, after: Option<f64>) -> f64 {
    match (before, after) {
        (Some(before), Some(after)) if before + after - 2.0 * least > 1e-9 => {
            (0.5 * (before - after) / (before + after - 2.0 * least)).clamp(-0.5, 0.5)
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;
    use rand::RngExt;

    use super::*;

    const SIZE: [usize; 2] = [32, 32];

    /// A frame of noise, smooth over two pixels, moved by some columns and rows.
    fn moved(right: usize, down: usize) -> Vec<u8> {
        let mut random = Seed::new(1).rng();
        let world: Vec<u8> = (0..64 * 64 * 3).map(|_| random.random()).collect();
        let pixel = |row: usize, column: usize| {
            let (row, column) = ((row + 20 - down) / 2, (column + 20 - right) / 2);
            (0..3).map(move |colour| (row * 64 + column) * 3 + colour)
        };
        let places = (0..32).flat_map(|row| (0..32).map(move |column| (row, column)));
        places.flat_map(|(row, column)| pixel(row, column)).map(|index| world[index]).collect()
    }

    #[test]
    fn blocks_are_found_where_they_went() {
        let matching = BlockMatching { blocks: 4, sideways: 0.25, upwards: 0.1 };
        let found = matching.between(&moved(0, 0), &moved(4, 2), SIZE);
        assert_eq!(found.len(), matching.values());
        // The blocks of the second row and column stay within the frame.
        let block = &found[VALUES * 5..VALUES * 6];
        assert!((block[0] - 0.5).abs() < 0.1, "{block:?}");
        assert!((block[1] - 2.0 / 3.0).abs() < 0.2, "{block:?}");
        assert!(block[4] > 0.9, "{block:?}");
        let still = matching.between(&moved(0, 0), &moved(0, 0), SIZE);
        assert!(still.chunks(VALUES).all(|block| block[0].abs() < 0.1));
    }

    #[test]
    fn a_plain_wall_says_nothing() {
        let matching = BlockMatching { blocks: 4, ..BlockMatching::default() };
        let wall = vec![90; 32 * 32 * 3];
        let found = matching.between(&wall, &wall, SIZE);
        assert!(found.chunks(VALUES).all(|block| block[0] == 0.0 && block[4] == 0.0));
        assert!(found.iter().all(|value| value.is_finite()));
    }

    /// More differences than 32 bits can count.
    #[test]
    fn a_block_may_be_as_large_as_a_large_frame() {
        let side = 2400;
        let (before, after) = (vec![0; 3 * side * side], vec![255; 3 * side * side]);
        let (block, reach) = ([side; 2], [1; 2]);
        let search =
            Search { before: &before, after: &after, height: side, width: side, block, reach };
        assert_eq!(search.cost([0, 0], [0, 0]), Some(255.0));
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let too_many = BlockMatching { blocks: 40, ..BlockMatching::default() };
        assert!(matches!(too_many.check(SIZE), Err(InverseDynamicsError::Blocks { .. })));
        let far = BlockMatching { sideways: f64::NAN, ..BlockMatching::default() };
        assert!(matches!(far.check(SIZE), Err(InverseDynamicsError::Setting { .. })));
        BlockMatching::default().check(SIZE).unwrap();
    }
}
