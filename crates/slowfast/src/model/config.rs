//! The shape of a denoiser.

use serde::{Deserialize, Serialize};

use super::ModelError;
use crate::size::{MOST_BYTES, MOST_LAYERS, MOST_PARAMETERS, SizeError, at_most, listed, together};

/// Words of a phrase, and width of their vectors, that there may be: far more than anything is said in.
const MOST_WORDS: usize = 1000;
const MOST_WORD_WIDTH: usize = 10_000;

/// The shape of a frame's latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentShape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Default for LatentShape {
    /// What an autoencoder of factor 8 makes of 64x64 pixels.
    fn default() -> Self {
        Self { channels: 4, height: 8, width: 8 }
    }
}

/// What the frames of a window see of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemporalAttention {
    /// A place sees itself in all frames.
    #[default]
    Place,
    /// Every place sees all places of all frames, so that what moves is found in one layer.
    Everywhere,
}

/// A space-time transformer: attention in space, then in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformerConfig {
    /// Width of the hidden state.
    pub width: usize,
    /// Blocks of spatial, temporal and cross attention and a feed-forward layer.
    pub layers: usize,
    /// Attention heads; divides the width.
    pub heads: usize,
    /// Rows and columns of latent that one token holds; divides the latent's height and width.
    pub patch: usize,
    /// What frames see of each other.
    pub temporal: TemporalAttention,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        let temporal = TemporalAttention::default();
        Self { width: 128, layers: 4, heads: 4, patch: 2, temporal }
    }
}

/// A factorised U-net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnetConfig {
    /// Channels of each resolution; each halves the one before.
    pub widths: Vec<usize>,
    /// Attention heads; divides every width.
    pub heads: usize,
}

impl Default for UnetConfig {
    fn default() -> Self {
        Self { widths: vec![64, 96], heads: 4 }
    }
}

/// Which network denoises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DenoiserChoice {
    /// [`TransformerConfig`].
    Transformer(TransformerConfig),
    /// [`UnetConfig`].
    Unet(UnetConfig),
}

impl Default for DenoiserChoice {
    fn default() -> Self {
        Self::Transformer(TransformerConfig::default())
    }
}

/// The shape of a denoiser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenoiserConfig {
    /// The network.
    pub network: DenoiserChoice,
    /// What a frame is.
    pub latent: LatentShape,
    /// Most frames in a window, past and future together.
    pub frames: usize,
    /// Most words in an action phrase.
    pub words: usize,
    /// Width of a word's vector.
    pub word_width: usize,
}

impl Default for DenoiserConfig {
    fn default() -> Self {
        Self {
            network: DenoiserChoice::default(),
            latent: LatentShape::default(),
            frames: 8,
            words: 8,
            word_width: 32,
        }
    }
}

impl DenoiserConfig {
    /// Checks that a denoiser of this shape exists, and that a machine has room for it.
    ///
    /// # Errors
    /// [`ModelError::Zero`], [`ModelError::Indivisible`] and [`ModelError::TooLarge`].
    pub fn check(&self) -> Result<(), ModelError> {
        let LatentShape { channels, height, width } = self.latent;
        at_least_one(&[
            ("latent.channels", channels),
            ("latent.height", height),
            ("latent.width", width),
            ("frames", self.frames),
            ("words", self.words),
            ("word_width", self.word_width),
        ])?;
        match &self.network {
            DenoiserChoice::Transformer(network) => network.check(self.latent),
            DenoiserChoice::Unet(network) => network.check(self.latent),
        }?;
        Ok(self.check_size()?)
    }

    fn check_size(&self) -> Result<(), SizeError> {
        at_most(MOST_WORDS, &[("words", self.words)])?;
        at_most(MOST_WORD_WIDTH, &[("word_width", self.word_width)])?;
        if let DenoiserChoice::Transformer(TransformerConfig { layers, .. }) = self.network {
            at_most(MOST_LAYERS, &[("network.layers", layers)])?;
        }
        let parameters = ("the denoiser would have", self.parameters(), "parameters");
        together(parameters, MOST_PARAMETERS, || self.sizes())?;
        let bytes = self.window_bytes(self.frames);
        together(("a window of the denoiser would take", bytes, "bytes"), MOST_BYTES, || {
            self.sizes()
        })
    }

    /// The settings that make it large.
    fn sizes(&self) -> String {
        let network = match &self.network {
            DenoiserChoice::Transformer(TransformerConfig {
                width, layers, heads, patch, ..
            }) => {
                let numbers = [
                    ("network.width", *width),
                    ("network.layers", *layers),
                    ("network.heads", *heads),
                ];
                // Larger patches are fewer tokens.
                format!("{}, raise `network.patch` = {patch}", listed(&numbers))
            }
            DenoiserChoice::Unet(UnetConfig { widths, heads, .. }) => {
                format!(
                    "`network.widths` = {widths:?}, or {}",
                    listed(&[("network.heads", *heads)])
                )
            }
        };
        let LatentShape { channels, height, width } = self.latent;
        let rest = listed(&[
            ("frames", self.frames),
            ("words", self.words),
            ("word_width", self.word_width),
            ("latent.channels", channels),
            ("latent.height", height),
            ("latent.width", width),
        ]);
        format!("{network}, or lower {rest}")
    }
}

impl TransformerConfig {
    fn check(&self, latent: LatentShape) -> Result<(), ModelError> {
        at_least_one(&[
            ("network.width", self.width),
            ("network.layers", self.layers),
            ("network.heads", self.heads),
            ("network.patch", self.patch),
        ])?;
        divides(("network.heads", self.heads), ("network.width", self.width))?;
        // The timestep is as many sines as cosines.
        divides(("the two of sine and cosine", 2), ("network.width", self.width))?;
        divides(("network.patch", self.patch), ("latent.height", latent.height))?;
        divides(("network.patch", self.patch), ("latent.width", latent.width))
    }
}

impl UnetConfig {
    fn check(&self, latent: LatentShape) -> Result<(), ModelError> {
        at_least_one(&[("network.widths", self.widths.len()), ("network.heads", self.heads)])?;
        for &width in &self.widths {
            at_least_one(&[("network.widths", width)])?;
            divides(("network.heads", self.heads), ("network.widths", width))?;
        }
        divides(("the two of sine and cosine", 2), ("network.widths", self.widths[0]))?;
        let halvings = u32::try_from(self.widths.len() - 1).unwrap_or(u32::MAX);
        let halvings = 2_usize.saturating_pow(halvings);
        divides(("the halvings of network.widths", halvings), ("latent.height", latent.height))?;
        divides(("the halvings of network.widths", halvings), ("latent.width", latent.width))
    }
}

pub(crate) fn at_least_one(settings: &[(&'static str, usize)]) -> Result<(), ModelError> {
    match settings.iter().find(|(_, value)| *value == 0) {
        Some((setting, _)) => Err(ModelError::Zero { setting }),
        None => Ok(()),
    }
}

fn divides(
    (divisor_name, divisor): (&'static str, usize),
    (name, value): (&'static str, usize),
) -> Result<(), ModelError> {
    match value.is_multiple_of(divisor) {
        true => Ok(()),
        false => Err(ModelError::Indivisible { name, value, divisor_name, divisor }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> ModelError {
        serde_json::from_str::<DenoiserConfig>(text).unwrap().check().unwrap_err()
    }

    #[test]
    fn defaults_can_be_built() {
        DenoiserConfig::default().check().unwrap();
        let unet = r#"{"network": {"kind": "unet"}}"#;
        serde_json::from_str::<DenoiserConfig>(unet).unwrap().check().unwrap();
    }

    #[test]
    fn impossible_shapes_are_named() {
        let zero = |setting| ModelError::Zero { setting };
        assert_eq!(refused(r#"{"frames": 0}"#), zero("frames"));
        let transformer = |field| format!(r#"{{"network": {{"kind": "transformer", {field}}}}}"#);
        assert_eq!(refused(&transformer(r#""layers": 0"#)), zero("network.layers"));
        let heads = refused(&transformer(r#""heads": 3"#)).to_string();
        assert!(heads.contains("`network.heads` is 3"), "{heads}");
        let patch = refused(&transformer(r#""patch": 3"#)).to_string();
        assert!(patch.contains("`latent.height` = 8"), "{patch}");
        let unet = |field| format!(r#"{{"network": {{"kind": "unet", {field}}}}}"#);
        assert_eq!(refused(&unet(r#""widths": []"#)), zero("network.widths"));
        assert_eq!(refused(&unet(r#""widths": [0]"#)), zero("network.widths"));
        let heads = refused(&unet(r#""widths": [6]"#));
        assert!(matches!(heads, ModelError::Indivisible { divisor: 4, value: 6, .. }));
        let halvings = refused(&unet(r#""widths": [4, 4, 4, 4, 4]"#));
        assert!(matches!(halvings, ModelError::Indivisible { divisor: 16, value: 8, .. }));
        let many = format!(r#"{{"network": {{"kind": "unet", "widths": {:?}}}}}"#, [4; 65]);
        let halvings = refused(&many);
        assert!(matches!(halvings, ModelError::Indivisible { divisor: usize::MAX, value: 8, .. }));
        let odd = refused(&unet(r#""widths": [3], "heads": 1"#));
        assert!(matches!(odd, ModelError::Indivisible { divisor: 2, value: 3, .. }));
    }

    /// What would end in no memory, or in a number that overflows.
    #[test]
    fn denoisers_beyond_any_machine_are_refused() {
        let transformer = |field| format!(r#"{{"network": {{"kind": "transformer", {field}}}}}"#);
        let unet = |field| format!(r#"{{"network": {{"kind": "unet", {field}}}}}"#);
        let most = i64::MAX;
        for (text, named) in [
            (transformer(r#""width": 1000000"#), "`network.width` = 1000000"),
            (transformer(r#""width": 9223372036854775804"#), "`network.width`"),
            (transformer(r#""layers": 1000000000"#), "`network.layers` is 1000000000"),
            (unet(r#""widths": [64, 1000000]"#), "`network.widths` = [64, 1000000]"),
            (unet(r#""widths": [9223372036854775804]"#), "`network.widths`"),
            (format!(r#"{{"frames": {most}}}"#), "`frames` = 9223372036854775807"),
            (r#"{"frames": 500000}"#.to_owned(), "a window of the denoiser would take"),
            (format!(r#"{{"words": {most}}}"#), "`words` is 9223372036854775807"),
            (format!(r#"{{"word_width": {most}}}"#), "`word_width` is 9223372036854775807"),
            (format!(r#"{{"latent": {{"channels": {most}}}}}"#), "the denoiser would have"),
            (r#"{"latent": {"height": 9223372036854775806}}"#.to_owned(), "parameters"),
        ] {
            let refusal = refused(&text);
            assert!(matches!(refusal, ModelError::TooLarge(_)), "{text}: {refusal}");
            let told = refusal.to_string();
            assert!(told.contains(named) && told.contains("lower"), "{text}: {told}");
        }
        let large = transformer(r#""width": 512, "layers": 12, "heads": 8"#);
        serde_json::from_str::<DenoiserConfig>(&large).unwrap().check().unwrap();
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in [
            r#"{"depth": 3}"#,
            r#"{"network": {"kind": "unet", "depth": 3}}"#,
            r#"{"network": {"kind": "mamba"}}"#,
        ] {
            assert!(serde_json::from_str::<DenoiserConfig>(text).is_err(), "{text}");
        }
    }
}
