//! Layers with parameters drawn from a seed.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, Linear, PaddingConfig2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::layers::Windows;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

/// Draws layers one after the other.
pub(super) struct Draw<'d, B: Backend> {
    rng: ChaCha8Rng,
    device: &'d Device<B>,
}

/// How a convolution goes over the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    /// Rows and columns.
    pub(super) size: usize,
    pub(super) stride: usize,
    /// Zeros on every side.
    pub(super) padding: usize,
}

impl Kernel {
    /// Of a layer that [`Draw`] made: as many rows as columns, and as much on all sides.
    pub(super) fn of<B: Backend>(layer: &Conv2d<B>) -> Self {
        let padding = match layer.padding {
            PaddingConfig2d::Explicit(padding, ..) => padding,
            _ => unreachable!("convolutions are drawn with explicit padding"),
        };
        Self { size: layer.kernel_size[0], stride: layer.stride[0], padding }
    }

    /// On an image of so many rows and columns.
    pub(super) fn on(self, rows: usize, columns: usize) -> Windows {
        let Self { size, stride, padding } = self;
        Windows { rows, columns, size, stride, padding }
    }

    /// Rows or columns that are left of `length`.
    pub(super) fn leaves(self, length: usize) -> usize {
        self.on(length, length).stops()[0]
    }
}

impl<'d, B: Backend> Draw<'d, B> {
    pub(super) fn new(seed: &Seed, device: &'d Device<B>) -> Self {
        Self { rng: seed.child("parameters").rng(), device }
    }

    /// A layer with weights and biases uniform up to `1 / sqrt(inputs)`, as Burn and PyTorch draw them.
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear<B> {
        Linear {
            weight: self.uniform([inputs, outputs], inputs),
            bias: Some(self.uniform([outputs], inputs)),
        }
    }

    /// A convolution with weights and biases uniform up to `1 / sqrt(inputs of a neuron)`, as Burn and PyTorch draw them.
    pub(super) fn convolution(&mut self, channels: [usize; 2], kernel: Kernel) -> Conv2d<B> {
        let inputs = channels[0] * kernel.size * kernel.size;
        let shape = [channels[1], channels[0], kernel.size, kernel.size];
        Conv2d {
            weight: self.uniform(shape, inputs),
            bias: Some(self.uniform([channels[1]], inputs)),
            ..self.no_convolution(channels, kernel)
        }
    }

    /// A convolution without bias, weights normal with variance `2 / (outputs of a neuron)` (He et al. 2015).
    pub(super) fn residual_convolution(
        &mut self,
        channels: [usize; 2],
        kernel: Kernel,
    ) -> Conv2d<B> {
        let outputs = channels[1] * kernel.size * kernel.size;
        let normal = Normal::new(0.0, (2.0 / outputs as f64).sqrt())
            .expect("the deviation is finite: there is at least one channel");
        let shape = [channels[1], channels[0], kernel.size, kernel.size];
        Conv2d {
            weight: self.parameter(shape, normal),
            bias: None,
            ..self.no_convolution(channels, kernel)
        }
    }

    /// Normalisation of `groups` groups of channels, at first the identity on normalised values.
    pub(super) fn norm(&mut self, channels: usize, groups: usize) -> GroupNorm<B> {
        GroupNormConfig::new(groups, channels).init(self.device)
    }

    /// A convolution of zeros, which are never computed.
    fn no_convolution(&self, channels: [usize; 2], kernel: Kernel) -> Conv2d<B> {
        let Kernel { size, stride, padding } = kernel;
        Conv2dConfig::new(channels, [size, size])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_initializer(Initializer::Zeros)
            .init(self.device)
    }

    fn uniform<const D: usize>(&mut self, shape: [usize; D], inputs: usize) -> Param<Tensor<B, D>> {
        let bound = 1.0 / (inputs as f64).sqrt();
        let uniform = Uniform::new_inclusive(-bound, bound)
            .expect("the bound is finite: there is at least one input");
        self.parameter(shape, uniform)
    }

    fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        distribution: impl Distribution<f64>,
    ) -> Param<Tensor<B, D>> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| distribution.sample(&mut self.rng) as f32)
            .collect();
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::to_f64;

    use super::*;

    const KERNEL: Kernel = Kernel { size: 3, stride: 2, padding: 1 };

    #[test]
    fn layers_are_drawn_in_their_ranges() {
        let device = Default::default();
        let mut draw = Draw::<Flex>::new(&Seed::new(0), &device);
        let largest = |values: Vec<f64>| values.into_iter().map(f64::abs).fold(0.0, f64::max);
        let linear = draw.linear(16, 40);
        assert!((0.24..0.2501).contains(&largest(to_f64(&linear.weight.val()))));
        let convolution = draw.convolution([4, 10], KERNEL);
        let bound = 1.0 / 6.0;
        assert!((0.9 * bound..1.001 * bound).contains(&largest(to_f64(&convolution.weight.val()))));
        let residual = draw.residual_convolution([8, 16], KERNEL);
        let weights = to_f64(&residual.weight.val());
        let variance = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        assert!((variance * 72.0 - 1.0).abs() < 0.15, "{variance}");
        assert!(residual.bias.is_none());
    }

    #[test]
    fn a_convolution_leaves_what_it_says() {
        let device = Default::default();
        let mut draw = Draw::<Flex>::new(&Seed::new(0), &device);
        for (kernel, length) in [
            (KERNEL, 9),
            (KERNEL, 8),
            (Kernel { size: 4, stride: 2, padding: 1 }, 28),
            (Kernel { size: 5, stride: 1, padding: 0 }, 14),
        ] {
            let image = Tensor::<Flex, 4>::zeros([1, 1, length, length], &device);
            let [_, _, height, _] = draw.convolution([1, 1], kernel).forward(image).dims();
            assert_eq!(height, kernel.leaves(length));
        }
    }
}
