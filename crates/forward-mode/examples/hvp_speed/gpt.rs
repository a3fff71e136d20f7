//! A GPT-2-style language model of operations that every differentiation tower supports: linear
//! layers and embeddings are composed, because Burn's fused ones have no second derivative under
//! nested reverse mode.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Distribution, Int, Tensor};

/// Sizes of a [`Gpt`].
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub vocabulary: usize,
    pub context: usize,
}

/// A decoder-only transformer whose output layer is tied to its token embedding.
#[derive(Module, Debug)]
pub struct Gpt<B: Backend> {
    tokens: Embedding<B>,
    positions: Param<Tensor<B, 2>>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
}

/// Attention and a feed-forward layer, each behind a normalisation and around a residual.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    attention_norm: LayerNorm<B>,
    queries_keys_values: Linear<B>,
    attention_output: Linear<B>,
    feed_forward_norm: LayerNorm<B>,
    expand: Linear<B>,
    contract: Linear<B>,
    heads: usize,
}

impl<B: Backend> Gpt<B> {
    /// Random initial weights.
    pub fn init(sizes: Sizes, device: &B::Device) -> Self {
        let Sizes { layers, width, heads, vocabulary, context } = sizes;
        let normal = Distribution::Normal(0.0, 0.02);
        let tokens = EmbeddingConfig::new(vocabulary, width).init(device);
        let norm = || LayerNormConfig::new(width).init(device);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let block = || Block {
            attention_norm: norm(),
            queries_keys_values: linear(width, 3 * width),
            attention_output: linear(width, width),
            feed_forward_norm: norm(),
            expand: linear(width, 4 * width),
            contract: linear(4 * width, width),
            heads,
        };
        Self {
            tokens,
            positions: Param::from_tensor(Tensor::random([context, width], normal, device)),
            blocks: (0..layers).map(|_| block()).collect(),
            norm: norm(),
        }
    }

    /// Mean cross entropy of each next token; `tokens` is `[batch, context + 1]`.
    pub fn loss(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 1> {
        let [batch, length] = tokens.dims();
        let inputs = tokens.clone().slice([0..batch, 0..length - 1]);
        let targets = tokens.slice([0..batch, 1..length]).reshape([batch * (length - 1), 1]);
        let log_probabilities = log_softmax(self.logits(inputs), 1);
        -log_probabilities.gather(1, targets).mean()
    }

    /// Unnormalised log probabilities, `[batch * tokens, vocabulary]`.
    fn logits(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, length] = tokens.dims();
        let table = self.tokens.weight.val();
        let width = table.dims()[1];
        let embedded = table.clone().select(0, tokens.reshape([batch * length]));
        let embedded = embedded.reshape([batch, length, width]);
        let mut hidden = embedded + self.positions.val().unsqueeze();
        for block in &self.blocks {
            hidden = block.forward(hidden);
        }
        self.norm.forward(hidden).reshape([batch * length, width]).matmul(table.transpose())
    }
}

impl<B: Backend> Block<B> {
    /// `[batch, tokens, width]` to the same.
    pub fn forward(&self, hidden: Tensor<B, 3>) -> Tensor<B, 3> {
        let attended = self.attend(self.attention_norm.forward(hidden.clone()));
        let hidden = hidden + attended;
        let inner = linear(&self.expand, self.feed_forward_norm.forward(hidden.clone()));
        hidden + linear(&self.contract, tanh_gelu(inner))
    }

    fn attend(&self, hidden: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, length, width] = hidden.dims();
        let head_width = width / self.heads;
        let device = hidden.device();
        let split = linear(&self.queries_keys_values, hidden)
            .reshape([batch, length, 3 * self.heads, head_width])
            .swap_dims(1, 2);
        let part = |index: usize| {
            split.clone().slice([0..batch, index * self.heads..(index + 1) * self.heads])
        };
        let scores = part(0).matmul(part(1).transpose()) / (head_width as f64).sqrt();
        let future: Tensor<B, 2, Bool> = Tensor::tril_mask([length, length], 0, &device);
        let scores = scores.mask_fill(future.unsqueeze(), -1e9);
        let mixed = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2);
        linear(&self.attention_output, mixed.reshape([batch, length, width]))
    }
}

/// A linear layer as one matrix product over all tokens.
fn linear<B: Backend>(layer: &Linear<B>, input: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, length, inputs] = input.dims();
    let output = input.reshape([batch * length, inputs]).matmul(layer.weight.val());
    let output = match &layer.bias {
        Some(bias) => output + bias.val().unsqueeze(),
        None => output,
    };
    let outputs = output.dims()[1];
    output.reshape([batch, length, outputs])
}

/// The tanh approximation of GELU, as GPT-2 uses it.
fn tanh_gelu<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let cubic = x.clone() * (x.clone() * x.clone() * 0.044715 + 1.0);
    let inner = cubic * (2.0 / std::f64::consts::PI).sqrt();
    x * (inner.tanh() + 1.0) * 0.5
}
