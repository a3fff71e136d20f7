//! Float tensors: what is linear applies to the tangent as it stands, what is not follows
//! [`rules`](crate::rules).

use burn_backend::ops::{FloatTensorOps, GridSampleOptions};
use burn_backend::tensor::{BoolTensor, Device, FloatTensor, IndexingUpdateOp, IntTensor};
use burn_backend::{
    Backend, BoolDType, Distribution, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice,
    TensorData,
};

use crate::rules::{arithmetic, elementwise, extremum, indexing, matmul, power, product};
use crate::{Dual, DualTensor};

/// Linear maps of one tensor: they apply to primal and tangent alike.
macro_rules! linear {
    ($(fn $name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name(tensor: FloatTensor<Self>, $($argument: $kind),*) -> FloatTensor<Self> {
            tensor.linear(|part| B::$name(part, $(Clone::clone(&$argument)),*))
        })*
    };
}

/// Adding what does not vary: the tangent stays.
macro_rules! shifts {
    ($($name:ident),* $(,)?) => {
        $(fn $name(tensor: FloatTensor<Self>, scalar: Scalar) -> FloatTensor<Self> {
            tensor.shift(|primal| B::$name(primal, scalar))
        })*
    };
}

/// Step functions: constant around almost every input.
macro_rules! steps {
    ($($name:ident),* $(,)?) => {
        $(fn $name(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
            DualTensor::constant(B::$name(tensor.primal))
        })*
    };
}

/// Differentiable functions of each element.
macro_rules! elementwise {
    ($($name:ident),* $(,)?) => {
        $(fn $name(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
            elementwise::$name(tensor)
        })*
    };
}

/// Discrete answers about one tensor, given by its primal.
macro_rules! discrete {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*) => {
        $(fn $name(tensor: FloatTensor<Self>, $($argument: $kind),*) -> $output {
            B::$name(tensor.primal, $($argument),*)
        })*
    };
}

/// Comparisons of two tensors, given by their primals.
macro_rules! comparisons {
    ($($name:ident),* $(,)?) => {
        $(fn $name(
            lhs: FloatTensor<Self>,
            rhs: FloatTensor<Self>,
            out_dtype: BoolDType,
        ) -> BoolTensor<B> {
            B::$name(lhs.primal, rhs.primal, out_dtype)
        })*
    };
}

impl<B: Backend> FloatTensorOps<Self> for Dual<B> {
    delegate! {
        to B, then DualTensor::constant;
        fn float_from_data(data: TensorData, device: &Device<Self>) -> FloatTensor<Self>;
        fn float_empty(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_zeros(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_ones(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_full(
            shape: Shape,
            fill_value: Scalar,
            device: &Device<Self>,
            dtype: FloatDType,
        ) -> FloatTensor<Self>;
        fn float_random(
            shape: Shape,
            distribution: Distribution,
            device: &Device<Self>,
            dtype: FloatDType,
        ) -> FloatTensor<Self>;
    }

    async fn float_into_data(tensor: FloatTensor<Self>) -> Result<TensorData, ExecutionError> {
        B::float_into_data(tensor.primal).await
    }

    fn float_device(tensor: &FloatTensor<Self>) -> Device<Self> {
        B::float_device(&tensor.primal)
    }

    fn float_detach(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        DualTensor::constant(tensor.primal)
    }

    linear! {
        fn float_to_device(device: &Device<Self>);
        fn float_cast(dtype: FloatDType);
        fn float_neg();
        fn float_mul_scalar(factor: Scalar);
        fn float_div_scalar(divisor: Scalar);
        fn float_sum();
        fn float_sum_dim(dim: usize);
        fn float_mean();
        fn float_mean_dim(dim: usize);
        fn float_cumsum(dim: usize);
        fn float_reshape(shape: Shape);
        fn float_expand(shape: Shape);
        fn float_transpose();
        fn float_swap_dims(dim1: usize, dim2: usize);
        fn float_permute(axes: &[usize]);
        fn float_flip(axes: &[usize]);
        fn float_repeat_dim(dim: usize, times: usize);
        fn float_slice(slices: &[Slice]);
        fn float_unfold(dim: usize, size: usize, step: usize);
    }

    shifts! { float_add_scalar, float_sub_scalar, float_remainder_scalar }

    steps! { float_sign, float_round, float_floor, float_ceil, float_trunc }

    delegate! {
        to arithmetic;
        fn float_add(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_sub(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_mul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_div(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_remainder(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_atan2(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_cross(
            lhs: FloatTensor<Self>,
            rhs: FloatTensor<Self>,
            dim: usize,
        ) -> FloatTensor<Self>;
    }

    delegate! {
        to matmul;
        fn float_matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
    }

    delegate! {
        to power;
        fn float_powf(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_powi(lhs: FloatTensor<Self>, rhs: IntTensor<B>) -> FloatTensor<Self>;
        fn float_powi_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self>;
        fn float_powf_scalar_impl(tensor: FloatTensor<Self>, value: Scalar) -> FloatTensor<Self>;
    }

    elementwise! {
        float_exp, float_log, float_log1p, float_sqrt, float_recip, float_abs, float_erf,
        float_sin, float_cos, float_tan, float_asin, float_acos, float_atan,
        float_sinh, float_cosh, float_tanh, float_asinh, float_acosh, float_atanh,
    }

    delegate! {
        to elementwise;
        fn float_clamp(tensor: FloatTensor<Self>, min: Scalar, max: Scalar) -> FloatTensor<Self>;
        fn float_clamp_min(tensor: FloatTensor<Self>, min: Scalar) -> FloatTensor<Self>;
        fn float_clamp_max(tensor: FloatTensor<Self>, max: Scalar) -> FloatTensor<Self>;
    }

    delegate! {
        to product;
        fn float_prod(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_prod_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_cumprod(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
    }

    delegate! {
        to extremum;
        fn float_max(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_min(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_max_abs(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_max_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_min_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_max_abs_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_max_dim_with_indices(
            tensor: FloatTensor<Self>,
            dim: usize,
            indices_dtype: IntDType,
        ) -> (FloatTensor<Self>, IntTensor<B>);
        fn float_min_dim_with_indices(
            tensor: FloatTensor<Self>,
            dim: usize,
            indices_dtype: IntDType,
        ) -> (FloatTensor<Self>, IntTensor<B>);
        fn float_cummax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_cummin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn float_topk(tensor: FloatTensor<Self>, dim: usize, k: usize) -> FloatTensor<Self>;
        fn float_sort(
            tensor: FloatTensor<Self>,
            dim: usize,
            descending: bool,
        ) -> FloatTensor<Self>;
        fn float_sort_with_indices(
            tensor: FloatTensor<Self>,
            dim: usize,
            descending: bool,
            indices_dtype: IntDType,
        ) -> (FloatTensor<Self>, IntTensor<B>);
    }

    delegate! {
        to indexing;
        fn float_gather(
            dim: usize,
            tensor: FloatTensor<Self>,
            indices: IntTensor<B>,
        ) -> FloatTensor<Self>;
        fn float_gather_nd(data: FloatTensor<Self>, indices: IntTensor<B>) -> FloatTensor<Self>;
        fn float_select(
            tensor: FloatTensor<Self>,
            dim: usize,
            indices: IntTensor<B>,
        ) -> FloatTensor<Self>;
        fn float_scatter_add(
            dim: usize,
            tensor: FloatTensor<Self>,
            indices: IntTensor<B>,
            value: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn float_scatter_nd(
            data: FloatTensor<Self>,
            indices: IntTensor<B>,
            values: FloatTensor<Self>,
            reduction: IndexingUpdateOp,
        ) -> FloatTensor<Self>;
        fn float_select_add(
            tensor: FloatTensor<Self>,
            dim: usize,
            indices: IntTensor<B>,
            value: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn float_slice_assign(
            tensor: FloatTensor<Self>,
            slices: &[Slice],
            value: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn float_mask_where(
            tensor: FloatTensor<Self>,
            mask: BoolTensor<B>,
            value: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn float_mask_fill(
            tensor: FloatTensor<Self>,
            mask: BoolTensor<B>,
            value: Scalar,
        ) -> FloatTensor<Self>;
        fn float_cat(tensors: Vec<FloatTensor<Self>>, dim: usize) -> FloatTensor<Self>;
        fn float_grid_sample_2d(
            tensor: FloatTensor<Self>,
            grid: FloatTensor<Self>,
            options: GridSampleOptions,
        ) -> FloatTensor<Self>;
    }

    comparisons! {
        float_equal, float_not_equal, float_greater, float_greater_equal, float_lower,
        float_lower_equal,
    }

    discrete! {
        fn float_equal_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_not_equal_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_greater_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_greater_equal_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_lower_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_lower_equal_elem(scalar: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_any(out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_any_dim(dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_all(out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_all_dim(dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_is_nan(out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_is_inf(out_dtype: BoolDType) -> BoolTensor<B>;
        fn float_into_int(out_dtype: IntDType) -> IntTensor<B>;
        fn float_argmax(dim: usize, out_dtype: IntDType) -> IntTensor<B>;
        fn float_argmin(dim: usize, out_dtype: IntDType) -> IntTensor<B>;
        fn float_argtopk(dim: usize, k: usize, out_dtype: IntDType) -> IntTensor<B>;
        fn float_argsort(dim: usize, descending: bool, out_dtype: IntDType) -> IntTensor<B>;
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;
    use burn_backend::{DType, FloatDType, Shape, TensorMetadata};

    use crate::check::{D, assert_tangents, varying_tensor};

    #[test]
    fn sums_and_means() {
        assert_tangents([&[2, 3]], |[x]| D::float_sum(x));
        assert_tangents([&[2, 3]], |[x]| D::float_mean(x));
        for dim in 0..3 {
            assert_tangents([&[2, 3, 4]], |[x]| D::float_sum_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::float_mean_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::float_cumsum(x, dim));
        }
    }

    #[test]
    fn rearrangements() {
        assert_tangents([&[2, 6]], |[x]| D::float_reshape(x, Shape::new([3, 4])));
        assert_tangents([&[2, 1]], |[x]| D::float_expand(x, Shape::new([2, 5])));
        assert_tangents([&[2, 3]], |[x]| D::float_transpose(x));
        assert_tangents([&[2, 3, 4]], |[x]| D::float_swap_dims(x, 0, 2));
        assert_tangents([&[2, 3, 4]], |[x]| D::float_permute(x, &[1, 2, 0]));
        assert_tangents([&[2, 3, 4]], |[x]| D::float_flip(x, &[0, 2]));
        assert_tangents([&[2, 3]], |[x]| D::float_repeat_dim(x, 1, 3));
        assert_tangents([&[2, 7]], |[x]| D::float_unfold(x, 1, 3, 2));
        assert_tangents([&[2, 7]], |[x]| D::float_to_device(x, &Default::default()));
    }

    #[test]
    fn casts_take_the_tangent_along() {
        let cast = D::float_cast(varying_tensor(&[1.0], &[2.0], &[1]), FloatDType::F32);
        assert_eq!(cast.dtype(), DType::F32);
        assert_eq!(cast.tangent.unwrap().dtype(), DType::F32);
    }
}
