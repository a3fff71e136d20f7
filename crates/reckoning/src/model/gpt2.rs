//! The transformer (Radford et al. 2019): pre-norm blocks, learned positions, tanh-GELU.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use inner_outer::{AdaptedLinear, family, layers};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::attention::{Attention, KeyValues, future};
use super::config::{Initialization, ModelConfig};

/// Two projections with a tanh-GELU between them.
#[derive(Module, Debug)]
pub struct FeedForward<B: Backend> {
    /// `[width, 4 width]`.
    pub input: AdaptedLinear<B>,
    /// `[4 width, width]`.
    pub output: AdaptedLinear<B>,
}

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    /// Before attention.
    pub attention_norm: LayerNorm<B>,
    /// Self-attention.
    pub attention: Attention<B>,
    /// Before the feed-forward layer.
    pub feed_forward_norm: LayerNorm<B>,
    /// Feed-forward layer.
    pub feed_forward: FeedForward<B>,
}

/// A GPT-2 language model.
#[derive(Module, Debug)]
pub struct Gpt2<B: Backend> {
    /// `[vocabulary, width]`.
    pub token_embedding: Embedding<B>,
    /// `[context, width]`.
    pub position_embedding: Embedding<B>,
    /// Transformer blocks.
    pub blocks: Vec<Block<B>>,
    /// Before the head.
    pub final_norm: LayerNorm<B>,
    /// `[width, vocabulary]`; the transposed token embedding where absent.
    pub head: Option<Linear<B>>,
}

family!(
    /// GPT-2 on every backend.
    pub Gpt2Family => Gpt2
);

/// What a model remembers of a prefix, one entry a block.
pub struct Cache<B: Backend> {
    blocks: Vec<Option<KeyValues<B>>>,
    tokens: usize,
}

impl<B: Backend> FeedForward<B> {
    /// `[rows, width]` to the same shape.
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.output.forward(layers::gelu_tanh(self.input.forward(x)))
    }
}

impl<B: Backend> Gpt2<B> {
    /// A model with weights drawn from `random`, adapters last: the others do not depend on whether there are any.
    ///
    /// # Panics
    /// If [`ModelConfig::check`] refuses the configuration.
    pub fn new(config: &ModelConfig, random: &mut ChaCha8Rng, device: &Device<B>) -> Self {
        config.check().expect("the configuration was checked");
        let mut draw = Draw { config, random, device };
        let ModelConfig { width, layers, .. } = *config;
        let model = Self {
            token_embedding: draw.embedding(config.vocabulary),
            position_embedding: draw.embedding(config.context),
            blocks: (0..layers).map(|_| draw.block()).collect(),
            final_norm: draw.norm(),
            head: (!config.tied_head).then(|| draw.head(width, config.vocabulary)),
        };
        match config.lora {
            Some(lora) => model.with_adapters(lora, random),
            None => model,
        }
    }

    /// The last hidden state of each token: `[batch, tokens]` to `[batch tokens, width]`.
    pub fn hidden(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let places = self.places(tokens.dims(), 0);
        self.run(tokens, places, None)
    }

    /// [`Self::hidden`] with the first token of each row at its position of `first`, `[batch]`, instead of 0; of one model, not of
    /// several copies. No row may end beyond the context.
    pub fn hidden_from(&self, first: Tensor<B, 1, Int>, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, length] = tokens.dims();
        let along = Tensor::arange(0..length as i64, &tokens.device()).unsqueeze_dim::<2>(0);
        let positions = (first.unsqueeze_dim(1) + along).reshape([batch * length]);
        let places = layers::embedding(&self.position_embedding, positions);
        self.run(tokens, places, None)
    }

    /// [`Self::hidden`] of the tokens that follow the cached ones; they are added to the cache.
    pub fn hidden_after(&self, tokens: Tensor<B, 2, Int>, cache: &mut Cache<B>) -> Tensor<B, 2> {
        let places = self.places(tokens.dims(), cache.tokens);
        self.run(tokens, places, Some(cache))
    }

    /// An empty cache.
    pub fn cache(&self) -> Cache<B> {
        Cache { blocks: self.blocks.iter().map(|_| None).collect(), tokens: 0 }
    }

    /// Scores of the next token: `[rows, width]` to `[rows, vocabulary]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.head {
            Some(head) => layers::linear(head, hidden),
            None => {
                let (copies, [rows, width]) = (self.copies(), hidden.dims());
                let words =
                    self.token_embedding.weight.val().reshape([copies as i32, -1, width as i32]);
                let hidden: Tensor<B, 3> = hidden.reshape([copies, rows / copies, width]);
                hidden.matmul(words.swap_dims(1, 2)).reshape([rows as i32, -1])
            }
        }
    }

    /// The longest sequence in tokens.
    pub fn context(&self) -> usize {
        self.position_embedding.weight.dims()[0] / self.copies()
    }

    /// The model for `copies` tasks in one graph ([`inner_outer::copies`]): the first of equal parts of a batch meets the
    /// first copy, and so on.
    pub fn of_each(&self, copies: usize) -> Self {
        inner_outer::copies::of_each(self.clone(), copies)
    }

    fn copies(&self) -> usize {
        self.final_norm.gamma.dims()[0] / self.token_embedding.weight.dims()[1]
    }

    /// Words, `[batch, tokens]` to `[batch tokens, width]`.
    fn words(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let ([batch, length], copies) = (tokens.dims(), self.copies());
        let rows = self.token_embedding.weight.dims()[0];
        let mut tokens = tokens.reshape([copies, batch / copies * length]);
        if copies > 1 {
            let tables =
                Tensor::arange(0..copies as i64, &tokens.device()) * (rows / copies) as i64;
            tokens = tokens + tables.reshape([copies, 1]);
        }
        layers::embedding(&self.token_embedding, tokens.reshape([batch * length]))
    }

    /// The positions from `first` on of every row, `[batch tokens, width]`.
    fn places(&self, [batch, length]: [usize; 2], first: usize) -> Tensor<B, 2> {
        let (copies, width) = (self.copies(), self.token_embedding.weight.dims()[1]);
        let tables = self.position_embedding.weight.val().reshape([copies, self.context(), width]);
        let places = tables.narrow(1, first, length).reshape([copies, 1, length * width]);
        places.repeat_dim(1, batch / copies).reshape([batch * length, width])
    }

    fn run(
        &self,
        tokens: Tensor<B, 2, Int>,
        places: Tensor<B, 2>,
        mut cache: Option<&mut Cache<B>>,
    ) -> Tensor<B, 2> {
        let [batch, length] = tokens.dims();
        let device = tokens.device();
        let past = cache.as_ref().map_or(0, |cache| cache.tokens);
        let mask = future(past, length, &device);
        let mut x = self.words(tokens) + places;
        for (index, block) in self.blocks.iter().enumerate() {
            let remembered = cache.as_mut().map(|cache| &mut cache.blocks[index]);
            let normal = layers::layer_norm(&block.attention_norm, x.clone());
            x = x + block.attention.forward(normal, batch, mask.clone(), remembered);
            let normal = layers::layer_norm(&block.feed_forward_norm, x.clone());
            x = x + block.feed_forward.forward(normal);
        }
        if let Some(cache) = cache {
            cache.tokens += length;
        }
        layers::layer_norm(&self.final_norm, x)
    }
}

impl<B: Backend> Cache<B> {
    /// The cache of several sequences of equal length, at least one, to be read on together.
    pub(crate) fn together(caches: &[&Self]) -> Self {
        let block = |index: usize| {
            let parts = caches.iter().map(|cache| cache.blocks[index].as_ref());
            parts.collect::<Option<Vec<_>>>().map(KeyValues::together)
        };
        let first = caches[0];
        Self { blocks: (0..first.blocks.len()).map(block).collect(), tokens: first.tokens }
    }

    /// The cache of some of the sequences, in the given order; one may be there several times.
    pub(crate) fn rows(&self, rows: &[usize]) -> Self {
        let numbers: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let block = |block: &Option<KeyValues<B>>| {
            block.as_ref().map(|past| {
                let numbers = TensorData::new(numbers.clone(), [rows.len()]);
                past.rows(Tensor::from_data(numbers, &past.device()))
            })
        };
        Self { blocks: self.blocks.iter().map(block).collect(), tokens: self.tokens }
    }

    /// The cache of one sequence as that of `copies` equal ones, to go on in different ways.
    pub fn repeat(&self, copies: usize) -> Self {
        let repeat = |block: &Option<KeyValues<B>>| block.as_ref().map(|past| past.repeat(copies));
        Self { blocks: self.blocks.iter().map(repeat).collect(), tokens: self.tokens }
    }
}

impl<B: Backend> Clone for Cache<B> {
    fn clone(&self) -> Self {
        Self { blocks: self.blocks.clone(), tokens: self.tokens }
    }
}

/// Draws the weights of a model, in a fixed order, from one generator.
struct Draw<'a, B: Backend> {
    config: &'a ModelConfig,
    random: &'a mut ChaCha8Rng,
    device: &'a Device<B>,
}

/// What a weight is for, which decides its scale.
#[derive(Clone, Copy)]
enum Role {
    Embedding,
    Layer,
    Residual,
}

impl<B: Backend> Draw<'_, B> {
    fn weight(&mut self, shape: [usize; 2], role: Role) -> Param<Tensor<B, 2>> {
        let fan_in = (shape[0] as f64).sqrt();
        let deviation = match (self.config.initialization, role) {
            (Initialization::Gpt2, Role::Residual) => {
                0.02 / (2.0 * self.config.layers as f64).sqrt()
            }
            (Initialization::Gpt2, _) => 0.02,
            (Initialization::FanIn, Role::Embedding) => 0.05,
            (Initialization::FanIn, Role::Layer) => 0.7 / fan_in,
            (Initialization::FanIn, Role::Residual) => 0.3 / fan_in,
        };
        let normal = Normal::new(0.0, deviation).expect("a positive deviation");
        let values = (0..shape[0] * shape[1]).map(|_| normal.sample(self.random) as f32).collect();
        Param::from_tensor(Tensor::from_data(TensorData::new::<f32, _>(values, shape), self.device))
    }

    fn embedding(&mut self, rows: usize) -> Embedding<B> {
        let width = self.config.width;
        let mut embedding = EmbeddingConfig::new(rows, width).init(self.device);
        embedding.weight = self.weight([rows, width], Role::Embedding);
        embedding
    }

    fn head(&mut self, width: usize, vocabulary: usize) -> Linear<B> {
        let mut linear = LinearConfig::new(width, vocabulary).with_bias(false).init(self.device);
        linear.weight = self.weight([width, vocabulary], Role::Embedding);
        linear
    }

    fn projection(&mut self, inputs: usize, outputs: usize, role: Role) -> AdaptedLinear<B> {
        let mut linear = LinearConfig::new(inputs, outputs).init(self.device);
        linear.weight = self.weight([inputs, outputs], role);
        linear.bias = Some(Param::from_tensor(Tensor::zeros([outputs], self.device)));
        AdaptedLinear { linear, lora: None }
    }

    fn norm(&self) -> LayerNorm<B> {
        LayerNormConfig::new(self.config.width)
            .with_epsilon(self.config.norm_epsilon)
            .init(self.device)
    }

    fn block(&mut self) -> Block<B> {
        let width = self.config.width;
        Block {
            attention_norm: self.norm(),
            attention: Attention {
                input: self.projection(width, 3 * width, Role::Layer),
                output: self.projection(width, width, Role::Residual),
                heads: self.config.heads,
            },
            feed_forward_norm: self.norm(),
            feed_forward: FeedForward {
                input: self.projection(width, 4 * width, Role::Layer),
                output: self.projection(4 * width, width, Role::Residual),
            },
        }
    }
}
