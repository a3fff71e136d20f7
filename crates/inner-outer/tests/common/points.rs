//! A small network on random points, with everything that a hypergradient has to see through.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use inner_outer::{Problem, Selection, family, layers};

use super::numbers::Random;

/// One hidden layer.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    /// `[inputs, hidden]`.
    pub hidden: Param<Tensor<B, 2>>,
    /// `[hidden]`.
    pub bias: Param<Tensor<B, 1>>,
    /// `[hidden, 1]`.
    pub output: Param<Tensor<B, 2>>,
}

impl<B: Backend> Network<B> {
    /// Mean square error of the prediction for `x: [points, inputs]` against `y: [points, 1]`.
    pub fn error(&self, x: &Tensor<B, 2>, y: &Tensor<B, 2>) -> Tensor<B, 1> {
        let hidden = layers::affine(x.clone(), self.hidden.val(), Some(self.bias.val())).tanh();
        (hidden.matmul(self.output.val()) - y.clone()).powi_scalar(2).mean()
    }
}

/// What the outer loop learns.
#[derive(Module, Debug)]
pub struct Learned<B: Backend> {
    /// The network before the first step, but for the shift.
    pub network: Network<B>,
    /// Makes the start a function of the task: times the mean of the inputs it is added to the bias. `[inputs, hidden]`.
    pub shift: Param<Tensor<B, 2>>,
    /// Strength of a penalty that only the inner loss reads, `[1]`.
    pub penalty: Param<Tensor<B, 1>>,
}

/// Points to learn from and points to be judged on.
#[derive(Module, Debug)]
pub struct Points<B: Backend> {
    /// Support inputs `[points, inputs]`.
    pub x: Tensor<B, 2>,
    /// Support values `[points, 1]`.
    pub y: Tensor<B, 2>,
    /// Query inputs `[points, inputs]`.
    pub x_query: Tensor<B, 2>,
    /// Query values `[points, 1]`.
    pub y_query: Tensor<B, 2>,
}

family!(pub Networks => Network, pub Learners => Learned, pub PointSets => Points);

/// Learning to fit the query from the support.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    /// What the inner loop adapts; the rest stays as `init` made it.
    pub adapted: Selection,
    /// What the outer loop learns.
    pub learned: Selection,
    /// Whether the iterates before the last are judged too.
    pub along_the_way: bool,
    /// Whether every step descends the same loss, so that the inner loop comes to rest.
    pub resting: bool,
}

impl Problem for Fit {
    type Outer = Learners;
    type Inner = Networks;
    type Task = PointSets;

    fn adapted(&self) -> Selection {
        self.adapted.clone()
    }

    fn learned(&self) -> Selection {
        self.learned.clone()
    }

    fn init<B: Backend>(&self, outer: &Learned<B>, task: &Points<B>) -> Network<B> {
        let shift = task.x.clone().mean_dim(0).matmul(outer.shift.val());
        let bias = outer.network.bias.val() + shift.flatten(0, 1);
        let initialized = |like: &Param<_>, value| Param::initialized(like.id, value);
        Network { bias: initialized(&outer.network.bias, bias), ..outer.network.clone() }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Network<B>,
        outer: &Learned<B>,
        task: &Points<B>,
        step: usize,
    ) -> Tensor<B, 1> {
        let size = inner.output.val().powi_scalar(2).sum() + inner.bias.val().powi_scalar(2).sum();
        let weight = if self.resting { 1.0 } else { 1.0 + 0.2 * step as f64 };
        inner.error(&task.x, &task.y) * weight + outer.penalty.val().exp() * size * 0.1
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Network<B>,
        outer: &Learned<B>,
        task: &Points<B>,
    ) -> Tensor<B, 1> {
        inner.error(&task.x_query, &task.y_query)
            + outer.network.hidden.val().powi_scalar(2).sum() * 0.05
    }

    fn trajectory_loss<B: Backend>(
        &self,
        inner: &Network<B>,
        outer: &Learned<B>,
        task: &Points<B>,
        step: usize,
    ) -> Option<Tensor<B, 1>> {
        // None at one step, so that a step without a loss is seen too.
        let judged = self.along_the_way && step != 1;
        judged.then(|| {
            inner.error(&task.x_query, &task.y_query) * 0.3
                + outer.shift.val().powi_scalar(2).sum() * 0.1
        })
    }
}

/// Numbers of inputs, hidden units and points of each set.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub inputs: usize,
    pub hidden: usize,
    pub points: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { inputs: 2, hidden: 3, points: 4 }
    }
}

/// Something to learn, in double precision.
pub fn learned(sizes: Sizes, seed: u64) -> Learned<Flex> {
    learned_in(DType::F64, sizes, seed)
}

/// Something to learn, in the precision `dtype`.
pub fn learned_in(dtype: DType, sizes: Sizes, seed: u64) -> Learned<Flex> {
    let Sizes { inputs, hidden, .. } = sizes;
    let mut random = Random::new(seed, dtype);
    let network = Network {
        hidden: random.parameter([inputs, hidden], 1.0),
        bias: random.parameter([hidden], 0.5),
        output: random.parameter([hidden, 1], 1.0),
    };
    Learned {
        network,
        shift: random.parameter([inputs, hidden], 0.5),
        penalty: random.parameter([1], 0.5),
    }
}

/// A task, in double precision.
pub fn points(sizes: Sizes, seed: u64) -> Points<Flex> {
    points_in(DType::F64, sizes, seed)
}

/// A task, in the precision `dtype`.
pub fn points_in(dtype: DType, sizes: Sizes, seed: u64) -> Points<Flex> {
    let mut random = Random::new(seed + 1_000_000, dtype);
    let (x, y) = ([sizes.points, sizes.inputs], [sizes.points, 1]);
    Points {
        x: random.tensor(x, 1.0),
        y: random.tensor(y, 1.0),
        x_query: random.tensor(x, 1.0),
        y_query: random.tensor(y, 1.0),
    }
}
