//! One number that descends a parabola: everything has a closed form.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Problem, family};

use super::numbers::doubles;

/// The number `w`, `[1]`.
#[derive(Module, Debug)]
pub struct Number<B: Backend> {
    pub w: Param<Tensor<B, 1>>,
}

/// A parabola and where the number should end.
#[derive(Module, Debug)]
pub struct Parabola<B: Backend> {
    /// Curvature `a`, `[1]`.
    pub curvature: Tensor<B, 1>,
    /// Its minimum `t`, `[1]`.
    pub minimum: Tensor<B, 1>,
    /// The target `u` of the outer loss, `[1]`.
    pub target: Tensor<B, 1>,
}

family!(pub Numbers => Number, pub Parabolas => Parabola);

/// Inner loss `a (w - t)^2 / 2`, outer loss `(w_K - u)^2 / 2`.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Problem for Scalar {
    type Outer = Numbers;
    type Inner = Numbers;
    type Task = Parabolas;

    fn init<B: Backend>(&self, outer: &Number<B>, _task: &Parabola<B>) -> Number<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        _outer: &Number<B>,
        task: &Parabola<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        (inner.w.val() - task.minimum.clone()).powi_scalar(2) * task.curvature.clone() * 0.5
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        _outer: &Number<B>,
        task: &Parabola<B>,
    ) -> Tensor<B, 1> {
        (inner.w.val() - task.target.clone()).powi_scalar(2) * 0.5
    }
}

/// The number `w` in double precision.
pub fn number(w: f64) -> Number<Flex> {
    Number { w: Param::from_tensor(doubles(&[w], [1])) }
}

/// A parabola in double precision.
pub fn parabola(curvature: f64, minimum: f64, target: f64) -> Parabola<Flex> {
    let one = |value: f64| doubles(&[value], [1]);
    Parabola { curvature: one(curvature), minimum: one(minimum), target: one(target) }
}
