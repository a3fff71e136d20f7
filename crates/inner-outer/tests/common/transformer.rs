//! A GPT-2-style transformer of layers that can be differentiated twice, and a problem on it.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Device, Int, Tensor};
use inner_outer::{Problem, family, layers};

/// Sizes of a transformer.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub vocabulary: usize,
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
    pub context: usize,
}

/// Causal self-attention.
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    pub c_attn: Linear<B>,
    pub c_proj: Linear<B>,
    pub heads: usize,
}

/// The feed-forward part of a block.
#[derive(Module, Debug)]
pub struct FeedForward<B: Backend> {
    pub c_fc: Linear<B>,
    pub c_proj: Linear<B>,
}

/// One layer, normalised before each part.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    pub ln_1: LayerNorm<B>,
    pub attn: Attention<B>,
    pub ln_2: LayerNorm<B>,
    pub mlp: FeedForward<B>,
}

/// The transformer. Fields have the names and the order of GPT-2's weights.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    pub wte: Embedding<B>,
    pub wpe: Embedding<B>,
    pub h: Vec<Block<B>>,
    pub ln_f: LayerNorm<B>,
    pub lm_head: Embedding<B>,
}

/// Token ids to learn from and to be judged on, each `[rows, tokens]`.
#[derive(Module, Debug)]
pub struct Texts<B: Backend> {
    pub support: Tensor<B, 2, Int>,
    pub query: Tensor<B, 2, Int>,
}

family!(pub Transformers => Transformer, pub TextSets => Texts);

impl Sizes {
    /// A transformer whose values are to be replaced.
    pub fn init<B: Backend>(&self, device: &Device<B>) -> Transformer<B> {
        let Self { vocabulary, width, heads, layers, context } = *self;
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let norm = || LayerNormConfig::new(width).init(device);
        let block = |_| Block {
            ln_1: norm(),
            attn: Attention {
                c_attn: linear(width, 3 * width),
                c_proj: linear(width, width),
                heads,
            },
            ln_2: norm(),
            mlp: FeedForward { c_fc: linear(width, 4 * width), c_proj: linear(4 * width, width) },
        };
        Transformer {
            wte: EmbeddingConfig::new(vocabulary, width).init(device),
            wpe: EmbeddingConfig::new(context, width).init(device),
            h: (0..layers).map(block).collect(),
            ln_f: norm(),
            lm_head: EmbeddingConfig::new(vocabulary, width).init(device),
        }
    }
}

impl<B: Backend> Attention<B> {
    /// `[batch, tokens, width]` to the same.
    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, tokens, width] = x.dims();
        let head = width / self.heads;
        let all = layers::linear(&self.c_attn, x.reshape([batch * tokens, width]));
        let all = all.reshape([batch, tokens, 3, self.heads, head]).permute([2, 0, 3, 1, 4]);
        let part =
            |index| all.clone().narrow(0, index, 1).reshape([batch, self.heads, tokens, head]);
        let future = Tensor::<B, 2, Bool>::tril_mask([tokens, tokens], 0, &all.device());
        let mixed = layers::attention(part(0), part(1), part(2), Some(future.unsqueeze()));
        let mixed = mixed.swap_dims(1, 2).reshape([batch * tokens, width]);
        layers::linear(&self.c_proj, mixed).reshape([batch, tokens, width])
    }
}

impl<B: Backend> FeedForward<B> {
    /// `[batch, tokens, width]` to the same.
    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, tokens, width] = x.dims();
        let hidden = layers::linear(&self.c_fc, x.reshape([batch * tokens, width]));
        layers::linear(&self.c_proj, layers::gelu_tanh(hidden)).reshape([batch, tokens, width])
    }
}

impl<B: Backend> Transformer<B> {
    /// Log-probabilities `[batch, tokens, vocabulary]` of the token after each of `tokens: [batch, tokens]`.
    pub fn log_probabilities(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let [batch, length] = tokens.dims();
        let [vocabulary, width] = self.wte.weight.dims();
        let words = layers::embedding(&self.wte, tokens.reshape([batch * length]));
        let positions = self.wpe.weight.val().narrow(0, 0, length);
        let mut x = words.reshape([batch, length, width]) + positions.unsqueeze();
        for block in &self.h {
            x = x.clone() + block.attn.forward(block.ln_1.forward(x));
            x = x.clone() + block.mlp.forward(block.ln_2.forward(x));
        }
        let x = self.ln_f.forward(x).reshape([batch * length, width]);
        let scores = x.matmul(self.lm_head.weight.val().transpose());
        log_softmax(scores, 1).reshape([batch, length, vocabulary])
    }

    /// Mean loss of predicting the tokens from `first` on from all before them.
    pub fn loss(&self, tokens: &Tensor<B, 2, Int>, first: usize) -> Tensor<B, 1> {
        let [batch, length] = tokens.dims();
        let logs = self.log_probabilities(tokens.clone()).slice([0..batch, first - 1..length - 1]);
        let next = tokens.clone().slice([0..batch, first..length]).unsqueeze_dim(2);
        logs.gather(2, next).mean().neg()
    }
}

/// The inner loss predicts the support; the outer loss is that of the last query token plus a tenth of the inner.
#[derive(Clone, Copy, Debug)]
pub struct LanguageModel;

impl Problem for LanguageModel {
    type Outer = Transformers;
    type Inner = Transformers;
    type Task = TextSets;

    fn init<B: Backend>(&self, outer: &Transformer<B>, _task: &Texts<B>) -> Transformer<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Transformer<B>,
        _outer: &Transformer<B>,
        task: &Texts<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        inner.loss(&task.support, 1)
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Transformer<B>,
        _outer: &Transformer<B>,
        task: &Texts<B>,
    ) -> Tensor<B, 1> {
        let last = task.query.dims()[1] - 1;
        inner.loss(&task.query, last) + inner.loss(&task.support, 1) * 0.1
    }
}
