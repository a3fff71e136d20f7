//! All tasks with all models.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::figure::{Axis, BarChart, FigureError};
use experiment::interrupt::Interrupt;
use experiment::report::Report;
use experiment::seed::Seed;
use experiment::statistics::Interval;
use inner_outer::Threads;
use serde::{Deserialize, Serialize};

use super::score::PlanOutcomes;
use super::{
    PlanDivergence, PlanRow, PlanScore, PlanningConfig, STAND_STILL, TRUE_FRAMES, distances,
};
use crate::action::Action;
use crate::clip::{Episode, Phrase};
use crate::evaluation::divergence::Outcome;
use crate::evaluation::ledger::{Item, Ledger};
use crate::evaluation::page::aligned;
use crate::evaluation::{EvaluationError, Generator, repeated};
use crate::inverse_dynamics::{InverseDynamics, happened};
use crate::metrics::Video;
use crate::video_model::VideoModel;
use crate::world::World;

/// Models that plan.
pub struct Planner<'p, B: Backend> {
    /// The settings.
    pub config: &'p PlanningConfig,
    /// The models with their names.
    pub models: &'p [(String, VideoModel<B>)],
    /// What reads actions from imagined frames.
    pub inverse: &'p InverseDynamics<B>,
    /// Threads; scores do not depend on their number.
    pub threads: Threads,
}

/// What planning came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planning {
    /// The references, then each model with each method.
    pub rows: Vec<PlanRow>,
    /// The scores of each row, one a task; none of a row that diverged.
    pub scores: Vec<Vec<PlanScore>>,
}

/// A row before it has scores.
struct Planned<B: Backend> {
    model: Option<usize>,
    name: String,
    generator: Option<Generator<B>>,
    /// The row that it is compared with.
    baseline: Option<usize>,
}

const REFERENCES: [&str; 2] = [TRUE_FRAMES, STAND_STILL];

impl<B: Backend> Planner<'_, B> {
    /// Checks that settings and models fit, before anything is written.
    ///
    /// # Errors
    /// Bad input: what does not fit.
    pub fn check(&self) -> Result<(), Failure> {
        self.prepared().map(|_| ()).bad_input()
    }

    /// The names of the models with the words of the tasks that each does not know and is not told.
    ///
    /// # Errors
    /// Worlds that cannot be made, or have no room for their task.
    pub fn unknown_words(&self) -> Result<Vec<(&str, BTreeSet<String>)>, EvaluationError> {
        // Without their frames, which are many.
        let phrases = (0..self.config.tasks).map(|task| Ok(self.task(task)?.1.phrases));
        let phrases = phrases.collect::<Result<Vec<Vec<Phrase>>, EvaluationError>>()?;
        let unknown = |model: &VideoModel<B>| {
            let phrases = phrases.iter().flatten();
            model.trained.config.vocabulary.unknown_words(phrases.map(|phrase| &phrase.text))
        };
        let models = self.models.iter();
        Ok(models.map(|(name, model)| (name.as_str(), unknown(model))).collect())
    }

    fn prepared(&self) -> Result<Vec<Planned<B>>, EvaluationError> {
        self.config.check()?;
        let models: Vec<&String> = self.models.iter().map(|(name, _)| name).collect();
        if let Some(name) = repeated(&models) {
            return Err(EvaluationError::ModelName(name.to_string()));
        }
        let planned = self.planned()?;
        let (_, first) = self.task(0)?;
        self.inverse.actions(Video::of(&first)?)?;
        for (_, model) in self.models {
            model.encode(&first)?;
        }
        for task in 0..self.config.tasks {
            let (_, episode) = self.task(task)?;
            for (model, read) in self.models {
                read.check_phrases(&episode.phrases).map_err(|source| {
                    EvaluationError::PlanPhrase { task, model: model.clone(), source }
                })?;
            }
        }
        Ok(planned)
    }

    /// Carries out all tasks, or goes on in the folder of an interrupted run. Scores do not depend on the number of threads. A method
    /// whose fast learning diverges has a row without scores.
    ///
    /// # Errors
    /// Bad input: settings and models that do not fit. Interrupted: a later call goes on.
    pub fn plan(&self, run: &Path, interrupt: &Interrupt) -> Result<Planning, Failure> {
        let planned = self.prepared().bad_input()?;
        let tasks = 0..self.config.tasks;
        let item = |(row, planned): (usize, &Planned<B>), episode| {
            let model = planned.model.map_or("", |model| self.models[model].0.as_str());
            let name = format!("{model} {}", planned.name);
            Item { row, name, episode, seed: self.config.seed }
        };
        let rows = planned.iter().enumerate();
        let items: Vec<Item> =
            rows.flat_map(|row| tasks.clone().map(move |task| item(row, task))).collect();
        let work = |item: &Item| self.outcome(&planned[item.row], item.episode).failed();
        let all = Ledger::new(run, self.threads).complete(&items, "tasks", interrupt, work)?;
        let rows = items.iter().map(|item| item.row);
        let outcomes = PlanOutcomes::by_row(planned.len(), rows.zip(all));
        let row = |(planned, found): (&Planned<B>, &PlanOutcomes)| {
            let model = planned.model.map(|model| self.models[model].0.as_str());
            let baseline = planned.baseline.map(|row| &outcomes[row]);
            PlanRow::of(model, &planned.name, found, baseline)
        };
        let rows = planned.iter().zip(&outcomes).map(row).collect::<Result<_, _>>().failed()?;
        Ok(Planning { rows, scores: outcomes.into_iter().map(|row| row.scores).collect() })
    }

    fn planned(&self) -> Result<Vec<Planned<B>>, EvaluationError> {
        let PlanningConfig { methods, baseline, sampler, frames_per_chunk, world, .. } =
            self.config;
        let scale = World::new(world, &Seed::new(0))?.pose_scale();
        let reference = |name: &str| Planned {
            model: None,
            name: name.into(),
            generator: None,
            baseline: None,
        };
        let mut planned: Vec<Planned<B>> = REFERENCES.map(reference).into();
        let compared = methods.iter().position(|method| method.name == *baseline);
        for (number, (_, model)) in self.models.iter().enumerate() {
            let first = planned.len();
            for (index, method) in methods.iter().enumerate() {
                let generator = method.generator(model, *sampler, *frames_per_chunk, scale)?;
                planned.push(Planned {
                    model: Some(number),
                    name: method.name.clone(),
                    generator: Some(generator),
                    baseline: compared.filter(|other| *other != index).map(|other| first + other),
                });
            }
        }
        Ok(planned)
    }

    /// The world of a task, and the episode of its plan.
    fn task(&self, number: usize) -> Result<(World, Episode), EvaluationError> {
        let config = self.config;
        let seed = Seed::new(config.seed).child("planning").index(number as u64);
        let world = World::new(&config.world, &seed)?;
        let route = config.routes[number % config.routes.len()];
        let (there, hold) = (config.actions_there, config.frames_per_action);
        let plan = route.plan(&world, there, there, hold, &seed)?;
        if plan.route != route {
            return Err(EvaluationError::NoRoom { task: number, frames: hold });
        }
        let episode = world.record(&plan, &seed);
        Ok((world, episode))
    }

    fn outcome(
        &self,
        planned: &Planned<B>,
        task: usize,
    ) -> Result<Outcome<PlanScore, PlanDivergence>, EvaluationError> {
        let scored = self.score(planned, task);
        match scored.as_ref().err().and_then(EvaluationError::diverged_at) {
            Some(chunk) => Ok(Outcome::Diverged(PlanDivergence { task, chunk })),
            None => Ok(Outcome::Scored(Box::new(scored?))),
        }
    }

    fn score(&self, planned: &Planned<B>, task: usize) -> Result<PlanScore, EvaluationError> {
        let (world, truth) = self.task(task)?;
        let scale = world.pose_scale();
        let meant: Vec<Action> =
            truth.poses.windows(2).map(|pair| happened(pair[0], pair[1], scale)).collect();
        let read = |frames: &[u8]| -> Result<Vec<Action>, EvaluationError> {
            Ok(self.inverse.actions(Video::new(frames, truth.height, truth.width)?)?)
        };
        let actions = match (&planned.generator, planned.model) {
            (Some(generator), Some(model)) => {
                let model = &self.models[model].1;
                let seed = Seed::new(self.config.seed).child("imagination").index(task as u64);
                let clip = model.encode(&truth)?;
                let made = generator.generate(&clip, &truth.poses, 1, &seed)?;
                read(&model.decode(&made.latents)?)?
            }
            _ if planned.name == TRUE_FRAMES => read(&truth.frames)?,
            _ => vec![Action::STAY; meant.len()],
        };
        let right = actions.iter().zip(&meant).filter(|(found, meant)| found == meant).count();
        Ok(PlanScore {
            task,
            distances: distances(&world, &truth.poses, &actions, self.config.frames_per_chunk),
            action_accuracy: right as f64 / meant.len().max(1) as f64,
        })
    }
}

const HEADER: [&str; 6] =
    ["model", "method", "distance, cells", "at the end", "change", "actions read as meant"];

impl PlanRow {
    /// The name, and where it diverged, if it did.
    fn label(&self) -> String {
        let name = &self.name;
        self.diverged.map_or(name.clone(), |PlanDivergence { task, chunk }| {
            format!("{name}: diverged at chunk {chunk} of task {task}")
        })
    }

    fn cells(&self) -> Vec<String> {
        let told = |interval: Option<Interval>| {
            interval.map_or("-".to_owned(), |interval| format!("{interval:.3}"))
        };
        vec![
            self.model.clone().unwrap_or_else(|| "-".to_owned()),
            self.label(),
            told(self.distance),
            told(self.last),
            told(self.change),
            self.action_accuracy.map_or("-".to_owned(), |share| share.percent().to_string()),
        ]
    }
}

impl Planning {
    /// The table as text.
    pub fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(PlanRow::cells).collect();
        aligned(&[vec![HEADER.map(str::to_owned).to_vec()], rows].concat())
    }

    /// The page.
    ///
    /// # Errors
    /// [`FigureError`] for figures without a finite value.
    pub fn page(&self) -> Result<Report, FigureError> {
        let tasks = self.scores.first().map_or(0, Vec::len);
        let intro = format!(
            "{tasks} tasks: go there and retrace the way. Distances in cells to the poses after each chunk, of an agent that does \
             what the inverse dynamics read from imagined frames; 95 % intervals over tasks. Changes are over the baseline \
             with the same model in the same tasks. A row that diverged, because its fast learning was no longer finite in some task, \
             has no scores."
        );
        let name = |row: &PlanRow| match &row.model {
            Some(model) => format!("{model}: {}", row.name),
            None => row.name.clone(),
        };
        let shown = || self.rows.iter().filter(|row| row.diverged.is_none());
        let chart =
            BarChart::new("Distance to the way-points", Axis::linear("cells"), shown().map(name));
        let svg = chart
            .series("all way-points", shown().filter_map(|row| row.distance))
            .series("the last one", shown().filter_map(|row| row.last))
            .to_svg()?;
        let report = Report::new("Planning")
            .paragraph(&intro)
            .table(HEADER, self.rows.iter().map(PlanRow::cells));
        Ok(report.figure(&svg, "Distance to the way-points, with 95 % intervals."))
    }
}
