//! Low-rank adapters of a whole model: attached to a model that has none, or merged into its weights.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::{AdaptedLinear, Lora};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};

use super::config::LoraConfig;
use super::gpt2::Gpt2;

impl<B: Backend> Gpt2<B> {
    /// The model with fresh adapters on the attention and feed-forward weights, in place of any it has. Their change
    /// is zero; the first factors are uniform in `+-1 / sqrt(inputs)`, drawn from `random`.
    ///
    /// # Panics
    /// If the rank is zero; [`super::ModelConfig::check`] refuses it.
    pub fn with_adapters(self, config: LoraConfig, random: &mut ChaCha8Rng) -> Self {
        self.map_projections(|projection| {
            let weight = &projection.linear.weight;
            let ([inputs, outputs], device) = (weight.dims(), weight.device());
            let bound = 1.0 / (inputs as f32).sqrt();
            let uniform = Uniform::new_inclusive(-bound, bound).expect("a positive bound");
            let values = (0..inputs * config.rank).map(|_| uniform.sample(random)).collect();
            let a = TensorData::new::<f32, _>(values, [inputs, config.rank]);
            let a = Tensor::from_data(a, (&device, weight.dtype()));
            let lora = Lora::with_first_factor(a, outputs, config.alpha);
            AdaptedLinear { lora: Some(lora), ..projection }
        })
    }

    /// The model with its adapters added to the weights they adapt. Its answers stay the same up to rounding.
    pub fn with_merged_adapters(self) -> Self {
        self.map_projections(|mut projection| {
            if let Some(lora) = projection.lora.take() {
                projection.linear.weight =
                    projection.linear.weight.map(|weight| lora.merge(weight));
            }
            projection
        })
    }

    fn map_projections(
        mut self,
        mut change: impl FnMut(AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        let change_block = |mut block: super::Block<B>| {
            block.attention.input = change(block.attention.input);
            block.attention.output = change(block.attention.output);
            block.feed_forward.input = change(block.feed_forward.input);
            block.feed_forward.output = change(block.feed_forward.output);
            block
        };
        self.blocks = self.blocks.into_iter().map(change_block).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use rand::SeedableRng;

    use super::*;
    use crate::model::ModelConfig;

    fn scores(model: &Gpt2<Flex>) -> Vec<f32> {
        let tokens = Tensor::from_data([[1, 2, 3, 0]], &Default::default());
        model.logits(model.hidden(tokens)).into_data().to_vec().unwrap()
    }

    #[test]
    fn fresh_adapters_change_nothing_and_trained_ones_merge() {
        let config =
            ModelConfig { vocabulary: 5, width: 8, heads: 2, layers: 2, ..ModelConfig::default() };
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let model = Gpt2::<Flex>::new(&config, &mut random, &Default::default());
        let lora = LoraConfig { rank: 2, alpha: 4.0 };
        let adapted = model.clone().with_adapters(lora, &mut random);
        assert!(adapted.is_of_shape(&ModelConfig { lora: Some(lora), ..config.clone() }));
        assert_eq!(scores(&adapted), scores(&model));

        let trained = adapted.map_projections(|mut projection| {
            projection.lora = projection.lora.map(|mut lora| {
                lora.b = lora.b.map(|b| b.ones_like() * 0.3);
                lora
            });
            projection
        });
        let merged = trained.clone().with_merged_adapters();
        assert!(merged.is_of_shape(&config));
        let difference =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference(&scores(&trained), &scores(&model)) > 0.01);
        assert!(difference(&scores(&trained), &scores(&merged)) < 1e-5);
    }
}
