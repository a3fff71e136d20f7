//! All methods on all episodes.

use std::path::Path;

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::Threads;
use serde::{Deserialize, Serialize};

use super::config::names;
use super::divergence::{Outcome, Outcomes};
use super::ledger::{Item, Ledger};
use super::strip::strip;
use super::{
    AUTOENCODER, Cost, Divergence, EvaluationConfig, EvaluationError, FROZEN, GROUND_TRUTH,
    Generator, Judge, Row, Scores,
};
use crate::clip::{ClipSet, Episode};
use crate::inverse_dynamics::InverseDynamics;
use crate::metrics::Video;
use crate::video_model::VideoModel;

/// Rows before those of the methods.
const REFERENCES: [&str; 3] = [GROUND_TRUTH, AUTOENCODER, FROZEN];

/// What is evaluated on what.
pub struct Evaluator<'e, B: Backend> {
    /// The settings.
    pub config: &'e EvaluationConfig,
    /// The model.
    pub model: &'e VideoModel<B>,
    /// The clips.
    pub clips: &'e ClipSet,
    /// What tells actions from frames.
    pub inverse: Option<&'e InverseDynamics<B>>,
    /// Threads; scores do not depend on their number.
    pub threads: Threads,
}

/// What an evaluation came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Name of the encoder of `consistency`.
    pub encoder: String,
    /// The method that gains are over.
    pub baseline: String,
    /// Numbers of the episodes.
    pub episodes: Vec<usize>,
    /// Rows and columns of a frame.
    pub size: [usize; 2],
    /// A row for the truth, for the autoencoder, for a frozen picture, and for each method.
    pub rows: Vec<Row>,
    /// The scores of each row's episodes; none of a row that diverged.
    pub scores: Vec<Vec<Scores>>,
}

impl Evaluation {
    /// The evaluation without what only figures and distances are made of.
    #[must_use]
    pub fn brief(&self) -> Self {
        let mut brief = self.clone();
        for score in brief.scores.iter_mut().flatten() {
            (score.random_features, score.motion_features, score.strip) = Default::default();
        }
        brief
    }
}

/// What fits together.
struct Prepared<B: Backend> {
    episodes: Vec<usize>,
    generators: Vec<Generator<B>>,
    /// The first of the episodes.
    first: Episode,
}

impl<B: Backend> Evaluator<'_, B> {
    /// Checks that settings, clips and models fit, before anything is written.
    ///
    /// # Errors
    /// Bad input: what does not fit.
    pub fn check(&self) -> Result<(), Failure> {
        self.prepared().map(|_| ()).bad_input()
    }

    fn prepared(&self) -> Result<Prepared<B>, EvaluationError> {
        self.config.check()?;
        let episodes = self.config.chosen(&self.clips.index().episodes)?;
        let generators = self.generators()?;
        let first = self.episode(episodes[0])?;
        if let Some(inverse) = self.inverse {
            inverse.actions(Video::of(&first)?)?;
        }
        self.model.encode(&first)?;
        episodes.iter().try_for_each(|&episode| self.check_phrases(episode))?;
        Ok(Prepared { episodes, generators, first })
    }

    fn check_phrases(&self, number: usize) -> Result<(), EvaluationError> {
        let checked = self.model.check_phrases(&self.episode(number)?.phrases);
        checked.map_err(|source| EvaluationError::Phrase { episode: number, source })
    }

    /// Evaluates, or goes on in the folder of an interrupted run. Scores depend on the seeds and not on the number of
    /// threads; costs are as the machine has it. A method whose fast learning diverges has a row without scores.
    ///
    /// # Errors
    /// Bad input: settings, clips and models that do not fit. Interrupted: a later call goes on.
    pub fn evaluate(&self, run: &Path, interrupt: &Interrupt) -> Result<Evaluation, Failure> {
        let (config, scale) = (self.config, self.clips.index().description.pose);
        let Prepared { episodes, generators, first } = self.prepared().bad_input()?;
        let ledger = Ledger::new(run, self.threads);
        let costs = self.costs(&ledger, &generators, &first, interrupt)?;
        let judge = Judge::new(config, scale, self.inverse);
        let items = self.items(&episodes);
        let pictured = &episodes[..config.pictures.min(episodes.len())];
        let work = |item: &Item| {
            let is_pictured = pictured.contains(&item.episode) && item.seed == config.seeds[0];
            self.outcome(item, &generators, &judge, is_pictured).failed()
        };
        let all = ledger.complete(&items, "episodes", interrupt, work)?;
        let rows = items.iter().map(|item| item.row);
        let outcomes = Outcomes::by_row(REFERENCES.len() + generators.len(), rows.zip(all));
        let rows = self.rows(&outcomes, &costs).failed()?;
        Ok(Evaluation {
            encoder: judge.encoder().to_owned(),
            baseline: config.baseline.clone(),
            episodes,
            size: [first.height, first.width],
            rows,
            scores: outcomes.into_iter().map(|row| row.scores).collect(),
        })
    }

    fn generators(&self) -> Result<Vec<Generator<B>>, EvaluationError> {
        let EvaluationConfig { sampler, frames_per_chunk, .. } = self.config;
        let scale = self.clips.index().description.pose;
        let of = |method: &super::Method| {
            method.generator(self.model, *sampler, *frames_per_chunk, scale)
        };
        self.config.all_methods().iter().map(of).collect()
    }

    fn names(&self) -> Vec<String> {
        let methods = names(&self.config.all_methods());
        REFERENCES.into_iter().map(str::to_owned).chain(methods).collect()
    }

    fn items(&self, episodes: &[usize]) -> Vec<Item> {
        let mut items = Vec::new();
        for (row, name) in self.names().into_iter().enumerate() {
            // What is not generated has no noise.
            let seeds = if row < REFERENCES.len() { 1 } else { self.config.seeds.len() };
            for &episode in episodes {
                for &seed in &self.config.seeds[..seeds] {
                    items.push(Item { row, name: name.clone(), episode, seed });
                }
            }
        }
        items
    }

    fn episode(&self, number: usize) -> Result<Episode, EvaluationError> {
        let frames = self.config.used(self.clips.entry(number)?.frames);
        Ok(self.clips.window(number, 0..frames)?)
    }

    /// One after the other, so that nothing else is timed.
    fn costs(
        &self,
        ledger: &Ledger,
        generators: &[Generator<B>],
        first: &Episode,
        interrupt: &Interrupt,
    ) -> Result<Vec<Option<Cost>>, Failure> {
        let truth = self.model.encode(first).bad_input()?;
        let (mut costs, mut is_warm) = (Vec::new(), false);
        for (row, (generator, name)) in
            generators.iter().zip(names(&self.config.all_methods())).enumerate()
        {
            let item = Item { row, name: format!("cost of {name}"), episode: 0, seed: 0 };
            let known: Option<Option<Cost>> = ledger.read(&item)?;
            interrupt.heed()?;
            costs.push(match (known, self.config.cost_chunks) {
                (Some(cost), _) => cost,
                (None, 0) => None,
                (None, chunks) => {
                    let measure =
                        || Cost::measure(generator, &truth, &first.poses, chunks).failed();
                    // Else the first method would be charged with what was held to encode the episode.
                    if !std::mem::replace(&mut is_warm, true) {
                        measure()?;
                    }
                    let cost = measure()?;
                    ledger.write(&item, &cost)?;
                    cost
                }
            });
        }
        Ok(costs)
    }

    fn outcome(
        &self,
        item: &Item,
        generators: &[Generator<B>],
        judge: &Judge<'_, B>,
        is_pictured: bool,
    ) -> Result<Outcome<Scores, Divergence>, EvaluationError> {
        let scored = self.score(item, generators, judge, is_pictured);
        let Item { episode, seed, .. } = *item;
        match scored.as_ref().err().and_then(EvaluationError::diverged_at) {
            Some(chunk) => Ok(Outcome::Diverged(Divergence { episode, seed, chunk })),
            None => Ok(Outcome::Scored(Box::new(scored?))),
        }
    }

    fn score(
        &self,
        item: &Item,
        generators: &[Generator<B>],
        judge: &Judge<'_, B>,
        is_pictured: bool,
    ) -> Result<Scores, EvaluationError> {
        let truth = self.episode(item.episode)?;
        let given = self.config.given(self.clips.entry(item.episode)?.frames);
        let generator = item.row.checked_sub(REFERENCES.len()).map(|method| &generators[method]);
        let found = match (REFERENCES.get(item.row), generator) {
            (Some(&GROUND_TRUTH), _) => truth.frames.clone(),
            (Some(&FROZEN), _) => frozen(&truth, given),
            (_, None) => self.model.decode(&self.model.encode(&truth)?.latents)?,
            (_, Some(generator)) => {
                let seed = Seed::new(item.seed).child("evaluation").index(item.episode as u64);
                let clip = self.model.encode(&truth)?;
                let made = generator.generate(&clip, &truth.poses, given, &seed)?;
                self.model.decode(&made.latents)?
            }
        };
        let mut scores = judge.measure(&found, &truth, given)?;
        (scores.episode, scores.seed) = (item.episode, item.seed);
        scores.scene = self.clips.entry(item.episode)?.scene.clone();
        if is_pictured {
            scores.strip = Some(strip(Video::new(&found, truth.height, truth.width)?)?);
        }
        Ok(scores)
    }

    fn rows(
        &self,
        outcomes: &[Outcomes<Scores, Divergence>],
        costs: &[Option<Cost>],
    ) -> Result<Vec<Row>, EvaluationError> {
        let names = self.names();
        let baseline = names.iter().position(|name| *name == self.config.baseline);
        let row = |(row, name): (usize, &String)| {
            let cost = row.checked_sub(REFERENCES.len()).and_then(|method| costs[method]);
            // The truth's ceiling stands for an infinite PSNR: no gain can be counted from it.
            let has_gain = |baseline: &usize| *baseline != row && *name != GROUND_TRUTH;
            let other = baseline.filter(has_gain).map(|row| outcomes[row].scores.as_slice());
            let Outcomes { scores, diverged } = &outcomes[row];
            let of_scores = Row::of(name, scores, &outcomes[0].scores, other, cost);
            of_scores.map(|of_scores| Row { diverged: *diverged, ..of_scores })
        };
        names.iter().enumerate().map(row).collect()
    }
}

/// The frames of an episode with the last given one in place of all after it.
fn frozen(truth: &Episode, given: usize) -> Vec<u8> {
    let last = truth.frame(given - 1).repeat(truth.len() - given);
    [&truth.frames[..given * truth.frame_bytes()], &last].concat()
}
