//! Sums, products and quotients, whose operands may broadcast against each other.

use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, TensorMetadata};

use crate::DualTensor;
use crate::dual::{bilinear, broadcast_to, sum};

pub(crate) fn float_add<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_add(lhs.primal, rhs.primal);
    let tangent = match (lhs.tangent, rhs.tangent) {
        (Some(dx), Some(dy)) => Some(B::float_add(dx, dy)),
        (dx, dy) => dx.or(dy).map(|only| broadcast_to::<B>(only, primal.shape())),
    };
    DualTensor::new(primal, tangent)
}

pub(crate) fn float_sub<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_sub(lhs.primal, rhs.primal);
    let tangent = match (lhs.tangent, rhs.tangent) {
        (Some(dx), Some(dy)) => Some(B::float_sub(dx, dy)),
        (dx, dy) => {
            dx.or_else(|| dy.map(B::float_neg)).map(|only| broadcast_to::<B>(only, primal.shape()))
        }
    };
    DualTensor::new(primal, tangent)
}

/// The product rule with each tangent as the left factor: backends work in place on the left operand, and nothing else
/// needs the tangents.
pub(crate) fn float_mul<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let from_lhs = lhs.tangent.map(|dx| multiply::<B>(dx, rhs.primal.clone()));
    let from_rhs = rhs.tangent.map(|dy| multiply::<B>(dy, lhs.primal.clone()));
    DualTensor::new(multiply::<B>(lhs.primal, rhs.primal), sum::<B>(from_lhs, from_rhs))
}

pub(crate) fn float_cross<B: Backend>(
    lhs: DualTensor<B>,
    rhs: DualTensor<B>,
    dim: usize,
) -> DualTensor<B> {
    bilinear(lhs, rhs, |x, y| B::float_cross(x, y, dim))
}

/// `d(x / y) = (dx - (x / y) dy) / y`.
pub(crate) fn float_div<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let quotient = B::float_div(lhs.primal, rhs.primal.clone());
    let numerator = match (lhs.tangent, rhs.tangent) {
        (Some(dx), Some(dy)) => Some(B::float_sub(dx, multiply::<B>(quotient.clone(), dy))),
        (None, Some(dy)) => Some(B::float_neg(multiply::<B>(quotient.clone(), dy))),
        (dx, None) => dx,
    };
    DualTensor::new(quotient, numerator.map(|numerator| B::float_div(numerator, rhs.primal)))
}

/// `x mod y = x - y ⌊x / y⌋`, where the floor is locally constant.
pub(crate) fn float_remainder<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let from_rhs = rhs.tangent.map(|dy| {
        let floor = B::float_floor(B::float_div(lhs.primal.clone(), rhs.primal.clone()));
        B::float_neg(multiply::<B>(floor, dy))
    });
    let primal = B::float_remainder(lhs.primal, rhs.primal);
    let tangent = sum::<B>(lhs.tangent, from_rhs);
    let tangent = tangent.map(|tangent| broadcast_to::<B>(tangent, primal.shape()));
    DualTensor::new(primal, tangent)
}

/// `d atan(y / x) = (x dy - y dx) / (x² + y²)`.
pub(crate) fn float_atan2<B: Backend>(lhs: DualTensor<B>, rhs: DualTensor<B>) -> DualTensor<B> {
    let (y, x) = (&lhs.primal, &rhs.primal);
    let from_y = lhs.tangent.map(|dy| B::float_mul(dy, x.clone()));
    let from_x = rhs.tangent.map(|dx| B::float_neg(B::float_mul(dx, y.clone())));
    let tangent = sum::<B>(from_y, from_x).map(|numerator| {
        let squared_x = B::float_mul(x.clone(), x.clone());
        let squared_y = B::float_mul(y.clone(), y.clone());
        B::float_div(numerator, B::float_add(squared_x, squared_y))
    });
    DualTensor::new(B::float_atan2(lhs.primal, rhs.primal), tangent)
}

/// The product with the larger operand first: backends work in place on, or stream through, the
/// left operand and broadcast the right one.
pub(crate) fn multiply<B: Backend>(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
    if lhs.shape().num_elements() < rhs.shape().num_elements() {
        B::float_mul(rhs, lhs)
    } else {
        B::float_mul(lhs, rhs)
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;

    use crate::check::{D, T, assert_tangents};

    /// Every way two operands of rank two can broadcast.
    const SHAPES: [[&[usize]; 2]; 5] = [
        [&[3, 4], &[3, 4]],
        [&[1, 4], &[3, 4]],
        [&[3, 4], &[3, 1]],
        [&[1, 4], &[3, 1]],
        [&[1, 1], &[2, 5]],
    ];

    fn shifted(x: T) -> T {
        D::float_add_scalar(x, 2.5.into())
    }

    #[test]
    fn sums_and_products_broadcast() {
        for shapes in SHAPES {
            assert_tangents(shapes, |[x, y]| D::float_add(x, y));
            assert_tangents(shapes, |[x, y]| D::float_sub(x, y));
            assert_tangents(shapes, |[x, y]| D::float_mul(x, y));
        }
    }

    #[test]
    fn quotients_broadcast() {
        for shapes in SHAPES {
            assert_tangents(shapes, |[x, y]| D::float_div(x, shifted(y)));
            assert_tangents(shapes, |[x, y]| {
                D::float_remainder(shifted(x), D::float_mul_scalar(shifted(y), 0.31.into()))
            });
            assert_tangents(shapes, |[y, x]| D::float_atan2(y, shifted(x)));
        }
    }

    #[test]
    fn cross_products() {
        assert_tangents([&[4, 3], &[4, 3]], |[x, y]| D::float_cross(x, y, 1));
    }

    #[test]
    fn scalars() {
        assert_tangents([&[5]], |[x]| D::float_add_scalar(x, 3.into()));
        assert_tangents([&[5]], |[x]| D::float_sub_scalar(x, 3.into()));
        assert_tangents([&[5]], |[x]| D::float_mul_scalar(x, 3.into()));
        assert_tangents([&[5]], |[x]| D::float_div_scalar(x, 3.into()));
        assert_tangents([&[5]], |[x]| D::float_remainder_scalar(x, 0.77.into()));
        assert_tangents([&[5]], |[x]| D::float_neg(x));
    }
}
