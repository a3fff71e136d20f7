//! Knowledge sets as tensors.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use inner_outer::family;

use crate::model::Gpt2;

/// Sequences with a weight for each token that is to be predicted.
#[derive(Module, Debug)]
pub struct Rows<B: Backend> {
    /// Inputs, `[rows, tokens]`, padded on the right.
    pub tokens: Tensor<B, 2, Int>,
    /// Flat positions `row * tokens + token` whose next token is predicted, `[predictions]`.
    pub positions: Tensor<B, 1, Int>,
    /// The next tokens there, `[predictions, 1]`.
    pub targets: Tensor<B, 2, Int>,
    /// Their weights in the loss, `[predictions]`.
    pub weights: Tensor<B, 1>,
    /// Position of every row's first token; 0 but in training with shifted positions.
    pub first: usize,
}

/// One knowledge set: what the inner loop reads and what the outer loop asks.
#[derive(Module, Debug)]
pub struct Task<B: Backend> {
    /// Each fact a row; none for a baseline that reads facts in its context.
    pub facts: Option<Rows<B>>,
    /// Each question with its target a row.
    pub questions: Rows<B>,
}

family!(
    /// Knowledge sets on every backend.
    pub TaskFamily => Task
);

/// One sequence to learn from: all its tokens, and the weight of predicting each (`weights[0]` is never used).
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Tokens, at least two.
    pub tokens: Vec<u32>,
    /// The weight of each token as a target.
    pub weights: Vec<f32>,
}

impl<B: Backend> Rows<B> {
    /// Batches sequences, padding inputs with `padding`.
    ///
    /// # Panics
    /// If there is no sequence, one is shorter than two tokens, or none has a weight.
    pub fn new(sequences: &[Sequence], padding: u32, device: &Device<B>) -> Self {
        let length =
            sequences.iter().map(|s| s.tokens.len()).max().expect("at least one sequence") - 1;
        let mut tokens = Vec::with_capacity(sequences.len() * length);
        let (mut positions, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (row, sequence) in sequences.iter().enumerate() {
            let inputs = sequence.tokens.len() - 1;
            tokens.extend(sequence.tokens[..inputs].iter().map(|&token| token as i32));
            tokens.extend(std::iter::repeat_n(padding as i32, length - inputs));
            for place in 0..inputs {
                if sequence.weights[place + 1] != 0.0 {
                    positions.push((row * length + place) as i32);
                    targets.push(sequence.tokens[place + 1] as i32);
                    weights.push(sequence.weights[place + 1]);
                }
            }
        }
        let predictions = positions.len();
        assert!(predictions > 0, "at least one token to predict");
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, [sequences.len(), length]), device),
            positions: Tensor::from_data(TensorData::new(positions, [predictions]), device),
            targets: Tensor::from_data(TensorData::new(targets, [predictions, 1]), device),
            weights: Tensor::from_data(TensorData::new(weights, [predictions]), device),
            first: 0,
        }
    }

    /// The longest row in tokens.
    pub fn length(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// The rows with their first token at position `first`.
    pub fn shifted(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// `- sum_i weight_i log p(target_i)`, `[1]`.
    pub fn loss(&self, model: &Gpt2<B>) -> Tensor<B, 1> {
        let hidden =
            model.hidden_from(self.first, self.tokens.clone()).select(0, self.positions.clone());
        let scores = log_softmax(model.logits(hidden), 1);
        let picked = scores.gather(1, self.targets.clone()).flatten::<1>(0, 1);
        (picked * self.weights.clone()).sum().neg()
    }
}
