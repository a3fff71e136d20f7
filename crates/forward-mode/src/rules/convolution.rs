//! Convolutions: bilinear in input and weight, plus a bias.

use burn_backend::ops::{DeformConv2dBackward, DeformConvOptions};
use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, Shape, TensorMetadata};

use super::no_rule;
use crate::dual::{broadcast_to, sum};
use crate::{Dual, DualTensor};

/// The product rule for `x ∗ w + b`, where `op` adds the bias in the same pass.
///
/// The bias has one entry per channel; channels are dimension `channel_dim` of the result.
pub(crate) fn biased_product<B: Backend>(
    x: DualTensor<B>,
    weight: DualTensor<B>,
    bias: Option<DualTensor<B>>,
    channel_dim: impl FnOnce(usize) -> usize,
    op: impl Fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>,
) -> DualTensor<B> {
    let (bias, mut bias_tangent) = match bias {
        Some(bias) => (Some(bias.primal), bias.tangent),
        None => (None, None),
    };
    let from_x = x.tangent.map(|dx| op(dx, weight.primal.clone(), bias_tangent.take()));
    let from_weight = weight.tangent.map(|dw| op(x.primal.clone(), dw, bias_tangent.take()));
    let primal = op(x.primal, weight.primal, bias);
    let from_bias = bias_tangent.map(|db| {
        let channel_dim = channel_dim(primal.rank());
        per_channel::<B>(db, channel_dim, primal.shape())
    });
    let tangent = sum::<B>(sum::<B>(from_x, from_weight), from_bias);
    DualTensor::new(primal, tangent)
}

/// Repeats one number per channel over the whole of `shape`.
fn per_channel<B: Backend>(
    values: FloatTensor<B>,
    channel_dim: usize,
    shape: Shape,
) -> FloatTensor<B> {
    let mut channels = vec![1; shape.num_dims()];
    channels[channel_dim] = shape[channel_dim];
    broadcast_to::<B>(B::float_reshape(values, Shape::from(channels)), shape)
}

/// Deformable convolution is linear in input, weight, mask and bias each, so the product rule
/// covers them. It is not differentiated in its offsets.
///
/// # Panics
///
/// If the offsets carry a tangent.
pub(crate) fn deform_conv2d<B: Backend>(
    x: DualTensor<B>,
    offset: DualTensor<B>,
    weight: DualTensor<B>,
    mask: Option<DualTensor<B>>,
    bias: Option<DualTensor<B>>,
    options: DeformConvOptions<2>,
) -> DualTensor<B> {
    if offset.tangent.is_some() {
        no_rule("deform_conv2d", "its offset", "make the offset constant: lift its `primal`");
    }
    let (mask, mask_tangent) = match mask {
        Some(mask) => (Some(mask.primal), mask.tangent),
        None => (None, None),
    };
    let convolve = |x, weight, mask, bias| {
        B::deform_conv2d(x, offset.primal.clone(), weight, mask, bias, options.clone())
    };
    let from_mask =
        mask_tangent.map(|dm| convolve(x.primal.clone(), weight.primal.clone(), Some(dm), None));
    let rest = biased_product(
        x,
        weight,
        bias,
        |_| 1,
        |x, weight, bias| convolve(x, weight, mask.clone(), bias),
    );
    DualTensor::new(rest.primal, sum::<B>(rest.tangent, from_mask))
}

/// # Panics
///
/// If any operand carries a tangent.
pub(crate) fn deform_conv2d_backward<B: Backend>(
    x: DualTensor<B>,
    offset: DualTensor<B>,
    weight: DualTensor<B>,
    mask: Option<DualTensor<B>>,
    bias: Option<DualTensor<B>>,
    output_grad: DualTensor<B>,
    options: DeformConvOptions<2>,
) -> DeformConv2dBackward<Dual<B>> {
    let operands = [Some(&x), Some(&offset), Some(&weight), mask.as_ref(), Some(&output_grad)];
    if operands.into_iter().flatten().any(|operand| operand.tangent.is_some()) {
        no_rule(
            "deform_conv2d_backward",
            "an operand",
            "use another curvature engine, such as central differences, for this model",
        );
    }
    let gradients = B::deform_conv2d_backward(
        x.primal,
        offset.primal,
        weight.primal,
        mask.map(|mask| mask.primal),
        bias.map(|bias| bias.primal),
        output_grad.primal,
        options,
    );
    DeformConv2dBackward {
        x_grad: DualTensor::constant(gradients.x_grad),
        offset_grad: DualTensor::constant(gradients.offset_grad),
        weight_grad: DualTensor::constant(gradients.weight_grad),
        mask_grad: gradients.mask_grad.map(DualTensor::constant),
        bias_grad: gradients.bias_grad.map(DualTensor::constant),
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{ConvOptions, ConvTransposeOptions, DeformConvOptions, ModuleOps};

    use crate::check::{D, T, assert_tangents, constant, varying_tensor};

    /// Stride 2, padding 1, dilation 1 and two groups in `N` dimensions.
    fn options<const N: usize>() -> ConvOptions<N> {
        ConvOptions::new([2; N], [1; N], [1; N], 2)
    }

    fn transposed<const N: usize>() -> ConvTransposeOptions<N> {
        ConvTransposeOptions::new([2; N], [1; N], [0; N], [1; N], 2)
    }

    #[test]
    fn convolutions() {
        assert_tangents([&[2, 4, 5], &[6, 2, 3], &[6]], |[x, w, b]| {
            D::conv1d(x, w, Some(b), options())
        });
        assert_tangents([&[2, 4, 5, 4], &[6, 2, 3, 2], &[6]], |[x, w, b]| {
            D::conv2d(x, w, Some(b), options())
        });
        assert_tangents([&[1, 2, 3, 4, 3], &[2, 1, 2, 3, 2], &[2]], |[x, w, b]| {
            D::conv3d(x, w, Some(b), options())
        });
        assert_tangents([&[2, 4, 5], &[6, 2, 3]], |[x, w]| D::conv1d(x, w, None, options()));
    }

    #[test]
    fn transposed_convolutions() {
        assert_tangents([&[2, 4, 5], &[4, 3, 3], &[6]], |[x, w, b]| {
            D::conv_transpose1d(x, w, Some(b), transposed())
        });
        assert_tangents([&[2, 4, 3, 4], &[4, 3, 3, 2], &[6]], |[x, w, b]| {
            D::conv_transpose2d(x, w, Some(b), transposed())
        });
        assert_tangents([&[1, 2, 2, 3, 2], &[2, 1, 2, 3, 3], &[2]], |[x, w, b]| {
            D::conv_transpose3d(x, w, Some(b), transposed())
        });
    }

    /// The shape of an operation's result.
    fn shape(output: T) -> Vec<usize> {
        burn_backend::TensorMetadata::shape(&output).to_vec()
    }

    fn zeros(shape: &[usize]) -> T {
        constant(&vec![0.0; shape.iter().product()], shape)
    }

    #[test]
    fn gradients_of_convolutions() {
        macro_rules! check {
            ($x:expr, $w:expr, $forward:ident, $by_x:ident, $by_weight:ident, $by_bias:ident) => {
                let (x, w): (&[usize], &[usize]) = (&$x, &$w);
                let y = shape(D::$forward(zeros(x), zeros(w), None, options()));
                let shapes = [x, w, &y];
                assert_tangents(shapes, |[x, w, g]| D::$by_x(x, w, g, options()));
                assert_tangents(shapes, |[x, w, g]| D::$by_weight(x, w, g, options()));
                assert_tangents([&y], |[g]| D::$by_bias(zeros(x), zeros(&[w[0]]), g));
            };
        }
        check!(
            [2, 4, 5],
            [6, 2, 3],
            conv1d,
            conv1d_x_backward,
            conv1d_weight_backward,
            conv1d_bias_backward
        );
        check!(
            [2, 4, 5, 4],
            [6, 2, 3, 2],
            conv2d,
            conv2d_x_backward,
            conv2d_weight_backward,
            conv2d_bias_backward
        );
        check!(
            [1, 2, 3, 4, 3],
            [2, 1, 2, 3, 2],
            conv3d,
            conv3d_x_backward,
            conv3d_weight_backward,
            conv3d_bias_backward
        );
    }

    #[test]
    fn gradients_of_transposed_convolutions() {
        macro_rules! check {
            ($x:expr, $w:expr, $forward:ident, $by_x:ident, $by_weight:ident, $by_bias:ident) => {
                let (x, w): (&[usize], &[usize]) = (&$x, &$w);
                let y = shape(D::$forward(zeros(x), zeros(w), None, transposed()));
                assert_tangents([w, &y], |[w, g]| D::$by_x(w, g, transposed()));
                assert_tangents([x, w, &y], |[x, w, g]| D::$by_weight(x, w, g, transposed()));
                assert_tangents([&y], |[g]| D::$by_bias(zeros(x), zeros(&[2 * w[1]]), g));
            };
        }
        check!(
            [2, 4, 5],
            [4, 3, 3],
            conv_transpose1d,
            conv_transpose1d_x_backward,
            conv_transpose1d_weight_backward,
            conv_transpose1d_bias_backward
        );
        check!(
            [2, 4, 3, 4],
            [4, 3, 3, 2],
            conv_transpose2d,
            conv_transpose2d_x_backward,
            conv_transpose2d_weight_backward,
            conv_transpose2d_bias_backward
        );
        check!(
            [1, 2, 2, 3, 2],
            [2, 1, 2, 3, 3],
            conv_transpose3d,
            conv_transpose3d_x_backward,
            conv_transpose3d_weight_backward,
            conv_transpose3d_bias_backward
        );
    }

    const DEFORMED: [&[usize]; 4] = [&[1, 2, 4, 4], &[3, 2, 3, 3], &[1, 9, 4, 4], &[3]];
    const OFFSETS: &[usize] = &[1, 18, 4, 4];

    fn deform_options() -> DeformConvOptions<2> {
        DeformConvOptions::new([1, 1], [1, 1], [1, 1], 1, 1)
    }

    #[test]
    fn deformable_convolution_varies_with_all_but_its_offsets() {
        let offset = || constant(&[0.3; 288], OFFSETS);
        assert_tangents(DEFORMED, |[x, w, mask, b]| {
            D::deform_conv2d(x, offset(), w, Some(mask), Some(b), deform_options())
        });
    }

    #[test]
    #[should_panic = "no tangent rule for `deform_conv2d` when its offset varies"]
    fn varying_offsets_are_refused() {
        let offset = varying_tensor(&[0.3; 288], &[1.0; 288], OFFSETS);
        D::deform_conv2d(
            zeros(DEFORMED[0]),
            offset,
            zeros(DEFORMED[1]),
            None,
            None,
            deform_options(),
        );
    }

    #[test]
    fn gradients_of_constant_deformable_convolutions_do_not_vary() {
        let gradients = D::deform_conv2d_backward(
            zeros(DEFORMED[0]),
            zeros(OFFSETS),
            zeros(DEFORMED[1]),
            Some(zeros(DEFORMED[2])),
            Some(zeros(DEFORMED[3])),
            zeros(&[1, 3, 4, 4]),
            deform_options(),
        );
        assert!(gradients.x_grad.tangent.is_none());
        assert!(gradients.weight_grad.tangent.is_none());
    }

    #[test]
    #[should_panic = "no tangent rule for `deform_conv2d_backward` when an operand varies"]
    fn gradients_of_varying_deformable_convolutions_are_refused() {
        D::deform_conv2d_backward(
            zeros(DEFORMED[0]),
            zeros(OFFSETS),
            varying_tensor(&[0.0; 54], &[1.0; 54], DEFORMED[1]),
            None,
            None,
            zeros(&[1, 3, 4, 4]),
            deform_options(),
        );
    }
}
