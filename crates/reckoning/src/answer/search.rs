//! Generation: the most likely token each time, or the best of several continuations kept alive.

use std::cmp::Ordering;

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

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
    /// Continuations are ordered by the sum of their log-probabilities over their length to this power. 0 compares
    /// sums; 1 compares means, and longer answers win more often.
    pub length_penalty: f64,
}

impl Default for BeamSearch {
    fn default() -> Self {
        Self { beams: 5, length_penalty: 0.0 }
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
    fn length(&self) -> usize {
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
            let best = extensions([&prompt], &[0.0], 1)[0];
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
    /// ended.
    ///
    /// # Errors
    /// As [`Self::greedy`]; [`AnswerError::Nothing`] for no beam and [`AnswerError::LengthPenalty`] for a negative one.
    pub fn beam_search(
        &self,
        search: BeamSearch,
        limit: Limit,
    ) -> Result<Vec<Generated>, AnswerError> {
        search.check()?;
        self.check_limit(limit)?;
        let start = Generated { tokens: Vec::new(), log_probability: 0.0, finished: false };
        let mut live = vec![(self.clone(), start)];
        let mut ended: Vec<Generated> = Vec::new();
        for _ in 0..limit.tokens {
            let sums: Vec<f64> = live.iter().map(|(_, path)| path.log_probability).collect();
            // Each live path can end only once, so twice the beams leave enough that go on.
            let best = extensions(live.iter().map(|(prompt, _)| prompt), &sums, 2 * search.beams);
            let mut going_on = Vec::new();
            for (rank, extension) in best.into_iter().enumerate() {
                let path = extension.follow(&live[extension.parent].1, limit.end);
                match path.finished {
                    true if rank < search.beams => ended.push(path),
                    false if going_on.len() < search.beams => going_on.push((extension, path)),
                    _ => {}
                }
            }
            search.keep_best(&mut ended);
            let paths = going_on.iter().map(|(_, path)| path);
            if search.is_settled(&ended, paths.clone(), limit) {
                return Ok(ended);
            }
            if going_on.first().is_some_and(|(_, path)| path.length() == limit.tokens) {
                ended.extend(paths.cloned());
                break;
            }
            let read = |(extension, path): (Extension, Generated)| {
                Ok((live[extension.parent].0.then(&[extension.token])?, path))
            };
            live = going_on.into_iter().map(read).collect::<Result<_, AnswerError>>()?;
        }
        search.keep_best(&mut ended);
        Ok(ended)
    }

    fn check_limit(&self, limit: Limit) -> Result<(), AnswerError> {
        match limit.tokens {
            0 => Err(AnswerError::Nothing { what: "the limit of an answer", value: "0" }),
            tokens => self.check_room(tokens),
        }
    }
}

impl BeamSearch {
    fn check(&self) -> Result<(), AnswerError> {
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
    fn keep_best(&self, ended: &mut Vec<Generated>) {
        let score = |path: &Generated| self.score(path.log_probability, path.length());
        ended.sort_by(|a, b| score(b).total_cmp(&score(a)));
        ended.truncate(self.beams);
    }

    /// Whether no live path can come before the worst of the ended ones any more. A sum only falls as a path grows, and
    /// its score is at best that sum over the greatest length.
    fn is_settled<'a>(
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

/// One token more on one of the live paths.
#[derive(Clone, Copy)]
struct Extension {
    parent: usize,
    token: u32,
    log_probability: f64,
}

impl Extension {
    fn follow(&self, parent: &Generated, end: u32) -> Generated {
        let mut tokens = parent.tokens.clone();
        let finished = self.token == end;
        if !finished {
            tokens.push(self.token);
        }
        Generated { tokens, log_probability: self.log_probability, finished }
    }

    /// Best first; among equals the earlier path, then the lower token, so that results do not depend on chance.
    fn order(&self, other: &Self) -> Ordering {
        let by_place = (self.parent, self.token).cmp(&(other.parent, other.token));
        other.log_probability.total_cmp(&self.log_probability).then(by_place)
    }
}

/// The `count` best extensions of paths with the given sums, best first.
fn extensions<'p, 'm: 'p, B: Backend>(
    prompts: impl IntoIterator<Item = &'p Prompt<'m, B>>,
    sums: &[f64],
    count: usize,
) -> Vec<Extension> {
    let of_path = |(parent, prompt): (usize, &'p Prompt<'m, B>)| {
        let tokens = prompt.next().iter().zip(0..);
        tokens.map(move |(next, token)| Extension {
            parent,
            token,
            log_probability: sums[parent] + next,
        })
    };
    let mut found: Vec<Extension> = prompts.into_iter().enumerate().flat_map(of_path).collect();
    if count < found.len() {
        found.select_nth_unstable_by(count, Extension::order);
        found.truncate(count);
    }
    found.sort_unstable_by(Extension::order);
    found
}

#[cfg(test)]
mod tests;
