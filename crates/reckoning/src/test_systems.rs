//! Small systems that tests of files and answers share.

use burn::backend::Flex;
use inner_outer::tensors::Tensors;
use inner_outer::{RateScope, Rates};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::config::{InnerConfig, SystemSettings};
use crate::memory::Memory;
use crate::model::{Gpt2, LoraConfig, ModelConfig};
use crate::system::System;
use crate::tokenizer::WordTokenizer;
use crate::trained::TrainedSystem;

pub(crate) const VOCABULARY: usize = 11;
pub(crate) const STEPS: usize = 2;

pub(crate) fn config() -> ModelConfig {
    let lora = Some(LoraConfig { rank: 2, alpha: 4.0 });
    ModelConfig {
        vocabulary: VOCABULARY,
        context: 12,
        width: 8,
        layers: 2,
        heads: 2,
        lora,
        ..ModelConfig::default()
    }
}

pub(crate) fn model(seed: u64) -> Gpt2<Flex> {
    Gpt2::new(&config(), &mut ChaCha8Rng::seed_from_u64(seed), &Default::default())
}

pub(crate) fn rates(model: &Gpt2<Flex>) -> Rates<Flex> {
    Rates::new(RateScope::PerTensorPerStep, 0.1, &Tensors::of(model), STEPS)
}

/// A memory of one fact.
pub(crate) fn memory() -> Memory {
    let words = (0..VOCABULARY - 2).map(|word| format!("w{word}"));
    let inner = InnerConfig { steps: STEPS, ..InnerConfig::default() };
    let model = model(0);
    let trained = TrainedSystem {
        config: config(),
        rates: Rates::new(RateScope::Global, 0.1, &Tensors::of(&model), STEPS),
        model,
        tokenizer: WordTokenizer::from_words(words).unwrap().into(),
        settings: SystemSettings { inner, ..SystemSettings::default() },
    };
    let system = System::<Flex>::new(trained, &Default::default());
    system.encode(&["w1 w2 w3".to_owned()]).unwrap()
}
