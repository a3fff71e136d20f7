//! The backend decorator itself and its place in Burn's tower of backends.

use std::convert::Infallible;
use std::marker::PhantomData;

use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor, QuantizedTensor};
use burn_backend::{
    AutodiffBackend, Backend, BackendTypes, DType, DTypeUsageSet, ExecutionError, TensorData,
};

use crate::DualTensor;

/// Forward-mode differentiation over the backend `B`: float tensors carry a tangent, everything
/// else is `B`'s.
///
/// `Dual` implements [`AutodiffBackend`] in the type sense, with `B` as its inner backend:
/// [`from_inner`](AutodiffBackend::from_inner) makes constants, [`inner`](AutodiffBackend::inner)
/// keeps the primal. So `AutodiffModule::from_inner` lifts any derived module onto `Dual<B>`, and
/// once more onto `Autodiff<Dual<B>>`. It has no backward pass of its own: derivatives leave it by
/// [`tangent`](crate::tangent).
///
/// `detach` drops the tangent; `require_grad` does nothing, because what varies is chosen by
/// [`dual`](crate::dual). Detaching on `Autodiff<Dual<B>>` cuts the reverse pass alone, so a
/// Hessian-vector product there is the derivative of the gradient *field* that the reverse pass
/// computes, as with two nested reverse passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<B> {
    backend: PhantomData<B>,
}

impl<B: Backend> BackendTypes for Dual<B> {
    type Device = B::Device;

    type FloatTensorPrimitive = DualTensor<B>;
    type FloatElem = B::FloatElem;

    type IntTensorPrimitive = B::IntTensorPrimitive;
    type IntElem = B::IntElem;

    type BoolTensorPrimitive = B::BoolTensorPrimitive;
    type BoolElem = B::BoolElem;

    type QuantizedTensorPrimitive = B::QuantizedTensorPrimitive;
}

impl<B: Backend> Backend for Dual<B> {
    /// Always, for `detach` takes the tangent away: code that states a derivative where this is true states it here. Burn's
    /// layers that differ in training, dropout and batch norm, therefore behave as in training.
    fn ad_enabled(_device: &Self::Device) -> bool {
        true
    }

    fn memory_persistent_allocations<
        Output: Send,
        Input: Send,
        Function: Fn(Input) -> Output + Send,
    >(
        device: &Self::Device,
        input: Input,
        function: Function,
    ) -> Output {
        B::memory_persistent_allocations(device, input, function)
    }

    fn memory_cleanup(device: &Self::Device) {
        B::memory_cleanup(device)
    }

    fn name(device: &Self::Device) -> String {
        format!("dual<{}>", B::name(device))
    }

    fn seed(device: &Self::Device, seed: u64) {
        B::seed(device, seed)
    }

    fn sync(device: &Self::Device) -> Result<(), ExecutionError> {
        B::sync(device)
    }

    fn staging<'a, Iter>(data: Iter, device: &Self::Device)
    where
        Iter: Iterator<Item = &'a mut TensorData>,
    {
        B::staging(data, device)
    }

    fn supports_dtype(device: &Self::Device, dtype: DType) -> bool {
        B::supports_dtype(device, dtype)
    }

    fn dtype_usage(device: &Self::Device, dtype: DType) -> DTypeUsageSet {
        B::dtype_usage(device, dtype)
    }

    fn device_count(type_id: u16) -> usize {
        B::device_count(type_id)
    }
}

impl<B: Backend> AutodiffBackend for Dual<B> {
    type InnerBackend = B;
    /// Uninhabited: there is no backward pass whose gradients could be looked up.
    type Gradients = Infallible;

    fn backward(_tensor: FloatTensor<Self>) -> Infallible {
        panic!(
            "forward-mode: `Dual` has no backward pass; read the derivative with `tangent`, or \
             call `backward` on `Autodiff<Dual<B>>`"
        )
    }

    fn grad(_tensor: &FloatTensor<Self>, gradients: &Infallible) -> Option<FloatTensor<B>> {
        match *gradients {}
    }

    fn grad_remove(
        _tensor: &FloatTensor<Self>,
        gradients: &mut Infallible,
    ) -> Option<FloatTensor<B>> {
        match *gradients {}
    }

    fn grad_replace(
        _tensor: &FloatTensor<Self>,
        gradients: &mut Infallible,
        _gradient: FloatTensor<B>,
    ) {
        match *gradients {}
    }

    fn inner(tensor: FloatTensor<Self>) -> FloatTensor<B> {
        tensor.primal
    }

    fn int_inner(tensor: IntTensor<Self>) -> IntTensor<B> {
        tensor
    }

    fn bool_inner(tensor: BoolTensor<Self>) -> BoolTensor<B> {
        tensor
    }

    fn q_inner(tensor: QuantizedTensor<Self>) -> QuantizedTensor<B> {
        tensor
    }

    fn from_inner(tensor: FloatTensor<B>) -> FloatTensor<Self> {
        DualTensor::constant(tensor)
    }

    fn int_from_inner(tensor: IntTensor<B>) -> IntTensor<Self> {
        tensor
    }

    fn bool_from_inner(tensor: BoolTensor<B>) -> BoolTensor<Self> {
        tensor
    }

    fn q_from_inner(tensor: QuantizedTensor<B>) -> QuantizedTensor<Self> {
        tensor
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::module::{AutodiffModule, Module};
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Bool, Int, Tensor};

    use super::*;
    use crate::{dual, tangent};

    type D = Dual<Flex>;

    fn tower<B: AutodiffBackend<InnerBackend = D>>() -> String {
        B::name(&Default::default())
    }

    #[test]
    fn duals_stand_between_a_backend_and_autodiff() {
        assert_eq!(tower::<Autodiff<D>>(), "autodiff<dual<flex>>");
    }

    #[test]
    fn modules_rise_through_the_tower_and_come_back() {
        let linear: Linear<Flex> = LinearConfig::new(2, 3).init(&Default::default());
        let weight = linear.weight.val();
        let varying: Linear<D> = AutodiffModule::from_inner(linear);
        assert!(tangent(varying.weight.val()).is_none());

        let tracked: Linear<Autodiff<D>> = AutodiffModule::from_inner(varying);
        assert_eq!(tracked.num_params(), 9);
        let back: Linear<Flex> = tracked.valid().valid();
        back.weight.val().into_data().assert_eq(&weight.into_data(), true);
    }

    #[test]
    fn the_other_kinds_of_tensor_pass_through() {
        let device = Default::default();
        let integers = Tensor::<Flex, 1, Int>::from_ints([1, 2, 3], &device);
        let lifted = Tensor::<D, 1, Int>::from_inner(integers.clone());
        (lifted * 2).inner().into_data().assert_eq(&(integers * 2).into_data(), true);

        let booleans = Tensor::<Flex, 1, Bool>::from_bool([true, false].into(), &device);
        let lifted = Tensor::<D, 1, Bool>::from_inner(booleans.clone());
        lifted.bool_not().inner().into_data().assert_eq(&booleans.bool_not().into_data(), true);
    }

    #[test]
    fn a_second_forward_level_gives_second_derivatives() {
        let number = |x: f64| Tensor::<Flex, 1>::from_data([x], (&Default::default(), DType::F64));
        let x = dual(number(2.0), number(1.0));
        let x = dual(x, Tensor::from_inner(number(1.0)));
        let second = tangent(tangent(x.powi_scalar(3)).unwrap()).unwrap();
        assert_eq!(second.into_data().to_vec::<f64>().unwrap(), [12.0]);
    }

    #[test]
    fn reverse_mode_may_also_be_inside() {
        type Reverse = Autodiff<Flex>;
        let options = (&Default::default(), DType::F64);
        let number = |x: f64| Tensor::<Reverse, 1>::from_data([x], options);
        let x = number(2.0).require_grad();
        let slope = tangent(dual(x.clone(), number(1.0)).powi_scalar(3)).unwrap();
        let second = x.grad(&slope.backward()).unwrap();
        assert_eq!(second.into_data().to_vec::<f64>().unwrap(), [12.0]);
    }

    #[test]
    #[should_panic = "forward-mode: `Dual` has no backward pass"]
    fn there_is_no_backward_pass() {
        let loss = Some(Tensor::<D, 1>::ones([1], &Default::default()));
        let _never = loss.map(|loss| loss.backward());
    }
}
