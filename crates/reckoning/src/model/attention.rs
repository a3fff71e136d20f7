//! Causal multi-head self-attention.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Device, Int, Tensor};
use inner_outer::{AdaptedLinear, layers};

/// Queries, keys and values by one projection, attention, and the output projection.
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    /// `[width, 3 width]`: queries, keys, values.
    pub input: AdaptedLinear<B>,
    /// `[width, width]`.
    pub output: AdaptedLinear<B>,
    /// Number of heads.
    pub heads: usize,
}

/// Keys and values of the tokens seen so far, `[batch, heads, tokens, width / heads]`.
#[derive(Clone, Debug)]
pub struct KeyValues<B: Backend> {
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
}

impl<B: Backend> KeyValues<B> {
    /// Those of several sequences of equal length, one below the other.
    pub(super) fn together(parts: Vec<&Self>) -> Self {
        let all = |part: fn(&Self) -> &Tensor<B, 4>| {
            Tensor::cat(parts.iter().map(|values| part(values).clone()).collect(), 0)
        };
        Self { keys: all(|part| &part.keys), values: all(|part| &part.values) }
    }

    pub(super) fn device(&self) -> Device<B> {
        self.keys.device()
    }

    /// Those of some of the sequences, in the given order; one may be there several times.
    pub(super) fn rows(&self, rows: Tensor<B, 1, Int>) -> Self {
        Self {
            keys: self.keys.clone().select(0, rows.clone()),
            values: self.values.clone().select(0, rows),
        }
    }

    /// Those of one sequence, `copies` times.
    pub(super) fn repeat(&self, copies: usize) -> Self {
        Self {
            keys: self.keys.clone().repeat_dim(0, copies),
            values: self.values.clone().repeat_dim(0, copies),
        }
    }
}

impl<B: Backend> Attention<B> {
    /// `[batch tokens, width]` to the same shape. With a cache, `x` holds the tokens after the cached ones.
    pub fn forward(
        &self,
        x: Tensor<B, 2>,
        batch: usize,
        hidden: Tensor<B, 4, Bool>,
        cache: Option<&mut Option<KeyValues<B>>>,
    ) -> Tensor<B, 2> {
        let [queries, mut keys, mut values] =
            self.input.parts(x).map(|part| layers::split_heads(part, batch, self.heads));
        if let Some(cache) = cache {
            if let Some(past) = cache.take() {
                keys = Tensor::cat(vec![past.keys, keys], 2);
                values = Tensor::cat(vec![past.values, values], 2);
            }
            *cache = Some(KeyValues { keys: keys.clone(), values: values.clone() });
        }
        let mixed = layers::attention(queries, keys, values, Some(hidden));
        self.output.forward(layers::merge_heads(mixed))
    }
}

/// True where the query at row `i` (the tokens after the first `past`) must not see the key at column `j`: `j > past + i`.
/// `[1, 1, tokens, past + tokens]`.
pub fn future<B: Backend>(past: usize, tokens: usize, device: &Device<B>) -> Tensor<B, 4, Bool> {
    Tensor::<B, 2, Bool>::tril_mask([tokens, past + tokens], past as i64, device).unsqueeze()
}
