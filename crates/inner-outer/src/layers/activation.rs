//! GELU, tanh and ReLU, with their derivatives stated.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn_flex::FlexTensor;

use super::by_hand::{Pullback, by_hand, contiguous, with_derivative};
use super::vectors::{exp, vectorised};

/// `2 sqrt(2/pi)`, the slope of `z` at zero.
const SCALE: f64 = 1.595_769_121_605_731;
/// `2 sqrt(2/pi) 0.044715`.
const BEND: f64 = 0.044715 * SCALE;

/// The tanh approximation of GELU that GPT-2 uses: `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
///
/// Computed as the same function `x sigmoid(z)` with `z = 2 sqrt(2/pi) (x + 0.044715 x^3)`: one exponential is several times
/// cheaper than the hyperbolic tangent of the mathematical library.
pub fn gelu_tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let x = match gelu_by_hand(x) {
        Ok(result) => return result,
        Err(x) => x,
    };
    let at = x.clone().detach();
    let square = at.clone() * at.clone();
    let gate = sigmoid((square.clone() * BEND + SCALE) * at.clone());
    let value = at * gate.clone();
    if !B::ad_enabled(&x.device()) {
        return value;
    }
    let z_slope = square * (3.0 * BEND) + SCALE;
    let slope = (value.clone() - value.clone() * gate.clone()) * z_slope + gate;
    with_derivative(x, value, slope)
}

/// In the memory of `x` if nothing else needs it.
fn gelu_by_hand<B: Backend, const D: usize>(x: Tensor<B, D>) -> Result<Tensor<B, D>, Tensor<B, D>> {
    let value = |[x]: [FlexTensor; 1]| {
        let mut x = contiguous(x);
        gelu_of_all(x.storage_mut());
        x
    };
    let value_and_pullback = |[x]: [FlexTensor; 1]| {
        let mut x = contiguous(x);
        let x_and_value: &mut [f32] = x.storage_mut();
        let mut slopes = vec![0.0; x_and_value.len()];
        gelu_and_slopes(x_and_value, &mut slopes);
        let pull = move |gradient: &mut [f32]| scale_all(gradient, &slopes);
        (x, Pullback::in_place(pull))
    };
    by_hand([x], value, value_and_pullback).map_err(|[x]| x)
}

vectorised! {
    fn gelu_of_all(x_and_value: &mut [f32]) {
        x_and_value.iter_mut().for_each(|x| *x = gelu_of_element(*x).0);
    }

    fn gelu_and_slopes(x_and_value: &mut [f32], slopes: &mut [f32]) {
        let elements = x_and_value.iter_mut().zip(slopes);
        elements.for_each(|(x, slope)| (*x, *slope) = gelu_of_element(*x));
    }

    fn scale_all(gradient: &mut [f32], slopes: &[f32]) {
        gradient.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient *= slope);
    }
}

/// `x sigmoid(z)` and its derivative `sigmoid(z) + x sigmoid(z) (1 - sigmoid(z)) z'`.
#[inline(always)]
fn gelu_of_element(x: f32) -> (f32, f32) {
    let (scale, bend, square) = (SCALE as f32, BEND as f32, x * x);
    let gate = 1.0 / (1.0 + exp(-x * (square * bend + scale)));
    let value = x * gate;
    (value, (value - value * gate) * (square * (3.0 * bend) + scale) + gate)
}

/// The hyperbolic tangent, to an absolute `1e-7` in single precision.
///
/// Computed as `2 sigmoid(2 x) - 1`, see [`gelu_tanh`]. Near zero it is therefore not exact to the last digit of a small number.
pub fn tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let x = match by_value(x, tanh_of_all, pull_tanh) {
        Ok(result) => return result,
        Err(x) => x,
    };
    let value = sigmoid(x.clone().detach() * 2.0) * 2.0 - 1.0;
    if !B::ad_enabled(&x.device()) {
        return value;
    }
    let slope = value.clone() * value.clone() * -1.0 + 1.0;
    with_derivative(x, value, slope)
}

vectorised! {
    fn tanh_of_all(x_and_value: &mut [f32]) {
        x_and_value.iter_mut().for_each(|x| *x = 2.0 / (1.0 + exp(-2.0 * *x)) - 1.0);
    }

    fn pull_tanh(gradient: &mut [f32], value: &[f32]) {
        gradient.iter_mut().zip(value).for_each(|(gradient, y)| *gradient *= 1.0 - y * y);
    }
}

/// `max(x, 0)`, with the derivative zero at zero.
pub fn relu<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    by_value(x, relu_of_all, pull_relu).unwrap_or_else(|x| {
        let below = x.clone().lower_equal_elem(0.0);
        x.mask_fill(below, 0.0)
    })
}

vectorised! {
    fn relu_of_all(x_and_value: &mut [f32]) {
        // What is not a number stays so.
        x_and_value.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x });
    }

    fn pull_relu(gradient: &mut [f32], value: &[f32]) {
        let elements = gradient.iter_mut().zip(value);
        elements.for_each(|(gradient, y)| *gradient = if *y > 0.0 { *gradient } else { 0.0 });
    }
}

/// A function of each element, in the memory of `x` if nothing else needs it, whose value is enough to pull a gradient back.
fn by_value<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    function: fn(&mut [f32]),
    pull: fn(&mut [f32], &[f32]),
) -> Result<Tensor<B, D>, Tensor<B, D>> {
    let value = |[x]: [FlexTensor; 1]| {
        let mut x = contiguous(x);
        function(x.storage_mut());
        x
    };
    let value_and_pullback = |x| {
        let value = value(x);
        let at = value.clone();
        (value, Pullback::in_place(move |gradient| pull(gradient, at.storage())))
    };
    by_hand([x], value, value_and_pullback).map_err(|[x]| x)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, activation};

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

    #[test]
    fn relu_is_that_of_burn() {
        type B = crate::Autodiff<Flex>;
        let device = Default::default();
        let x = Tensor::<B, 1>::from_floats([-2.0, -0.0, 0.0, 0.5, 3.0], &device).require_grad();
        let weights = Tensor::<B, 1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0], &device);
        let value_and_gradient = |function: fn(Tensor<B, 1>) -> Tensor<B, 1>| {
            let y = function(x.clone());
            let gradients = (y.clone() * weights.clone()).sum().backward();
            [to_f64(&y), to_f64(&x.grad(&gradients).expect("x is a leaf"))]
        };
        assert_eq!(value_and_gradient(relu), value_and_gradient(activation::relu));
        assert_eq!(to_f64(&relu(x.clone().inner())), to_f64(&relu(x.cast(DType::F64))));
        for precision in [DType::F32, DType::F64] {
            let x = Tensor::<Flex, 1>::from_floats([f32::NAN, 1.0], &device).cast(precision);
            assert!(to_f64(&relu(x))[0].is_nan());
        }
    }

    /// What is computed in one pass, in single precision, is the composition.
    #[test]
    fn one_pass_computes_the_same() {
        fn both<B: Backend>(x: &[f32]) -> [Tensor<B, 1>; 2] {
            let x = Tensor::from_floats(x, &Default::default());
            [gelu_tanh(x.clone()), tanh(x)]
        }
        let x = Vec::from_iter((-60..=60).map(|i| i as f32 * 0.1));
        let expected = both::<crate::Autodiff<crate::Autodiff<Flex>>>(&x);
        for (found, expected) in both::<Flex>(&x).iter().zip(&expected) {
            assert_close(&to_f64(found), &to_f64(expected), 1e-6);
        }
        let slopes = |x: &[f32]| {
            [gelu_tanh, tanh].map(|function| {
                let x = Tensor::<crate::Autodiff<Flex>, 1>::from_floats(x, &Default::default());
                let x = x.require_grad();
                to_f64(&x.grad(&function(x.clone()).sum().backward()).expect("x is a leaf"))
            })
        };
        for (index, slope) in slopes(&x).iter().enumerate() {
            let [after, before] = [5e-3, -5e-3].map(|step| {
                let x: Vec<f32> = x.iter().map(|x| x + step).collect();
                to_f64(&both::<Flex>(&x)[index])
            });
            let differences: Vec<f64> =
                after.iter().zip(&before).map(|(after, before)| (after - before) / 1e-2).collect();
            assert_close(slope, &differences, 1e-4);
        }
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
