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
    /// Position of each row's first token, `[rows]`, in training with shifted positions; 0 for `None`.
    pub first: Option<Tensor<B, 1, Int>>,
}

/// What the inner loop reads and what the outer loop asks: one knowledge set, or several that share a graph.
#[derive(Module, Debug)]
pub struct Task<B: Backend> {
    /// Each fact a row, an equal number of rows for each copy; none for a baseline that reads facts in its context.
    pub facts: Option<Rows<B>>,
    /// Each question with its target a row, an equal number of rows for each copy.
    pub questions: Rows<B>,
    /// Copies of the model that facts are written into, one for each knowledge set. Sets that are only asked share one.
    pub copies: usize,
    /// What the loss of a copy counts in the outer loss. The inner loss is the sum of the copies' losses.
    pub share: f64,
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

impl<B: Backend> Task<B> {
    /// One knowledge set.
    pub fn of_one(facts: Option<Rows<B>>, questions: Rows<B>) -> Self {
        Self { facts, questions, copies: 1, share: 1.0 }
    }
}

impl<B: Backend> Rows<B> {
    /// Batches sequences, padding inputs with `padding`.
    ///
    /// # Panics
    /// If there is no sequence, one is shorter than two tokens, or none has a weight.
    pub fn new(sequences: &[Sequence], padding: u32, device: &Device<B>) -> Self {
        Self::of_each(&[sequences], padding, device)
    }

    /// [`Self::new`] of several groups, one below the other. Groups with fewer rows or predictions than others get some that
    /// count nothing, so that each has the same number.
    ///
    /// # Panics
    /// If there is no group, or as [`Self::new`] for one of them.
    pub fn of_each(groups: &[&[Sequence]], padding: u32, device: &Device<B>) -> Self {
        let lengths = groups.iter().flat_map(|group| group.iter()).map(|s| s.tokens.len());
        let length = lengths.max().expect("at least one sequence") - 1;
        let rows = groups.iter().map(|group| group.len()).max().unwrap_or_default();
        let parts = groups.iter().enumerate();
        let mut parts: Vec<Part> = parts
            .map(|(group, sequences)| Part::of(sequences, group * rows, length, padding))
            .collect();
        let most = parts.iter().map(|part| part.targets.len()).max().unwrap_or_default();
        for (group, part) in parts.iter_mut().enumerate() {
            part.tokens.resize(rows * length, padding as i32);
            part.positions.resize(most, (group * rows * length) as i32);
            part.targets.resize(most, padding as i32);
            part.weights.resize(most, 0.0);
        }
        let predictions = groups.len() * most;
        let numbers =
            |of: fn(&Part) -> &[i32]| parts.iter().flat_map(of).copied().collect::<Vec<_>>();
        let weights: Vec<f32> =
            parts.iter().flat_map(|part| part.weights.iter().copied()).collect();
        let (tokens, positions, targets) = (
            numbers(|part| &part.tokens),
            numbers(|part| &part.positions),
            numbers(|part| &part.targets),
        );
        Self {
            tokens: Tensor::from_data(
                TensorData::new(tokens, [groups.len() * rows, length]),
                device,
            ),
            positions: Tensor::from_data(TensorData::new(positions, [predictions]), device),
            targets: Tensor::from_data(TensorData::new(targets, [predictions, 1]), device),
            weights: Tensor::from_data(TensorData::new(weights, [predictions]), device),
            first: None,
        }
    }

    /// The longest row in tokens.
    pub fn length(&self) -> usize {
        self.tokens.dims()[1]
    }

    /// The rows with the first token of each at its position of `first`.
    ///
    /// # Panics
    /// If these are not as many as rows.
    pub fn shifted(self, first: &[usize]) -> Self {
        assert_eq!(first.len(), self.tokens.dims()[0], "a position for each row");
        let first: Vec<i32> = first.iter().map(|&place| place as i32).collect();
        let first = TensorData::new(first, [self.tokens.dims()[0]]);
        Self { first: Some(Tensor::from_data(first, &self.tokens.device())), ..self }
    }

    /// `- sum_i weight_i log p(target_i)`, `[1]`.
    pub fn loss(&self, model: &Gpt2<B>) -> Tensor<B, 1> {
        let hidden = match &self.first {
            Some(first) => model.hidden_from(first.clone(), self.tokens.clone()),
            None => model.hidden(self.tokens.clone()),
        };
        let hidden = hidden.select(0, self.positions.clone());
        let scores = log_softmax(model.logits(hidden), 1);
        let picked = scores.gather(1, self.targets.clone()).flatten::<1>(0, 1);
        (picked * self.weights.clone()).sum().neg()
    }
}

/// The sequences of one group.
struct Part {
    tokens: Vec<i32>,
    positions: Vec<i32>,
    targets: Vec<i32>,
    weights: Vec<f32>,
}

impl Part {
    /// `sequences` as rows of `length` tokens, the first of which is row `first` of the batch.
    fn of(sequences: &[Sequence], first: usize, length: usize, padding: u32) -> Self {
        let mut part = Self {
            tokens: Vec::new(),
            positions: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
        };
        for (row, sequence) in sequences.iter().enumerate() {
            let inputs = sequence.tokens.len() - 1;
            part.tokens.extend(sequence.tokens[..inputs].iter().map(|&token| token as i32));
            part.tokens.extend(std::iter::repeat_n(padding as i32, length - inputs));
            for place in (0..inputs).filter(|place| sequence.weights[place + 1] != 0.0) {
                part.positions.push(((first + row) * length + place) as i32);
                part.targets.push(sequence.tokens[place + 1] as i32);
                part.weights.push(sequence.weights[place + 1]);
            }
        }
        assert!(!part.targets.is_empty(), "at least one token to predict");
        part
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::test_systems::model;

    #[test]
    fn every_row_begins_at_its_own_position() {
        let (model, device) = (model(1), Default::default());
        let sequence =
            |tokens: [u32; 3]| Sequence { tokens: tokens.to_vec(), weights: vec![0.0, 1.0, 1.0] };
        let [one, other] = [sequence([1, 2, 3]), sequence([3, 1, 2])];
        let loss = |sequences: &[Sequence], first: &[usize]| {
            let rows = Rows::<Flex>::new(sequences, 0, &device).shifted(first);
            rows.loss(&model).into_scalar()
        };
        let apart = |first: [usize; 2]| {
            loss(std::slice::from_ref(&one), &first[..1])
                + loss(std::slice::from_ref(&other), &first[1..])
        };
        let together = |first: [usize; 2]| loss(&[one.clone(), other.clone()], &first);
        for first in [[0, 0], [0, 3], [4, 1]] {
            assert!((together(first) - apart(first)).abs() < 1e-5, "{first:?}");
        }
        assert!((together([0, 3]) - together([0, 0])).abs() > 1e-4);
        let plain = Rows::<Flex>::new(&[one.clone(), other.clone()], 0, &device);
        assert!((plain.loss(&model).into_scalar() - together([0, 0])).abs() < 1e-6);
    }
}
