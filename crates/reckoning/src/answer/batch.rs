//! Texts of equal length that one model reads on together.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::AnswerError;
use super::prompt::{Prompt, log_probabilities};
use crate::model::{Cache, Gpt2};

/// Rows of tokens that a model has read, and what it expects next in each.
pub(super) struct Batch<'m, B: Backend> {
    model: &'m Gpt2<B>,
    cache: Cache<B>,
    read: usize,
    /// `log p(token | tokens read)` row after row.
    next: Vec<f64>,
    vocabulary: usize,
}

impl<'m, B: Backend> Batch<'m, B> {
    /// Prompts of the same model and length, at least one, a row each.
    pub(super) fn of(prompts: &[&Prompt<'m, B>]) -> Self {
        let caches: Vec<&Cache<B>> = prompts.iter().map(|prompt| prompt.cache()).collect();
        Self {
            model: prompts[0].model(),
            cache: Cache::together(&caches),
            read: prompts[0].tokens_read(),
            next: prompts.iter().flat_map(|prompt| prompt.next().iter().copied()).collect(),
            vocabulary: prompts[0].next().len(),
        }
    }

    /// `log p(token | tokens read)` for every token, in one row.
    pub(super) fn next(&self, row: usize) -> &[f64] {
        &self.next[row * self.vocabulary..(row + 1) * self.vocabulary]
    }

    /// A row for each of `extensions`: the row that it continues, with its token read.
    pub(super) fn then(&self, extensions: &[(usize, u32)]) -> Result<Self, AnswerError> {
        let device = self.model.token_embedding.weight.device();
        let rows: Vec<usize> = extensions.iter().map(|(row, _)| *row).collect();
        let tokens = extensions.iter().map(|(_, token)| *token as i32).collect();
        let tokens = TensorData::new::<i32, _>(tokens, [rows.len(), 1]);
        let mut cache = self.cache.rows(&rows);
        let hidden = self.model.hidden_after(Tensor::from_data(tokens, &device), &mut cache);
        let read = self.read + 1;
        let next = log_probabilities(self.model, hidden, read)?;
        Ok(Self { cache, read, next, ..*self })
    }
}
