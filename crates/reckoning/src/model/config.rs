//! The shape of a model.

use serde::{Deserialize, Serialize};

/// How weights are drawn before training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// Standard deviation 0.02, residual projections divided by `sqrt(2 layers)`: GPT-2's.
    #[default]
    Gpt2,
    /// Standard deviation `0.7 / sqrt(inputs)`, residual projections `0.3 / sqrt(inputs)`, embeddings and head 0.05:
    /// for narrow models, where GPT-2's values leave the signal too small.
    FanIn,
}

/// Low-rank adapters on the attention and feed-forward weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of the change of a weight, at least 1.
    pub rank: usize,
    /// The change is scaled by `alpha / rank`.
    pub alpha: f64,
}

/// The shape of a GPT-2 model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Tokens in the vocabulary. Zero takes the tokeniser's.
    pub vocabulary: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Width of the hidden state.
    pub width: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; divides the width.
    pub heads: usize,
    /// Use the token embedding as output weight, as GPT-2 does.
    pub tied_head: bool,
    /// Added to the variance in layer normalisation.
    pub norm_epsilon: f64,
    /// How weights are drawn.
    pub initialization: Initialization,
    /// Adapters, for inner loops that change nothing else.
    pub lora: Option<LoraConfig>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            vocabulary: 0,
            context: 64,
            width: 64,
            layers: 3,
            heads: 4,
            tied_head: false,
            norm_epsilon: 1e-5,
            initialization: Initialization::FanIn,
            lora: None,
        }
    }
}

impl ModelConfig {
    /// Checks that a model of this shape exists.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("vocabulary", self.vocabulary),
            ("context", self.context),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("model.{name} is 0; it must be at least 1"));
        }
        if !self.width.is_multiple_of(self.heads) {
            let Self { width, heads, .. } = self;
            return Err(format!(
                "model.width = {width} is no multiple of model.heads = {heads}; change either"
            ));
        }
        if self.lora.is_some_and(|lora| lora.rank == 0) {
            return Err(
                "model.lora.rank is 0; leave model.lora out, or give a rank of at least 1".into()
            );
        }
        if self.lora.is_some_and(|lora| !lora.alpha.is_finite()) {
            return Err("model.lora.alpha is no number; twice the rank is usual".into());
        }
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon > 0.0) {
            let found = self.norm_epsilon;
            return Err(format!("model.norm_epsilon = {found}; it must be a number above 0"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_shapes_are_named() {
        let config = ModelConfig { vocabulary: 9, ..ModelConfig::default() };
        assert!(config.check().is_ok());
        assert!(ModelConfig::default().check().unwrap_err().contains("vocabulary"));
        let odd = ModelConfig { heads: 5, ..config.clone() };
        assert!(odd.check().unwrap_err().contains("model.heads = 5"));
        let endless = ModelConfig { norm_epsilon: -1.0, ..config.clone() };
        assert!(endless.check().unwrap_err().contains("norm_epsilon"));
        let flat = ModelConfig { lora: Some(LoraConfig { rank: 0, alpha: 1.0 }), ..config };
        assert!(flat.check().unwrap_err().contains("rank"));
    }
}
