//! The network of [`points`](super::points) with its hidden layer frozen but for a low-rank change.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Lora, Problem, Selection, family};

use super::numbers::Random;
use super::points::{Network, PointSets, Points, Sizes};

/// A network and the change of its hidden layer; both are learned, only the change is adapted.
#[derive(Module, Debug)]
pub struct Changed<B: Backend> {
    pub base: Network<B>,
    pub lora: Lora<B>,
}

impl<B: Backend> Changed<B> {
    fn error(&self, x: &Tensor<B, 2>, y: &Tensor<B, 2>) -> Tensor<B, 1> {
        let hidden =
            Param::initialized(self.base.hidden.id, self.lora.merge(self.base.hidden.val()));
        Network { hidden, ..self.base.clone() }.error(x, y)
    }
}

family!(pub ChangedNetworks => Changed);

/// Adapts the low-rank change only.
#[derive(Clone, Copy, Debug)]
pub struct LowRank;

impl Problem for LowRank {
    type Outer = ChangedNetworks;
    type Inner = ChangedNetworks;
    type Task = PointSets;

    fn adapted(&self) -> Selection {
        Selection::Named("lora".into())
    }

    fn init<B: Backend>(&self, outer: &Changed<B>, _task: &Points<B>) -> Changed<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Changed<B>,
        _outer: &Changed<B>,
        task: &Points<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        inner.error(&task.x, &task.y)
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Changed<B>,
        _outer: &Changed<B>,
        task: &Points<B>,
    ) -> Tensor<B, 1> {
        inner.error(&task.x_query, &task.y_query)
    }
}

/// A network and a change that is not zero, in double precision.
pub fn changed(sizes: Sizes, seed: u64) -> Changed<Flex> {
    let mut random = Random::doubles(seed);
    let base = super::points::learned(sizes, seed).network;
    let lora = Lora {
        a: random.parameter([sizes.inputs, 1], 1.0),
        b: random.parameter([1, sizes.hidden], 1.0),
        scale: 0.5,
    };
    Changed { base, lora }
}
