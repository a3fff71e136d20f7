//! Beam search for many prompts at once: what is alive of all of them is read on as one batch.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use burn::tensor::backend::Backend;

use super::batch::Batch;
use super::{AnswerError, BeamSearch, Generated, Limit, Prompt};

/// The best continuations of each of several prompts, as [`Prompt::beam_search`] finds them for one.
///
/// Prompts of the same model and length share their batches. The numbers are those of one prompt at a time up to
/// rounding.
///
/// # Errors
/// As [`Prompt::beam_search`], for the first prompt that has one.
pub fn beam_search_all<B: Backend>(
    asked: &[(&Prompt<'_, B>, Limit)],
    search: BeamSearch,
) -> Result<Vec<Vec<Generated>>, AnswerError> {
    search.check()?;
    asked.iter().try_for_each(|(prompt, limit)| prompt.check_limit(*limit))?;
    let mut alike: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (place, (prompt, _)) in asked.iter().enumerate() {
        let model = std::ptr::from_ref(prompt.model()).addr();
        alike.entry((model, prompt.tokens_read())).or_default().push(place);
    }
    let mut groups: Vec<Vec<usize>> = alike.into_values().collect();
    // By their first prompts, whose order does not depend on where models lie in memory.
    groups.sort();
    let mut found = vec![Vec::new(); asked.len()];
    for places in groups {
        let together: Vec<_> = places.iter().map(|place| asked[*place]).collect();
        for (place, generated) in places.into_iter().zip(search_together(&together, search)?) {
            found[place] = generated;
        }
    }
    Ok(found)
}

/// Prompts of the same model and length.
fn search_together<B: Backend>(
    asked: &[(&Prompt<'_, B>, Limit)],
    search: BeamSearch,
) -> Result<Vec<Vec<Generated>>, AnswerError> {
    let prompts: Vec<_> = asked.iter().map(|(prompt, _)| *prompt).collect();
    let mut batch = Batch::of(&prompts);
    let begin = |(row, (_, limit)): (usize, &(_, Limit))| Beams::begin(row, *limit, search);
    let mut all: Vec<Beams> = asked.iter().enumerate().map(begin).collect();
    loop {
        let mut extensions = Vec::new();
        for beams in &mut all {
            beams.advance(&batch, &mut extensions);
        }
        if extensions.is_empty() {
            return Ok(all.into_iter().map(|beams| beams.ended).collect());
        }
        batch = batch.then(&extensions)?;
    }
}

/// The search of one prompt.
struct Beams {
    search: BeamSearch,
    limit: Limit,
    /// Continuations that go on, each with its row in the batch.
    live: Vec<(usize, Generated)>,
    /// Continuations that have ended, at most as many as there are beams, best first.
    ended: Vec<Generated>,
}

impl Beams {
    fn begin(row: usize, limit: Limit, search: BeamSearch) -> Self {
        let start = Generated { tokens: Vec::new(), log_probability: 0.0, finished: false };
        Self { search, limit, live: vec![(row, start)], ended: Vec::new() }
    }

    /// Extends the live continuations by a token each. What has to be read for those that go on, a row of the batch and a
    /// token, is added to `extensions`, whose places are the rows of the next batch.
    fn advance<B: Backend>(&mut self, batch: &Batch<'_, B>, extensions: &mut Vec<(usize, u32)>) {
        let (search, limit) = (self.search, self.limit);
        let live = std::mem::take(&mut self.live);
        let paths = live.iter().map(|(row, path)| (batch.next(*row), path.log_probability));
        // Each live path can end only once, so twice the beams leave enough that go on.
        let best = best_extensions(paths, search.beams.saturating_mul(2));
        let mut going_on = Vec::new();
        for (rank, extension) in best.into_iter().enumerate() {
            let (row, path) = &live[extension.parent];
            let path = extension.follow(path, limit.end);
            match path.finished {
                true if rank < search.beams => self.ended.push(path),
                false if going_on.len() < search.beams => {
                    going_on.push((*row, extension.token, path));
                }
                _ => {}
            }
        }
        search.keep_best(&mut self.ended);
        if search.is_settled(&self.ended, going_on.iter().map(|(.., path)| path), limit) {
            return;
        }
        if going_on.first().is_some_and(|(.., path)| path.length() == limit.tokens) {
            self.ended.extend(going_on.into_iter().map(|(.., path)| path));
            search.keep_best(&mut self.ended);
            return;
        }
        for (row, token, path) in going_on {
            self.live.push((extensions.len(), path));
            extensions.push((row, token));
        }
    }
}

/// One token more on one of the live paths.
#[derive(Clone, Copy)]
pub(super) struct Extension {
    pub(super) parent: usize,
    pub(super) token: u32,
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

/// The `count` best extensions of paths, best first. A path is what it expects next, and its sum.
pub(super) fn best_extensions<'p>(
    paths: impl IntoIterator<Item = (&'p [f64], f64)>,
    count: usize,
) -> Vec<Extension> {
    let of_path = |(parent, (next, sum)): (usize, (&'p [f64], f64))| {
        let tokens = next.iter().zip(0..);
        tokens.map(move |(next, token)| Extension { parent, token, log_probability: sum + next })
    };
    let mut found: Vec<Extension> = paths.into_iter().enumerate().flat_map(of_path).collect();
    if count < found.len() {
        found.select_nth_unstable_by(count, Extension::order);
        found.truncate(count);
    }
    found.sort_unstable_by(Extension::order);
    found
}
