//! Several tasks in one graph: a module whose every parameter is there once for each of them.
//!
//! A small model spends its time on starting operations, not on arithmetic. Tasks of the same shape can share them: the
//! parameters of [`of_each`] are `copies` times those of the module, one below the other, and the functions in
//! [`layers`](crate::layers) take such parameters, so that the first rows meet the first copy, the next rows the next. An
//! inner loss that is the *sum* of the tasks' losses then has each task's gradient in its copy, and every update that acts on
//! each element, as those of [`Sgd`](crate::Sgd), [`Momentum`](crate::Momentum) and [`Adam`](crate::Adam) do, updates each copy
//! as if it were alone. What looks at a whole tensor does not: [`Clipped`](crate::Clipped) and projections bound all copies
//! together.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `module` with each parameter `[rows, ..]` as `[copies rows, ..]`: itself `copies` times, one below the other. For
/// [`Problem::init`](crate::Problem::init); derivatives pass through. Parameter ids are kept.
pub fn of_each<B: Backend, M: Module<B>>(module: M, copies: usize) -> M {
    if copies == 1 { module } else { module.map(&mut Repeat(copies)) }
}

struct Repeat(usize);

impl<B: Backend> ModuleMapper<B> for Repeat {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, value) = (parameter.id, parameter.val());
        let mut dims = value.dims();
        dims[0] *= self.0;
        // As one row: the derivative of `repeat_dim` in Burn 0.21 is right only for a dimension of size one.
        let row: Tensor<B, 2> = value.reshape([1, -1]);
        Param::initialized(id, row.repeat_dim(0, self.0).reshape(dims))
    }
}

/// `rows` as `[copies, rows / copies, width]`: the rows of each copy.
///
/// # Panics
/// If they cannot be divided among the copies.
pub(crate) fn divided<B: Backend>(rows: Tensor<B, 2>, copies: usize) -> Tensor<B, 3> {
    let [count, width] = rows.dims();
    assert!(
        count.is_multiple_of(copies),
        "{count} rows cannot be divided among {copies} copies of a layer"
    );
    rows.reshape([copies, count / copies, width])
}

/// A vector of each copy, `[copies width]`, for each of its rows: `[rows, width]`.
pub(crate) fn on_rows<B: Backend>(
    vector: Tensor<B, 1>,
    rows: usize,
    copies: usize,
) -> Tensor<B, 2> {
    let width = vector.dims()[0] / copies;
    // Written out: Flex walks element by element through a broadcast that is neither of one row nor of one column.
    let each = vector.reshape([copies, 1, width]).repeat_dim(1, rows / copies);
    each.reshape([rows, width])
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Int, Tensor};

    use super::*;
    use crate::Autodiff;
    use crate::tensors::{Tensors, to_f64};

    type B = Autodiff<Flex>;

    /// Its values are read once, for they are drawn then.
    fn layer() -> Linear<B> {
        let layer = LinearConfig::new(3, 2).init(&Default::default());
        let _drawn = Tensors::of(&layer);
        layer
    }

    #[test]
    fn each_copy_is_the_module() {
        let layer = layer();
        let copies = of_each(layer.clone(), 4);
        assert_eq!((copies.weight.dims(), copies.bias.as_ref().unwrap().dims()), ([12, 2], [8]));
        assert_eq!(copies.weight.id, layer.weight.id);
        let expected = to_f64(&layer.weight.val().inner());
        for copy in 0..4 {
            let found = copies.weight.val().inner().narrow(0, 3 * copy, 3);
            assert_eq!(to_f64(&found), expected);
        }
    }

    /// Copy 0 reads the numbers 0 to 5, copy 1 those from 6: `0 + 6, 1 + 7, ..`.
    #[test]
    fn derivatives_of_the_copies_add_up() {
        let layer = layer();
        let numbers = Tensor::<B, 1, Int>::arange(0..12, &Default::default()).float();
        let loss = (of_each(layer.clone(), 2).weight.val() * numbers.reshape([6, 2])).sum();
        let slope = layer.weight.val().grad(&loss.backward()).expect("the weight is a leaf");
        assert_eq!(to_f64(&slope), [6.0, 8.0, 10.0, 12.0, 14.0, 16.0]);
    }
}
