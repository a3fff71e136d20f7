//! Adaptive layer normalisation (Peebles and Xie 2023): groups of rows, each with a shift, a scale and a gate of its own.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::FlexTensor;

use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};
use super::normalize::{normalize, normalize_rows, pull_rows};
use super::rows::repeat_rows;
use super::vectors::vectorised;

/// `normalize(x) (1 + scale) + shift`, `x: [rows, width]`, `shift` and `scale` of each of `groups` of consecutive rows,
/// `[groups, width]`.
///
/// # Panics
/// If the shapes do not fit, or the groups do not divide the rows.
pub fn modulate<B: Backend>(
    x: Tensor<B, 2>,
    shift: Tensor<B, 2>,
    scale: Tensor<B, 2>,
    epsilon: f64,
) -> Tensor<B, 2> {
    assert_eq!(shift.dims(), scale.dims(), "shift and scale are not alike");
    let times = rows_of_a_group(&x, &shift);
    let function = |arguments| Modulated::new(arguments, epsilon as f32);
    let by_hand = by_hand(
        [x, shift, scale],
        |arguments| function(arguments).0,
        |arguments| {
            let (value, modulated) = function(arguments);
            (value, Pullback::new(move |gradient, _| modulated.pull(gradient).map(Some)))
        },
    );
    by_hand.unwrap_or_else(|[x, shift, scale]| {
        normalize(x, epsilon) * repeat_rows(scale + 1.0, times) + repeat_rows(shift, times)
    })
}

/// `x + gate y`, `x` and `y: [rows, width]`, `gate` of each of `groups` of consecutive rows, `[groups, width]`.
///
/// # Panics
/// If the shapes do not fit, or the groups do not divide the rows.
pub fn gated<B: Backend>(x: Tensor<B, 2>, gate: Tensor<B, 2>, y: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_eq!(x.dims(), y.dims(), "what is added is not like that to which it is");
    let times = rows_of_a_group(&y, &gate);
    let by_hand = by_hand(
        [x, gate, y],
        |[x, gate, y]| add_gated(x, &contiguous(gate), &contiguous(y)),
        |[x, gate, y]| {
            let (gate, y) = (contiguous(gate), contiguous(y));
            let value = add_gated(x, &gate, &y);
            (value, Pullback::new(move |gradient, _| pull_gated(gradient, &gate, &y).map(Some)))
        },
    );
    by_hand.unwrap_or_else(|[x, gate, y]| x + repeat_rows(gate, times) * y)
}

fn rows_of_a_group<B: Backend>(x: &Tensor<B, 2>, parts: &Tensor<B, 2>) -> usize {
    let ([rows, width], [groups, found]) = (x.dims(), parts.dims());
    assert_eq!(found, width, "parts of {found} numbers do not fit rows of {width}");
    assert!(rows.is_multiple_of(groups), "{rows} rows cannot be divided into {groups} groups");
    rows / groups
}

/// What the gradient of [`modulate`] needs.
struct Modulated {
    /// `[rows, width]`.
    normal: Vec<f32>,
    /// Of each row, the reciprocal of its standard deviation.
    deviations: Vec<f32>,
    /// `[groups, width]`.
    scale: FlexTensor,
    groups: Groups,
}

impl Modulated {
    fn new([x, shift, scale]: [FlexTensor; 3], epsilon: f32) -> (FlexTensor, Self) {
        let [x, shift, scale] = [x, shift, scale].map(contiguous);
        let groups = Groups::new(&x, &scale);
        let (normal, deviations) = normalize_rows(x.storage(), groups.width, epsilon);
        let mut value = vec![0.0; normal.len()];
        modulate_rows(&mut value, &normal, shift.storage(), scale.storage(), groups);
        (tensor(value, dims(&x)), Self { normal, deviations, scale, groups })
    }

    /// The gradients of `x`, shift and scale.
    fn pull(&self, gradient: FlexTensor) -> [FlexTensor; 3] {
        let mut gradient = contiguous(gradient);
        let elements: &mut [f32] = gradient.storage_mut();
        let scale: &[f32] = self.scale.storage();
        let (mut of_shift, mut of_scale) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
        let sums = [&mut of_shift[..], &mut of_scale];
        pull_modulated_rows(elements, &self.normal, scale, sums, self.groups);
        pull_rows(elements, &self.normal, &self.deviations);
        let parts = dims(&self.scale);
        [gradient, tensor(of_shift, parts), tensor(of_scale, parts)]
    }
}

vectorised! {
    fn modulate_rows(
        value: &mut [f32],
        normal: &[f32],
        shift: &[f32],
        scale: &[f32],
        groups: Groups,
    ) {
        for [row, group] in groups.each_row() {
            let parts = shift[group.clone()].iter().zip(&scale[group]);
            let elements = value[row.clone()].iter_mut().zip(&normal[row]).zip(parts);
            elements.for_each(|((value, y), (shift, scale))| *value = y * (scale + 1.0) + shift);
        }
    }

    fn pull_modulated_rows(
        gradient: &mut [f32],
        normal: &[f32],
        scale: &[f32],
        sums: [&mut [f32]; 2],
        groups: Groups,
    ) {
        let [of_shift, of_scale] = sums;
        for [row, group] in groups.each_row() {
            let sums = of_shift[group.clone()].iter_mut().zip(&mut of_scale[group.clone()]);
            let pairs = gradient[row.clone()].iter_mut().zip(&normal[row]);
            pairs.zip(sums).zip(&scale[group]).for_each(
                |(((g, y), (of_shift, of_scale)), scale)| {
                    *of_shift += *g;
                    *of_scale += *g * y;
                    *g *= scale + 1.0;
                },
            );
        }
    }
}

/// `x + gate y`, in the memory of `x` if nothing else needs it.
fn add_gated(x: FlexTensor, gate: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    let mut sum = contiguous(x);
    let elements: &mut [f32] = sum.storage_mut();
    let (groups, y, gate) = (Groups::new(y, gate), y.storage::<f32>(), gate.storage::<f32>());
    add_gated_rows(elements, gate, y, groups);
    sum
}

vectorised! {
    fn add_gated_rows(sum: &mut [f32], gate: &[f32], y: &[f32], groups: Groups) {
        for [row, group] in groups.each_row() {
            let products = y[row.clone()].iter().zip(&gate[group]);
            sum[row].iter_mut().zip(products).for_each(|(sum, (y, gate))| *sum += gate * y);
        }
    }
}

/// The gradients of `x`, gate and `y`.
fn pull_gated(gradient: FlexTensor, gate: &FlexTensor, y: &FlexTensor) -> [FlexTensor; 3] {
    let gradient = contiguous(gradient);
    let groups = Groups::new(y, gate);
    let (elements, y_elements) = (gradient.storage::<f32>(), y.storage::<f32>());
    let gates: &[f32] = gate.storage();
    let (mut of_gate, mut of_y) = (vec![0.0; gates.len()], vec![0.0; elements.len()]);
    pull_gated_rows([elements, gates, y_elements], [&mut of_gate, &mut of_y], groups);
    let (of_gate, of_y) = (tensor(of_gate, dims(gate)), tensor(of_y, dims(y)));
    [gradient, of_gate, of_y]
}

vectorised! {
    fn pull_gated_rows(arguments: [&[f32]; 3], results: [&mut [f32]; 2], groups: Groups) {
        let ([gradient, gates, y], [of_gate, of_y]) = (arguments, results);
        for [row, group] in groups.each_row() {
            let pairs = gradient[row.clone()].iter().zip(&y[row.clone()]);
            let results = of_y[row].iter_mut().zip(&mut of_gate[group.clone()]);
            pairs.zip(results).zip(&gates[group]).for_each(|(((g, y), (of_y, of_gate)), gate)| {
                *of_gate += g * y;
                *of_y = g * gate;
            });
        }
    }
}

/// Rows that lie in groups.
#[derive(Clone, Copy)]
struct Groups {
    rows: usize,
    width: usize,
    rows_of_a_group: usize,
}

impl Groups {
    /// The rows of `x`, in as many groups as `parts` has rows.
    fn new(x: &FlexTensor, parts: &FlexTensor) -> Self {
        let ([rows, width], [groups, _]) = (dims(x), dims(parts));
        Self { rows, width, rows_of_a_group: rows / groups }
    }

    /// For each row, where its elements lie and where those of its group do.
    #[inline(always)]
    fn each_row(self) -> impl Iterator<Item = [Range<usize>; 2]> {
        let elements = move |row: usize| row * self.width..(row + 1) * self.width;
        (0..self.rows).map(move |row| [row, row / self.rows_of_a_group].map(elements))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;

    use super::*;
    use crate::Autodiff;
    use crate::layers::check::{Loss, assert_close, assert_derivatives, draws};
    use crate::tensors::to_f64;

    /// Of 6 rows in 2 groups: rows, two parts and rows.
    fn of_both<B: Backend>([x, one, other, y]: [Tensor<B, 2>; 4]) -> Tensor<B, 2> {
        let modulated = modulate(x.clone(), one.clone(), other, 1e-5);
        gated(x, one, modulated * y)
    }

    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = Autodiff<Flex>;
        let mut draw = draws::<B, 2>();
        let inputs = [6, 2, 2, 6].map(|rows| draw([rows, 19]).require_grad());
        let weights = draw([6, 19]);
        let outcome = |precision| {
            let y = of_both(inputs.clone().map(|input| input.cast(precision)));
            let gradients = (y.clone() * weights.clone().cast(precision)).sum().backward();
            let gradient = |input: &Tensor<B, 2>| to_f64(&input.grad(&gradients).expect("a leaf"));
            (to_f64(&y), inputs.each_ref().map(gradient))
        };
        let (single, double) = (outcome(DType::F32), outcome(DType::F64));
        assert_close(&single.0, &double.0, 1e-5);
        (0..4).for_each(|input| assert_close(&single.1[input], &double.1[input], 1e-4));
        let plain = of_both(inputs.map(Tensor::inner));
        assert_close(&to_f64(&plain), &double.0, 1e-5);
    }

    /// What is added to in place is not what others hold.
    #[test]
    fn arguments_stay_as_they_are() {
        let [x, gate, y] = [[4, 3], [2, 3], [4, 3]].map(draws::<Flex, 2>());
        let before = [&x, &y].map(to_f64);
        gated(x.clone(), gate, y.clone());
        assert_eq!([&x, &y].map(to_f64), before);
    }

    struct Both;

    impl Loss for Both {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let part = |begin, rows: usize| x.clone().narrow(0, begin, rows * 3).reshape([rows, 3]);
            of_both([part(0, 4), part(12, 2), part(18, 2), part(24, 4)]).powi_scalar(2).mean()
        }
    }

    #[test]
    fn they_have_two_derivatives() {
        let x: Vec<f64> = (0..36).map(|i| f64::from(i * i).sin()).collect();
        assert_derivatives(&Both, &x);
    }

    #[test]
    #[should_panic(expected = "5 rows cannot be divided into 2 groups")]
    fn groups_are_of_equal_size() {
        let zeros = |rows| Tensor::<Flex, 2>::zeros([rows, 3], &Default::default());
        gated(zeros(5), zeros(2), zeros(5));
    }

    /// In single precision, too, where nothing else would notice.
    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |shape| Tensor::<Flex, 2>::zeros(shape, &Default::default());
        let refused = |act: &dyn Fn() -> Tensor<Flex, 2>| {
            let act = std::panic::AssertUnwindSafe(act);
            assert!(std::panic::catch_unwind(act).is_err());
        };
        refused(&|| gated(zeros([8, 3]), zeros([2, 3]), zeros([4, 3])));
        refused(&|| gated(zeros([4, 3]), zeros([2, 6]), zeros([4, 3])));
        refused(&|| modulate(zeros([4, 3]), zeros([4, 3]), zeros([2, 3]), 1e-5));
        refused(&|| modulate(zeros([4, 3]), zeros([2, 6]), zeros([2, 6]), 1e-5));
    }
}
