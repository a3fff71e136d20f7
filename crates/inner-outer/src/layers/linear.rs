//! Linear layers and embeddings.

use burn::nn::{Embedding, Linear};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

/// `x W + b`: `[rows, in]` to `[rows, out]`.
pub fn linear<B: Backend>(layer: &Linear<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    affine(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// `x W + b` for `x: [rows, in]`, `weight: [in, out]`, `bias: [out]`.
pub fn affine<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let product = x.matmul(weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// Rows of the embedding table: `[tokens]` to `[tokens, width]`.
pub fn embedding<B: Backend>(layer: &Embedding<B>, tokens: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    layer.weight.val().select(0, tokens)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{EmbeddingConfig, LinearConfig};
    use burn::tensor::Distribution;

    use super::super::check::assert_close;
    use super::*;
    use crate::tensors::to_f64;

    #[test]
    fn linear_is_that_of_burn() {
        let device = Default::default();
        for bias in [false, true] {
            let layer = LinearConfig::new(3, 2).with_bias(bias).init::<Flex>(&device);
            let x = Tensor::<Flex, 2>::random([4, 3], Distribution::Default, &device);
            assert_close(&to_f64(&linear(&layer, x.clone())), &to_f64(&layer.forward(x)), 1e-6);
        }
    }

    #[test]
    fn embedding_is_that_of_burn() {
        let device = Default::default();
        let layer = EmbeddingConfig::new(5, 3).init::<Flex>(&device);
        let tokens = Tensor::<Flex, 1, Int>::from_data([4, 0, 4], &device);
        let expected = layer.forward(tokens.clone().unsqueeze());
        assert_close(&to_f64(&embedding(&layer, tokens)), &to_f64(&expected), 0.0);
    }
}
