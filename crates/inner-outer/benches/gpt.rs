//! The GPT whose meta-gradient is timed: the model of `torch_peer/gpt.py`, parameter by parameter.
//!
//! GPT-2 style: layer norm before each layer, learned positions, tanh-GELU, causal attention, output head tied to the
//! token embedding.

use burn::module::Module;
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Device, Int, Tensor};
use inner_outer::{family, layers};

/// Sizes of the model and of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub vocabulary: usize,
    pub batch: usize,
    pub tokens: usize,
}

impl Size {
    /// 3.7 million weights.
    pub const FULL: Self =
        Self { layers: 4, width: 256, heads: 4, vocabulary: 2048, batch: 8, tokens: 128 };

    /// For checks.
    pub const SMALL: Self =
        Self { layers: 2, width: 16, heads: 2, vocabulary: 20, batch: 2, tokens: 8 };
}

/// Attention and feed-forward layers, each behind a layer norm, on a residual stream.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    attention_norm: LayerNorm<B>,
    attention_input: Linear<B>,
    attention_output: Linear<B>,
    feed_forward_norm: LayerNorm<B>,
    feed_forward_input: Linear<B>,
    feed_forward_output: Linear<B>,
    heads: usize,
}

/// The model. The order of its fields is the order of the peers' parameters.
#[derive(Module, Debug)]
pub struct Gpt<B: Backend> {
    token_embedding: Embedding<B>,
    position_embedding: Embedding<B>,
    blocks: Vec<Block<B>>,
    final_norm: LayerNorm<B>,
}

family!(pub Gpts => Gpt);

impl<B: Backend> Gpt<B> {
    /// Normal weights of standard deviation 0.02, zero biases.
    pub fn new(size: Size, device: &Device<B>) -> Self {
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        let embedding = |rows| {
            let config = EmbeddingConfig::new(rows, size.width).with_initializer(normal.clone());
            config.init(device)
        };
        Self {
            token_embedding: embedding(size.vocabulary),
            position_embedding: embedding(size.tokens),
            blocks: (0..size.layers).map(|_| Block::new(size, device)).collect(),
            final_norm: LayerNormConfig::new(size.width).init(device),
        }
    }

    /// Mean loss of predicting each next token of `rows`, ids `[batch, tokens + 1]`; gives `[1]`.
    pub fn loss(&self, rows: Tensor<B, 2, Int>) -> Tensor<B, 1> {
        let [batch, length] = rows.dims();
        let tokens = length - 1;
        let flat = |rows: Tensor<B, 2, Int>| rows.reshape([batch * tokens]);
        let inputs =
            layers::embedding(&self.token_embedding, flat(rows.clone().narrow(1, 0, tokens)));
        let width = inputs.dims()[1];
        // One row for all sequences: Flex adds a shared row without walking element by element.
        let positions = self.position_embedding.weight.val().reshape([1, tokens * width]);
        let x = inputs.reshape([batch, tokens * width]) + positions;
        let mut x = x.reshape([batch, tokens, width]);
        let hidden = Tensor::<B, 2, Bool>::tril_mask([tokens, tokens], 0, &x.device());
        for block in &self.blocks {
            x = block.forward(x, hidden.clone().unsqueeze());
        }
        let x = self.final_norm.forward(x).reshape([batch * tokens, width]);
        let scores = x.matmul(self.token_embedding.weight.val().transpose());
        layers::cross_entropy(scores, flat(rows.narrow(1, 1, tokens)))
    }
}

impl<B: Backend> Block<B> {
    fn new(size: Size, device: &Device<B>) -> Self {
        let norm = || LayerNormConfig::new(size.width).init(device);
        let linear = |inputs, outputs| {
            let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
            let layer = LinearConfig::new(inputs, outputs).with_initializer(normal);
            let bias = Some(Initializer::Zeros.init([outputs], device));
            Linear { bias, ..layer.init(device) }
        };
        Self {
            attention_norm: norm(),
            attention_input: linear(size.width, 3 * size.width),
            attention_output: linear(size.width, size.width),
            feed_forward_norm: norm(),
            feed_forward_input: linear(size.width, 4 * size.width),
            feed_forward_output: linear(4 * size.width, size.width),
            heads: size.heads,
        }
    }

    /// `x: [batch, tokens, width]` to the same; `hidden: [1, 1, tokens, tokens]`.
    fn forward(&self, x: Tensor<B, 3>, hidden: Tensor<B, 4, Bool>) -> Tensor<B, 3> {
        let [batch, tokens, width] = x.dims();
        let x = x.reshape([batch * tokens, width]);
        let normal = self.attention_norm.forward(x.clone());
        let [query, key, value] = layers::linear_parts(&self.attention_input, normal)
            .map(|projected| layers::split_heads(projected, batch, self.heads));
        let mixed = layers::merge_heads(layers::attention(query, key, value, Some(hidden)));
        let x = x + layers::linear(&self.attention_output, mixed);
        let wide =
            layers::linear(&self.feed_forward_input, self.feed_forward_norm.forward(x.clone()));
        let x = x + layers::linear(&self.feed_forward_output, layers::gelu_tanh(wide));
        x.reshape([batch, tokens, width])
    }
}
