//! A number pulled to weighted points: what is learned is read by the inner loss only, and has a closed form.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Problem, Rates, family};

use super::numbers::doubles;
use super::scalar::Number;

/// The weights of the points and of a regulariser.
#[derive(Module, Debug)]
pub struct Weights<B: Backend> {
    /// `w: [points]`.
    pub of_points: Param<Tensor<B, 1>>,
    /// `p: [1]`.
    pub penalty: Param<Tensor<B, 1>>,
}

/// The points and the target of the outer loss.
#[derive(Module, Debug)]
pub struct Cloud<B: Backend> {
    /// `x: [points]`.
    pub points: Tensor<B, 1>,
    /// `u: [1]`.
    pub target: Tensor<B, 1>,
}

family!(pub Weightings => Weights, pub Clouds => Cloud, pub Numbers => Number);

/// Inner loss `sum_i w_i (theta - x_i)^2 / 2 + p theta^2 / 2` from `theta_0 = 0`, outer loss `(theta - u)^2 / 2`.
#[derive(Clone, Copy, Debug)]
pub struct WeightedMean;

impl Problem for WeightedMean {
    type Outer = Weightings;
    type Inner = Numbers;
    type Task = Clouds;

    fn init<B: Backend>(&self, _outer: &Weights<B>, task: &Cloud<B>) -> Number<B> {
        Number { w: Param::from_tensor(task.target.zeros_like()) }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        outer: &Weights<B>,
        task: &Cloud<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let theta = inner.w.val();
        let distances = (task.points.clone() - theta.clone()).powi_scalar(2);
        ((outer.of_points.val() * distances).sum() + outer.penalty.val() * theta.powi_scalar(2))
            * 0.5
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Number<B>,
        _outer: &Weights<B>,
        task: &Cloud<B>,
    ) -> Tensor<B, 1> {
        (inner.w.val() - task.target.clone()).powi_scalar(2) * 0.5
    }
}

/// The values of the problem that the tests use.
pub struct Values {
    pub weights: [f64; 3],
    pub penalty: f64,
    pub points: [f64; 3],
    pub target: f64,
    pub rate: f64,
}

impl Values {
    /// Some values; the curvature `sum w + p` is 1.3, so that 0.5 is a stable rate.
    pub const fn some() -> Self {
        Self {
            weights: [0.2, 0.5, 0.3],
            penalty: 0.3,
            points: [1.0, -0.5, 2.0],
            target: 0.9,
            rate: 0.5,
        }
    }

    pub fn outer(&self) -> Weights<Flex> {
        let (of_points, penalty) = (doubles(&self.weights, [3]), doubles(&[self.penalty], [1]));
        Weights { of_points: Param::from_tensor(of_points), penalty: Param::from_tensor(penalty) }
    }

    pub fn task(&self) -> Cloud<Flex> {
        Cloud { points: doubles(&self.points, [3]), target: doubles(&[self.target], [1]) }
    }

    pub fn rates(&self) -> Rates<Flex> {
        Rates { tensors: vec![Param::from_tensor(doubles(&[self.rate], [1, 1]))] }
    }

    /// The curvature of the inner loss.
    pub fn curvature(&self) -> f64 {
        self.weights.iter().sum::<f64>() + self.penalty
    }

    /// The minimiser of the inner loss.
    pub fn minimum(&self) -> f64 {
        let pull: f64 = self.weights.iter().zip(&self.points).map(|(w, x)| w * x).sum();
        pull / self.curvature()
    }

    /// Derivatives of the outer loss after `steps` steps with respect to the weights and the penalty, by hand, where
    /// the gradients of the first `constant` steps are constants.
    pub fn unrolled(&self, steps: usize, constant: usize) -> [f64; 4] {
        let (mut theta, mut jacobian) = (0.0, [0.0; 4]);
        for step in 0..steps {
            let [x, y, z] = self.points.map(|point| theta - point);
            if step >= constant {
                let kept = 1.0 - self.rate * self.curvature();
                let reads = [x, y, z, theta];
                jacobian = std::array::from_fn(|i| kept * jacobian[i] - self.rate * reads[i]);
            }
            theta -= self.rate * self.curvature() * (theta - self.minimum());
        }
        jacobian.map(|derivative| derivative * (theta - self.target))
    }

    /// The limit of [`Self::unrolled`]: `d theta* / d w_i = (x_i - theta*) / h`, `d theta* / d p = -theta* / h`, with
    /// `damping` added to the curvature `h` that is solved with.
    pub fn implicit(&self, damping: f64) -> [f64; 4] {
        let (minimum, h) = (self.minimum(), self.curvature() + damping);
        let [x, y, z] = self.points.map(|point| point - minimum);
        [x, y, z, -minimum].map(|numerator| numerator / h * (minimum - self.target))
    }
}
