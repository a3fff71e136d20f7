//! The order of rows.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::FlexTensor;

use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};

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
    assert!((0..N).all(|index| order.contains(&index)), "{order:?} is not an order of {N} indices");
    let by_hand = by_hand(
        [x],
        |[x]| reordered(x, width, sizes, order),
        |[x]| {
            let (sizes_after, back) = (order.map(|index| sizes[index]), inverse(order));
            let pull =
                move |gradient, _: [bool; 1]| [Some(reordered(gradient, width, sizes_after, back))];
            (reordered(x, width, sizes, order), Pullback::new(pull))
        },
    );
    by_hand.unwrap_or_else(|[x]| {
        let counted = Tensor::<B, 1, Int>::arange(0..rows as i64, &x.device()).reshape(sizes);
        x.select(0, counted.permute(order.map(|index| index as isize)).reshape([rows]))
    })
}

/// Each row `times` times: `[rows, width]` to `[rows times, width]`.
pub fn repeat_rows<B: Backend>(x: Tensor<B, 2>, times: usize) -> Tensor<B, 2> {
    let rows = x.dims()[0];
    let numbers = (0..rows as i32).flat_map(|row| std::iter::repeat_n(row, times)).collect();
    let numbers = TensorData::new::<i32, _>(numbers, [rows * times]);
    let numbers = Tensor::<B, 1, Int>::from_data(numbers, &x.device());
    x.select(0, numbers)
}

fn inverse<const N: usize>(order: [usize; N]) -> [usize; N] {
    let mut inverse = [0; N];
    order.into_iter().enumerate().for_each(|(place, index)| inverse[index] = place);
    inverse
}

fn reordered<const N: usize>(
    x: FlexTensor,
    width: usize,
    sizes: [usize; N],
    order: [usize; N],
) -> FlexTensor {
    let x = contiguous(x);
    let mut strides = [width; N];
    (0..N - 1).rev().for_each(|index| strides[index] = strides[index + 1] * sizes[index + 1]);
    let elements: &[f32] = x.storage();
    let mut copied = Vec::with_capacity(elements.len());
    copy_nested(
        elements,
        width,
        &order.map(|index| (sizes[index], strides[index])),
        0,
        &mut copied,
    );
    tensor(copied, dims(&x))
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
    fn rows_are_repeated() {
        let x = rows::<Flex>().narrow(0, 0, 2);
        assert_eq!(to_f64(&repeat_rows(x, 2)), [0.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 3.0]);
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

    #[test]
    #[should_panic(expected = "[2, 2, 1] is not an order of 3 indices")]
    fn every_index_has_its_place() {
        reorder_rows(rows::<Flex>(), SIZES, [2, 2, 1]);
    }
}
