//! What Hugging Face calls each parameter.

use burn::tensor::TensorData;

use crate::parameter_file::{ParameterFile, ParameterFileError};

/// The head, `[vocabulary, width]`; the only weight stored the other way round.
pub(super) const HEAD: &str = "lm_head.weight";
/// Our path of the token embedding.
pub(super) const TOKEN_EMBEDDING: &str = "token_embedding.weight";

const PREFIX: &str = "transformer.";

/// Our module outside the blocks, and theirs.
const MODULES: [(&str, &str); 3] =
    [("token_embedding", "wte"), ("position_embedding", "wpe"), ("final_norm", "ln_f")];

/// Our module inside a block, and theirs.
const BLOCK_MODULES: [(&str, &str); 6] = [
    ("attention_norm", "ln_1"),
    ("attention.input.linear", "attn.c_attn"),
    ("attention.output.linear", "attn.c_proj"),
    ("feed_forward_norm", "ln_2"),
    ("feed_forward.input.linear", "mlp.c_fc"),
    ("feed_forward.output.linear", "mlp.c_proj"),
];

/// The names of one file: those of a language model begin with `transformer.`, those of the bare model do not.
pub(super) struct Names {
    prefix: &'static str,
}

impl Names {
    pub(super) fn with_prefix() -> Self {
        Self { prefix: PREFIX }
    }

    pub(super) fn of_file<'a>(mut names: impl Iterator<Item = &'a str>) -> Self {
        Self { prefix: if names.any(|name| name.starts_with(PREFIX)) { PREFIX } else { "" } }
    }

    /// Whether `name` is a causal mask, which older versions stored beside the parameters.
    pub(super) fn is_mask(&self, name: &str) -> bool {
        let in_block = name.strip_prefix(self.prefix).and_then(|name| name.strip_prefix("h."));
        let name = in_block.and_then(|name| name.split_once('.')).map(|(_, name)| name);
        matches!(name, Some("attn.bias" | "attn.masked_bias"))
    }

    /// Takes the tensor of our parameter at `path` from a file, in our layout.
    pub(super) fn take(
        &self,
        file: &mut ParameterFile,
        path: &str,
        shape: &[usize],
    ) -> Result<TensorData, ParameterFileError> {
        match self.of(path) {
            name if name == HEAD => Ok(transposed(file.take(&name, &[shape[1], shape[0]])?)),
            name => file.take(&name, shape),
        }
    }

    /// Our parameter at `path` with their name and layout.
    pub(super) fn stored(&self, path: &str, data: TensorData) -> (String, TensorData) {
        match self.of(path) {
            name if name == HEAD => (name, transposed(data)),
            name => (name, data),
        }
    }

    /// Their name of the parameter at our `path`; a path that they know nothing of keeps its own.
    fn of(&self, path: &str) -> String {
        let prefix = self.prefix;
        let (module, parameter) = path.rsplit_once('.').unwrap_or(("", path));
        let parameter = match parameter {
            "gamma" => "weight",
            "beta" => "bias",
            same => same,
        };
        let theirs = |table: &[(&str, &'static str)], ours: &str| {
            table.iter().find(|(name, _)| *name == ours).map(|(_, theirs)| *theirs)
        };
        if module == "head" {
            return HEAD.to_owned();
        }
        if let Some(module) = theirs(&MODULES, module) {
            return format!("{prefix}{module}.{parameter}");
        }
        let in_block = module.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
        match in_block.and_then(|(block, module)| Some((block, theirs(&BLOCK_MODULES, module)?))) {
            Some((block, module)) => format!("{prefix}h.{block}.{module}.{parameter}"),
            None => path.to_owned(),
        }
    }
}

/// A matrix with rows and columns exchanged, in whatever precision.
fn transposed(data: TensorData) -> TensorData {
    let [rows, columns] = [data.shape[0], data.shape[1]];
    let (size, bytes) = (data.dtype.size(), data.as_bytes());
    let mut exchanged = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let start = (row * columns + column) * size;
            exchanged.extend_from_slice(&bytes[start..start + size]);
        }
    }
    TensorData::from_bytes_vec(exchanged, [columns, rows], data.dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_file() {
        let language_model = Names::of_file(["transformer.wte.weight", HEAD].into_iter());
        assert_eq!(
            language_model.of("blocks.11.attention.input.linear.bias"),
            "transformer.h.11.attn.c_attn.bias"
        );
        assert_eq!(language_model.of("head.weight"), HEAD);
        let bare = Names::of_file(["wte.weight"].into_iter());
        assert_eq!(bare.of("final_norm.gamma"), "ln_f.weight");
        assert_eq!(bare.of("blocks.0.feed_forward_norm.beta"), "h.0.ln_2.bias");
    }

    #[test]
    fn only_masks_are_masks() {
        let names = Names::with_prefix();
        assert!(names.is_mask("transformer.h.3.attn.bias"));
        assert!(names.is_mask("transformer.h.3.attn.masked_bias"));
        assert!(!names.is_mask("transformer.h.3.attn.c_attn.bias"));
        assert!(!names.is_mask("attn.bias"));
    }

    #[test]
    fn transposing_moves_every_element() {
        let data = TensorData::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(
            transposed(data.clone()),
            TensorData::from([[1.0f32, 4.0], [2.0, 5.0], [3.0, 6.0]])
        );
        assert_eq!(transposed(transposed(data.clone())), data);
    }
}
