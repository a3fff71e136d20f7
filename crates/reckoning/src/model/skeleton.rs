//! Models by shape alone, for values that come from a file.

use burn::nn::{EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use inner_outer::tensors::parameter_shapes;
use inner_outer::{AdaptedLinear, Lora};

use super::attention::Attention;
use super::config::ModelConfig;
use super::gpt2::{Block, FeedForward, Gpt2};

impl<B: Backend> Gpt2<B> {
    /// A model of the given shape whose parameters are all zero, drawn from no generator.
    pub(crate) fn skeleton(config: &ModelConfig, device: &Device<B>) -> Self {
        let shape = Skeleton { config, device };
        let embedding = |rows: usize| {
            let config = EmbeddingConfig::new(rows, config.width);
            config.with_initializer(Initializer::Zeros).init(device)
        };
        Self {
            token_embedding: embedding(config.vocabulary),
            position_embedding: embedding(config.context),
            blocks: (0..config.layers).map(|_| shape.block()).collect(),
            final_norm: shape.norm(),
            head: (!config.tied_head).then(|| shape.linear(config.width, config.vocabulary, false)),
        }
    }

    /// Whether `config` describes this model: the same parameters with the same shapes, and as many heads.
    pub(crate) fn is_of_shape(&self, config: &ModelConfig) -> bool {
        let heads = |block: &Block<B>| block.attention.heads == config.heads;
        let device = self.final_norm.gamma.lazy_device();
        config.check().is_ok()
            && self.blocks.iter().all(heads)
            && parameter_shapes(self) == parameter_shapes(&Self::skeleton(config, &device))
    }
}

/// The layers of a model of a given shape.
struct Skeleton<'a, B: Backend> {
    config: &'a ModelConfig,
    device: &'a Device<B>,
}

impl<B: Backend> Skeleton<'_, B> {
    fn block(&self) -> Block<B> {
        let ModelConfig { width, heads, .. } = *self.config;
        Block {
            attention_norm: self.norm(),
            attention: Attention {
                input: self.projection(width, 3 * width),
                output: self.projection(width, width),
                heads,
            },
            feed_forward_norm: self.norm(),
            feed_forward: FeedForward {
                input: self.projection(width, 4 * width),
                output: self.projection(4 * width, width),
            },
        }
    }

    fn projection(&self, inputs: usize, outputs: usize) -> AdaptedLinear<B> {
        let lora = self.config.lora.map(|lora| {
            Lora::with_first_factor(
                Tensor::zeros([inputs, lora.rank], self.device),
                outputs,
                lora.alpha,
            )
        });
        AdaptedLinear { linear: self.linear(inputs, outputs, true), lora }
    }

    fn linear(&self, inputs: usize, outputs: usize, bias: bool) -> Linear<B> {
        let config = LinearConfig::new(inputs, outputs).with_bias(bias);
        config.with_initializer(Initializer::Zeros).init(self.device)
    }

    fn norm(&self) -> LayerNorm<B> {
        LayerNormConfig::new(self.config.width)
            .with_epsilon(self.config.norm_epsilon)
            .init(self.device)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::model::LoraConfig;

    #[test]
    fn a_skeleton_has_the_shape_of_the_model() {
        let base =
            ModelConfig { vocabulary: 7, width: 8, layers: 2, heads: 2, ..ModelConfig::default() };
        let lora = Some(LoraConfig { rank: 2, alpha: 4.0 });
        for config in [
            base.clone(),
            ModelConfig { tied_head: true, ..base.clone() },
            ModelConfig { lora, ..base.clone() },
        ] {
            let model =
                Gpt2::<Flex>::new(&config, &mut ChaCha8Rng::seed_from_u64(0), &Default::default());
            assert!(model.is_of_shape(&config));
            assert!(!model.is_of_shape(&ModelConfig { heads: 4, ..config.clone() }));
            assert!(!model.is_of_shape(&ModelConfig { heads: 0, ..config.clone() }));
            assert!(!model.is_of_shape(&ModelConfig { vocabulary: 8, ..config }));
        }
    }
}
