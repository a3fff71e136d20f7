//! The theorem's game as a bi-level problem: the inner loop moves points on the sphere, the outer loop the first layer.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Problem, family};

use super::RegressionLoss;
use crate::network::{TwoLayer, TwoLayers};

/// What the adversary moves.
#[derive(Module, Debug)]
pub struct Shift<B: Backend> {
    /// What is added to all coordinates but the last, `[batch, dimension - 1]`.
    pub change: Param<Tensor<B, 2>>,
}

/// Some points of a client.
#[derive(Module, Debug)]
pub struct SphereBatch<B: Backend> {
    /// `[batch, dimension]`.
    pub points: Tensor<B, 2>,
    /// `[batch]`.
    pub targets: Tensor<B, 1>,
    /// The change before the first step of ascent, `[batch, dimension - 1]`.
    pub start: Tensor<B, 2>,
}

family!(
    /// Changes of points on every backend.
    pub Shifts => Shift,
    /// Batches of points on every backend.
    pub SphereBatches => SphereBatch,
);

impl<B: Backend> SphereBatch<B> {
    /// The points after a `change` `[batch, dimension - 1]`, `[batch, dimension]`; their last coordinate stays.
    pub fn moved(&self, change: Tensor<B, 2>) -> Tensor<B, 2> {
        let [batch, dimension] = self.points.dims();
        let free = self.points.clone().slice([0..batch, 0..dimension - 1]) + change;
        let last = self.points.clone().slice([0..batch, dimension - 1..dimension]);
        Tensor::cat(vec![free, last], 1)
    }
}

/// `min_U max_x~ 1/J sum_j loss(F_U(x~_j), y_j)` with `x~_j` on the sphere and near `x_j`: the outer module is the network,
/// the inner one the change of the points.
#[derive(Clone, Copy, Debug, Default)]
pub struct SphereGame {
    /// What is descended and climbed.
    pub loss: RegressionLoss,
}

impl SphereGame {
    /// The loss of each point after a `change` `[batch, dimension - 1]`, `[batch]`.
    pub fn losses<B: Backend>(
        &self,
        network: &TwoLayer<B>,
        batch: &SphereBatch<B>,
        change: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        self.loss.of(network.forward(batch.moved(change)), batch.targets.clone())
    }
}

impl Problem for SphereGame {
    type Outer = TwoLayers;
    type Inner = Shifts;
    type Task = SphereBatches;

    fn init<B: Backend>(&self, _network: &TwoLayer<B>, batch: &SphereBatch<B>) -> Shift<B> {
        Shift { change: Param::initialized(ParamId::new(), batch.start.clone()) }
    }

    /// Minus the loss: the inner loop descends it.
    fn inner_loss<B: Backend>(
        &self,
        shift: &Shift<B>,
        network: &TwoLayer<B>,
        batch: &SphereBatch<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        self.losses(network, batch, shift.change.val()).mean().neg()
    }

    fn outer_loss<B: Backend>(
        &self,
        shift: &Shift<B>,
        network: &TwoLayer<B>,
        batch: &SphereBatch<B>,
    ) -> Tensor<B, 1> {
        self.losses(network, batch, shift.change.val()).mean()
    }
}
