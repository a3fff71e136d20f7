//! Layers with parameters drawn from one generator, in a fixed order.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::AdaptedLinear;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Draws layers one after the other.
pub(crate) struct Draw<'d, B: Backend> {
    random: ChaCha8Rng,
    pub device: &'d Device<B>,
}

/// The scale of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Deviation `1 / sqrt(inputs)`: keeps the variance of its input.
    Keeping,
    /// Zero: a residual branch that starts as nothing (Goyal et al. 2017), an output that starts at the mean.
    Zero,
}

impl<'d, B: Backend> Draw<'d, B> {
    pub fn new(seed: &Seed, device: &'d Device<B>) -> Self {
        Self { random: seed.rng(), device }
    }

    pub fn linear(&mut self, inputs: usize, outputs: usize, scale: Scale) -> Linear<B> {
        let weight = match scale {
            Scale::Keeping => self.normal([inputs, outputs], (inputs as f64).sqrt().recip()),
            Scale::Zero => Param::from_tensor(Tensor::zeros([inputs, outputs], self.device)),
        };
        Linear { weight, bias: Some(Param::from_tensor(Tensor::zeros([outputs], self.device))) }
    }

    pub fn projection(&mut self, inputs: usize, outputs: usize, scale: Scale) -> AdaptedLinear<B> {
        AdaptedLinear { linear: self.linear(inputs, outputs, scale), lora: None }
    }

    /// Normal values of mean zero.
    pub fn normal(&mut self, shape: [usize; 2], deviation: f64) -> Param<Tensor<B, 2>> {
        let normal = Normal::new(0.0, deviation).expect("a finite deviation: there are inputs");
        let count = shape[0] * shape[1];
        let values = (0..count).map(|_| normal.sample(&mut self.random) as f32).collect();
        Param::from_tensor(Tensor::from_data(TensorData::new::<f32, _>(values, shape), self.device))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::to_f64;

    use super::*;

    #[test]
    fn scales_are_as_told() {
        let device = Default::default();
        let mut draw = Draw::<Flex>::new(&Seed::new(1), &device);
        let weights = to_f64(&draw.linear(64, 50, Scale::Keeping).weight.val());
        let variance = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        assert!((variance * 64.0 - 1.0).abs() < 0.1, "{variance}");
        assert!(to_f64(&draw.linear(3, 2, Scale::Zero).weight.val()).iter().all(|w| *w == 0.0));
    }
}
