//! The order of rows.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::by_hand::{Pullback, by_hand};

/// Rows counted by indices of `sizes`, with the indices in another `order`: `[rows, width]` to the same shape.
///
/// Copies whole rows. `reshape` and `permute` do the same, but Flex walks element by element where they copy, forward or in
/// the backward pass.
///
/// # Panics
/// If `sizes` do not count the rows, or `order` does not have every index.
pub fn reorder_rows<B: Backend, const N: usize>(
    x: Tensor<B, 2>,
    sizes: [usize; N],
    order: [usize; N],
) -> Tensor<B, 2> {
    let [rows, width] = x.dims();
    assert_eq!(rows, sizes.iter().product::<usize>(), "{sizes:?} do not count {rows} rows");
    reorder_by_hand(&x, width, sizes, order).unwrap_or_else(|| {
        let counted = Tensor::<B, 1, Int>::arange(0..rows as i64, &x.device()).reshape(sizes);
        x.select(0, counted.permute(order.map(|index| index as isize)).reshape([rows]))
    })
}

/// The elements of `x`, counted as rows of `width` by indices of `sizes`, with the indices in another `order`, where that can be
/// done [`by_hand`]. The shape stays the same.
pub(super) fn reorder_by_hand<B: Backend, const D: usize, const N: usize>(
    x: &Tensor<B, D>,
    width: usize,
    sizes: [usize; N],
    order: [usize; N],
) -> Option<Tensor<B, D>> {
    let forward = |x: &[f32]| copy_rows(x, width, sizes, order);
    by_hand(x, forward, |x| {
        let (sizes_after, back) = (order.map(|index| sizes[index]), inverse(order));
        (forward(x), Pullback::new(move |g| copy_rows(g, width, sizes_after, back)))
    })
}

fn inverse<const N: usize>(order: [usize; N]) -> [usize; N] {
    let mut inverse = [0; N];
    order.into_iter().enumerate().for_each(|(place, index)| inverse[index] = place);
    inverse
}

fn copy_rows<const N: usize>(
    x: &[f32],
    width: usize,
    sizes: [usize; N],
    order: [usize; N],
) -> Vec<f32> {
    let mut strides = [width; N];
    (0..N - 1).rev().for_each(|index| strides[index] = strides[index + 1] * sizes[index + 1]);
    let mut copied = Vec::with_capacity(x.len());
    copy_nested(x, width, &order.map(|index| (sizes[index], strides[index])), 0, &mut copied);
    copied
}

/// Copies the rows that the remaining indices, each with its size and stride, count from `begin`.
fn copy_nested(
    x: &[f32],
    width: usize,
    indices: &[(usize, usize)],
    begin: usize,
    copied: &mut Vec<f32>,
) {
    match indices {
        [] => copied.extend_from_slice(&x[begin..begin + width]),
        [(size, stride)] if width == 1 => {
            copied.extend(x[begin..].iter().step_by(*stride).take(*size));
        }
        [(size, stride), inner @ ..] => {
            for number in 0..*size {
                copy_nested(x, width, inner, begin + number * stride, copied);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::super::check::{Loss, assert_derivatives, double};
    use super::*;
    use crate::Autodiff;
    use crate::tensors::to_f64;

    const SIZES: [usize; 3] = [2, 3, 4];
    const ORDER: [usize; 3] = [2, 0, 1];

    fn rows<B: Backend>() -> Tensor<B, 2> {
        Tensor::<B, 1, Int>::arange(0..48, &Default::default()).float().reshape([24, 2])
    }

    #[test]
    fn rows_are_permuted() {
        let expected = rows::<Flex>().reshape([2, 3, 4, 2]).permute([2, 0, 1, 3]);
        let expected = to_f64(&expected);
        assert_eq!(to_f64(&reorder_rows(rows::<Flex>(), SIZES, ORDER)), expected);
        let double = rows::<Flex>().cast(burn::tensor::DType::F64);
        assert_eq!(to_f64(&reorder_rows(double, SIZES, ORDER)), expected);
    }

    #[test]
    fn single_elements_are_rows() {
        let found = reorder_rows(rows::<Flex>().reshape([48, 1]), [6, 8], [1, 0]);
        assert_eq!(to_f64(&found), to_f64(&rows::<Flex>().reshape([6, 8]).transpose()));
    }

    #[test]
    fn gradients_go_back_to_their_rows() {
        let x = rows::<Autodiff<Flex>>().require_grad();
        let loss = (reorder_rows(x.clone(), SIZES, ORDER) * rows()).sum();
        let gradient = x.grad(&loss.backward()).expect("x is a leaf");
        let again = reorder_rows(gradient.clone(), SIZES, ORDER);
        assert_eq!(to_f64(&again), to_f64(&rows::<Flex>()));
    }

    struct Squares;

    impl Loss for Squares {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let x = reorder_rows(x.reshape([6, 1]), [2, 3], [1, 0]);
            let weights = double::<B, 2>(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6, 1]);
            (x.powi_scalar(3) * weights).sum()
        }
    }

    #[test]
    fn it_has_two_derivatives() {
        assert_derivatives(&Squares, &[0.3, -1.0, 2.0, 0.1, 0.2, 0.4]);
    }

    #[test]
    #[should_panic(expected = "do not count 24 rows")]
    fn all_rows_are_counted() {
        reorder_rows(rows::<Flex>(), [2, 3, 5], ORDER);
    }
}
