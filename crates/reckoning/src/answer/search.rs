//! Generation: the most likely token each time, or the best of several continuations kept alive.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::beams::{beam_search_all, best_extensions};
use super::{AnswerError, Prompt};

/// When a continuation stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Most tokens generated, the end of the text among them; at least 1.
    pub tokens: usize,
    /// The token that ends a text.
    pub end: u32,
}

/// How many continuations are kept, and how those of different length compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeamSearch {
    /// Continuations kept, at least 1. The paper's evaluation keeps 5.
    pub beams: usize,
    /// Continuations are ordered by the sum of their log-probabilities over their own length, without the prompt's, to this
    /// power. 1 compares means. 0 compares sums, by which an answer that recites no facts, such as `none`, comes before likelier
    /// ones that have to. The `generate` of Hugging Face that the official code calls has 1 where nothing is said, but took the
    /// length of prompt and continuation together until the end of 2023.
    pub length_penalty: f64,
}

impl Default for BeamSearch {
    fn default() -> Self {
        Self { beams: 5, length_penalty: 1.0 }
    }
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Its tokens, without the end of the text.
    pub tokens: Vec<u32>,
    /// `log p` of the tokens and, where it was reached, the end of the text.
    pub log_probability: f64,
    /// Whether the end of the text was reached within the limit.
    pub finished: bool,
}

impl Generated {
    /// Tokens generated, the end of the text among them.
    pub(super) fn length(&self) -> usize {
        self.tokens.len() + usize::from(self.finished)
    }
}

impl<B: Backend> Prompt<'_, B> {
    /// The continuation by the most likely token each time, the one with the lowest number among equals.
    ///
    /// # Errors
    /// [`AnswerError::TooLong`] if prompt and limit exceed the context, [`AnswerError::Nothing`] for a limit of 0,
    /// and as [`Prompt::read`].
    pub fn greedy(&self, limit: Limit) -> Result<Generated, AnswerError> {
        self.check_limit(limit)?;
        let mut prompt = self.clone();
        let mut generated = Generated { tokens: Vec::new(), log_probability: 0.0, finished: false };
        loop {
            let best = best_extensions([(prompt.next(), 0.0)], 1)[0];
            generated.log_probability += prompt.next()[best.token as usize];
            if best.token == limit.end {
                generated.finished = true;
                return Ok(generated);
            }
            generated.tokens.push(best.token);
            if generated.tokens.len() == limit.tokens {
                return Ok(generated);
            }
            prompt = prompt.then(&[best.token])?;
        }
    }

    /// The best continuations that beam search finds, best first, at most as many as there are beams. With one beam and
    /// no length penalty this is [`Self::greedy`]. A continuation that the limit cuts off competes with those that
    /// ended. The search goes on until no live continuation can come before those that ended; the official code stops as soon
    /// as there are as many of these as beams (`early_stopping=True`).
    ///
    /// # Errors
    /// As [`Self::greedy`]; [`AnswerError::Nothing`] for no beam and [`AnswerError::LengthPenalty`] for a negative one.
    pub fn beam_search(
        &self,
        search: BeamSearch,
        limit: Limit,
    ) -> Result<Vec<Generated>, AnswerError> {
        let found = beam_search_all(&[(self, limit)], search)?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(super) fn check_limit(&self, limit: Limit) -> Result<(), AnswerError> {
        match limit.tokens {
            0 => Err(AnswerError::Nothing { what: "the limit of an answer", value: "0" }),
            tokens => self.check_room(tokens),
        }
    }
}

impl BeamSearch {
    pub(super) fn check(&self) -> Result<(), AnswerError> {
        if self.beams == 0 {
            return Err(AnswerError::Nothing { what: "the number of beams", value: "0" });
        }
        match self.length_penalty >= 0.0 && self.length_penalty.is_finite() {
            true => Ok(()),
            false => Err(AnswerError::LengthPenalty(self.length_penalty)),
        }
    }

    fn score(&self, log_probability: f64, length: usize) -> f64 {
        log_probability / (length as f64).powf(self.length_penalty)
    }

    /// Sorts the ended paths, best first, and drops those beyond the number of beams.
    pub(super) fn keep_best(&self, ended: &mut Vec<Generated>) {
        let score = |path: &Generated| self.score(path.log_probability, path.length());
        ended.sort_by(|a, b| score(b).total_cmp(&score(a)));
        ended.truncate(self.beams);
    }

    /// Whether no live path can come before the worst of the ended ones any more. A sum only falls as a path grows, and
    /// its score is at best that sum over the greatest length.
    pub(super) fn is_settled<'a>(
        &self,
        ended: &[Generated],
        mut live: impl Iterator<Item = &'a Generated>,
        limit: Limit,
    ) -> bool {
        let Some(worst) = ended.get(self.beams - 1) else { return false };
        let worst = self.score(worst.log_probability, worst.length());
        live.all(|path| self.score(path.log_probability, limit.tokens) <= worst)
    }
}

#[cfg(test)]
mod tests;
