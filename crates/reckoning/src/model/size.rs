//! How many parameters a model has, before any is made.

use super::config::ModelConfig;
use crate::InnerScope;

/// Numbers of parameters of a model's parts. Settings may be anything, so they are floats that cannot overflow; they are exact for
/// every model that fits into memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    /// Of words and positions.
    embeddings: f64,
    /// Of a transformer block, without its adapters.
    block: f64,
    /// Of the adapters of a block.
    adapters: f64,
    /// Of the last norm, and of the head where it is not the embedding of words.
    top: f64,
    layers: f64,
}

impl Size {
    /// The size of a model of this shape.
    pub(crate) fn of(model: &ModelConfig) -> Self {
        let rank = model.lora.map_or(0, |lora| lora.rank) as f64;
        let (width, vocabulary) = (model.width as f64, model.vocabulary as f64);
        let head = if model.tied_head { 0.0 } else { vocabulary * width };
        Self {
            embeddings: (vocabulary + model.context as f64) * width,
            // Weights of 3, 1, 4 and 4 times width by width, with biases; two norms of scale and shift.
            block: (12.0 * width + 13.0) * width,
            // Two factors for each of these weights.
            adapters: (4.0 + 2.0 + 5.0 + 5.0) * width * rank,
            top: 2.0 * width + head,
            layers: model.layers as f64,
        }
    }

    /// All parameters.
    pub(crate) fn all(&self) -> f64 {
        self.embeddings + self.layers * (self.block + self.adapters) + self.top
    }

    /// Those that the facts are written into.
    pub(crate) fn adapted(&self, scope: InnerScope) -> f64 {
        match scope {
            InnerScope::All => self.embeddings + self.layers * self.block + self.top,
            InnerScope::LastLayers(count) => {
                self.layers.min(count as f64) * (self.block + self.adapters) + self.top
            }
            InnerScope::Lora => self.layers * self.adapters,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Module;
    use inner_outer::Problem;
    use inner_outer::tensors::parameter_shapes;

    use super::*;
    use crate::Reckoning;
    use crate::model::{Gpt2, LoraConfig};

    #[test]
    fn the_counts_are_those_of_the_model_itself() {
        let base = ModelConfig {
            vocabulary: 7,
            context: 5,
            width: 8,
            layers: 3,
            heads: 2,
            ..ModelConfig::default()
        };
        let lora = Some(LoraConfig { rank: 3, alpha: 4.0 });
        for config in [
            base.clone(),
            ModelConfig { tied_head: true, ..base.clone() },
            ModelConfig { lora, ..base },
        ] {
            let model = Gpt2::<Flex>::skeleton(&config, &Default::default());
            let size = Size::of(&config);
            assert_eq!(size.all(), model.num_params() as f64, "{config:?}");
            for scope in [InnerScope::All, InnerScope::LastLayers(2), InnerScope::Lora] {
                let problem = Reckoning { scope, layers: config.layers, retention: 0.0 };
                let adapted = problem.adapted();
                let shapes = parameter_shapes(&model).into_iter();
                let counted: usize = shapes
                    .filter(|(path, _)| adapted.contains(path))
                    .map(|(_, shape)| shape.iter().product::<usize>())
                    .sum();
                assert_eq!(size.adapted(scope), counted as f64, "{scope:?} of {config:?}");
            }
        }
    }
}
