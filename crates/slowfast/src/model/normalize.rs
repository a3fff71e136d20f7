//! Normalisation of rows, and its modulation by what a frame is conditioned on.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers;

use super::draw::{Draw, Scale};
use super::rows::{Grid, repeat_rows};
use burn::nn::Linear;

/// Added to the variance.
const EPSILON: f64 = 1e-5;

/// Every row with mean zero and variance one: layer normalisation without parameters of its own.
pub(crate) fn normalize<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    centred * (variance + EPSILON).sqrt().recip()
}

/// How a frame's condition acts on the layers: shifts, scales and gates (adaptive layer normalisation, Peebles and Xie
/// 2023). All are zero at first, so that a new block is the identity.
#[derive(Module, Debug)]
pub struct Modulation<B: Backend> {
    /// `[condition, parts width]`.
    pub linear: Linear<B>,
    /// Shifts, scales and gates together.
    pub parts: usize,
}

impl<B: Backend> Modulation<B> {
    pub(crate) fn new(condition: usize, width: usize, parts: usize, draw: &mut Draw<B>) -> Self {
        Self { linear: draw.linear(condition, parts * width, Scale::Zero), parts }
    }

    /// The parts for every row of a video, each `[rows, width]`, from the condition of every frame,
    /// `[batch frames, condition]`.
    pub(crate) fn forward(&self, condition: Tensor<B, 2>, grid: Grid) -> Vec<Tensor<B, 2>> {
        let all = layers::linear(&self.linear, condition);
        let [images, columns] = all.dims();
        let width = columns / self.parts;
        let part = |index: usize| {
            let columns = index * width..(index + 1) * width;
            repeat_rows(all.clone().slice([0..images, columns]), grid.places())
        };
        (0..self.parts).map(part).collect()
    }
}

/// Normalised rows, scaled and shifted.
pub(crate) fn modulated<B: Backend>(
    x: Tensor<B, 2>,
    shift: Tensor<B, 2>,
    scale: Tensor<B, 2>,
) -> Tensor<B, 2> {
    normalize(x) * (scale + 1.0) + shift
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::LayerNormConfig;
    use burn::tensor::Distribution;
    use inner_outer::tensors::to_f64;

    use super::*;

    #[test]
    fn it_is_the_layer_normalisation_of_burn() {
        let device = Default::default();
        let x = Tensor::<Flex, 2>::random([5, 7], Distribution::Default, &device);
        let norm = LayerNormConfig::new(7).with_epsilon(EPSILON).init(&device);
        let expected = to_f64(&norm.forward(x.clone()));
        for (found, expected) in to_f64(&normalize(x)).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }
}
