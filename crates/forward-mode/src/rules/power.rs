//! Powers, with constant and with varying exponents.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, Scalar, TensorMetadata, get_device_settings};

use super::arithmetic::multiply;
use super::elementwise::zero_where;
use crate::DualTensor;
use crate::dual::sum;

/// `d xⁿ = n xⁿ⁻¹ dx` for an integer `n`; the constant `x⁰` has no tangent.
pub(crate) fn float_powi_scalar<B: Backend>(x: DualTensor<B>, exponent: Scalar) -> DualTensor<B> {
    let n = exponent.elem::<i64>();
    let power = |x| B::float_powi_scalar(x, exponent);
    match n {
        0 => DualTensor::constant(power(x.primal)),
        1 => x,
        _ => x.with_input(power, |x, dx| {
            let slope = B::float_mul_scalar(B::float_powi_scalar(x, (n - 1).into()), n.into());
            B::float_mul(slope, dx)
        }),
    }
}

/// `d xᵖ = p xᵖ⁻¹ dx` for a real `p`.
pub(crate) fn float_powf_scalar_impl<B: Backend>(
    x: DualTensor<B>,
    exponent: Scalar,
) -> DualTensor<B> {
    let p = exponent.elem::<f64>();
    x.with_input(
        |x| B::float_powf_scalar_impl(x, exponent),
        |x, dx| {
            let slope = B::float_mul_scalar(B::float_powf_scalar(x, (p - 1.0).into()), p.into());
            B::float_mul(slope, dx)
        },
    )
}

/// `d xⁿ = n xⁿ⁻¹ dx` for a tensor of integer exponents.
pub(crate) fn float_powi<B: Backend>(x: DualTensor<B>, exponent: IntTensor<B>) -> DualTensor<B> {
    let tangent = x.tangent.map(|dx| {
        let reduced =
            B::float_powi(x.primal.clone(), B::int_sub_scalar(exponent.clone(), 1.into()));
        let n = B::int_into_float(exponent.clone(), dx.dtype().into());
        multiply::<B>(slope::<B>(reduced, n), dx)
    });
    DualTensor::new(B::float_powi(x.primal, exponent), tangent)
}

/// `d xᵖ = p xᵖ⁻¹ dx + xᵖ ln x dp`.
pub(crate) fn float_powf<B: Backend>(
    base: DualTensor<B>,
    exponent: DualTensor<B>,
) -> DualTensor<B> {
    let (x, p) = (base.primal, exponent.primal);
    let from_base = base.tangent.map(|dx| {
        let reduced = B::float_powf(x.clone(), B::float_sub_scalar(p.clone(), 1.into()));
        multiply::<B>(slope::<B>(reduced, p.clone()), dx)
    });
    let power = B::float_powf(x.clone(), p);
    let from_exponent = exponent.tangent.map(|dp| {
        let slope = multiply::<B>(power.clone(), finite_log::<B>(x));
        multiply::<B>(slope, dp)
    });
    DualTensor::new(power, sum::<B>(from_base, from_exponent))
}

/// `p xᵖ⁻¹` from `xᵖ⁻¹`; 0 for `p = 0`, also at `x = 0`, where the power is infinite.
fn slope<B: Backend>(reduced: FloatTensor<B>, p: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&p)).bool_dtype;
    let constant = B::float_equal_elem(p.clone(), 0.into(), dtype);
    let slope = multiply::<B>(reduced, p);
    let constant = B::bool_expand(constant, slope.shape());
    zero_where::<B>(slope, constant)
}

/// `ln x`, and 0 at `x = 0`, where `xᵖ` stays 0 for every positive exponent.
fn finite_log<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    let at_zero = B::float_equal_elem(x.clone(), 0.into(), dtype);
    zero_where::<B>(B::float_log(x), at_zero)
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;

    use crate::check::{
        D, T, assert_constant, assert_tangents, constant, indices, values, varying_tensor,
    };

    fn positive(x: T) -> T {
        D::float_add_scalar(x, 1.7.into())
    }

    #[test]
    fn constant_integer_exponents() {
        for n in [-3_i64, -2, -1, 1, 2, 3, 5] {
            let shift = if n < 0 { 1.7 } else { 0.0 };
            assert_tangents([&[2, 4]], |[x]| {
                D::float_powi_scalar(D::float_add_scalar(x, shift.into()), n.into())
            });
        }
    }

    #[test]
    fn the_zeroth_power_does_not_vary() {
        assert_constant(&[3], |x| D::float_powi_scalar(x, 0.into()));
    }

    #[test]
    fn constant_real_exponents() {
        for p in [-1.5, -0.5, 0.3, 2.5, 3.0] {
            assert_tangents([&[5]], |[x]| D::float_powf_scalar(positive(x), p.into()));
        }
    }

    #[test]
    fn tensors_of_exponents() {
        assert_tangents([&[2, 3], &[2, 3]], |[x, p]| D::float_powf(positive(x), p));
        assert_tangents([&[2, 1], &[1, 3]], |[x, p]| D::float_powf(positive(x), p));
        assert_tangents([&[4]], |[x]| D::float_powi(x, indices(&[1, 2, 3, 4], &[4])));
    }

    #[test]
    fn the_zeroth_power_of_zero_does_not_vary() {
        let zero = || varying_tensor(&[0.0, 0.0], &[1.0, 1.0], &[2]);
        let real = D::float_powf(zero(), constant(&[0.0, 1.0], &[2])).tangent.unwrap();
        assert_eq!(values(&real), [0.0, 1.0]);
        let whole = D::float_powi(zero(), indices(&[0, 1], &[2])).tangent.unwrap();
        assert_eq!(values(&whole), [0.0, 1.0]);
    }

    #[test]
    fn powers_of_zero_vary_with_neither_a_square_nor_its_exponent() {
        let base = varying_tensor(&[0.0, 1.0], &[1.0, 1.0], &[2]);
        let exponent = varying_tensor(&[2.0, 2.0], &[1.0, 1.0], &[2]);
        let tangent = D::float_powf(base, exponent).tangent.unwrap();
        assert_eq!(values(&tangent), [0.0, 2.0]);
    }
}
