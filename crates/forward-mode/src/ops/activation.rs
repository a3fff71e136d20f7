//! Activation functions, keeping the inner backend's fused kernels for primal and tangent.
//!
//! The first derivatives are the inner backend's own `*_backward` functions, so that tangents and
//! gradients agree; the second derivatives, which a backward function under forward mode needs,
//! are written out here.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, Scalar};

use crate::dual::sum;
use crate::rules::arithmetic::multiply;
use crate::rules::elementwise::{above, below, square, zero_where};
use crate::rules::indexing;
use crate::{Dual, DualTensor};

impl<B: Backend> ActivationOps<Self> for Dual<B> {
    fn relu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.with_output(B::relu, B::relu_backward)
    }

    fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        grad.linear(|part| B::relu_backward(output.primal.clone(), part))
    }

    fn leaky_relu(tensor: FloatTensor<Self>, negative_slope: Scalar) -> FloatTensor<Self> {
        tensor.with_input(
            |x| B::leaky_relu(x, negative_slope),
            |x, dx| {
                let negative = below::<B>(x, 0.into());
                let scaled = B::float_mul_scalar(dx.clone(), negative_slope);
                B::float_mask_where(dx, negative, scaled)
            },
        )
    }

    fn prelu(tensor: FloatTensor<Self>, alpha: FloatTensor<Self>) -> FloatTensor<Self> {
        if tensor.tangent.is_none() && alpha.tangent.is_none() {
            return DualTensor::constant(B::prelu(tensor.primal, alpha.primal));
        }
        let negative = below::<B>(tensor.primal.clone(), 0.into());
        let scaled = Self::float_mul(tensor.clone(), alpha);
        indexing::float_mask_where(tensor, negative, scaled)
    }

    fn gelu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.with_input(B::gelu, B::gelu_backward)
    }

    /// `d(gelu'(x) g) = gelu'(x) dg + φ(x) (2 - x²) g dx`, with the normal density `φ`.
    fn gelu_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let from_grad = grad.tangent.map(|dg| B::gelu_backward(x.primal.clone(), dg));
        let from_x = x.tangent.map(|dx| {
            let squared = square::<B>(x.primal.clone());
            let exponential = B::float_exp(B::float_mul_scalar(squared.clone(), (-0.5).into()));
            let bend = B::float_add_scalar(B::float_neg(squared), 2.into());
            let curvature = B::float_mul(B::float_mul(exponential, bend), dx);
            let normalisation = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
            let curvature = B::float_mul_scalar(curvature, normalisation.into());
            B::float_mul(curvature, grad.primal.clone())
        });
        let primal = B::gelu_backward(x.primal, grad.primal);
        DualTensor::new(primal, sum::<B>(from_grad, from_x))
    }

    fn sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.with_output(B::sigmoid, B::sigmoid_backward)
    }

    /// `d(y (1 - y) g) = y (1 - y) dg + (1 - 2y) g dy`.
    fn sigmoid_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let from_grad = grad.tangent.map(|dg| B::sigmoid_backward(output.primal.clone(), dg));
        let from_output = output.tangent.map(|dy| {
            let slope = B::float_mul_scalar(output.primal.clone(), (-2).into());
            let slope = B::float_add_scalar(slope, 1.into());
            B::float_mul(B::float_mul(slope, dy), grad.primal.clone())
        });
        let primal = B::sigmoid_backward(output.primal, grad.primal);
        DualTensor::new(primal, sum::<B>(from_grad, from_output))
    }

    fn hard_sigmoid(tensor: FloatTensor<Self>, alpha: Scalar, beta: Scalar) -> FloatTensor<Self> {
        tensor.with_input(
            |x| B::hard_sigmoid(x, alpha, beta),
            |x, dx| {
                let line = B::float_add_scalar(B::float_mul_scalar(x, alpha), beta);
                let dx = zero_where::<B>(dx, below::<B>(line.clone(), 0.into()));
                let dx = zero_where::<B>(dx, above::<B>(line, 1.into()));
                B::float_mul_scalar(dx, alpha)
            },
        )
    }

    fn log_sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.with_input(B::log_sigmoid, B::log_sigmoid_backward)
    }

    /// `d(σ(-x) g) = σ(-x) dg - σ(x) σ(-x) g dx`.
    fn log_sigmoid_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let from_grad = grad.tangent.map(|dg| B::log_sigmoid_backward(x.primal.clone(), dg));
        let from_x = x.tangent.map(|dx| {
            let weighted = B::float_neg(B::float_mul(dx, grad.primal.clone()));
            B::sigmoid_backward(B::sigmoid(x.primal.clone()), weighted)
        });
        let primal = B::log_sigmoid_backward(x.primal, grad.primal);
        DualTensor::new(primal, sum::<B>(from_grad, from_x))
    }

    /// `dy = y (dx - Σ y dx)`, summed along `dim`.
    fn softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        tensor.with_output(
            |x| B::softmax(x, dim),
            |y, dx| {
                let mean = B::float_sum_dim(B::float_mul(y.clone(), dx.clone()), dim);
                B::float_mul(B::float_sub(dx, mean), y)
            },
        )
    }

    fn softmin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        Self::softmax(Self::float_neg(tensor), dim)
    }

    /// `dy = dx - Σ exp(y) dx`, summed along `dim`.
    fn log_softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        tensor.with_output(
            |x| B::log_softmax(x, dim),
            |y, dx| {
                let weighted = multiply::<B>(B::float_exp(y), dx.clone());
                B::float_sub(dx, B::float_sum_dim(weighted, dim))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{ActivationOps, FloatTensorOps};

    use crate::check::{D, T, assert_tangents};

    fn wide(x: T) -> T {
        D::float_mul_scalar(x, 3.into())
    }

    #[test]
    fn functions() {
        assert_tangents([&[3, 4]], |[x]| D::relu(wide(x)));
        assert_tangents([&[3, 4]], |[x]| D::leaky_relu(wide(x), 0.1.into()));
        assert_tangents([&[3, 4]], |[x]| D::gelu(wide(x)));
        assert_tangents([&[3, 4]], |[x]| D::sigmoid(wide(x)));
        assert_tangents([&[3, 4]], |[x]| D::log_sigmoid(wide(x)));
        assert_tangents([&[3, 4]], |[x]| D::hard_sigmoid(wide(x), 0.3.into(), 0.5.into()));
        assert_tangents([&[3, 4], &[1, 4]], |[x, alpha]| D::prelu(wide(x), alpha));
    }

    #[test]
    fn normalised_exponentials_along_each_dimension() {
        for dim in 0..3 {
            assert_tangents([&[2, 3, 4]], |[x]| D::softmax(wide(x), dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::softmin(wide(x), dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::log_softmax(wide(x), dim));
        }
    }

    #[test]
    fn backward_functions() {
        let shapes: [&[usize]; 2] = [&[3, 4], &[3, 4]];
        assert_tangents(shapes, |[x, g]| D::gelu_backward(wide(x), g));
        assert_tangents(shapes, |[x, g]| D::log_sigmoid_backward(wide(x), g));
        assert_tangents(shapes, |[x, g]| D::relu_backward(x, g));
        assert_tangents(shapes, |[y, g]| D::sigmoid_backward(y, g));
    }
}
