//! Functions of one number, applied to every element.

use burn_backend::tensor::{BoolTensor, FloatTensor};
use burn_backend::{Backend, Scalar, get_device_settings};

use crate::DualTensor;

pub(crate) fn float_exp<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_output(B::float_exp, |y, dx| B::float_mul(dx, y))
}

pub(crate) fn float_log<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_log, |x, dx| B::float_div(dx, x))
}

pub(crate) fn float_log1p<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_log1p, |x, dx| B::float_div(dx, B::float_add_scalar(x, 1.into())))
}

pub(crate) fn float_sqrt<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_output(B::float_sqrt, |y, dx| B::float_div(B::float_mul_scalar(dx, 0.5.into()), y))
}

/// `d(1 / x) = -y² dx`.
pub(crate) fn float_recip<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_output(B::float_recip, |y, dx| {
        B::float_neg(B::float_mul(B::float_mul(dx, y.clone()), y))
    })
}

pub(crate) fn float_abs<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_abs, |x, dx| B::float_mul(dx, B::float_sign(x)))
}

pub(crate) fn float_sin<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_sin, |x, dx| B::float_mul(dx, B::float_cos(x)))
}

pub(crate) fn float_cos<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_cos, |x, dx| B::float_neg(B::float_mul(dx, B::float_sin(x))))
}

pub(crate) fn float_tan<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_output(B::float_tan, |y, dx| B::float_mul(dx, plus_one::<B>(square::<B>(y))))
}

pub(crate) fn float_sinh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_sinh, |x, dx| B::float_mul(dx, B::float_cosh(x)))
}

pub(crate) fn float_cosh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_cosh, |x, dx| B::float_mul(dx, B::float_sinh(x)))
}

/// `d tanh x = (1 - y²) dx`.
pub(crate) fn float_tanh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_output(B::float_tanh, |y, dx| B::float_mul(one_minus::<B>(square::<B>(y)), dx))
}

pub(crate) fn float_asin<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_asin, |x, dx| {
        B::float_div(dx, B::float_sqrt(one_minus::<B>(square::<B>(x))))
    })
}

pub(crate) fn float_acos<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_acos, |x, dx| {
        B::float_neg(B::float_div(dx, B::float_sqrt(one_minus::<B>(square::<B>(x)))))
    })
}

pub(crate) fn float_atan<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_atan, |x, dx| B::float_div(dx, plus_one::<B>(square::<B>(x))))
}

pub(crate) fn float_asinh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_asinh, |x, dx| {
        B::float_div(dx, B::float_sqrt(plus_one::<B>(square::<B>(x))))
    })
}

pub(crate) fn float_acosh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_acosh, |x, dx| {
        let squared = B::float_sub_scalar(square::<B>(x), 1.into());
        B::float_div(dx, B::float_sqrt(squared))
    })
}

pub(crate) fn float_atanh<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_atanh, |x, dx| B::float_div(dx, one_minus::<B>(square::<B>(x))))
}

/// `d erf x = 2 / √π exp(-x²) dx`.
pub(crate) fn float_erf<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.with_input(B::float_erf, |x, dx| {
        let density = B::float_exp(B::float_neg(square::<B>(x)));
        let slope = B::float_mul_scalar(density, std::f64::consts::FRAC_2_SQRT_PI.into());
        B::float_mul(slope, dx)
    })
}

pub(crate) fn float_clamp<B: Backend>(x: DualTensor<B>, min: Scalar, max: Scalar) -> DualTensor<B> {
    x.with_input(
        |x| B::float_clamp(x, min, max),
        |x, dx| {
            let dx = zero_where::<B>(dx, below::<B>(x.clone(), min));
            zero_where::<B>(dx, above::<B>(x, max))
        },
    )
}

pub(crate) fn float_clamp_min<B: Backend>(x: DualTensor<B>, min: Scalar) -> DualTensor<B> {
    x.with_input(|x| B::float_clamp_min(x, min), |x, dx| zero_where::<B>(dx, below::<B>(x, min)))
}

pub(crate) fn float_clamp_max<B: Backend>(x: DualTensor<B>, max: Scalar) -> DualTensor<B> {
    x.with_input(|x| B::float_clamp_max(x, max), |x, dx| zero_where::<B>(dx, above::<B>(x, max)))
}

pub(crate) fn square<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(x.clone(), x)
}

pub(crate) fn one_minus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(x), 1.into())
}

fn plus_one<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(x, 1.into())
}

pub(crate) fn zero_where<B: Backend>(x: FloatTensor<B>, mask: BoolTensor<B>) -> FloatTensor<B> {
    B::float_mask_fill(x, mask, 0.into())
}

pub(crate) fn below<B: Backend>(x: FloatTensor<B>, limit: Scalar) -> BoolTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    B::float_lower_elem(x, limit, dtype)
}

pub(crate) fn above<B: Backend>(x: FloatTensor<B>, limit: Scalar) -> BoolTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&x)).bool_dtype;
    B::float_greater_elem(x, limit, dtype)
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;

    use crate::check::{D, T, assert_constant, assert_tangents};

    /// Checks `f` on (-1, 1) scaled and shifted into the domain of `f`.
    fn check(scale: f64, shift: f64, f: impl Fn(T) -> T) {
        for shape in [&[7][..], &[2, 3], &[2, 1, 4]] {
            assert_tangents([shape], |[x]| {
                let x = D::float_mul_scalar(x, scale.into());
                f(D::float_add_scalar(x, shift.into()))
            });
        }
    }

    #[test]
    fn exponentials_and_logarithms() {
        check(1.0, 0.0, D::float_exp);
        check(1.0, 1.5, D::float_log);
        check(0.8, 0.0, D::float_log1p);
        check(1.0, 1.5, D::float_sqrt);
        check(1.0, 0.0, D::float_erf);
    }

    #[test]
    fn reciprocals_and_absolute_values() {
        check(1.0, 2.0, D::float_recip);
        check(1.0, -2.0, D::float_recip);
        check(1.0, 0.0, D::float_abs);
    }

    #[test]
    fn circular_functions_and_their_inverses() {
        check(3.0, 0.0, D::float_sin);
        check(3.0, 0.0, D::float_cos);
        check(1.2, 0.0, D::float_tan);
        check(0.8, 0.0, D::float_asin);
        check(0.8, 0.0, D::float_acos);
        check(3.0, 0.0, D::float_atan);
    }

    #[test]
    fn hyperbolic_functions_and_their_inverses() {
        check(2.0, 0.0, D::float_sinh);
        check(2.0, 0.0, D::float_cosh);
        check(2.0, 0.0, D::float_tanh);
        check(2.0, 0.0, D::float_asinh);
        check(1.0, 2.5, D::float_acosh);
        check(0.8, 0.0, D::float_atanh);
    }

    #[test]
    fn clamped_elements_do_not_vary() {
        check(1.0, 0.0, |x| D::float_clamp(x, (-0.501).into(), 0.501.into()));
        check(1.0, 0.0, |x| D::float_clamp_min(x, 0.101.into()));
        check(1.0, 0.0, |x| D::float_clamp_max(x, 0.101.into()));
    }

    #[test]
    fn step_functions_do_not_vary() {
        for f in [
            D::float_sign,
            D::float_round,
            D::float_floor,
            D::float_ceil,
            D::float_trunc,
            D::float_detach,
        ] {
            assert_constant(&[2, 3], f);
        }
    }
}
