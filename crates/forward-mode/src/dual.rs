//! The dual tensor: a value and, unless it is exactly zero, the tangent that travels with it.

use burn_backend::tensor::FloatTensor;
use burn_backend::{Backend, DType, Shape, TensorMetadata};

/// A float tensor `x` together with its directional derivative `dx`: the dual number `x + dx ε`
/// with `ε² = 0`.
///
/// Both parts have the same shape, element type and device. [`dual`](crate::dual) checks that for
/// tensors of the caller; every operation preserves it.
#[derive(Debug, Clone)]
pub struct DualTensor<B: Backend> {
    /// The value.
    pub primal: FloatTensor<B>,
    /// The directional derivative; `None` is an exact zero, which costs nothing to propagate.
    pub tangent: Option<FloatTensor<B>>,
}

impl<B: Backend> TensorMetadata for DualTensor<B> {
    fn dtype(&self) -> DType {
        self.primal.dtype()
    }

    fn shape(&self) -> Shape {
        self.primal.shape()
    }

    fn rank(&self) -> usize {
        self.primal.rank()
    }
}

impl<B: Backend> DualTensor<B> {
    /// A value and its tangent.
    pub fn new(primal: FloatTensor<B>, tangent: Option<FloatTensor<B>>) -> Self {
        Self { primal, tangent }
    }

    /// A value that does not vary: its tangent is exactly zero.
    pub fn constant(primal: FloatTensor<B>) -> Self {
        Self::new(primal, None)
    }

    /// `y = A x`, `dy = A dx` for a linear map `A`.
    pub(crate) fn linear(self, map: impl Fn(FloatTensor<B>) -> FloatTensor<B>) -> Self {
        Self::new(map(self.primal), self.tangent.map(map))
    }

    /// `y = x + c`, `dy = dx` for a shift by a constant that keeps the shape.
    pub(crate) fn shift(self, map: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>) -> Self {
        Self::new(map(self.primal), self.tangent)
    }

    /// `y = f(x)` with `dy` given by `x` and `dx`.
    ///
    /// The tangent comes first, so that `f` owns the last reference to `x` and may work in place.
    pub(crate) fn with_input(
        self,
        function: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
        rule: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        let tangent = self.tangent.map(|dx| rule(self.primal.clone(), dx));
        Self::new(function(self.primal), tangent)
    }

    /// `y = f(x)` with `dy` given by `y` and `dx`, for functions whose derivative is cheapest in
    /// terms of their own value.
    pub(crate) fn with_output(
        self,
        function: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
        rule: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        let primal = function(self.primal);
        let tangent = self.tangent.map(|dx| rule(primal.clone(), dx));
        Self::new(primal, tangent)
    }
}

/// The product rule for any bilinear `op`: `d(x ∘ y) = dx ∘ y + x ∘ dy`.
pub(crate) fn bilinear<B: Backend>(
    lhs: DualTensor<B>,
    rhs: DualTensor<B>,
    op: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    let from_lhs = lhs.tangent.map(|dx| op(dx, rhs.primal.clone()));
    let from_rhs = rhs.tangent.map(|dy| op(lhs.primal.clone(), dy));
    DualTensor::new(op(lhs.primal, rhs.primal), sum::<B>(from_lhs, from_rhs))
}

/// The sum of two contributions to one tangent.
pub(crate) fn sum<B: Backend>(
    first: Option<FloatTensor<B>>,
    second: Option<FloatTensor<B>>,
) -> Option<FloatTensor<B>> {
    match (first, second) {
        (Some(first), Some(second)) => Some(B::float_add(first, second)),
        (first, second) => first.or(second),
    }
}

/// Broadcasts `tensor` to `shape`, as a tangent must where its operand was broadcast.
pub(crate) fn broadcast_to<B: Backend>(tensor: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    if tensor.shape() == shape { tensor } else { B::float_expand(tensor, shape) }
}

/// The tangent of `tensor`, written out even where it is zero.
pub(crate) fn tangent_or_zeros<B: Backend>(
    tangent: Option<FloatTensor<B>>,
    primal: &FloatTensor<B>,
) -> FloatTensor<B> {
    tangent.unwrap_or_else(|| {
        B::float_zeros(primal.shape(), &B::float_device(primal), primal.dtype().into())
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use burn::backend::Flex;
    use burn_backend::ops::FloatTensorOps;

    use super::*;
    use crate::check::{T, constant, values, varying_tensor};

    fn varying() -> T {
        varying_tensor(&[2.0, 3.0], &[1.0, -1.0], &[2])
    }

    fn fixed() -> T {
        constant(&[5.0, 7.0], &[2])
    }

    #[test]
    fn products_are_computed_only_for_what_varies() {
        for (lhs, rhs, expected) in [
            (fixed(), fixed(), 1),
            (varying(), fixed(), 2),
            (fixed(), varying(), 2),
            (varying(), varying(), 3),
        ] {
            let products = Cell::new(0);
            bilinear(lhs, rhs, |x, y| {
                products.set(products.get() + 1);
                Flex::float_mul(x, y)
            });
            assert_eq!(products.get(), expected);
        }
    }

    #[test]
    fn maps_of_constants_never_reach_the_rule() {
        let unreachable = |_, _| -> FloatTensor<Flex> { panic!("a constant has no tangent") };
        assert!(fixed().with_input(Flex::float_exp, unreachable).tangent.is_none());
        assert!(fixed().with_output(Flex::float_exp, unreachable).tangent.is_none());
        assert!(fixed().linear(Flex::float_neg).tangent.is_none());
        assert!(fixed().shift(|x| Flex::float_add_scalar(x, 1.into())).tangent.is_none());
    }

    #[test]
    fn sums_of_tangents_skip_zeros() {
        let tangent = || varying().tangent;
        assert!(sum::<Flex>(None, None).is_none());
        assert_eq!(values(&sum::<Flex>(tangent(), None).unwrap()), [1.0, -1.0]);
        assert_eq!(values(&sum::<Flex>(None, tangent()).unwrap()), [1.0, -1.0]);
        assert_eq!(values(&sum::<Flex>(tangent(), tangent()).unwrap()), [2.0, -2.0]);
    }

    #[test]
    fn metadata_is_that_of_the_primal() {
        let tensor = varying();
        assert_eq!(tensor.shape(), tensor.primal.shape());
        assert_eq!(tensor.dtype(), DType::F64);
        assert_eq!(tensor.rank(), 1);
    }
}
