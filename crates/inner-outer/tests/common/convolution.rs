//! A convolution that is adapted.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use inner_outer::{Problem, family};

use super::numbers::Random;

/// A filter `[channels, 1, 3, 3]` and weights of its outputs `[channels, 1, 3, 3]`.
#[derive(Module, Debug)]
pub struct Filter<B: Backend> {
    pub first: Param<Tensor<B, 4>>,
    pub second: Param<Tensor<B, 4>>,
}

/// Images and what they should become, each `[batch, 1, height, width]`.
#[derive(Module, Debug)]
pub struct Images<B: Backend> {
    pub before: Tensor<B, 4>,
    pub after: Tensor<B, 4>,
}

family!(pub Filters => Filter, pub ImageSets => Images);

/// Both losses are the mean square error of the filtered images.
#[derive(Clone, Copy, Debug)]
pub struct Filtering;

impl Problem for Filtering {
    type Outer = Filters;
    type Inner = Filters;
    type Task = ImageSets;

    fn init<B: Backend>(&self, outer: &Filter<B>, _task: &Images<B>) -> Filter<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Filter<B>,
        _outer: &Filter<B>,
        task: &Images<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let features = conv2d(task.before.clone(), inner.first.val(), None, options()).tanh();
        let filtered = conv2d(features, inner.second.val().swap_dims(0, 1), None, options());
        (filtered - task.after.clone()).powi_scalar(2).mean()
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Filter<B>,
        outer: &Filter<B>,
        task: &Images<B>,
    ) -> Tensor<B, 1> {
        self.inner_loss(inner, outer, task, 0)
    }
}

/// A filter of 4 channels, in double precision.
pub fn filter(seed: u64) -> Filter<Flex> {
    let mut random = Random::doubles(seed);
    Filter {
        first: random.parameter([4, 1, 3, 3], 0.5),
        second: random.parameter([4, 1, 3, 3], 0.5),
    }
}

/// Two images of 8 by 8.
pub fn images(seed: u64) -> Images<Flex> {
    let mut random = Random::doubles(seed + 1_000);
    Images { before: random.tensor([2, 1, 8, 8], 1.0), after: random.tensor([2, 1, 8, 8], 1.0) }
}
