//! The shape of a model.

use serde::{Deserialize, Serialize};

use super::size::Size;
use crate::limits::{LARGEST, require_at_most};

/// Parameters that a model may have: six times those of the largest GPT-2.
const MOST_PARAMETERS: f64 = 1e10;
/// Transformer blocks.
const MOST_LAYERS: usize = 1_000;
/// Tokens of a vocabulary, and of a context.
const MOST_TOKENS: usize = 1_000_000;

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

/// The shape of a GPT-2 model, of at most 10^10 parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Tokens in the vocabulary, at most a million. Zero takes the tokeniser's.
    pub vocabulary: usize,
    /// Longest sequence in tokens, at most a million.
    pub context: usize,
    /// Width of the hidden state.
    pub width: usize,
    /// Transformer blocks, at most 1,000.
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
        if let Some(lora) = self.lora
            && !(-LARGEST..=LARGEST).contains(&lora.alpha)
        {
            let found = lora.alpha;
            return Err(format!(
                "model.lora.alpha = {found:?}; it must be a number from -{LARGEST} to {LARGEST}, twice the rank is usual"
            ));
        }
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon > 0.0) {
            let found = self.norm_epsilon;
            return Err(format!("model.norm_epsilon = {found}; it must be a number above 0"));
        }
        self.check_size()
    }

    /// Checks that a machine may hold a model of this shape.
    fn check_size(&self) -> Result<(), String> {
        let Self { vocabulary, context, width, layers, .. } = *self;
        require_at_most("model.vocabulary", vocabulary, MOST_TOKENS)?;
        require_at_most("model.context", context, MOST_TOKENS)?;
        require_at_most("model.layers", layers, MOST_LAYERS)?;
        let parameters = Size::of(self).all();
        if parameters <= MOST_PARAMETERS {
            return Ok(());
        }
        let rank = self.lora.map(|lora| format!(", model.lora.rank = {}", lora.rank));
        Err(format!(
            "model.width = {width}, model.layers = {layers}, model.context = {context}{} and {vocabulary} words make {parameters:.1e} parameters; make the \
             model smaller, for at most {MOST_PARAMETERS:.0e}",
            rank.unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_beyond_any_machine_are_named_with_what_is_allowed() {
        let small = ModelConfig { vocabulary: 9, ..ModelConfig::default() };
        let refused = |change: fn(&mut ModelConfig)| {
            let mut config = small.clone();
            change(&mut config);
            config.check().unwrap_err()
        };
        let wide = refused(|config| config.width = 1_000_000);
        assert!(wide.contains("model.width = 1000000") && wide.contains("at most 1e10"), "{wide}");
        let rank = refused(|config| config.lora = Some(LoraConfig { rank: 1 << 60, alpha: 1.0 }));
        assert!(rank.contains("model.lora.rank = 1152921504606846976"), "{rank}");
        // Four heads divide it.
        assert!(refused(|config| config.width = usize::MAX - 3).contains("model.width"));
        assert!(
            refused(|config| config.layers = 1_000_000_000).contains("model.layers is 1000000000")
        );
        assert!(refused(|config| config.context = usize::MAX).contains("at most 1000000"));
        assert!(refused(|config| config.vocabulary = usize::MAX).contains("model.vocabulary"));
        let alpha = refused(|config| config.lora = Some(LoraConfig { rank: 1, alpha: 1e39 }));
        assert!(alpha.contains("model.lora.alpha"), "{alpha}");
    }

    /// GPT-2 XL, and a model of its kind with four times as many parameters.
    #[test]
    fn models_that_there_are_may_be_used() {
        for (width, layers, heads) in [(1600, 48, 25), (4096, 32, 32)] {
            let config = ModelConfig {
                vocabulary: 50_257,
                context: 2048,
                width,
                layers,
                heads,
                tied_head: true,
                ..ModelConfig::default()
            };
            config.check().unwrap();
        }
    }

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
