//! What a model has read.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::tensors::to_f64;

use super::AnswerError;
use crate::model::{Cache, Gpt2};

/// Tokens that a model has read, and what it expects next.
pub struct Prompt<'m, B: Backend> {
    model: &'m Gpt2<B>,
    cache: Cache<B>,
    read: usize,
    /// `log p(token | tokens read)`, `[vocabulary]`.
    next: Vec<f64>,
}

impl<'m, B: Backend> Prompt<'m, B> {
    /// Lets `model` read `tokens`.
    ///
    /// # Errors
    /// [`AnswerError::EmptyPrompt`], [`AnswerError::TooLong`] for more tokens than the model's context,
    /// [`AnswerError::UnknownToken`], and [`AnswerError::NotFinite`].
    pub fn read(model: &'m Gpt2<B>, tokens: &[u32]) -> Result<Self, AnswerError> {
        if tokens.is_empty() {
            return Err(AnswerError::EmptyPrompt);
        }
        Self { model, cache: model.cache(), read: 0, next: Vec::new() }.then(tokens)
    }

    /// The prompt with `tokens` read after it; this one stays as it is.
    ///
    /// # Errors
    /// As [`Self::read`], but for an empty list, which changes nothing.
    pub fn then(&self, tokens: &[u32]) -> Result<Self, AnswerError> {
        let Some(last) = tokens.len().checked_sub(1) else { return Ok(self.clone()) };
        let mut after = self.clone();
        let hidden = after.advance(tokens)?;
        after.next = log_probabilities(after.model, hidden.narrow(0, last, 1), after.read)?;
        Ok(after)
    }

    /// `log p(token | tokens read)` for every token, `[vocabulary]`.
    pub fn next(&self) -> &[f64] {
        &self.next
    }

    /// Tokens read.
    pub fn tokens_read(&self) -> usize {
        self.read
    }

    /// `log p(tokens | tokens read)`, of all of them together.
    ///
    /// # Errors
    /// [`AnswerError::TooLong`], [`AnswerError::UnknownToken`], and [`AnswerError::NotFinite`].
    pub fn log_probability(&self, tokens: &[u32]) -> Result<f64, AnswerError> {
        self.check_tokens(tokens)?;
        let Some((&first, rest)) = tokens.split_first() else { return Ok(0.0) };
        let mut log_probability = self.next[first as usize];
        if rest.is_empty() {
            return Ok(log_probability);
        }
        let mut reading = self.clone();
        // The last token is predicted, but need not be read.
        let hidden = reading.advance(&tokens[..rest.len()])?;
        let all = log_probabilities(reading.model, hidden, reading.read)?;
        let after_each = all.chunks(self.next.len());
        log_probability +=
            after_each.zip(rest).map(|(next, &token)| next[token as usize]).sum::<f64>();
        Ok(log_probability)
    }

    /// Refuses an answer of up to `tokens` tokens that does not fit the context. The last one need not be read.
    pub(crate) fn check_room(&self, tokens: usize) -> Result<(), AnswerError> {
        let (more, context) = (tokens.saturating_sub(1), self.model.context());
        match self.read + more > context {
            true => Err(AnswerError::TooLong { read: self.read, more, context }),
            false => Ok(()),
        }
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), AnswerError> {
        let vocabulary = self.model.token_embedding.weight.dims()[0];
        match tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(&token) => Err(AnswerError::UnknownToken { token, vocabulary }),
            None => Ok(()),
        }
    }

    /// Reads `tokens`, at least one: their hidden states, `[tokens, width]`.
    fn advance(&mut self, tokens: &[u32]) -> Result<Tensor<B, 2>, AnswerError> {
        self.check_room(tokens.len() + 1)?;
        self.check_tokens(tokens)?;
        let numbers = tokens.iter().map(|&token| token as i32).collect();
        let row = TensorData::new::<i32, _>(numbers, [1, tokens.len()]);
        let row = Tensor::from_data(row, &self.model.token_embedding.weight.device());
        self.read += tokens.len();
        Ok(self.model.hidden_after(row, &mut self.cache))
    }

    pub(super) fn model(&self) -> &'m Gpt2<B> {
        self.model
    }

    pub(super) fn cache(&self) -> &Cache<B> {
        &self.cache
    }
}

/// Of the next token after each hidden state: `[rows, width]` to `[rows, vocabulary]`, row after row. The
/// normalisation is in double precision, whatever the model's. `read` is for the message.
pub(super) fn log_probabilities<B: Backend>(
    model: &Gpt2<B>,
    hidden: Tensor<B, 2>,
    read: usize,
) -> Result<Vec<f64>, AnswerError> {
    let logits = model.logits(hidden);
    let vocabulary = logits.dims()[1];
    let mut scores = to_f64(&logits);
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(AnswerError::NotFinite { read });
    }
    for row in scores.chunks_mut(vocabulary) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = row.iter().map(|score| (score - largest).exp()).sum::<f64>();
        let normalizer = largest + total.ln();
        row.iter_mut().for_each(|score| *score -= normalizer);
    }
    Ok(scores)
}

impl<B: Backend> Clone for Prompt<'_, B> {
    fn clone(&self) -> Self {
        Self {
            model: self.model,
            cache: self.cache.clone(),
            read: self.read,
            next: self.next.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;
    use burn::tensor::activation::log_softmax;
    use proptest::prelude::*;

    use super::*;
    use crate::test_systems::{VOCABULARY, model};

    /// Row `i` has `log p` after the first `i + 1` tokens, computed without cache.
    fn uncached(model: &Gpt2<Flex>, tokens: &[u32]) -> Vec<Vec<f64>> {
        let numbers: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        let row = TensorData::new(numbers, [1, tokens.len()]);
        let hidden = model.hidden(Tensor::from_data(row, &Default::default()));
        to_f64(&log_softmax(model.logits(hidden), 1))
            .chunks(VOCABULARY)
            .map(<[f64]>::to_vec)
            .collect()
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    fn tokens(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(0..VOCABULARY as u32, length)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn reading_in_parts_is_reading_at_once(seed in 0u64..9, first in tokens(1..5), second in tokens(0..4), third in tokens(0..4)) {
            let model = model(seed);
            let all = [first.clone(), second.clone(), third.clone()].concat();
            let expected = uncached(&model, &all);
            let prompt = Prompt::read(&model, &first).unwrap();
            let parts = prompt.then(&second).unwrap().then(&third).unwrap();
            prop_assert_eq!(parts.tokens_read(), all.len());
            prop_assert!(largest_difference(parts.next(), &expected[all.len() - 1]) < 1e-5);
            // The prompt itself has read no more.
            prop_assert!(largest_difference(prompt.next(), &expected[first.len() - 1]) < 1e-5);

            let rest = &all[first.len()..];
            let terms = rest.iter().zip(&expected[first.len() - 1..]);
            let sum: f64 = terms.map(|(&token, next)| next[token as usize]).sum();
            prop_assert!((prompt.log_probability(rest).unwrap() - sum).abs() < 1e-4);
        }
    }

    #[test]
    fn a_context_may_be_full_but_not_fuller() {
        let model = model(0);
        let full = vec![1; model.context()];
        let prompt = Prompt::read(&model, &full).unwrap();
        assert!(prompt.log_probability(&[3]).is_ok());
        assert!(matches!(
            prompt.log_probability(&[3, 4]),
            Err(AnswerError::TooLong { read: 12, more: 1, context: 12 })
        ));
        let error = prompt.then(&[1]).err().unwrap();
        assert!(
            error.to_string().contains("a context of 13") && error.to_string().contains("shorten"),
            "{error}"
        );
        assert!(matches!(
            Prompt::read(&model, &[full, vec![1]].concat()),
            Err(AnswerError::TooLong { .. })
        ));
    }

    #[test]
    fn tokens_must_be_some_and_known() {
        let model = model(0);
        assert!(matches!(Prompt::read(&model, &[]), Err(AnswerError::EmptyPrompt)));
        assert!(matches!(
            Prompt::read(&model, &[1, 11]),
            Err(AnswerError::UnknownToken { token: 11, vocabulary: 11 })
        ));
        let prompt = Prompt::read(&model, &[1]).unwrap();
        assert!(matches!(
            prompt.log_probability(&[u32::MAX]),
            Err(AnswerError::UnknownToken { .. })
        ));
    }

    #[test]
    fn diverged_weights_are_an_error() {
        let mut model = model(0);
        let scale = model.final_norm.gamma.val() * f32::NAN;
        model.final_norm.gamma = Param::from_tensor(scale);
        assert!(matches!(Prompt::read(&model, &[1, 2]), Err(AnswerError::NotFinite { read: 2 })));
    }
}
