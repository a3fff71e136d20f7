//! Max pooling selects: the tangent is read at the indices of the maxima. (Averages are linear.)

use burn_backend::ops::{MaxPool1dWithIndices, MaxPool2dWithIndices};
use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, Shape, TensorMetadata};

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
/// dimensions; the result has the shape of the indices.
fn at_maxima<B: Backend>(dx: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B> {
    let pooled = indices.shape();
    let dx = B::float_reshape(dx.clone(), flat_trailing(dx.shape()));
    let indices = B::int_reshape(indices, flat_trailing(pooled.clone()));
    B::float_reshape(B::float_gather(2, dx, indices), pooled)
}

fn flat_trailing(shape: Shape) -> Shape {
    let trailing = shape.iter().skip(2).product();
    Shape::new([shape[0], shape[1], trailing])
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::ModuleOps;

    use crate::check::{D, T, assert_tangents, constant};

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
