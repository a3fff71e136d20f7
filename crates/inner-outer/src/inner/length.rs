//! Lengths of vectors whose squares leave the range of single precision.
//!
//! Such vectors are squared after a multiplication by a power of two, which is exact; others are multiplied by 1. The power is a
//! constant in every derivative, for it comes from comparisons alone.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Above this absolute value squares are taken of smaller numbers.
const LARGE: f64 = (1_u64 << 40) as f64;
/// What large numbers are multiplied by.
const DOWN: f64 = 1.0 / (1_u128 << 96) as f64;
/// Below this absolute value squares are taken of larger numbers.
const SMALL: f64 = 1.0 / LARGE;
/// What small numbers are multiplied by.
const UP: f64 = (1_u128 << 80) as f64;

/// The largest absolute value of each row of `blocks`, `[rows, 1]`, as a constant.
pub(super) fn largest<B: Backend>(blocks: &Tensor<B, 2>) -> Tensor<B, 2> {
    match blocks.dims()[1] {
        0 => blocks.clone().sum_dim(1),
        _ => blocks.clone().detach().abs().max_dim(1),
    }
}

/// The power of two that brings vectors with these `largest` absolute values to a length that can be squared.
pub(super) fn unit<B: Backend>(largest: Tensor<B, 2>) -> Tensor<B, 2> {
    let (large, small) = (largest.clone().greater_elem(LARGE), largest.clone().lower_elem(SMALL));
    largest.ones_like().mask_fill(large, DOWN).mask_fill(small, UP)
}

/// `min(1, limit / length)` of vectors with these `largest` absolute values, of which `square` gives the squared lengths after a
/// multiplication by its argument. All are `[rows, 1]`.
pub(super) fn shrinkage<B: Backend>(
    limit: f64,
    largest: Tensor<B, 2>,
    square: impl FnOnce(&Tensor<B, 2>) -> Tensor<B, 2>,
) -> Tensor<B, 2> {
    let large = largest.clone().greater_elem(LARGE);
    let ones = largest.ones_like();
    let unit = ones.clone().mask_fill(large.clone(), DOWN);
    let square = square(&unit);
    let bound = (ones * (limit * limit)).mask_fill(large, (limit * DOWN).powi(2));
    // What is no number is not above, and stays what it is.
    let within = square.clone().greater(bound).bool_not();
    // Filled before the root, which has no derivative at zero; rounding is kept out of what needs no scaling.
    let factor = square.mask_fill(within.clone(), 1.0).sqrt().recip() * limit;
    (factor * unit).mask_fill(within, 1.0)
}
