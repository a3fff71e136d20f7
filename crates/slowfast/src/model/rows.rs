//! Moving rows: a video is one matrix with a row for each place of each frame, and whatever mixes places or frames first
//! brings the right rows together.
//!
//! Everything here is a selection of whole rows, which the CPU backend copies block by block; `swap_dims` and
//! `reshape` do the same element by element. A 3x3 convolution is nine selected rows beside each other and one matrix
//! product, which is where this backend is fast.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use inner_outer::layers::reorder_rows;

/// How many clips, frames and places the rows of a video stand for, in this order of nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub batch: usize,
    pub frames: usize,
    pub height: usize,
    pub width: usize,
}

impl Grid {
    pub fn places(self) -> usize {
        self.height * self.width
    }

    /// Frames of all clips.
    pub fn images(self) -> usize {
        self.batch * self.frames
    }

    pub fn rows(self) -> usize {
        self.images() * self.places()
    }

    pub fn halved(self) -> Self {
        Self { height: self.height / 2, width: self.width / 2, ..self }
    }

    pub fn doubled(self) -> Self {
        Self { height: self.height * 2, width: self.width * 2, ..self }
    }
}

/// All rows, `times` times one after the other.
pub(crate) fn tile_rows<B: Backend>(x: Tensor<B, 2>, times: usize) -> Tensor<B, 2> {
    let rows = x.dims()[0];
    select_rows(x, (0..times).flat_map(|_| 0..rows).collect())
}

/// For each place the 3x3 places around it, zero beyond the border: `[rows, width]` to `[rows, 9 width]`.
pub(crate) fn around<B: Backend>(x: Tensor<B, 2>, grid: Grid) -> Tensor<B, 2> {
    let (height, width) = (grid.height as isize, grid.width as isize);
    let mut neighbours = Vec::with_capacity(9 * grid.rows());
    for row in 0..grid.rows() as isize {
        let (y, x) = (row / width % height, row % width);
        for (down, right) in (-1..=1).flat_map(|down| (-1..=1).map(move |right| (down, right))) {
            let inside = (0..height).contains(&(y + down)) && (0..width).contains(&(x + right));
            neighbours.push(inside.then(|| (row + down * width + right) as usize));
        }
    }
    gather(x, neighbours, 9)
}

/// For each place the same place in the frame before, this one and the next, zero beyond the clip: `[rows, width]` to
/// `[rows, 3 width]`.
pub(crate) fn before_and_after<B: Backend>(x: Tensor<B, 2>, grid: Grid) -> Tensor<B, 2> {
    let (frames, places) = (grid.frames as isize, grid.places() as isize);
    let mut neighbours = Vec::with_capacity(3 * grid.rows());
    for row in 0..grid.rows() as isize {
        let frame = row / places % frames;
        for step in -1..=1 {
            let inside = (0..frames).contains(&(frame + step));
            neighbours.push(inside.then(|| (row + step * places) as usize));
        }
    }
    gather(x, neighbours, 3)
}

/// Squares of 2x2 places as one: `[rows, width]` to `[rows / 4, 4 width]`.
pub(crate) fn space_to_depth<B: Backend>(x: Tensor<B, 2>, grid: Grid) -> Tensor<B, 2> {
    let half = grid.halved();
    let width = x.dims()[1];
    let sizes = [grid.images(), half.height, 2, half.width, 2];
    reorder_rows(x, sizes, [0, 1, 3, 2, 4]).reshape([half.rows(), 4 * width])
}

/// The inverse of [`space_to_depth`]; `grid` is that of the rows given.
pub(crate) fn depth_to_space<B: Backend>(x: Tensor<B, 2>, grid: Grid) -> Tensor<B, 2> {
    let width = x.dims()[1] / 4;
    let x = x.reshape([4 * grid.rows(), width]);
    reorder_rows(x, [grid.images(), grid.height, grid.width, 2, 2], [0, 1, 3, 2, 4])
}

/// Rows by number, `None` for a row of zeros, `together` of them side by side.
fn gather<B: Backend>(x: Tensor<B, 2>, rows: Vec<Option<usize>>, together: usize) -> Tensor<B, 2> {
    let [zero, width] = x.dims();
    let zeros = Tensor::zeros([1, width], (&x.device(), x.dtype()));
    let with_zeros = Tensor::cat(vec![x, zeros], 0);
    let numbers: Vec<usize> = rows.into_iter().map(|row| row.unwrap_or(zero)).collect();
    let groups = numbers.len() / together;
    select_rows(with_zeros, numbers).reshape([groups, together * width])
}

fn select_rows<B: Backend>(x: Tensor<B, 2>, rows: Vec<usize>) -> Tensor<B, 2> {
    let count = rows.len();
    let numbers: Vec<i32> = rows.into_iter().map(|row| row as i32).collect();
    let numbers = Tensor::<B, 1, Int>::from_data(TensorData::new(numbers, [count]), &x.device());
    x.select(0, numbers)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::nn::{PaddingConfig2d, PaddingConfig3d, conv::Conv3dConfig};
    use burn::tensor::TensorData;
    use experiment::seed::Seed;
    use inner_outer::tensors::to_f64;
    use rand::RngExt;

    use super::*;

    const GRID: Grid = Grid { batch: 2, frames: 3, height: 4, width: 6 };

    fn video(width: usize) -> Tensor<Flex, 2> {
        let mut random = Seed::new(1).rng();
        let values: Vec<f32> = (0..GRID.rows() * width).map(|_| random.random()).collect();
        let values = TensorData::new(values, [GRID.rows(), width]);
        Tensor::from_data(values, &Default::default())
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn around_and_a_product_are_a_convolution() {
        let device = Default::default();
        let convolution: Conv2d<Flex> = Conv2dConfig::new([2, 5], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .init(&device);
        let x = video(2);
        let images = x.clone().reshape([6, 4, 6, 2]).permute([0, 3, 1, 2]);
        let expected = convolution.forward(images).permute([0, 2, 3, 1]);
        let weight = convolution.weight.val().permute([2, 3, 1, 0]).reshape([18, 5]);
        assert_close(&to_f64(&around(x, GRID).matmul(weight)), &to_f64(&expected));
    }

    #[test]
    fn before_and_after_and_a_product_are_a_convolution_in_time() {
        let device = Default::default();
        let convolution = Conv3dConfig::new([2, 5], [3, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 0, 0))
            .with_bias(false)
            .init::<Flex>(&device);
        let x = video(2);
        let clips = x.clone().reshape([2, 3, 4, 6, 2]).permute([0, 4, 1, 2, 3]);
        let expected = convolution.forward(clips).permute([0, 2, 3, 4, 1]);
        let weight = convolution.weight.val().reshape([5, 2, 3]).permute([2, 1, 0]);
        let found = before_and_after(x, GRID).matmul(weight.reshape([6, 5]));
        assert_close(&to_f64(&found), &to_f64(&expected));
    }

    #[test]
    fn space_to_depth_can_be_undone() {
        let x = video(3);
        let deep = space_to_depth(x.clone(), GRID);
        assert_eq!(deep.dims(), [GRID.rows() / 4, 12]);
        // The first square is the first two places of the first two rows.
        let first: Vec<f64> =
            [0, 1, 6, 7].into_iter().flat_map(|row| to_f64(&x.clone().narrow(0, row, 1))).collect();
        assert_eq!(to_f64(&deep.clone().narrow(0, 0, 1)), first);
        assert_eq!(to_f64(&depth_to_space(deep, GRID.halved())), to_f64(&x));
    }

    #[test]
    fn all_rows_are_repeated() {
        let x = Tensor::<Flex, 2>::from_data([[1.0], [2.0]], &Default::default());
        assert_eq!(to_f64(&tile_rows(x.clone(), 2)), [1.0, 2.0, 1.0, 2.0]);
    }
}
