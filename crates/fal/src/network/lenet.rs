//! LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998).

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers::{linear, tanh};

use super::draw::{Draw, Kernel};
use super::feature_maps::FeatureMaps;
use crate::Classifier;
use crate::data::ImageShape;

/// Rows and columns below which nothing is left for the last convolution.
pub(super) const LEAST: usize = 12;
/// Keeps the size of the image, so that 28x28 is read as LeNet-5 reads 32x32.
const FIRST: Kernel = Kernel { size: 5, stride: 1, padding: 2 };
const SECOND: Kernel = Kernel { size: 5, stride: 1, padding: 0 };

/// Rows or columns that both convolutions leave of `length`.
pub(super) fn left(length: usize) -> usize {
    SECOND.leaves(FIRST.leaves(length) / 2) / 2
}

/// Two convolutions with tanh and mean pooling, then three linear layers.
///
/// Images of 28x28 have a border of two black pixels, as in the original. The third convolution of the original covers all
/// that is left of such an image, so here it is a linear layer.
#[derive(Module, Debug)]
pub struct Lenet<B: Backend> {
    /// 6 channels, 5x5.
    pub first: Conv2d<B>,
    /// 16 channels, 5x5.
    pub second: Conv2d<B>,
    /// To 120, 84 and the classes.
    pub layers: Vec<Linear<B>>,
}

impl<B: Backend> Lenet<B> {
    pub(super) fn new(shape: ImageShape, classes: usize, draw: &mut Draw<'_, B>) -> Self {
        let pixels = 16 * left(shape.height) * left(shape.width);
        Self {
            first: draw.convolution([shape.channels, 6], FIRST),
            second: draw.convolution([6, 16], SECOND),
            layers: vec![draw.linear(pixels, 120), draw.linear(120, 84), draw.linear(84, classes)],
        }
    }
}

impl<B: Backend> Classifier<B> for Lenet<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let maps = FeatureMaps::of(images).convolve(&self.first).tanh().halve();
        let maps = maps.convolve(&self.second).tanh().halve();
        let mut x = maps.features();
        for (index, layer) in self.layers.iter().enumerate() {
            x = linear(layer, if index == 0 { x } else { tanh(x) });
        }
        x
    }
}
