//! Neural-network layers: bilinear ones by the product rule, linear ones as they stand, selections
//! by their indices.

use burn_backend::Backend;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices,
    MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps, UnfoldOptions,
};
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};

use crate::Dual;
use crate::dual::bilinear;
use crate::rules::{convolution, layers, pooling, spectrum};

/// A convolution and its three backward functions: bilinear in the two tensors that carry values;
/// the others only give shapes.
macro_rules! convolution {
    ($forward:ident, $x_backward:ident, $weight_backward:ident, $bias_backward:ident, $n:literal) => {
        fn $forward(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: Option<FloatTensor<Self>>,
            options: ConvOptions<$n>,
        ) -> FloatTensor<Self> {
            convolution::biased_product(
                x,
                weight,
                bias,
                |_| 1,
                |x, weight, bias| B::$forward(x, weight, bias, options.clone()),
            )
        }

        fn $x_backward(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
            options: ConvOptions<$n>,
        ) -> FloatTensor<Self> {
            bilinear(weight, output_grad, |weight, grad| {
                B::$x_backward(x.primal.clone(), weight, grad, options.clone())
            })
        }

        fn $weight_backward(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
            options: ConvOptions<$n>,
        ) -> FloatTensor<Self> {
            bilinear(x, output_grad, |x, grad| {
                B::$weight_backward(x, weight.primal.clone(), grad, options.clone())
            })
        }

        bias_backward!($bias_backward);
    };
}

/// A transposed convolution and its three backward functions.
macro_rules! transposed_convolution {
    ($forward:ident, $x_backward:ident, $weight_backward:ident, $bias_backward:ident, $n:literal) => {
        fn $forward(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: Option<FloatTensor<Self>>,
            options: ConvTransposeOptions<$n>,
        ) -> FloatTensor<Self> {
            convolution::biased_product(
                x,
                weight,
                bias,
                |_| 1,
                |x, weight, bias| B::$forward(x, weight, bias, options.clone()),
            )
        }

        fn $x_backward(
            weight: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
            options: ConvTransposeOptions<$n>,
        ) -> FloatTensor<Self> {
            bilinear(weight, output_grad, |weight, grad| {
                B::$x_backward(weight, grad, options.clone())
            })
        }

        fn $weight_backward(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
            options: ConvTransposeOptions<$n>,
        ) -> FloatTensor<Self> {
            bilinear(x, output_grad, |x, grad| {
                B::$weight_backward(x, weight.primal.clone(), grad, options.clone())
            })
        }

        bias_backward!($bias_backward);
    };
}

/// The gradient of a bias sums the gradient of the output; the other tensors only give shapes.
macro_rules! bias_backward {
    ($name:ident) => {
        fn $name(
            x: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
        ) -> FloatTensor<Self> {
            output_grad.linear(|grad| B::$name(x.primal.clone(), bias.primal.clone(), grad))
        }
    };
}

/// Linear maps of one tensor.
macro_rules! linear {
    ($(fn $name:ident($($argument:ident: $kind:ty),* $(,)?);)*) => {
        $(fn $name(x: FloatTensor<Self>, $($argument: $kind),*) -> FloatTensor<Self> {
            x.linear(|part| B::$name(part, $(Clone::clone(&$argument)),*))
        })*
    };
}

/// The adjoints of linear maps: linear in the gradient; the input only gives the shape.
macro_rules! linear_backward {
    ($(fn $name:ident($($argument:ident: $kind:ty),* $(,)?);)*) => {
        $(fn $name(
            x: FloatTensor<Self>,
            grad: FloatTensor<Self>,
            $($argument: $kind),*
        ) -> FloatTensor<Self> {
            grad.linear(|part| B::$name(x.primal.clone(), part, $(Clone::clone(&$argument)),*))
        })*
    };
}

/// The adjoint of max pooling: writes the gradient at the indices of the maxima.
macro_rules! max_pool_backward {
    ($name:ident, $output:ident, $size:ty) => {
        fn $name(
            x: FloatTensor<Self>,
            kernel_size: $size,
            stride: $size,
            padding: $size,
            dilation: $size,
            ceil_mode: bool,
            output_grad: FloatTensor<Self>,
            indices: IntTensor<B>,
        ) -> $output<Self> {
            $output::new(output_grad.linear(|grad| {
                let (x, indices) = (x.primal.clone(), indices.clone());
                B::$name(x, kernel_size, stride, padding, dilation, ceil_mode, grad, indices).x_grad
            }))
        }
    };
}

impl<B: Backend> ModuleOps<Self> for Dual<B> {
    convolution!(conv1d, conv1d_x_backward, conv1d_weight_backward, conv1d_bias_backward, 1);
    convolution!(conv2d, conv2d_x_backward, conv2d_weight_backward, conv2d_bias_backward, 2);
    convolution!(conv3d, conv3d_x_backward, conv3d_weight_backward, conv3d_bias_backward, 3);

    transposed_convolution!(
        conv_transpose1d,
        conv_transpose1d_x_backward,
        conv_transpose1d_weight_backward,
        conv_transpose1d_bias_backward,
        1
    );
    transposed_convolution!(
        conv_transpose2d,
        conv_transpose2d_x_backward,
        conv_transpose2d_weight_backward,
        conv_transpose2d_bias_backward,
        2
    );
    transposed_convolution!(
        conv_transpose3d,
        conv_transpose3d_x_backward,
        conv_transpose3d_weight_backward,
        conv_transpose3d_bias_backward,
        3
    );

    delegate! {
        to convolution;
        fn deform_conv2d(
            x: FloatTensor<Self>,
            offset: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            mask: Option<FloatTensor<Self>>,
            bias: Option<FloatTensor<Self>>,
            options: DeformConvOptions<2>,
        ) -> FloatTensor<Self>;
        fn deform_conv2d_backward(
            x: FloatTensor<Self>,
            offset: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            mask: Option<FloatTensor<Self>>,
            bias: Option<FloatTensor<Self>>,
            output_grad: FloatTensor<Self>,
            options: DeformConvOptions<2>,
        ) -> DeformConv2dBackward<Self>;
    }

    linear! {
        fn unfold4d(kernel_size: [usize; 2], options: UnfoldOptions);
        fn avg_pool1d(
            kernel_size: usize,
            stride: usize,
            padding: usize,
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn avg_pool2d(
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn adaptive_avg_pool1d(output_size: usize);
        fn adaptive_avg_pool2d(output_size: [usize; 2]);
        fn interpolate(output_size: [usize; 2], options: InterpolateOptions);
    }

    linear_backward! {
        fn avg_pool1d_backward(
            kernel_size: usize,
            stride: usize,
            padding: usize,
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn avg_pool2d_backward(
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn adaptive_avg_pool1d_backward();
        fn adaptive_avg_pool2d_backward();
        fn interpolate_backward(output_size: [usize; 2], options: InterpolateOptions);
    }

    delegate! {
        to pooling;
        fn max_pool1d(
            x: FloatTensor<Self>,
            kernel_size: usize,
            stride: usize,
            padding: usize,
            dilation: usize,
            ceil_mode: bool,
        ) -> FloatTensor<Self>;
        fn max_pool1d_with_indices(
            x: FloatTensor<Self>,
            kernel_size: usize,
            stride: usize,
            padding: usize,
            dilation: usize,
            ceil_mode: bool,
        ) -> MaxPool1dWithIndices<Self>;
        fn max_pool2d(
            x: FloatTensor<Self>,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            dilation: [usize; 2],
            ceil_mode: bool,
        ) -> FloatTensor<Self>;
        fn max_pool2d_with_indices(
            x: FloatTensor<Self>,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            dilation: [usize; 2],
            ceil_mode: bool,
        ) -> MaxPool2dWithIndices<Self>;
    }

    max_pool_backward!(max_pool1d_with_indices_backward, MaxPool1dBackward, usize);
    max_pool_backward!(max_pool2d_with_indices_backward, MaxPool2dBackward, [usize; 2]);

    delegate! {
        to layers;
        fn embedding(weights: FloatTensor<Self>, indices: IntTensor<B>) -> FloatTensor<Self>;
        fn embedding_backward(
            weights: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
            indices: IntTensor<B>,
        ) -> FloatTensor<Self>;
        fn linear(
            x: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: Option<FloatTensor<Self>>,
        ) -> FloatTensor<Self>;
        fn linear_x_backward(
            weight: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn linear_weight_backward(
            x: FloatTensor<Self>,
            output_grad: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn linear_bias_backward(output_grad: FloatTensor<Self>) -> FloatTensor<Self>;
        fn layer_norm(
            tensor: FloatTensor<Self>,
            gamma: FloatTensor<Self>,
            beta: Option<FloatTensor<Self>>,
            epsilon: f64,
        ) -> FloatTensor<Self>;
        fn attention(
            query: FloatTensor<Self>,
            key: FloatTensor<Self>,
            value: FloatTensor<Self>,
            mask: Option<BoolTensor<B>>,
            attn_bias: Option<FloatTensor<Self>>,
            options: AttentionModuleOptions,
        ) -> FloatTensor<Self>;
        fn ctc_loss(
            log_probs: FloatTensor<Self>,
            targets: IntTensor<B>,
            input_lengths: IntTensor<B>,
            target_lengths: IntTensor<B>,
            blank: usize,
        ) -> FloatTensor<Self>;
    }

    delegate! {
        to spectrum;
        fn rfft(
            signal: FloatTensor<Self>,
            dim: usize,
            n: Option<usize>,
        ) -> (FloatTensor<Self>, FloatTensor<Self>);
        fn irfft(
            spectrum_re: FloatTensor<Self>,
            spectrum_im: FloatTensor<Self>,
            dim: usize,
            n: Option<usize>,
        ) -> FloatTensor<Self>;
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{InterpolateMode, InterpolateOptions, ModuleOps, UnfoldOptions};

    use crate::check::{D, T, assert_tangents, constant};

    fn zeros(shape: &[usize]) -> T {
        constant(&vec![0.0; shape.iter().product()], shape)
    }

    #[test]
    fn averages_and_their_adjoints() {
        assert_tangents([&[2, 3, 7]], |[x]| D::avg_pool1d(x, 3, 2, 1, true, false));
        assert_tangents([&[2, 3, 4]], |[g]| {
            D::avg_pool1d_backward(zeros(&[2, 3, 7]), g, 3, 2, 1, true, false)
        });
        assert_tangents([&[2, 3, 5, 6]], |[x]| {
            D::avg_pool2d(x, [3, 2], [2, 2], [1, 0], false, false)
        });
        assert_tangents([&[2, 3, 3, 3]], |[g]| {
            let x = zeros(&[2, 3, 5, 6]);
            D::avg_pool2d_backward(x, g, [3, 2], [2, 2], [1, 0], false, false)
        });
    }

    #[test]
    fn adaptive_averages_and_their_adjoints() {
        assert_tangents([&[2, 3, 7]], |[x]| D::adaptive_avg_pool1d(x, 3));
        assert_tangents([&[2, 3, 3]], |[g]| D::adaptive_avg_pool1d_backward(zeros(&[2, 3, 7]), g));
        assert_tangents([&[2, 3, 5, 6]], |[x]| D::adaptive_avg_pool2d(x, [2, 3]));
        assert_tangents([&[2, 3, 2, 3]], |[g]| {
            D::adaptive_avg_pool2d_backward(zeros(&[2, 3, 5, 6]), g)
        });
    }

    #[test]
    fn interpolation_and_its_adjoint() {
        for mode in [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::Bicubic]
        {
            let options = InterpolateOptions::new(mode);
            assert_tangents([&[1, 2, 3, 4]], |[x]| D::interpolate(x, [5, 7], options.clone()));
        }
        let options = InterpolateOptions::new(InterpolateMode::Bilinear);
        assert_tangents([&[1, 2, 5, 7]], |[g]| {
            D::interpolate_backward(zeros(&[1, 2, 3, 4]), g, [5, 7], options.clone())
        });
    }

    #[test]
    fn unfolding() {
        let options = UnfoldOptions::new([1, 2], [1, 0], [1, 1]);
        assert_tangents([&[1, 2, 4, 5]], |[x]| D::unfold4d(x, [2, 3], options.clone()));
    }
}
