//! What every frame is conditioned on: its noise level, whether it is given, and the words of its action.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use inner_outer::layers;

use super::attention::Words;
use super::draw::{Draw, Scale};
use super::positions::waves;
use crate::text::{PADDING, Vocabulary};

/// Longest period of the sines that tell a noise level, in levels.
const LONGEST_PERIOD: f64 = 10_000.0;

/// A vector for each frame from its noise level and from whether it is given clean.
#[derive(Module, Debug)]
pub struct FrameCondition<B: Backend> {
    /// `[width, width]`, on the sines and cosines of the level.
    pub input: Linear<B>,
    /// `[width, width]`.
    pub output: Linear<B>,
    /// One row for frames to denoise, one for given ones, `[2, width]`.
    pub role: Param<Tensor<B, 2>>,
}

impl<B: Backend> FrameCondition<B> {
    pub(crate) fn new(width: usize, draw: &mut Draw<B>) -> Self {
        Self {
            input: draw.linear(width, width, Scale::Keeping),
            output: draw.linear(width, width, Scale::Keeping),
            role: draw.normal([2, width], 0.5),
        }
    }

    /// `[batch frames, width]`, from levels and roles `[batch, frames]`.
    pub(crate) fn forward(&self, levels: Tensor<B, 2>, past: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, frames] = levels.dims();
        let width = self.role.dims()[1];
        let waves = waves(levels.reshape([batch * frames, 1]), width, LONGEST_PERIOD);
        let level =
            layers::linear(&self.output, layers::gelu_tanh(layers::linear(&self.input, waves)));
        layers::gelu_tanh(level + self.role.val().select(0, past.reshape([batch * frames])))
    }
}

/// The vectors of the vocabulary, which nothing learns, as CLIP is frozen in the paper.
#[derive(Module, Debug)]
pub struct WordTable<B: Backend> {
    /// `[vocabulary, word width]`.
    pub vectors: Param<Tensor<B, 2>>,
}

impl<B: Backend> WordTable<B> {
    pub(crate) fn new(vocabulary: &Vocabulary, width: usize, device: &Device<B>) -> Self {
        let vectors = Tensor::from_data(vocabulary.vectors(width), (device, DType::F32));
        Self { vectors: Param::from_tensor(vectors) }
    }

    /// The words of every frame's phrase with their place in it, from tokens `[batch, frames, words]`.
    pub(crate) fn read(&self, phrases: Tensor<B, 3, Int>) -> Words<B> {
        let [batch, frames, words] = phrases.dims();
        let (images, width) = (batch * frames, self.vectors.dims()[1]);
        let hidden: Tensor<B, 4, Bool> =
            phrases.clone().equal_elem(PADDING as i64).reshape([images, 1, 1, words]);
        let vectors = self.vectors.val().select(0, phrases.reshape([images * words]));
        let places = Tensor::<B, 1, Int>::arange(0..words as i64, &vectors.device());
        let places = places.float().cast(vectors.dtype()).reshape([words, 1]);
        let waves = waves(places, width, LONGEST_PERIOD);
        let vectors = vectors.reshape([images, words * width]) + waves.reshape([1, words * width]);
        Words { vectors: vectors.reshape([images * words, width]), hidden }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::seed::Seed;
    use inner_outer::tensors::to_f64;

    use super::*;

    #[test]
    fn levels_and_roles_are_told_apart() {
        let device = Default::default();
        let condition = FrameCondition::<Flex>::new(8, &mut Draw::new(&Seed::new(3), &device));
        let of = |level: f64, past: i64| {
            let levels = Tensor::from_data([[level]], &device);
            to_f64(&condition.forward(levels, Tensor::from_data([[past]], &device)))
        };
        assert_eq!(of(3.0, 0), of(3.0, 0));
        assert_ne!(of(3.0, 0), of(4.0, 0));
        assert_ne!(of(0.0, 0), of(0.0, 1));
    }

    #[test]
    fn the_order_of_words_counts() {
        let table =
            WordTable::<Flex>::new(&Vocabulary::of_phrases(["a b"]), 5, &Default::default());
        let read =
            |tokens: [i64; 2]| table.read(Tensor::from_data([[tokens]], &Default::default()));
        assert_ne!(to_f64(&read([2, 3]).vectors), to_f64(&read([3, 2]).vectors));
        let hidden = read([2, 0]).hidden.into_data().to_vec::<bool>().unwrap();
        assert_eq!(hidden, [false, true]);
    }
}
