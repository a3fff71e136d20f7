//! Layers of neurons.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers::{linear, relu};

use super::draw::Draw;
use crate::Classifier;
use crate::data::ImageShape;

/// A multilayer perceptron: linear layers with ReLU between them.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    /// From the pixels to the scores.
    pub layers: Vec<Linear<B>>,
}

impl<B: Backend> Mlp<B> {
    pub(super) fn new(
        shape: ImageShape,
        hidden: &[usize],
        classes: usize,
        draw: &mut Draw<'_, B>,
    ) -> Self {
        let widths: Vec<usize> =
            [shape.pixels()].iter().chain(hidden).chain(&[classes]).copied().collect();
        Self { layers: widths.windows(2).map(|pair| draw.linear(pair[0], pair[1])).collect() }
    }
}

impl<B: Backend> Classifier<B> for Mlp<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut x = images.flatten(1, 3);
        for (index, layer) in self.layers.iter().enumerate() {
            x = linear(layer, if index == 0 { x } else { relu(x) });
        }
        x
    }
}
