//! The part of `config.json` that says which function the model computes.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::{HuggingFaceError, Initialization, ModelConfig};

/// Both names stand for the tanh approximation of GELU.
const ACTIVATIONS: [&str; 2] = ["gelu_new", "gelu_pytorch_tanh"];

/// What is read of the file; everything else concerns training or other libraries.
#[derive(Deserialize)]
struct File {
    model_type: Option<String>,
    vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_positions: Option<usize>,
    n_ctx: Option<usize>,
    n_inner: Option<usize>,
    layer_norm_epsilon: Option<f64>,
    activation_function: Option<String>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    add_cross_attention: Option<bool>,
    tie_word_embeddings: Option<bool>,
}

/// The model that a `config.json` describes, with what GPT-2 has where it is silent.
pub(super) fn load(path: &Path) -> Result<ModelConfig, HuggingFaceError> {
    let access = |source| HuggingFaceError::Access { path: path.to_owned(), source };
    let content = std::fs::read(path).map_err(access)?;
    from_json(&content)
        .map_err(|problem| HuggingFaceError::Config { path: path.to_owned(), problem })
}

fn from_json(content: &[u8]) -> Result<ModelConfig, String> {
    let file: File = serde_json::from_slice(content).map_err(|error| {
        format!(
            "not the configuration of a GPT-2 ({error}); use the config.json beside the weights"
        )
    })?;
    file.check()?;
    let context = file.n_positions.or(file.n_ctx);
    let context = context
        .ok_or("neither `n_positions` nor `n_ctx` is there; add the longest sequence in tokens")?;
    let model = ModelConfig {
        vocabulary: file.vocab_size,
        context,
        width: file.n_embd,
        layers: file.n_layer,
        heads: file.n_head,
        tied_head: file.tie_word_embeddings.unwrap_or(true),
        norm_epsilon: file.layer_norm_epsilon.unwrap_or(1e-5),
        initialization: Initialization::Gpt2,
        lora: None,
    };
    model.check().map_err(|problem| format!("{problem} (fields of this model's configuration)"))?;
    Ok(model)
}

impl File {
    /// Refuses variants that compute another function.
    fn check(&self) -> Result<(), String> {
        let kind = self.model_type.as_deref().unwrap_or("gpt2");
        if kind != "gpt2" {
            return Err(format!("`model_type` is {kind:?}; only \"gpt2\" can be loaded"));
        }
        let activation = self.activation_function.as_deref().unwrap_or(ACTIVATIONS[0]);
        if !ACTIVATIONS.contains(&activation) {
            return Err(format!(
                "`activation_function` is {activation:?}; use a model with \"gelu_new\", as GPT-2 has"
            ));
        }
        let expected = self.n_embd.checked_mul(4).ok_or_else(|| {
            format!(
                "`n_embd` is {}, wider than any model; use the config.json beside the weights",
                self.n_embd
            )
        })?;
        if let Some(inner) = self.n_inner.filter(|inner| *inner != expected) {
            return Err(format!(
                "`n_inner` is {inner}; use a model with 4 n_embd = {expected}, as GPT-2 has"
            ));
        }
        let switches = [
            ("scale_attn_weights", self.scale_attn_weights, true),
            ("scale_attn_by_inverse_layer_idx", self.scale_attn_by_inverse_layer_idx, false),
            ("add_cross_attention", self.add_cross_attention, false),
        ];
        match switches.iter().find(|(_, value, needed)| value.is_some_and(|value| value != *needed))
        {
            Some((name, _, needed)) => {
                Err(format!("`{name}` is {}; use a model with {needed}, as GPT-2 has", !needed))
            }
            None => Ok(()),
        }
    }
}

/// A `config.json` that describes `model`.
pub(super) fn to_json(model: &ModelConfig) -> Vec<u8> {
    let description = json!({
        "activation_function": ACTIVATIONS[0],
        "architectures": ["GPT2LMHeadModel"],
        "layer_norm_epsilon": model.norm_epsilon,
        "model_type": "gpt2",
        "n_ctx": model.context,
        "n_embd": model.width,
        "n_head": model.heads,
        "n_inner": null,
        "n_layer": model.layers,
        "n_positions": model.context,
        "tie_word_embeddings": model.tied_head,
        "vocab_size": model.vocabulary,
    });
    serde_json::to_vec_pretty(&description).expect("plain values are always valid JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn with(changes: Value) -> Result<ModelConfig, String> {
        let mut file =
            json!({"vocab_size": 9, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 5});
        for (name, value) in changes.as_object().unwrap() {
            file[name] = value.clone();
        }
        from_json(file.to_string().as_bytes())
    }

    #[test]
    fn defaults_are_those_of_gpt2() {
        let model = with(json!({})).unwrap();
        assert_eq!((model.context, model.norm_epsilon), (5, 1e-5));
        let model = with(
            json!({"n_positions": null, "n_ctx": 7, "layer_norm_epsilon": 1e-6, "n_inner": 32}),
        )
        .unwrap();
        assert_eq!((model.context, model.norm_epsilon), (7, 1e-6));
    }

    #[test]
    fn the_head_is_tied_unless_the_file_says_otherwise() {
        for (stated, tied) in [(json!(null), true), (json!(true), true), (json!(false), false)] {
            let model = with(json!({"tie_word_embeddings": stated})).unwrap();
            assert_eq!(model.tied_head, tied, "{stated}");
        }
    }

    #[test]
    fn other_functions_are_refused_by_name() {
        for (change, named) in [
            (json!({"activation_function": "relu"}), "activation_function"),
            (json!({"model_type": "llama"}), "model_type"),
            (json!({"n_inner": 16}), "4 n_embd = 32"),
            (json!({"n_embd": usize::MAX, "n_inner": 32}), "`n_embd` is"),
            (json!({"scale_attn_weights": false}), "scale_attn_weights"),
            (json!({"scale_attn_by_inverse_layer_idx": true}), "scale_attn_by_inverse_layer_idx"),
            (json!({"add_cross_attention": true}), "add_cross_attention"),
            (json!({"n_head": 3}), "heads"),
            (json!({"n_layer": 0}), "layers"),
            (json!({"n_layer": 1_000_000_000}), "model.layers is 1000000000"),
            (json!({"n_embd": 1_000_000}), "model.width = 1000000"),
            (json!({"vocab_size": u64::MAX}), "model.vocabulary is 18446744073709551615"),
            (json!({"n_positions": null}), "n_ctx"),
            (json!({"n_embd": null}), "config.json"),
        ] {
            let problem = with(change.clone()).err().unwrap();
            assert!(problem.contains(named), "{change}: {problem}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for tied in [true, false] {
            let stated = json!({"layer_norm_epsilon": 3e-6, "tie_word_embeddings": tied});
            let model = with(stated).unwrap();
            assert_eq!(from_json(&to_json(&model)).unwrap(), model);
        }
    }
}
