//! Prompts and answers as texts.

use burn::tensor::backend::Backend;
use serde::Serialize;

use super::{AnswerError, BeamSearch, Generated, LabelLikelihood, Limit, Prompt, beam_search_all};
use crate::model::Gpt2;
use crate::tokenizer::Tokenizer;

/// A model with its tokenizer.
pub struct Reader<'m, B: Backend> {
    /// The model.
    pub model: &'m Gpt2<B>,
    /// The tokenizer that it was trained with.
    pub tokenizer: &'m Tokenizer,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The text, without its end.
    pub text: String,
    /// `log p(answer | prompt)`.
    pub log_probability: f64,
    /// Whether the text came to its end within the limit.
    pub finished: bool,
}

impl<'m, B: Backend> Reader<'m, B> {
    /// Reads a text.
    ///
    /// # Errors
    /// [`AnswerError::Tokenizer`] for a word outside the vocabulary, and as [`Prompt::read`].
    pub fn read(&self, text: &str) -> Result<Prompt<'m, B>, AnswerError> {
        Prompt::read(self.model, &self.tokenizer.encode(text)?)
    }

    /// Reads on, with a space between the two texts where the tokenizer knows spaces.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn then(&self, prompt: &Prompt<'m, B>, text: &str) -> Result<Prompt<'m, B>, AnswerError> {
        prompt.then(&self.tokenizer.encode_after(text)?)
    }

    /// The greedy continuation of at most `tokens` tokens.
    ///
    /// # Errors
    /// As [`Prompt::greedy`].
    pub fn greedy(&self, prompt: &Prompt<'m, B>, tokens: usize) -> Result<Answer, AnswerError> {
        self.answer(prompt.greedy(self.limit(tokens))?)
    }

    /// The best continuations of at most `tokens` tokens, best first.
    ///
    /// # Errors
    /// As [`Prompt::beam_search`].
    pub fn beam_search(
        &self,
        prompt: &Prompt<'m, B>,
        search: BeamSearch,
        tokens: usize,
    ) -> Result<Vec<Answer>, AnswerError> {
        let found = prompt.beam_search(search, self.limit(tokens))?;
        found.into_iter().map(|generated| self.answer(generated)).collect()
    }

    /// The best continuation of each of several prompts, of at most so many tokens, searched for together.
    ///
    /// # Errors
    /// As [`beam_search_all`].
    pub fn best_of_each(
        &self,
        prompts: &[(Prompt<'m, B>, usize)],
        search: BeamSearch,
    ) -> Result<Vec<Answer>, AnswerError> {
        let asked: Vec<_> =
            prompts.iter().map(|(prompt, tokens)| (prompt, self.limit(*tokens))).collect();
        let found = beam_search_all(&asked, search)?;
        let best = found.into_iter().map(|all| all.into_iter().next());
        best.map(|best| self.answer(best.expect("a search finds at least one"))).collect()
    }

    /// How likely each of `labels` is as the beginning of the answer.
    ///
    /// # Errors
    /// [`AnswerError::Tokenizer`] for a word outside the vocabulary, and as [`Prompt::label_likelihood`].
    pub fn label_likelihood<L: AsRef<str>>(
        &self,
        prompt: &Prompt<'m, B>,
        labels: &[L],
    ) -> Result<LabelLikelihood, AnswerError> {
        let encode = |label: &L| self.tokenizer.encode_after(label.as_ref());
        let labels = labels.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        prompt.label_likelihood(&labels)
    }

    fn limit(&self, tokens: usize) -> Limit {
        Limit { tokens, end: self.tokenizer.end_of_text() }
    }

    fn answer(&self, generated: Generated) -> Result<Answer, AnswerError> {
        let Generated { tokens, log_probability, finished } = generated;
        Ok(Answer {
            text: self.tokenizer.decode(&tokens)?.trim().to_owned(),
            log_probability,
            finished,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_systems::{VOCABULARY, model};
    use crate::tokenizer::WordTokenizer;

    fn tokenizer() -> Tokenizer {
        let words = (2..VOCABULARY).map(|word| format!("w{word:02}"));
        Tokenizer::Word(WordTokenizer::from_words(words).unwrap())
    }

    #[test]
    fn texts_are_answered_as_their_tokens_are() {
        let (model, tokenizer) = (model(4), tokenizer());
        let reader = Reader { model: &model, tokenizer: &tokenizer };
        let prompt = reader.then(&reader.read("w02 w05").unwrap(), "w09").unwrap();
        let tokens = Prompt::read(&model, &[2, 5, 9]).unwrap();
        let limit = Limit { tokens: 4, end: tokenizer.end_of_text() };
        let (answer, expected) =
            (reader.greedy(&prompt, 4).unwrap(), tokens.greedy(limit).unwrap());
        assert_eq!(answer.text, tokenizer.decode(&expected.tokens).unwrap());
        assert!((answer.log_probability - expected.log_probability).abs() < 1e-5);
        let found = reader.beam_search(&prompt, BeamSearch::default(), 4).unwrap();
        assert_eq!(found.len(), 5);
        let each = reader
            .best_of_each(&[(prompt.clone(), 4), (prompt.clone(), 1)], BeamSearch::default())
            .unwrap();
        assert_eq!((&each[0].text, each.len()), (&found[0].text, 2));
        let likelihood = reader.label_likelihood(&prompt, &["w03", "w04 w05"]).unwrap();
        assert!((likelihood.log_probabilities[0] - tokens.next()[3]).abs() < 1e-5);
    }

    #[test]
    fn words_nobody_knows_are_errors() {
        let (model, tokenizer) = (model(4), tokenizer());
        let reader = Reader { model: &model, tokenizer: &tokenizer };
        assert!(matches!(reader.read("cousin"), Err(AnswerError::Tokenizer(_))));
        assert!(matches!(reader.read(" "), Err(AnswerError::EmptyPrompt)));
        let prompt = reader.read("w02").unwrap();
        assert!(matches!(
            reader.label_likelihood(&prompt, &["yes"]),
            Err(AnswerError::Tokenizer(_))
        ));
    }
}
