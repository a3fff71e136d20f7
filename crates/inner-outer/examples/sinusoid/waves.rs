//! The problem: recognise a sine wave from a few of its points.

use std::f32::consts::PI;

use burn::backend::Flex;
use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation::relu, backend::Backend};
use inner_outer::{Problem, family, layers};
use rand::{Rng, RngExt};

/// A network 1-40-40-1 with ReLU.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    layers: [Linear<B>; 3],
}

/// Inputs and targets, each `[points, 1]`.
type Points<B> = [Tensor<B, 2>; 2];

/// One wave: points to adapt on, and others to be judged on.
#[derive(Module, Debug)]
pub struct Wave<B: Backend> {
    support: Points<B>,
    query: Points<B>,
}

family!(pub Networks => Network, pub Waves => Wave);

impl<B: Backend> Network<B> {
    /// Normal weights of standard deviation 0.01 and zero biases, as in cbfinn/maml.
    pub fn new(device: &Device<B>) -> Self {
        let weights = Initializer::Normal { mean: 0.0, std: 0.01 };
        let layers = [[1, 40], [40, 40], [40, 1]].map(|[inputs, outputs]| {
            let layer = LinearConfig::new(inputs, outputs).with_initializer(weights.clone());
            let bias = Initializer::Zeros.init([outputs], device);
            Linear { bias: Some(bias), ..layer.init(device) }
        });
        Self { layers }
    }

    /// Mean squared error, `[1]`.
    fn error(&self, [x, y]: &Points<B>) -> Tensor<B, 1> {
        let [first, second, last] = &self.layers;
        let hidden = relu(layers::linear(first, x.clone()));
        let hidden = relu(layers::linear(second, hidden));
        (layers::linear(last, hidden) - y.clone()).square().mean()
    }
}

/// The outer loop learns the weights that the inner loop starts from.
pub struct Recognise;

impl Problem for Recognise {
    type Outer = Networks;
    type Inner = Networks;
    type Task = Waves;

    fn init<B: Backend>(&self, outer: &Network<B>, _: &Wave<B>) -> Network<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Network<B>,
        _: &Network<B>,
        wave: &Wave<B>,
        _: usize,
    ) -> Tensor<B, 1> {
        inner.error(&wave.support)
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Network<B>,
        _: &Network<B>,
        wave: &Wave<B>,
    ) -> Tensor<B, 1> {
        inner.error(&wave.query)
    }
}

/// `A sin(x - phase)` with `A ~ U[0.1, 5]`, `phase ~ U[0, pi]` and `x ~ U[-5, 5]`.
pub fn random_wave(shots: usize, random: &mut impl Rng) -> Wave<Flex> {
    let (amplitude, phase) = (random.random_range(0.1..5.0), random.random_range(0.0..PI));
    let mut points = || {
        let x: Vec<f32> = (0..shots).map(|_| random.random_range(-5.0..5.0)).collect();
        let y: Vec<f32> = x.iter().map(|x| amplitude * (x - phase).sin()).collect();
        [x, y].map(|values| {
            Tensor::from_data(TensorData::new(values, [shots, 1]), &Default::default())
        })
    };
    Wave { support: points(), query: points() }
}
