//! Normalisation of rows, and its modulation by what a frame is conditioned on.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers;

use super::draw::{Draw, Scale};
use burn::nn::Linear;

/// Added to the variance.
const EPSILON: f64 = 1e-5;

/// Rows `[rows, width]` with mean zero and variance one.
pub(crate) fn normalize<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    layers::normalize(x, EPSILON)
}

/// How a frame's condition acts on the layers: shifts, scales and gates (adaptive layer normalisation, Peebles and Xie
/// 2023). All are zero at first, so that a new block is the identity.
#[derive(Module, Debug)]
pub struct Modulation<B: Backend> {
    /// `[condition, parts width]`.
    pub linear: Linear<B>,
}

impl<B: Backend> Modulation<B> {
    pub(crate) fn new(condition: usize, width: usize, parts: usize, draw: &mut Draw<B>) -> Self {
        Self { linear: draw.linear(condition, parts * width, Scale::Zero) }
    }

    /// The `N` parts of every frame, each `[batch frames, width]`, from its condition, `[batch frames, condition]`.
    pub(crate) fn forward<const N: usize>(&self, condition: Tensor<B, 2>) -> [Tensor<B, 2>; N] {
        layers::linear_parts(&self.linear, condition)
    }
}

/// Normalised rows `[rows, width]` of a video, scaled and shifted by what every frame says, `[batch frames, width]`.
pub(crate) fn modulated<B: Backend>(
    x: Tensor<B, 2>,
    shift: Tensor<B, 2>,
    scale: Tensor<B, 2>,
) -> Tensor<B, 2> {
    layers::modulate(x, shift, scale, EPSILON)
}
