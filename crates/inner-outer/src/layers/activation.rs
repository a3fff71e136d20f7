//! GELU and tanh, with their derivatives stated.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

/// The tanh approximation of GELU that GPT-2 uses: `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
///
/// Computed as the same function `x sigmoid(z)` with `z = 2 sqrt(2/pi) (x + 0.044715 x^3)`: one exponential is several times
/// cheaper than the hyperbolic tangent of the mathematical library.
pub fn gelu_tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let scale = 2.0 * std::f64::consts::FRAC_2_PI.sqrt();
    let bend = 0.044715 * scale;
    let at = x.clone().detach();
    let square = at.clone() * at.clone();
    let gate = sigmoid((square.clone() * bend + scale) * at.clone());
    let value = at * gate.clone();
    if !B::ad_enabled(&x.device()) {
        return value;
    }
    // d/dx (x sigmoid(z)) = sigmoid(z) + x sigmoid(z) (1 - sigmoid(z)) z'.
    let z_slope = square * (3.0 * bend) + scale;
    let slope = (value.clone() - value.clone() * gate.clone()) * z_slope + gate;
    with_derivative(x, value, slope)
}

/// The hyperbolic tangent, to an absolute `1e-7` in single precision.
///
/// Computed as `2 sigmoid(2 x) - 1`, see [`gelu_tanh`]. Near zero it is therefore not exact to the last digit of a small number.
pub fn tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let value = sigmoid(x.clone().detach() * 2.0) * 2.0 - 1.0;
    if !B::ad_enabled(&x.device()) {
        return value;
    }
    let slope = value.clone() * value.clone() * -1.0 + 1.0;
    with_derivative(x, value, slope)
}

/// A function of each element of `x` by its value and its derivative at `x`, both computed without a graph.
///
/// The result is `value + slope (x - x')`, where `x'` is `x` without its graph: the difference is zero, and its derivative
/// is one. The backward pass is one product, for which the graph keeps one tensor. `detach` cuts the topmost level of
/// differentiation alone, so on the levels below value and slope vary with `x`, and second derivatives are exact.
fn with_derivative<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    value: Tensor<B, D>,
    slope: Tensor<B, D>,
) -> Tensor<B, D> {
    let at = x.clone().detach();
    (x - at) * slope + value
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::super::check::{Loss, assert_close, assert_derivatives, double};
    use super::*;
    use crate::tensors::to_f64;

    struct Gelu;

    impl Loss for Gelu {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            gelu_tanh(x).powi_scalar(2).sum()
        }
    }

    const X: [f64; 5] = [-3.0, -0.5, 0.0, 0.7, 2.0];

    #[test]
    fn gelu_is_the_tanh_form() {
        let formula = |x: f64| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        };
        let expected = X.map(formula);
        assert_close(&to_f64(&gelu_tanh(double::<Flex, 1>(&X, [5]))), &expected, 1e-15);
        let differentiated = gelu_tanh(double::<crate::Autodiff<Flex>, 1>(&X, [5]).require_grad());
        assert_close(&to_f64(&differentiated), &expected, 1e-15);
    }

    struct Tanh;

    impl Loss for Tanh {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            tanh(x).powi_scalar(3).sum()
        }
    }

    #[test]
    fn tanh_is_that_of_the_mathematical_library() {
        let expected = X.map(f64::tanh);
        assert_close(&to_f64(&tanh(double::<Flex, 1>(&X, [5]))), &expected, 1e-15);
        let differentiated = tanh(double::<crate::Autodiff<Flex>, 1>(&X, [5]).require_grad());
        assert_close(&to_f64(&differentiated), &expected, 1e-15);
        let far = tanh(double::<Flex, 1>(&[-1e4, 1e4], [2]));
        assert_eq!(to_f64(&far), [-1.0, 1.0]);
    }

    #[test]
    fn tanh_has_two_derivatives() {
        assert_derivatives(&Tanh, &X);
    }

    #[test]
    fn gelu_has_two_derivatives() {
        assert_derivatives(&Gelu, &X);
    }

    /// Far from zero the exponential is infinite or zero; the function is a line there.
    #[test]
    fn large_numbers_stay_finite() {
        let x = double::<crate::Autodiff<Flex>, 1>(&[-1e4, 1e4], [2]).require_grad();
        let y = gelu_tanh(x.clone());
        let slope = x.grad(&y.clone().sum().backward()).expect("x is a leaf");
        assert_eq!((to_f64(&y), to_f64(&slope)), (vec![-0.0, 1e4], vec![0.0, 1.0]));
    }
}
