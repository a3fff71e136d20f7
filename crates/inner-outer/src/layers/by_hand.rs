//! Functions whose gradient is written out.
//!
//! A composition of tensor operations takes a pass over memory, and fresh memory, for each of them, forward and again
//! backward, which costs several times as much as the arithmetic. Where the numbers lie open, in single precision on the CPU,
//! and no second derivative can be asked for, [`by_hand`] computes a function and its gradient in a pass each. Elsewhere its
//! caller composes it, by [`with_derivative`] if it acts on each element.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData, TensorPrimitive};
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

/// Pulls the gradient of a loss from a function's result back to its `N` arguments: to those that are asked for.
#[derive(Clone)]
pub(super) struct Pullback<const N: usize>(Arc<Pull<N>>);

type Pull<const N: usize> = dyn Fn(FlexTensor, [bool; N]) -> [Option<FlexTensor>; N] + Send + Sync;

impl<const N: usize> Pullback<N> {
    pub(super) fn new(
        pull: impl Fn(FlexTensor, [bool; N]) -> [Option<FlexTensor>; N] + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(pull))
    }
}

impl Pullback<1> {
    /// Of a function to the same shape, in the memory of the gradient that comes in.
    pub(super) fn in_place(pull: impl Fn(&mut [f32]) + Send + Sync + 'static) -> Self {
        Self::new(move |gradient, _| {
            let mut gradient = contiguous(gradient);
            pull(gradient.storage_mut());
            [Some(gradient)]
        })
    }
}

impl<const N: usize> fmt::Debug for Pullback<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pullback")
    }
}

/// Whether a function of `x` can be computed by hand: not on other backends, in other precisions, below the topmost of several
/// levels of differentiation, or of nothing.
pub(super) fn is_open<B: Backend, const D: usize>(x: &Tensor<B, D>) -> bool {
    let backends = [TypeId::of::<Flex>(), TypeId::of::<Autodiff<Flex>>()];
    let elements: usize = x.dims().iter().product();
    backends.contains(&TypeId::of::<B>()) && x.dtype() == DType::F32 && elements > 0
}

/// A function of `arguments` that [are open](is_open): by the value alone for where no gradient is recorded, and with the pullback
/// for where it is. Arguments that are not open come back, and the function has to be composed of tensor operations.
pub(super) fn by_hand<B: Backend, const D: usize, const N: usize>(
    arguments: [Tensor<B, D>; N],
    value: impl FnOnce([FlexTensor; N]) -> FlexTensor,
    value_and_pullback: impl FnOnce([FlexTensor; N]) -> (FlexTensor, Pullback<N>),
) -> Result<Tensor<B, D>, [Tensor<B, D>; N]> {
    if !arguments.iter().all(is_open) {
        return Err(arguments);
    }
    if TypeId::of::<B>() == TypeId::of::<Flex>() {
        let plain = arguments.map(|x| same::<_, Tensor<Flex, D>>(x).into_primitive().tensor());
        let plain = plain.map(unflipped);
        return Ok(same(Tensor::<Flex, D>::from_primitive(TensorPrimitive::Float(value(plain)))));
    }
    let arguments =
        arguments.map(|x| same::<_, Tensor<Autodiff<Flex>, D>>(x).into_primitive().tensor());
    let nodes = arguments.each_ref().map(|x| x.node.clone());
    let plain = arguments.map(|x| unflipped(x.primitive));
    let result = match ByHand.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(operation) => {
            let (value, pullback) = value_and_pullback(plain);
            operation.finish(pullback, value)
        }
        OpsKind::UnTracked(operation) => operation.finish(value(plain)),
    };
    Ok(same(Tensor::<Autodiff<Flex>, D>::from_primitive(TensorPrimitive::Float(result))))
}

/// `value` under the name that its type has elsewhere.
fn same<T: 'static, S: 'static>(value: T) -> S {
    let any: Box<dyn Any> = Box::new(value);
    *any.downcast().expect("the backend has been looked at")
}

/// What the graph of a backward pass records of such a function.
#[derive(Debug)]
struct ByHand;

impl<const N: usize> Backward<Flex, N> for ByHand {
    type State = Pullback<N>;

    fn backward(self, ops: Ops<Pullback<N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let Pullback(pull) = ops.state;
        let gradient = unflipped(gradients.consume::<Flex>(&ops.node));
        let pulled = pull(gradient, ops.parents.each_ref().map(Option::is_some));
        for (parent, gradient) in ops.parents.into_iter().zip(pulled) {
            if let Some((parent, gradient)) = parent.zip(gradient) {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// A tensor whose strides are not negative, which products cannot read: those of a flipped one are.
fn unflipped(tensor: FlexTensor) -> FlexTensor {
    match tensor.layout().strides().iter().any(|stride| *stride < 0) {
        true => contiguous(tensor),
        false => tensor,
    }
}

/// A tensor that holds its elements row by row and no others, so that `storage` is they.
pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// A tensor of `elements`, row by row.
pub(super) fn tensor<const D: usize>(elements: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(elements, dims))
}

/// Rows and columns of a tensor of two dimensions.
pub(super) fn dims(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

#[cfg(test)]
mod tests {
    use super::super::check::assert_close;
    use super::*;
    use crate::tensors::to_f64;

    fn cube<B: Backend, const D: usize>(x: Tensor<B, D>) -> Option<Tensor<B, D>> {
        let value = |x: &FlexTensor| {
            let cubes = x.storage::<f32>().iter().map(|x| x * x * x).collect();
            tensor(cubes, dims(x))
        };
        let by_hand = by_hand(
            [x],
            |[x]| value(&contiguous(x)),
            |[x]| {
                let x = contiguous(x);
                let pull = {
                    let x = x.clone();
                    move |gradient: &mut [f32]| {
                        gradient
                            .iter_mut()
                            .zip(x.storage::<f32>())
                            .for_each(|(g, x)| *g *= 3.0 * x * x);
                    }
                };
                (value(&x), Pullback::in_place(pull))
            },
        );
        by_hand.ok()
    }

    /// Columns of a wider tensor: not contiguous, and not from its beginning.
    fn numbers<B: Backend>() -> Tensor<B, 2> {
        let all = Tensor::<B, 1, burn::tensor::Int>::arange(0..90, &Default::default());
        (all.float().reshape([30, 3]) * 0.1 - 4.0).narrow(1, 1, 2)
    }

    #[test]
    fn every_element_is_seen() {
        let expected = to_f64(&numbers::<Flex>().powi_scalar(3));
        let plain = cube(numbers::<Flex>()).expect("single precision on the CPU");
        assert_close(&to_f64(&plain), &expected, 1e-4);
        let untracked = cube(numbers::<Autodiff<Flex>>()).expect("one level of differentiation");
        assert_close(&to_f64(&untracked), &expected, 1e-4);
    }

    #[test]
    fn the_gradient_is_pulled_back() {
        let x = numbers::<Autodiff<Flex>>().require_grad();
        let y = cube(x.clone()).expect("one level of differentiation");
        // Transposed, so that the gradient does not lie row by row.
        let loss = (y.transpose() * numbers::<Autodiff<Flex>>().transpose()).sum();
        let gradient = x.grad(&loss.backward()).expect("x is a leaf");
        let expected = numbers::<Flex>().powi_scalar(3) * 3.0;
        assert_close(&to_f64(&gradient), &to_f64(&expected), 1e-3);
    }

    #[test]
    fn second_derivatives_and_double_precision_are_left_to_compositions() {
        assert!(cube(numbers::<Autodiff<Autodiff<Flex>>>()).is_none());
        assert!(cube(numbers::<Flex>().cast(DType::F64)).is_none());
        assert!(cube(numbers::<Autodiff<Flex>>().cast(DType::F64)).is_none());
    }

    #[test]
    fn nothing_is_left_to_compositions() {
        assert!(cube(Tensor::<Flex, 2>::zeros([0, 3], &Default::default())).is_none());
    }

    /// Of two arguments, and what is shared is left as it was.
    #[test]
    fn only_what_is_asked_for_is_pulled_back() {
        type B = Autodiff<Flex>;
        let (x, fixed) = (numbers::<B>().require_grad(), numbers::<B>());
        let sum = |arguments| {
            let sum = |[x, y]: [FlexTensor; 2]| {
                let (x, y) = (contiguous(x), contiguous(y));
                let sums = x.storage::<f32>().iter().zip(y.storage::<f32>()).map(|(x, y)| x + y);
                tensor(sums.collect(), dims(&x))
            };
            let result = by_hand(arguments, sum, |arguments| {
                let pull = |gradient: FlexTensor, asked: [bool; 2]| {
                    assert_eq!(asked, [true, false]);
                    asked.map(|asked| asked.then(|| gradient.clone()))
                };
                (sum(arguments), Pullback::new(pull))
            });
            result.expect("one level of differentiation")
        };
        let loss = (sum([x.clone(), fixed.clone()]) * fixed.clone()).sum();
        let gradient = x.grad(&loss.backward()).expect("x is a leaf");
        assert_eq!(to_f64(&gradient), to_f64(&fixed));
        assert_eq!(to_f64(&x), to_f64(&fixed));
    }
}
