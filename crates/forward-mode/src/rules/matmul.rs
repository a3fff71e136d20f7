//! The product of matrices.

use std::any::Any;

use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, DType, TensorData};
use burn_flex::FlexTensor;
use products::{Matrix, sums_of_products};

use crate::DualTensor;

/// `d(x y) = dx y + x dy`.
pub(crate) fn float_matmul<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let DualTensor { primal: x, tangent: dx } = lhs;
    let DualTensor { primal: y, tangent: dy } = rhs;
    let product = |x: &FloatTensor<B>, y: &FloatTensor<B>| {
        on_flex::<B, 1>([[x, y]]).unwrap_or_else(|| B::float_matmul(x.clone(), y.clone()))
    };
    let tangent = match (&dx, &dy) {
        (Some(dx), Some(dy)) => Some(
            on_flex::<B, 2>([[dx, &y], [&x, dy]])
                .unwrap_or_else(|| B::float_add(product(dx, &y), product(&x, dy))),
        ),
        (Some(dx), None) => Some(product(dx, &y)),
        (None, Some(dy)) => Some(product(&x, dy)),
        (None, None) => None,
    };
    DualTensor::new(product(&x, &y), tangent)
}

/// The sum of products of matrices in single precision on Flex, all of the same shapes, in one piece of memory that is filled
/// once: Flex fills and copies that of each product before it writes, and a sum takes another pass. None of other tensors.
fn on_flex<B: Backend, const N: usize>(
    factors: [[&FloatTensor<B>; 2]; N],
) -> Option<FloatTensor<B>> {
    let open = |tensor| {
        let tensor: &dyn Any = tensor;
        tensor.downcast_ref::<FlexTensor>().filter(|tensor| is_matrix_of_numbers(tensor))
    };
    let mut opened = Vec::with_capacity(N);
    for [a, b] in factors {
        opened.push((open(a)?, open(b)?));
    }
    let sides = |tensor: &FlexTensor| tensor.layout().shape().to_vec();
    let (left, right) = (sides(opened[0].0), sides(opened[0].1));
    let rank = left.len();
    let fit = |&(a, b): &(&FlexTensor, &FlexTensor)| sides(a) == left && sides(b) == right;
    if right.len() != rank || left[rank - 1] != right[rank - 2] || !opened.iter().all(fit) {
        return None;
    }
    let leading = broadcast(&left[..rank - 2], &right[..rank - 2])?;
    let (rows, columns) = (left[rank - 2], right[rank - 1]);
    let elements = sums_of_products([leading.iter().product(), rows, columns], |number| {
        let pair = |index: usize| {
            let (a, b) = opened[index];
            (
                Matrix::of(a, &indices(number, &leading, &left)),
                Matrix::of(b, &indices(number, &leading, &right)),
            )
        };
        std::array::from_fn::<_, N, _>(pair)
    });
    let sides = [leading, vec![rows, columns]].concat();
    let result: Box<dyn Any> = Box::new(FlexTensor::from_data(TensorData::new(elements, sides)));
    Some(*result.downcast().expect("its factors are of Flex"))
}

/// Whether a tensor is of single precision and matrices, neither empty nor flipped.
fn is_matrix_of_numbers(tensor: &FlexTensor) -> bool {
    let layout = tensor.layout();
    let matrices = layout.num_dims() >= 2 && layout.num_elements() > 0;
    tensor.dtype() == DType::F32 && matrices && layout.strides().iter().all(|&stride| stride >= 0)
}

/// The sides that both stand for, where sides of one are repeated.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let side = |(&a, &b): (&usize, &usize)| (a == b || a == 1 || b == 1).then_some(a.max(b));
    a.iter().zip(b).map(side).collect()
}

/// The indices in `sides` of the matrix of this number, counted in the `leading` sides that they are broadcast to.
fn indices(number: usize, leading: &[usize], sides: &[usize]) -> Vec<usize> {
    let mut rest = number;
    let mut indices: Vec<usize> = (leading.iter().zip(sides).rev())
        .map(|(leading, side)| {
            let index = rest % leading;
            rest /= leading;
            if *side == 1 { 0 } else { index }
        })
        .collect();
    indices.reverse();
    indices
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Distribution, Tensor};

    use crate::check::{D, assert_tangents};
    use crate::{Dual, dual, tangent};
    use burn_backend::ops::FloatTensorOps;

    #[test]
    fn matrix_products_broadcast_over_batches() {
        assert_tangents([&[3, 4], &[4, 2]], |[x, y]| D::float_matmul(x, y));
        assert_tangents([&[2, 3, 4], &[1, 4, 5]], |[x, y]| D::float_matmul(x, y));
        assert_tangents([&[1, 2, 3], &[4, 3, 2]], |[x, y]| {
            D::float_matmul(D::float_transpose(y), D::float_transpose(x))
        });
    }

    /// Every choice of what varies, with transposed, cut, repeated, flipped and empty matrices.
    #[test]
    fn single_precision_is_double_precision() {
        let device = Default::default();
        let draw = |sides| Tensor::<Flex, 4>::random(sides, Distribution::Default, &device);
        let cases: [(Tensor<Flex, 4>, Tensor<Flex, 4>); 5] = [
            (draw([2, 3, 4, 5]), draw([2, 3, 5, 6])),
            (draw([2, 1, 4, 5]), draw([1, 3, 6, 5]).swap_dims(2, 3)),
            (
                draw([3, 2, 4, 9]).swap_dims(0, 1).narrow(3, 2, 5),
                draw([1, 1, 5, 6]).expand([2, 3, 5, 6]),
            ),
            (draw([2, 3, 4, 5]).flip([2]), draw([2, 3, 5, 6])),
            (draw([2, 3, 0, 5]), draw([2, 3, 5, 6])),
        ];
        for (x, y) in cases {
            let (dx, dy) = (x.clone() * 0.7 - 0.2, y.clone() * 0.3 + 0.1);
            for varies in [[true, true], [true, false], [false, true], [false, false]] {
                let outcome = |precision: DType| {
                    let [x, y, dx, dy] =
                        [&x, &y, &dx, &dy].map(|tensor| tensor.clone().cast(precision));
                    let side = |x, dx, varies| match varies {
                        true => dual(x, dx),
                        false => Tensor::<Dual<Flex>, 4>::from_inner(x),
                    };
                    let product = side(x, dx, varies[0]).matmul(side(y, dy, varies[1]));
                    let value = crate::primal(product.clone());
                    [Some(value), tangent(product)]
                        .map(|part| part.map(|part| part.cast(DType::F64).into_data()))
                };
                let (single, double) = (outcome(DType::F32), outcome(DType::F64));
                for (single, double) in single.iter().zip(&double) {
                    assert_eq!(single.is_some(), double.is_some());
                    if let Some((single, double)) = single.as_ref().zip(double.as_ref()) {
                        single.assert_approx_eq::<f64>(
                            double,
                            burn::tensor::Tolerance::absolute(1e-5),
                        );
                    }
                }
            }
        }
    }
}
