//! Functions whose gradient is written out.
//!
//! A composition of tensor operations takes a pass over memory, and fresh memory, for each of them, forward and again
//! backward, which costs several times as much as the arithmetic. Where the numbers lie open, in single precision on the CPU,
//! and no second derivative can be asked for, [`by_hand`] computes a function and its gradient in a pass each. Elsewhere its
//! caller composes it, by [`with_derivative`] if it acts on each element.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Shape, Tensor, TensorData, TensorMetadata, TensorPrimitive};
use burn_flex::FlexTensor;

use crate::Autodiff;

/// A function of each element of `x` by its value and its derivative at `x`, both computed without a graph.
///
/// The result is `value + slope (x - x')`, where `x'` is `x` without its graph: the difference is zero, and its derivative
/// is one. The backward pass is one product, for which the graph keeps one tensor. `detach` cuts the topmost level of
/// differentiation alone, so on the levels below value and slope vary with `x`, and second derivatives are exact.
pub(super) fn with_derivative<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    value: Tensor<B, D>,
    slope: Tensor<B, D>,
) -> Tensor<B, D> {
    let at = x.clone().detach();
    (x - at) * slope + value
}

/// Pulls the gradient of a loss from the elements of a function's result back to those of its argument.
#[derive(Clone)]
pub(super) struct Pullback(Arc<Pull>);

type Pull = dyn Fn(&[f32]) -> Vec<f32> + Send + Sync;

impl Pullback {
    pub(super) fn new(pull: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static) -> Self {
        Self(Arc::new(pull))
    }
}

impl fmt::Debug for Pullback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pullback")
    }
}

/// A function of `x` to the same shape by its elements, row by row: the value alone for where no gradient is recorded, and with
/// the pullback for where it is. None where the function has to be composed of tensor operations: on other backends, in other
/// precisions, and below the topmost of several levels of differentiation.
pub(super) fn by_hand<B: Backend, const D: usize>(
    x: &Tensor<B, D>,
    value: impl FnOnce(&[f32]) -> Vec<f32>,
    value_and_pullback: impl FnOnce(&[f32]) -> (Vec<f32>, Pullback),
) -> Option<Tensor<B, D>> {
    if x.dtype() != DType::F32 {
        return None;
    }
    let any: &dyn Any = x;
    let result: Box<dyn Any> = if let Some(x) = any.downcast_ref::<Tensor<Flex, D>>() {
        let x = x.clone().into_primitive().tensor().to_contiguous();
        let value = tensor(value(x.storage()), x.shape());
        Box::new(Tensor::<Flex, D>::from_primitive(TensorPrimitive::Float(value)))
    } else {
        let x = any.downcast_ref::<Tensor<Autodiff<Flex>, D>>()?.clone().into_primitive().tensor();
        let (node, x) = (x.node, x.primitive.to_contiguous());
        let result = match ByHand.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
            OpsKind::Tracked(operation) => {
                let (value, pullback) = value_and_pullback(x.storage());
                operation.finish(pullback, tensor(value, x.shape()))
            }
            OpsKind::UnTracked(operation) => {
                operation.finish(tensor(value(x.storage()), x.shape()))
            }
        };
        Box::new(Tensor::<Autodiff<Flex>, D>::from_primitive(TensorPrimitive::Float(result)))
    };
    Some(*result.downcast().expect("the backend is the one that was asked for"))
}

/// What the graph of a backward pass records of such a function.
#[derive(Debug)]
struct ByHand;

impl Backward<Flex, 1> for ByHand {
    type State = Pullback;

    fn backward(self, ops: Ops<Pullback, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let Pullback(pull) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = gradient.to_contiguous();
            tensor(pull(gradient.storage()), gradient.shape())
        });
    }
}

fn tensor(elements: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(elements, shape))
}

/// The sum of products, in lanes that the compiler can turn into vectors: one sum it must not reorder.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut lanes = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        (0..16).for_each(|lane| lanes[lane] += a[lane] * b[lane]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The sum, in lanes like [`dot`].
pub(super) fn sum(a: &[f32]) -> f32 {
    let (blocks, rest) = a.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for block in blocks {
        (0..16).for_each(|lane| lanes[lane] += block[lane]);
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::super::check::assert_close;
    use super::*;
    use crate::tensors::to_f64;

    fn cube<B: Backend, const D: usize>(x: &Tensor<B, D>) -> Option<Tensor<B, D>> {
        let value = |x: &[f32]| x.iter().map(|x| x * x * x).collect();
        by_hand(x, value, |x| {
            let at = x.to_vec();
            let pull = move |g: &[f32]| at.iter().zip(g).map(|(x, g)| 3.0 * x * x * g).collect();
            (value(x), Pullback::new(pull))
        })
    }

    /// Columns of a wider tensor: not contiguous, and not from its beginning.
    fn numbers<B: Backend>() -> Tensor<B, 2> {
        let all = Tensor::<B, 1, burn::tensor::Int>::arange(0..90, &Default::default());
        (all.float().reshape([30, 3]) * 0.1 - 4.0).narrow(1, 1, 2)
    }

    #[test]
    fn every_element_is_seen() {
        let expected = to_f64(&numbers::<Flex>().powi_scalar(3));
        let plain = cube(&numbers::<Flex>()).expect("single precision on the CPU");
        assert_close(&to_f64(&plain), &expected, 1e-4);
        let untracked = cube(&numbers::<Autodiff<Flex>>()).expect("one level of differentiation");
        assert_close(&to_f64(&untracked), &expected, 1e-4);
    }

    #[test]
    fn the_gradient_is_pulled_back() {
        let x = numbers::<Autodiff<Flex>>().require_grad();
        let y = cube(&x).expect("one level of differentiation");
        // Transposed, so that the gradient does not lie row by row.
        let loss = (y.transpose() * numbers::<Autodiff<Flex>>().transpose()).sum();
        let gradient = x.grad(&loss.backward()).expect("x is a leaf");
        let expected = numbers::<Flex>().powi_scalar(3) * 3.0;
        assert_close(&to_f64(&gradient), &to_f64(&expected), 1e-3);
    }

    #[test]
    fn second_derivatives_and_double_precision_are_left_to_compositions() {
        assert!(cube(&numbers::<Autodiff<Autodiff<Flex>>>()).is_none());
        assert!(cube(&numbers::<Flex>().cast(DType::F64)).is_none());
        assert!(cube(&numbers::<Autodiff<Flex>>().cast(DType::F64)).is_none());
    }

    #[test]
    fn sums_have_all_their_terms() {
        let numbers: Vec<f32> = (1..=37).map(|i| i as f32).collect();
        assert_eq!((sum(&numbers), dot(&numbers, &numbers)), (703.0, 17_575.0));
    }
}
