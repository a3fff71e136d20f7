//! Products along a dimension, exact also where factors are zero.

use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, Shape, Slice, TensorMetadata};

use crate::DualTensor;

/// Running products; the tangent follows the recurrence `dyₖ = dyₖ₋₁ xₖ + yₖ₋₁ dxₖ`.
pub(crate) fn float_cumprod<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    let tangent = x.tangent.map(|dx| B::float_cat(running_tangents::<B>(&x.primal, &dx, dim), dim));
    DualTensor::new(B::float_cumprod(x.primal, dim), tangent)
}

/// The product along `dim`: the last of the running products.
pub(crate) fn float_prod_dim<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    let tangent = x.tangent.and_then(|dx| running_tangents::<B>(&x.primal, &dx, dim).pop());
    DualTensor::new(B::float_prod_dim(x.primal, dim), tangent)
}

/// The product of all elements.
pub(crate) fn float_prod<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    let flat = Shape::new([x.shape().num_elements()]);
    let tangent = x.tangent.and_then(|dx| {
        let x = B::float_reshape(x.primal.clone(), flat.clone());
        running_tangents::<B>(&x, &B::float_reshape(dx, flat), 0).pop()
    });
    DualTensor::new(B::float_prod(x.primal), tangent)
}

/// The tangents of the running products, one slice per position along `dim`.
///
/// Dividing the product by each factor would be shorter, and wrong wherever a factor is zero.
fn running_tangents<B: Backend>(
    x: &FloatTensor<B>,
    dx: &FloatTensor<B>,
    dim: usize,
) -> Vec<FloatTensor<B>> {
    let products = B::float_cumprod(x.clone(), dim);
    let mut tangents: Vec<FloatTensor<B>> = Vec::with_capacity(x.shape()[dim]);
    for position in 0..x.shape()[dim] {
        let here = |tensor: &FloatTensor<B>| slice_at::<B>(tensor, dim, position);
        let tangent = match tangents.last() {
            None => here(dx),
            Some(previous) => {
                let product = slice_at::<B>(&products, dim, position - 1);
                B::float_add(
                    B::float_mul(previous.clone(), here(x)),
                    B::float_mul(product, here(dx)),
                )
            }
        };
        tangents.push(tangent);
    }
    tangents
}

/// The slice of length one at `position` along `dim`.
fn slice_at<B: Backend>(tensor: &FloatTensor<B>, dim: usize, position: usize) -> FloatTensor<B> {
    let mut slices = vec![Slice::full(); tensor.rank()];
    slices[dim] = Slice::from(position..position + 1);
    B::float_slice(tensor.clone(), &slices)
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;

    use crate::check::{D, assert_tangents, values, varying_tensor};

    #[test]
    fn products_along_each_dimension() {
        assert_tangents([&[4]], |[x]| D::float_prod(x));
        assert_tangents([&[2, 3]], |[x]| D::float_prod(x));
        for dim in 0..3 {
            assert_tangents([&[2, 3, 4]], |[x]| D::float_prod_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::float_cumprod(x, dim));
        }
    }

    #[test]
    fn zero_factors_are_exact() {
        let x = || varying_tensor(&[2.0, 0.0, 5.0], &[1.0, 1.0, 1.0], &[3]);
        assert_eq!(values(&D::float_prod_dim(x(), 0).tangent.unwrap()), [10.0]);
        assert_eq!(values(&D::float_cumprod(x(), 0).tangent.unwrap()), [1.0, 2.0, 10.0]);
    }
}
