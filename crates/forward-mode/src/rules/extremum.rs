//! Selections by value: maxima, minima, sorting. The tangent of what is selected is selected along.
//!
//! Where several elements tie, the tangent is that of the one the backend selects.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, IntDType, Shape, Slice, TensorMetadata, get_device_settings};

use crate::DualTensor;

/// Values selected along `dim`, their tangents, and the indices they came from.
type Selection<B> = (DualTensor<B>, IntTensor<B>);

pub(crate) fn float_max_dim<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    if x.tangent.is_none() {
        return DualTensor::constant(B::float_max_dim(x.primal, dim));
    }
    let dtype = index_dtype::<B>(&x.primal);
    float_max_dim_with_indices(x, dim, dtype).0
}

pub(crate) fn float_min_dim<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    if x.tangent.is_none() {
        return DualTensor::constant(B::float_min_dim(x.primal, dim));
    }
    let dtype = index_dtype::<B>(&x.primal);
    float_min_dim_with_indices(x, dim, dtype).0
}

pub(crate) fn float_max_dim_with_indices<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    indices_dtype: IntDType,
) -> Selection<B> {
    let selected = B::float_max_dim_with_indices(x.primal, dim, indices_dtype);
    follow(selected, x.tangent, dim)
}

pub(crate) fn float_min_dim_with_indices<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    indices_dtype: IntDType,
) -> Selection<B> {
    let selected = B::float_min_dim_with_indices(x.primal, dim, indices_dtype);
    follow(selected, x.tangent, dim)
}

pub(crate) fn float_max<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    match x.tangent {
        None => DualTensor::constant(B::float_max(x.primal)),
        Some(_) => float_max_dim(flatten(x), 0),
    }
}

pub(crate) fn float_min<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    match x.tangent {
        None => DualTensor::constant(B::float_min(x.primal)),
        Some(_) => float_min_dim(flatten(x), 0),
    }
}

pub(crate) fn float_max_abs<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    match x.tangent {
        None => DualTensor::constant(B::float_max_abs(x.primal)),
        Some(_) => float_max_abs_dim(flatten(x), 0),
    }
}

pub(crate) fn float_max_abs_dim<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    match x.tangent {
        None => DualTensor::constant(B::float_max_abs_dim(x.primal, dim)),
        Some(_) => float_max_dim(super::elementwise::float_abs(x), dim),
    }
}

pub(crate) fn float_sort<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    descending: bool,
) -> DualTensor<B> {
    if x.tangent.is_none() {
        return DualTensor::constant(B::float_sort(x.primal, dim, descending));
    }
    let dtype = index_dtype::<B>(&x.primal);
    float_sort_with_indices(x, dim, descending, dtype).0
}

pub(crate) fn float_sort_with_indices<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    descending: bool,
    indices_dtype: IntDType,
) -> Selection<B> {
    let sorted = B::float_sort_with_indices(x.primal, dim, descending, indices_dtype);
    follow(sorted, x.tangent, dim)
}

pub(crate) fn float_topk<B: Backend>(x: DualTensor<B>, dim: usize, k: usize) -> DualTensor<B> {
    if x.tangent.is_none() {
        return DualTensor::constant(B::float_topk(x.primal, dim, k));
    }
    let mut slices = vec![Slice::full(); x.rank()];
    slices[dim] = Slice::from(0..k);
    float_sort(x, dim, true).linear(|sorted| B::float_slice(sorted, &slices))
}

pub(crate) fn float_cummax<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    running_extremum(x, dim, B::float_cummax)
}

pub(crate) fn float_cummin<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    running_extremum(x, dim, B::float_cummin)
}

fn running_extremum<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    extremum: impl FnOnce(FloatTensor<B>, usize) -> FloatTensor<B>,
) -> DualTensor<B> {
    let running = extremum(x.primal.clone(), dim);
    let tangent = x.tangent.map(|dx| {
        let latest = latest_record::<B>(x.primal, running.clone(), dim);
        B::float_gather(dim, dx, latest)
    });
    DualTensor::new(running, tangent)
}

/// At each position along `dim`, the latest index at or before it where `x` equals the running
/// extremum.
fn latest_record<B: Backend>(
    x: FloatTensor<B>,
    running: FloatTensor<B>,
    dim: usize,
) -> IntTensor<B> {
    let shape = x.shape();
    let device = B::float_device(&x);
    let settings = get_device_settings::<B>(&device);

    let mut along_dim = vec![1; shape.num_dims()];
    along_dim[dim] = shape[dim];
    let positions = B::int_arange(0..shape[dim] as i64, &device, settings.int_dtype);
    let positions = B::int_expand(B::int_reshape(positions, Shape::from(along_dim)), shape);

    let is_record = B::float_equal(x, running, settings.bool_dtype);
    let is_record = B::bool_into_int(is_record, settings.int_dtype);
    B::int_cummax(B::int_mul(positions, is_record), dim)
}

/// Selects the tangent by the indices of the selected values.
fn follow<B: Backend>(
    (values, indices): (FloatTensor<B>, IntTensor<B>),
    tangent: Option<FloatTensor<B>>,
    dim: usize,
) -> Selection<B> {
    let tangent = tangent.map(|dx| B::float_gather(dim, dx, indices.clone()));
    (DualTensor::new(values, tangent), indices)
}

fn flatten<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    let flat = Shape::new([x.shape().num_elements()]);
    x.linear(|part| B::float_reshape(part, flat.clone()))
}

fn index_dtype<B: Backend>(tensor: &FloatTensor<B>) -> IntDType {
    get_device_settings::<B>(&B::float_device(tensor)).int_dtype
}

#[cfg(test)]
mod tests {
    use burn_backend::IntDType;
    use burn_backend::ops::FloatTensorOps;

    use crate::check::{D, assert_tangents, values, varying_tensor};

    #[test]
    fn extrema_of_all_elements() {
        assert_tangents([&[3, 4]], |[x]| D::float_max(x));
        assert_tangents([&[3, 4]], |[x]| D::float_min(x));
        assert_tangents([&[3, 4]], |[x]| D::float_max_abs(x));
    }

    #[test]
    fn extrema_along_each_dimension() {
        for dim in 0..3 {
            assert_tangents([&[2, 3, 4]], |[x]| D::float_max_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::float_min_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| D::float_max_abs_dim(x, dim));
            assert_tangents([&[2, 3, 4]], |[x]| {
                D::float_max_dim_with_indices(x, dim, IntDType::I64).0
            });
            assert_tangents([&[2, 3, 4]], |[x]| {
                D::float_min_dim_with_indices(x, dim, IntDType::I64).0
            });
        }
    }

    #[test]
    fn running_extrema() {
        for dim in 0..2 {
            assert_tangents([&[5, 6]], |[x]| D::float_cummax(x, dim));
            assert_tangents([&[5, 6]], |[x]| D::float_cummin(x, dim));
        }
    }

    #[test]
    fn sorting() {
        for descending in [false, true] {
            assert_tangents([&[5, 3]], |[x]| D::float_sort(x, 0, descending));
            assert_tangents([&[3, 5]], |[x]| {
                D::float_sort_with_indices(x, 1, descending, IntDType::I64).0
            });
        }
        assert_tangents([&[3, 5]], |[x]| D::float_topk(x, 1, 2));
    }

    #[test]
    fn ties_follow_one_of_the_tied() {
        let x = varying_tensor(&[4.0, 4.0, 1.0], &[10.0, 20.0, 30.0], &[3]);
        let tangent = values(&D::float_max_dim(x, 0).tangent.unwrap());
        assert!(tangent == [10.0] || tangent == [20.0]);
    }
}
