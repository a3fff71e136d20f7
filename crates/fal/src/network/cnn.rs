//! Convolutions with stride.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers::{linear, relu};

use super::draw::{Draw, Kernel};
use super::feature_maps::FeatureMaps;
use crate::Classifier;
use crate::data::ImageShape;

/// Halves rows and columns.
const KERNEL: Kernel = Kernel { size: 4, stride: 2, padding: 1 };

/// Rows and columns that so many convolutions need.
pub(super) fn least(convolutions: usize) -> usize {
    u32::try_from(convolutions)
        .ok()
        .and_then(|power| 2_usize.checked_pow(power))
        .unwrap_or(usize::MAX)
}

/// Rows or columns that a convolution leaves of `length`.
pub(super) fn left(length: usize) -> usize {
    KERNEL.leaves(length)
}

/// Convolutions of 4x4 with stride 2, each with ReLU, then a hidden layer with ReLU and a linear one.
#[derive(Module, Debug)]
pub struct Cnn<B: Backend> {
    /// Each halves the image.
    pub convolutions: Vec<Conv2d<B>>,
    /// The hidden layer.
    pub hidden: Linear<B>,
    /// To the scores.
    pub output: Linear<B>,
}

impl<B: Backend> Cnn<B> {
    pub(super) fn new(
        shape: ImageShape,
        channels: &[usize],
        hidden: usize,
        classes: usize,
        draw: &mut Draw<'_, B>,
    ) -> Self {
        let (mut pixels, mut before) = ([shape.height, shape.width], shape.channels);
        let convolutions = channels.iter().map(|&channels| {
            pixels = pixels.map(left);
            draw.convolution([std::mem::replace(&mut before, channels), channels], KERNEL)
        });
        let convolutions = convolutions.collect();
        Self {
            convolutions,
            hidden: draw.linear(before * pixels[0] * pixels[1], hidden),
            output: draw.linear(hidden, classes),
        }
    }
}

impl<B: Backend> Classifier<B> for Cnn<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let convolve = |maps: FeatureMaps<B>, layer: &Conv2d<B>| maps.convolve(layer).relu();
        let maps = self.convolutions.iter().fold(FeatureMaps::of(images), convolve);
        linear(&self.output, relu(linear(&self.hidden, maps.features())))
    }
}
