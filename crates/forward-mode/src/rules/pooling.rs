//! Max pooling selects: the tangent is read at the indices of the maxima. (Averages are linear.)

use burn_backend::ops::{MaxPool1dWithIndices, MaxPool2dWithIndices};
use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, Shape, TensorMetadata, get_device_settings};

use super::elementwise::zero_where;
use crate::{Dual, DualTensor};

pub(crate) fn max_pool1d<B: Backend>(
    x: DualTensor<B>,
    kernel_size: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil_mode: bool,
) -> DualTensor<B> {
    if x.tangent.is_some() {
        return max_pool1d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)
            .output;
    }
    let x = x.primal;
    DualTensor::constant(B::max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode))
}

pub(crate) fn max_pool1d_with_indices<B: Backend>(
    x: DualTensor<B>,
    kernel_size: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil_mode: bool,
) -> MaxPool1dWithIndices<Dual<B>> {
    let pooled =
        B::max_pool1d_with_indices(x.primal, kernel_size, stride, padding, dilation, ceil_mode);
    let tangent = x.tangent.map(|dx| at_maxima::<B>(dx, pooled.indices.clone()));
    MaxPool1dWithIndices::new(DualTensor::new(pooled.output, tangent), pooled.indices)
}

pub(crate) fn max_pool2d<B: Backend>(
    x: DualTensor<B>,
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    ceil_mode: bool,
) -> DualTensor<B> {
    if x.tangent.is_some() {
        return max_pool2d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)
            .output;
    }
    let x = x.primal;
    DualTensor::constant(B::max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode))
}

pub(crate) fn max_pool2d_with_indices<B: Backend>(
    x: DualTensor<B>,
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    ceil_mode: bool,
) -> MaxPool2dWithIndices<Dual<B>> {
    let pooled =
        B::max_pool2d_with_indices(x.primal, kernel_size, stride, padding, dilation, ceil_mode);
    let tangent = x.tangent.map(|dx| at_maxima::<B>(dx, pooled.indices.clone()));
    MaxPool2dWithIndices::new(DualTensor::new(pooled.output, tangent), pooled.indices)
}

/// Reads `dx`, of shape `[batch, channels, ..]`, at indices into its flattened trailing
/// dimensions; the result has the shape of the indices. A window that lies outside of the input,
/// as `ceil_mode` can leave it, has an index below zero and does not vary.
fn at_maxima<B: Backend>(dx: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B> {
    let pooled = indices.shape();
    let dx = B::float_reshape(dx.clone(), flat_trailing(dx.shape()));
    let indices = B::int_reshape(indices, flat_trailing(pooled.clone()));
    let dtype = get_device_settings::<B>(&B::float_device(&dx)).bool_dtype;
    let outside = B::int_lower_elem(indices.clone(), 0.into(), dtype);
    let read = B::float_gather(2, dx, B::int_clamp_min(indices, 0.into()));
    B::float_reshape(zero_where::<B>(read, outside), pooled)
}

fn flat_trailing(shape: Shape) -> Shape {
    let trailing = shape.iter().skip(2).product();
    Shape::new([shape[0], shape[1], trailing])
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::ModuleOps;

    use crate::check::{D, T, assert_tangents, constant, values, varying_tensor};

    #[test]
    fn maxima_in_one_dimension() {
        assert_tangents([&[2, 3, 7]], |[x]| D::max_pool1d(x, 3, 2, 1, 1, false));
        assert_tangents([&[2, 3, 7]], |[x]| D::max_pool1d_with_indices(x, 2, 2, 0, 2, true).output);
    }

    #[test]
    fn maxima_in_two_dimensions() {
        assert_tangents([&[2, 3, 5, 6]], |[x]| {
            D::max_pool2d(x, [3, 2], [2, 2], [1, 1], [1, 1], false)
        });
        assert_tangents([&[2, 3, 5, 6]], |[x]| {
            D::max_pool2d_with_indices(x, [2, 2], [2, 1], [0, 0], [1, 2], true).output
        });
    }

    #[test]
    fn windows_outside_of_the_image_do_not_vary() {
        let numbers: Vec<f64> = (0..36).map(f64::from).collect();
        let x = varying_tensor(&numbers, &[1.0; 36], &[1, 1, 6, 6]);
        let pooled = D::max_pool2d(x, [2, 2], [3, 3], [0, 0], [1, 1], true);
        let outside: Vec<bool> = values(&pooled.primal).iter().map(|x| x.is_infinite()).collect();
        let tangent = values(&pooled.tangent.unwrap());
        assert!(outside.contains(&true) && outside.contains(&false), "{outside:?}");
        for (outside, tangent) in outside.into_iter().zip(tangent) {
            assert_eq!(tangent, f64::from(u8::from(!outside)));
        }
    }

    fn image(shape: &[usize]) -> T {
        let values: Vec<f64> = (0..shape.iter().product()).map(|i| ((i * 7) % 11) as f64).collect();
        constant(&values, shape)
    }

    #[test]
    fn gradients_return_to_the_maxima() {
        let line = || image(&[1, 2, 6]);
        let at = || D::max_pool1d_with_indices(line(), 2, 2, 0, 1, false).indices;
        assert_tangents([&[1, 2, 3]], |[g]| {
            D::max_pool1d_with_indices_backward(line(), 2, 2, 0, 1, false, g, at()).x_grad
        });
        let plane = || image(&[1, 2, 4, 6]);
        let (two, none, one) = ([2, 2], [0, 0], [1, 1]);
        let at = || D::max_pool2d_with_indices(plane(), two, two, none, one, false).indices;
        assert_tangents([&[1, 2, 2, 3]], |[g]| {
            let (x, at) = (plane(), at());
            D::max_pool2d_with_indices_backward(x, two, two, none, one, false, g, at).x_grad
        });
    }
}
