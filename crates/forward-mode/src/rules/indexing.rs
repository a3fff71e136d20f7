//! Reading and writing parts of a tensor. Reads are linear; writes are linear in the tensor and
//! the written values together.

use burn_backend::ops::GridSampleOptions;
use burn_backend::ops::grid_sample::float_grid_sample_2d_ref;
use burn_backend::tensor::{BoolTensor, FloatTensor, IndexingUpdateOp, IntTensor};
use burn_backend::{Backend, Scalar, Slice, TensorMetadata, get_device_settings};

use super::arithmetic;
use super::elementwise::zero_where;
use crate::dual::{broadcast_to, tangent_or_zeros};
use crate::{Dual, DualTensor};

pub(crate) fn float_gather<B: Backend>(
    dim: usize,
    tensor: DualTensor<B>,
    indices: IntTensor<B>,
) -> DualTensor<B> {
    tensor.linear(|part| B::float_gather(dim, part, indices.clone()))
}

pub(crate) fn float_gather_nd<B: Backend>(
    data: DualTensor<B>,
    indices: IntTensor<B>,
) -> DualTensor<B> {
    data.linear(|part| B::float_gather_nd(part, indices.clone()))
}

pub(crate) fn float_select<B: Backend>(
    tensor: DualTensor<B>,
    dim: usize,
    indices: IntTensor<B>,
) -> DualTensor<B> {
    tensor.linear(|part| B::float_select(part, dim, indices.clone()))
}

pub(crate) fn float_scatter_add<B: Backend>(
    dim: usize,
    tensor: DualTensor<B>,
    indices: IntTensor<B>,
    value: DualTensor<B>,
) -> DualTensor<B> {
    accumulate(tensor, value, |tensor, value| {
        B::float_scatter_add(dim, tensor, indices.clone(), value)
    })
}

pub(crate) fn float_select_add<B: Backend>(
    tensor: DualTensor<B>,
    dim: usize,
    indices: IntTensor<B>,
    value: DualTensor<B>,
) -> DualTensor<B> {
    accumulate(tensor, value, |tensor, value| {
        B::float_select_add(tensor, dim, indices.clone(), value)
    })
}

pub(crate) fn float_slice_assign<B: Backend>(
    tensor: DualTensor<B>,
    slices: &[Slice],
    value: DualTensor<B>,
) -> DualTensor<B> {
    overwrite(tensor, value, |tensor, value| B::float_slice_assign(tensor, slices, value))
}

/// Scattering by multiplication, minimum and maximum assumes, as Burn does for gradients, that no
/// index occurs twice.
pub(crate) fn float_scatter_nd<B: Backend>(
    data: DualTensor<B>,
    indices: IntTensor<B>,
    values: DualTensor<B>,
    reduction: IndexingUpdateOp,
) -> DualTensor<B> {
    let scatter =
        |data, values, reduction| B::float_scatter_nd(data, indices.clone(), values, reduction);
    match reduction {
        IndexingUpdateOp::Add => {
            return accumulate(data, values, |data, values| scatter(data, values, reduction));
        }
        IndexingUpdateOp::Assign => {
            return overwrite(data, values, |data, values| scatter(data, values, reduction));
        }
        _ if data.tangent.is_none() && values.tangent.is_none() => {
            return DualTensor::constant(scatter(data.primal, values.primal, reduction));
        }
        IndexingUpdateOp::Mul | IndexingUpdateOp::Min | IndexingUpdateOp::Max => {}
    }
    let updated = update(float_gather_nd(data.clone(), indices.clone()), values.clone(), reduction);
    let tangent = tangent_or_zeros::<B>(data.tangent, &data.primal);
    let update = tangent_or_zeros::<B>(updated.tangent, &updated.primal);
    let tangent = scatter(tangent, update, IndexingUpdateOp::Assign);
    DualTensor::new(scatter(data.primal, values.primal, reduction), Some(tangent))
}

/// What a multiplying, minimum or maximum scatter leaves at the indexed places.
fn update<B: Backend>(
    data: DualTensor<B>,
    values: DualTensor<B>,
    reduction: IndexingUpdateOp,
) -> DualTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&data.primal)).bool_dtype;
    let (x, y) = (data.primal.clone(), values.primal.clone());
    let replaced = match reduction {
        IndexingUpdateOp::Min => B::float_lower(y, x, dtype),
        IndexingUpdateOp::Max => B::float_greater(y, x, dtype),
        _ => return arithmetic::float_mul(data, values),
    };
    float_mask_where(data, replaced, values)
}

pub(crate) fn float_mask_where<B: Backend>(
    tensor: DualTensor<B>,
    mask: BoolTensor<B>,
    value: DualTensor<B>,
) -> DualTensor<B> {
    let primal = B::float_mask_where(tensor.primal, mask.clone(), value.primal);
    let tangent = match (tensor.tangent, value.tangent) {
        (None, None) => None,
        (Some(kept), Some(written)) => Some(B::float_mask_where(kept, mask, written)),
        (Some(kept), None) => Some(zero_where::<B>(broadcast_to::<B>(kept, primal.shape()), mask)),
        (None, Some(written)) => {
            let written = broadcast_to::<B>(written, primal.shape());
            Some(zero_where::<B>(written, B::bool_not(mask)))
        }
    };
    DualTensor::new(primal, tangent)
}

pub(crate) fn float_mask_fill<B: Backend>(
    tensor: DualTensor<B>,
    mask: BoolTensor<B>,
    value: Scalar,
) -> DualTensor<B> {
    let tangent = tensor.tangent.map(|dx| zero_where::<B>(dx, mask.clone()));
    DualTensor::new(B::float_mask_fill(tensor.primal, mask, value), tangent)
}

/// Concatenation, with zeros for the constants among varying tensors.
pub(crate) fn float_cat<B: Backend>(tensors: Vec<DualTensor<B>>, dim: usize) -> DualTensor<B> {
    let varies = tensors.iter().any(|tensor| tensor.tangent.is_some());
    let tangent = varies.then(|| {
        let tangents = tensors
            .iter()
            .map(|tensor| tangent_or_zeros::<B>(tensor.tangent.clone(), &tensor.primal));
        B::float_cat(tangents.collect(), dim)
    });
    let primals = tensors.into_iter().map(|tensor| tensor.primal).collect();
    DualTensor::new(B::float_cat(primals, dim), tangent)
}

/// Sampling is linear in the image; where the grid itself varies, Burn's composition of
/// differentiable operations takes over.
pub(crate) fn float_grid_sample_2d<B: Backend>(
    image: DualTensor<B>,
    grid: DualTensor<B>,
    options: GridSampleOptions,
) -> DualTensor<B> {
    if grid.tangent.is_some() {
        return float_grid_sample_2d_ref::<Dual<B>>(image, grid, options);
    }
    image.linear(|part| B::float_grid_sample_2d(part, grid.primal.clone(), options.clone()))
}

/// `tensor + S value` for a linear scatter `S`, where `write` computes both at once.
fn accumulate<B: Backend>(
    tensor: DualTensor<B>,
    value: DualTensor<B>,
    write: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    let tangent = match (tensor.tangent, value.tangent) {
        (onto, None) => onto,
        (onto, Some(written)) => Some(write(tangent_or_zeros::<B>(onto, &tensor.primal), written)),
    };
    DualTensor::new(write(tensor.primal, value.primal), tangent)
}

/// Replaces parts of `tensor`: a constant written over a varying part stops it from varying.
fn overwrite<B: Backend>(
    tensor: DualTensor<B>,
    value: DualTensor<B>,
    write: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    let varies = tensor.tangent.is_some() || value.tangent.is_some();
    let tangent = varies.then(|| {
        write(
            tangent_or_zeros::<B>(tensor.tangent, &tensor.primal),
            tangent_or_zeros::<B>(value.tangent, &value.primal),
        )
    });
    DualTensor::new(write(tensor.primal, value.primal), tangent)
}

#[cfg(test)]
mod tests {
    use burn_backend::Slice;
    use burn_backend::ops::{FloatTensorOps, GridSampleOptions, InterpolateMode};
    use burn_backend::tensor::IndexingUpdateOp;

    use crate::check::{D, assert_tangents, every_third, indices};

    #[test]
    fn reads() {
        let gathered = || indices(&[2, 0, 1, 1], &[2, 2]);
        assert_tangents([&[2, 3]], |[x]| D::float_gather(1, x, gathered()));
        assert_tangents([&[4, 3]], |[x]| D::float_select(x, 0, indices(&[3, 0, 3], &[3])));
        assert_tangents([&[4, 3]], |[x]| D::float_gather_nd(x, indices(&[1, 2, 3, 0], &[2, 2])));
        let slices = [Slice::from(1..4), Slice::new(0, None, 2)];
        assert_tangents([&[5, 6]], |[x]| D::float_slice(x, &slices));
    }

    #[test]
    fn accumulating_writes() {
        let repeated = || indices(&[0, 2, 2, 1], &[2, 2]);
        assert_tangents([&[2, 3], &[2, 2]], |[x, y]| D::float_scatter_add(1, x, repeated(), y));
        assert_tangents([&[4, 3], &[3, 3]], |[x, y]| {
            D::float_select_add(x, 0, indices(&[3, 0, 3], &[3]), y)
        });
    }

    #[test]
    fn overwriting_writes() {
        let slices = [Slice::from(1..3), Slice::from(0..2)];
        assert_tangents([&[4, 3], &[2, 2]], |[x, y]| D::float_slice_assign(x, &slices, y));
    }

    #[test]
    fn scattering_by_every_reduction() {
        for reduction in [
            IndexingUpdateOp::Add,
            IndexingUpdateOp::Assign,
            IndexingUpdateOp::Mul,
            IndexingUpdateOp::Min,
            IndexingUpdateOp::Max,
        ] {
            let positions = || indices(&[0, 1, 3, 2, 2, 0], &[3, 2]);
            assert_tangents([&[4, 3], &[3]], |[x, y]| {
                D::float_scatter_nd(x, positions(), y, reduction)
            });
        }
    }

    #[test]
    fn masks() {
        assert_tangents([&[3, 4]], |[x]| D::float_mask_fill(x, every_third(&[3, 4]), 7.into()));
        let shapes: [[&[usize]; 2]; 3] =
            [[&[3, 4], &[3, 4]], [&[3, 4], &[1, 4]], [&[3, 1], &[3, 4]]];
        for shapes in shapes {
            assert_tangents(shapes, |[x, y]| D::float_mask_where(x, every_third(&[3, 4]), y));
        }
    }

    #[test]
    fn concatenation_of_varying_and_constant_parts() {
        assert_tangents([&[2, 3], &[2, 1], &[2, 2]], |[x, y, z]| D::float_cat(vec![x, y, z], 1));
    }

    #[test]
    fn image_and_grid_of_a_sampled_image() {
        let options = GridSampleOptions::new(InterpolateMode::Bilinear);
        assert_tangents([&[2, 3, 4, 5], &[2, 3, 3, 2]], |[image, grid]| {
            D::float_grid_sample_2d(image, D::float_mul_scalar(grid, 0.7.into()), options.clone())
        });
    }
}
