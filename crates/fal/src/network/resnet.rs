//! A small residual network.
//!
//! Its normalisation is over groups of channels of one image (Wu and He 2018), not over a batch. In federated learning
//! batch statistics are those of one client's classes, and their average fits no client (Hsieh et al. 2020 find that
//! this alone can undo learning on unlike data, and that group normalisation does not suffer from it). In adversarial
//! learning they would mix clean with perturbed images and make the gradient of one image depend on its neighbours. Groups
//! have neither trouble, keep no running state that a server would have to average, and act the same in training and
//! evaluation.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers::linear;

use super::draw::{Draw, Kernel};
use super::feature_maps::FeatureMaps;
use crate::Classifier;
use crate::data::ImageShape;

pub(super) const STAGES: usize = 3;

/// `relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))`, convolutions of 3x3.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    /// Perhaps with stride 2.
    pub first: Conv2d<B>,
    /// After the first convolution.
    pub first_norm: GroupNorm<B>,
    /// With stride 1.
    pub second: Conv2d<B>,
    /// After the second convolution.
    pub second_norm: GroupNorm<B>,
    /// A convolution of 1x1 where the shape changes; the identity elsewhere.
    pub shortcut: Option<Conv2d<B>>,
    /// After the convolution of the shortcut.
    pub shortcut_norm: Option<GroupNorm<B>>,
}

/// A convolution, three stages of residual blocks, the mean over the image, a linear layer.
#[derive(Module, Debug)]
pub struct Resnet<B: Backend> {
    /// From the image, 3x3.
    pub stem: Conv2d<B>,
    /// After the stem.
    pub stem_norm: GroupNorm<B>,
    /// All stages one after the other.
    pub blocks: Vec<Block<B>>,
    /// To the scores.
    pub output: Linear<B>,
}

fn kernel(stride: usize) -> Kernel {
    Kernel { size: 3, stride, padding: 1 }
}

impl<B: Backend> Block<B> {
    fn new(channels: [usize; 2], stride: usize, groups: usize, draw: &mut Draw<'_, B>) -> Self {
        let [_, wide] = channels;
        let changes = channels[0] != channels[1] || stride != 1;
        let point = Kernel { size: 1, stride, padding: 0 };
        Self {
            first: draw.residual_convolution(channels, kernel(stride)),
            first_norm: draw.norm(wide, groups),
            second: draw.residual_convolution([wide, wide], kernel(1)),
            second_norm: draw.norm(wide, groups),
            shortcut: changes.then(|| draw.residual_convolution(channels, point)),
            shortcut_norm: changes.then(|| draw.norm(wide, groups)),
        }
    }

    fn forward(&self, x: FeatureMaps<B>) -> FeatureMaps<B> {
        let inner = x.clone().convolve(&self.first).normalise(&self.first_norm).relu();
        let inner = inner.convolve(&self.second).normalise(&self.second_norm);
        let around = match (&self.shortcut, &self.shortcut_norm) {
            (Some(convolution), Some(norm)) => x.convolve(convolution).normalise(norm),
            _ => x,
        };
        (inner + around).relu()
    }
}

impl<B: Backend> Resnet<B> {
    /// `[width, blocks, groups]` as in the choice.
    pub(super) fn new(
        shape: ImageShape,
        [width, blocks, groups]: [usize; 3],
        classes: usize,
        draw: &mut Draw<'_, B>,
    ) -> Self {
        let stem = draw.residual_convolution([shape.channels, width], kernel(1));
        let stem_norm = draw.norm(width, groups);
        let mut before = width;
        let places = (0..STAGES).flat_map(|stage| (0..blocks).map(move |block| (stage, block)));
        let blocks = places.map(|(stage, block)| {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let channels = width << stage;
            Block::new([std::mem::replace(&mut before, channels), channels], stride, groups, draw)
        });
        let blocks = blocks.collect();
        Self { stem, stem_norm, blocks, output: draw.linear(before, classes) }
    }
}

impl<B: Backend> Classifier<B> for Resnet<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = FeatureMaps::of(images).convolve(&self.stem).normalise(&self.stem_norm).relu();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        linear(&self.output, x.mean())
    }
}
