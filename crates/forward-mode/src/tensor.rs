//! Into and out of dual numbers, on Burn's user-facing tensors.

use burn::tensor::{Tensor, TensorPrimitive};
use burn_backend::{Backend, TensorMetadata};

use crate::{Dual, DualTensor};

/// The dual tensor `primal + tangent ε`, both of shape `[..; D]`: the point at which a function is
/// differentiated, and the direction.
///
/// Values that do not vary need no tangent: lift them with `Tensor::from_inner`.
///
/// # Panics
///
/// If the two differ in shape or element type.
///
/// ```
/// use burn::backend::Flex;
/// use burn::tensor::Tensor;
/// use forward_mode::{dual, tangent};
///
/// let device = Default::default();
/// let x = Tensor::<Flex, 1>::from_floats([3.0], &device);
/// let dx = Tensor::from_floats([1.0], &device);
/// let slope = tangent((dual(x, dx).powi_scalar(2)).exp().log()).unwrap();
/// assert!((slope.into_scalar() - 6.0).abs() < 1e-5);
/// ```
pub fn dual<B: Backend, const D: usize>(
    primal: Tensor<B, D>,
    tangent: Tensor<B, D>,
) -> Tensor<Dual<B>, D> {
    let primal = primal.into_primitive().tensor();
    let tangent = tangent.into_primitive().tensor();
    assert!(
        primal.shape() == tangent.shape() && primal.dtype() == tangent.dtype(),
        "forward-mode: a tangent needs the shape and element type of its primal: the primal is \
         {:?} {:?}, the tangent {:?} {:?}; reshape or cast the tangent",
        primal.shape().to_vec(),
        primal.dtype(),
        tangent.shape().to_vec(),
        tangent.dtype(),
    );
    Tensor::from_primitive(TensorPrimitive::Float(DualTensor::new(primal, Some(tangent))))
}

/// The value of a dual tensor.
pub fn primal<B: Backend, const D: usize>(tensor: Tensor<Dual<B>, D>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor.into_primitive().tensor().primal))
}

/// The directional derivative of a dual tensor; `None` where it is exactly zero because nothing
/// that varies went into it.
pub fn tangent<B: Backend, const D: usize>(tensor: Tensor<Dual<B>, D>) -> Option<Tensor<B, D>> {
    let tangent = tensor.into_primitive().tensor().tangent?;
    Some(Tensor::from_primitive(TensorPrimitive::Float(tangent)))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor};
    use proptest::prelude::*;

    use super::*;

    type Vector = Tensor<Flex, 1>;

    fn vector(values: &[f64]) -> Vector {
        Tensor::from_data(values, (&Default::default(), DType::F64))
    }

    /// The derivative at `x` along `dx` of a function with products, quotients and reductions.
    fn derivative(x: &[f64], dx: &[f64]) -> Vec<f64> {
        let x = dual(vector(x), vector(dx));
        let y = (x.clone() * x.clone().sin()).cumsum(0) / (x.clone().exp() + 1.0) * x.sum();
        tangent(y).expect("x varies").to_data().to_vec().unwrap()
    }

    fn close(actual: &[f64], expected: &[f64]) -> bool {
        actual.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + b.abs()))
    }

    proptest! {
        #[test]
        fn the_derivative_is_linear_in_the_direction(
            rows in prop::collection::vec(prop::array::uniform3(-2.0..2.0_f64), 1..9),
            a in -3.0..3.0_f64,
            b in -3.0..3.0_f64,
        ) {
            let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<_>>();
            let (x, u, v) = (column(0), column(1), column(2));
            let combine = |u: &[f64], v: &[f64]| -> Vec<f64> {
                u.iter().zip(v).map(|(u, v)| a * u + b * v).collect()
            };
            let together = derivative(&x, &combine(&u, &v));
            let apart = combine(&derivative(&x, &u), &derivative(&x, &v));
            prop_assert!(close(&together, &apart), "{together:?} is not {apart:?}");
        }

        #[test]
        fn inverse_functions_have_inverse_derivatives(x in -0.9..0.9_f64, dx in -2.0..2.0_f64) {
            let number = || dual(vector(&[x]), vector(&[dx]));
            for round_trip in [
                number().exp().log(),
                number().tanh().atanh(),
                number().sinh().asinh(),
                number().sin().asin(),
                (number() + 2.0).sqrt().powi_scalar(2),
                (number() + 2.0).recip().recip(),
            ] {
                let slope: Vec<f64> = tangent(round_trip).unwrap().to_data().to_vec().unwrap();
                prop_assert!(close(&slope, &[dx]), "{slope:?} is not {dx}");
            }
        }
    }

    #[test]
    fn both_precisions_come_back() {
        for dtype in [DType::F32, DType::F64] {
            let x: Vector = Tensor::from_data([1.0, 2.0], (&Default::default(), dtype));
            let squared = dual(x.clone(), x.ones_like()).powi_scalar(2);
            assert_eq!(primal(squared.clone()).dtype(), dtype);
            let tangent = tangent(squared).unwrap();
            assert_eq!(tangent.dtype(), dtype);
            assert_eq!(tangent.to_data().convert::<f64>().to_vec::<f64>().unwrap(), [2.0, 4.0]);
        }
    }

    #[test]
    fn constants_have_no_tangent() {
        let constant = Tensor::<Dual<Flex>, 1>::from_inner(vector(&[1.0]));
        assert!(tangent(constant.exp() * 3.0).is_none());
    }

    #[test]
    fn detaching_stops_the_derivative() {
        assert!(tangent(dual(vector(&[1.0]), vector(&[1.0])).detach().exp()).is_none());
    }

    #[test]
    #[should_panic = "the primal is [2] F64, the tangent [1] F64; reshape or cast the tangent"]
    fn shapes_must_match() {
        dual(vector(&[1.0, 2.0]), vector(&[1.0]));
    }

    #[test]
    #[should_panic = "the primal is [1] F64, the tangent [1] F32; reshape or cast the tangent"]
    fn element_types_must_match() {
        dual(vector(&[1.0]), vector(&[1.0]).cast(DType::F32));
    }
}
