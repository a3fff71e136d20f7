//! Quantised tensors carry no tangent: quantisation is piecewise constant, so its derivative is
//! zero wherever it exists. Every operation is the inner backend's own.

use burn_backend::ops::QTensorOps;
use burn_backend::quantization::QuantScheme;
use burn_backend::tensor::quantization::QuantizationParametersPrimitive;
use burn_backend::tensor::{BoolTensor, Device, FloatTensor, IntTensor, QuantizedTensor};
use burn_backend::{
    Backend, BoolDType, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
    TensorPrimitive,
};

use crate::dual::sum;
use crate::{Dual, DualTensor};

impl<B: Backend> QTensorOps<Self> for Dual<B> {
    async fn q_into_data(tensor: QuantizedTensor<B>) -> Result<TensorData, ExecutionError> {
        B::q_into_data(tensor).await
    }

    fn quantize(
        tensor: FloatTensor<Self>,
        scheme: &QuantScheme,
        qparams: QuantizationParametersPrimitive<Self>,
    ) -> QuantizedTensor<B> {
        let scales = qparams.scales.primal;
        B::quantize(tensor.primal, scheme, QuantizationParametersPrimitive { scales })
    }

    fn quantize_dynamic(tensor: FloatTensor<Self>, scheme: &QuantScheme) -> QuantizedTensor<B> {
        B::quantize_dynamic(tensor.primal, scheme)
    }

    fn dequantize(tensor: QuantizedTensor<B>, dtype: FloatDType) -> FloatTensor<Self> {
        DualTensor::constant(B::dequantize(tensor, dtype))
    }

    /// A quantised operand does not vary, so the product rule leaves `dx y + x dy` with the terms
    /// of the float operands.
    fn q_matmul(lhs: TensorPrimitive<Self>, rhs: TensorPrimitive<Self>) -> TensorPrimitive<Self> {
        let (x, dx) = split(lhs);
        let (y, dy) = split(rhs);
        let from_lhs = dx.map(|dx| B::q_matmul(dx, y.clone()).tensor());
        let from_rhs = dy.map(|dy| B::q_matmul(x.clone(), dy).tensor());
        match B::q_matmul(x, y) {
            TensorPrimitive::Float(product) => {
                TensorPrimitive::Float(DualTensor::new(product, sum::<B>(from_lhs, from_rhs)))
            }
            TensorPrimitive::QFloat(product) => TensorPrimitive::QFloat(product),
        }
    }

    delegate! {
        to B;
        fn q_from_data(data: TensorData, device: &Device<B>) -> QuantizedTensor<B>;
        fn q_device(tensor: &QuantizedTensor<B>) -> Device<B>;
        fn q_to_device(tensor: QuantizedTensor<B>, device: &Device<B>) -> QuantizedTensor<B>;
        fn q_reshape(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
        fn q_expand(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
        fn q_transpose(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
        fn q_swap_dims(tensor: QuantizedTensor<B>, dim1: usize, dim2: usize) -> QuantizedTensor<B>;
        fn q_permute(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
        fn q_flip(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
        fn q_select(
            tensor: QuantizedTensor<B>,
            dim: usize,
            indices: IntTensor<B>,
        ) -> QuantizedTensor<B>;
        fn q_slice(tensor: QuantizedTensor<B>, slices: &[Slice]) -> QuantizedTensor<B>;
        fn q_gather(
            dim: usize,
            tensor: QuantizedTensor<B>,
            indices: IntTensor<B>,
        ) -> QuantizedTensor<B>;
        fn q_repeat_dim(tensor: QuantizedTensor<B>, dim: usize, times: usize) -> QuantizedTensor<B>;
        fn q_abs(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
        fn q_cat(tensors: Vec<QuantizedTensor<B>>, dim: usize) -> QuantizedTensor<B>;
        fn q_argmax(tensor: QuantizedTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B>;
        fn q_argtopk(
            tensor: QuantizedTensor<B>,
            dim: usize,
            k: usize,
            out_dtype: IntDType,
        ) -> IntTensor<B>;
        fn q_topk(tensor: QuantizedTensor<B>, dim: usize, k: usize) -> QuantizedTensor<B>;
        fn q_argmin(tensor: QuantizedTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B>;
        fn q_max(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
        fn q_max_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
        fn q_max_dim_with_indices(
            tensor: QuantizedTensor<B>,
            dim: usize,
            out_dtype: IntDType,
        ) -> (QuantizedTensor<B>, IntTensor<B>);
        fn q_min(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
        fn q_min_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
        fn q_min_dim_with_indices(
            tensor: QuantizedTensor<B>,
            dim: usize,
            out_dtype: IntDType,
        ) -> (QuantizedTensor<B>, IntTensor<B>);
        fn q_max_abs(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
        fn q_max_abs_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
        fn q_any(tensor: QuantizedTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
        fn q_any_dim(tensor: QuantizedTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
        fn q_all(tensor: QuantizedTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
        fn q_all_dim(tensor: QuantizedTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
        fn q_sort(tensor: QuantizedTensor<B>, dim: usize, descending: bool) -> QuantizedTensor<B>;
        fn q_sort_with_indices(
            tensor: QuantizedTensor<B>,
            dim: usize,
            descending: bool,
            out_dtype: IntDType,
        ) -> (QuantizedTensor<B>, IntTensor<B>);
        fn q_argsort(
            tensor: QuantizedTensor<B>,
            dim: usize,
            descending: bool,
            out_dtype: IntDType,
        ) -> IntTensor<B>;
    }

    delegate! {
        to B, then constant_primitive;
        fn q_add(lhs: QuantizedTensor<B>, rhs: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_add_scalar(lhs: QuantizedTensor<B>, rhs: Scalar) -> TensorPrimitive<Self>;
        fn q_clamp_min(tensor: QuantizedTensor<B>, min: Scalar) -> TensorPrimitive<Self>;
        fn q_clamp_max(tensor: QuantizedTensor<B>, max: Scalar) -> TensorPrimitive<Self>;
        fn q_clamp(tensor: QuantizedTensor<B>, min: Scalar, max: Scalar) -> TensorPrimitive<Self>;
        fn q_sub(lhs: QuantizedTensor<B>, rhs: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_sub_scalar(lhs: QuantizedTensor<B>, rhs: Scalar) -> TensorPrimitive<Self>;
        fn q_mul(lhs: QuantizedTensor<B>, rhs: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_mul_scalar(lhs: QuantizedTensor<B>, rhs: Scalar) -> TensorPrimitive<Self>;
        fn q_div(lhs: QuantizedTensor<B>, rhs: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_div_scalar(lhs: QuantizedTensor<B>, rhs: Scalar) -> TensorPrimitive<Self>;
        fn q_neg(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_recip(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_sum(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_sum_dim(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_prod(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_prod_dim(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_mean(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_mean_dim(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_cumsum(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_cumprod(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_cummin(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_cummax(tensor: QuantizedTensor<B>, dim: usize) -> TensorPrimitive<Self>;
        fn q_exp(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_log(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_log1p(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_powf(lhs: QuantizedTensor<B>, rhs: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_powi(lhs: QuantizedTensor<B>, rhs: IntTensor<B>) -> TensorPrimitive<Self>;
        fn q_powi_scalar(lhs: QuantizedTensor<B>, rhs: Scalar) -> TensorPrimitive<Self>;
        fn q_powf_scalar(tensor: QuantizedTensor<B>, value: Scalar) -> TensorPrimitive<Self>;
        fn q_sqrt(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_cos(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_sin(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_tan(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_cosh(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_sinh(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_tanh(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
        fn q_erf(tensor: QuantizedTensor<B>) -> TensorPrimitive<Self>;
    }
}

/// The primal and the tangent of a primitive, each as one of the inner backend.
fn split<B: Backend>(
    primitive: TensorPrimitive<Dual<B>>,
) -> (TensorPrimitive<B>, Option<TensorPrimitive<B>>) {
    match primitive {
        TensorPrimitive::QFloat(tensor) => (TensorPrimitive::QFloat(tensor), None),
        TensorPrimitive::Float(tensor) => {
            (TensorPrimitive::Float(tensor.primal), tensor.tangent.map(TensorPrimitive::Float))
        }
    }
}

/// The dual primitive of a result that does not vary.
fn constant_primitive<B: Backend>(primitive: TensorPrimitive<B>) -> TensorPrimitive<Dual<B>> {
    match primitive {
        TensorPrimitive::Float(tensor) => TensorPrimitive::Float(DualTensor::constant(tensor)),
        TensorPrimitive::QFloat(tensor) => TensorPrimitive::QFloat(tensor),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tensor;
    use burn_backend::quantization::{QuantScheme, QuantStore, QuantValue};

    use crate::{Dual, dual, primal, tangent};

    type Matrix<B> = Tensor<B, 2>;

    fn scheme() -> QuantScheme {
        QuantScheme::default().with_value(QuantValue::Q8S).with_store(QuantStore::Native)
    }

    fn weights() -> Matrix<Flex> {
        Tensor::from_floats([[1.0, -0.5], [0.25, 0.75]], &Default::default())
    }

    #[test]
    fn quantised_weights_do_not_vary() {
        let quantised = dual(weights(), weights()).quantize_dynamic(&scheme());
        assert!(tangent(quantised.clone().dequantize()).is_none());
        assert!(tangent(quantised.exp()).is_none());
    }

    #[test]
    fn inputs_vary_through_quantised_weights() {
        let quantised = |x: Matrix<Dual<Flex>>| x.quantize_dynamic(&scheme());
        let x = dual(weights(), weights() * 2.0);
        let product = x.matmul(quantised(Tensor::from_inner(weights())));
        let doubled = primal(product.clone()) * 2.0;
        let difference = (tangent(product).unwrap() - doubled).abs().max().into_scalar();
        assert!(difference < 1e-6, "{difference}");
    }
}
