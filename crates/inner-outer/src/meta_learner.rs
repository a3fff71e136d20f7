//! The outer loop: meta-batches, Burn's optimisers, schedules, evaluation and state.

use burn::module::{AutodiffModule, Module};
use burn::optim::Optimizer;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::descent::{Descent, Lifted};
use crate::hypergradient::Hypergradient;
use crate::inner::{Adapted, InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::learner_state::{State, StoredModule, unread, unwritten};
use crate::meta_batch::{MetaBatch, mean};
use crate::parallel::{Threads, in_order};
use crate::problem::{Instance, Problem, Roles, refuse_differentiating};
use crate::running_statistics::running_statistic;
use crate::schedule::Schedule;
use crate::tensors::{Tensors, is_finite, repeated_parameter};
use crate::{Autodiff, Error, On, Result};

/// Settings of the outer loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetaLearnerConfig {
    /// Rate of the outer module's optimiser.
    pub outer_rate: Schedule,
    /// Rate of the inner rates' optimiser; `None` keeps the inner rates fixed, also where a file leaves it out, as TOML writes
    /// `None`.
    #[serde(default)]
    pub rates_rate: Option<Schedule>,
    /// Largest Euclidean norm of the whole meta-gradient, above 0; larger ones are scaled down. Left out of a file it is `None`.
    #[serde(default)]
    pub clip: Option<f64>,
    /// Accept a learned parameter whose gradient is exactly zero in the whole first meta-batch.
    pub allow_zero_gradients: bool,
    /// Accept a learned parameter that no task of a meta-batch reaches, such as the head of a family of which none was drawn. It
    /// stays as it is in that step: optimisers pass over what has no gradient, decay and momentum included.
    pub allow_unreached: bool,
}

impl Default for MetaLearnerConfig {
    fn default() -> Self {
        Self {
            outer_rate: Schedule::default(),
            rates_rate: Some(Schedule::default()),
            clip: Some(1.0),
            allow_zero_gradients: false,
            allow_unreached: false,
        }
    }
}

impl MetaLearnerConfig {
    /// Checks the schedules and the limit.
    ///
    /// # Errors
    /// As [`Schedule::check`], and [`Error::OutOfRange`] for a limit that is not above 0.
    pub fn check(&self) -> Result<()> {
        self.outer_rate.check()?;
        self.rates_rate.as_ref().map_or(Ok(()), Schedule::check)?;
        match self.clip {
            Some(value) if value.is_nan() || value <= 0.0 => {
                let setting = "MetaLearnerConfig::clip";
                Err(Error::OutOfRange { setting, value, range: "above 0" })
            }
            _ => Ok(()),
        }
    }
}

/// What one outer step did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetaStep {
    /// The step, from 0.
    pub step: usize,
    /// Mean outer loss of the meta-batch, before the step.
    pub outer_loss: f64,
    /// Mean inner loss before each inner step.
    pub inner_losses: Vec<f64>,
    /// Largest [`MetaGradient::residual`](crate::hypergradient::MetaGradient::residual) of the tasks, where they have one.
    pub residual: Option<f64>,
    /// Norm of the meta-gradient, rates included, before clipping.
    pub gradient_norm: f64,
    /// Rate of the outer optimiser.
    pub rate: f64,
}

type Observer = Box<dyn FnMut(&MetaStep) + Send>;

/// A problem, an inner loop, a hypergradient, and the state of an outer loop that learns with them.
pub struct MetaLearner<P: Problem, O, H, B: Backend> {
    problem: P,
    inner_loop: InnerLoop<O>,
    hypergradient: H,
    config: MetaLearnerConfig,
    threads: Threads,
    outer: On<P::Outer, B>,
    rates: Rates<B>,
    outer_optimizer: Box<dyn Descent<On<P::Outer, B>, B>>,
    rates_optimizer: Box<dyn Descent<Rates<B>, B>>,
    observers: Vec<Observer>,
    step: usize,
}

impl<P, O, H, B> MetaLearner<P, O, H, B>
where
    P: Problem,
    O: InnerOptimizer,
    H: Hypergradient,
    B: Backend,
    On<P::Outer, Autodiff<B>>: AutodiffModule<Autodiff<B>, InnerModule = On<P::Outer, B>>,
{
    /// A learner at step 0. The optimisers are any of Burn's, such as `AdamWConfig::new().init()`.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        problem: P,
        inner_loop: InnerLoop<O>,
        hypergradient: H,
        config: MetaLearnerConfig,
        outer: On<P::Outer, B>,
        rates: Rates<B>,
        outer_optimizer: impl Optimizer<On<P::Outer, Autodiff<B>>, Autodiff<B>> + 'static,
        rates_optimizer: impl Optimizer<Rates<Autodiff<B>>, Autodiff<B>> + 'static,
    ) -> Self {
        // Clones of parameters that nobody has read yet would draw other random values. Writing them takes away what Burn does to
        // a column-major layer when it is stored and loaded, which a step takes away too: states of both must be alike.
        let (outer, rates) = (Tensors::of(&outer).write(outer), Tensors::of(&rates).write(rates));
        Self {
            problem,
            inner_loop,
            hypergradient,
            config,
            threads: Threads::default(),
            outer,
            rates,
            outer_optimizer: Box::new(Lifted::new(outer_optimizer)),
            rates_optimizer: Box::new(Lifted::new(rates_optimizer)),
            observers: Vec::new(),
            step: 0,
        }
    }

    /// The learner on another number of threads; results do not depend on it.
    pub fn with_threads(self, threads: Threads) -> Self {
        Self { threads, ..self }
    }

    /// The learner with `observer` called after every step: metrics, progress.
    pub fn observe(mut self, observer: impl FnMut(&MetaStep) + Send + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// One outer step on a meta-batch.
    ///
    /// # Errors
    /// As [`Self::meta_gradient`], [`Error::NonFiniteMetaGradient`], [`Error::LearnsNothing`],
    /// [`Error::NoRatesGradient`], and at the first step [`Error::ZeroGradient`] and [`Error::RepeatedParameter`]. The learner is left as it was.
    pub fn step(&mut self, tasks: &[On<P::Task, B>]) -> Result<MetaStep> {
        let (batch, _) = self.batch(tasks, None)?;
        self.descend(batch)
    }

    /// [`Self::step`] with inner loops that go on from where earlier ones ended, each from its own of `starts`, and where they end
    /// now: for the next step on the same tasks. A task without start begins at `init`. Nothing of it is in [`Self::state`].
    ///
    /// # Errors
    /// As [`Self::step`] and [`meta_batch_from`](fn@crate::meta_batch_from).
    pub fn step_from(
        &mut self,
        tasks: &[On<P::Task, B>],
        starts: &[Option<Iterate<B>>],
    ) -> Result<(MetaStep, Vec<Iterate<B>>)> {
        let (batch, ends) = self.batch(tasks, Some(starts))?;
        Ok((self.descend(batch)?, ends))
    }

    fn batch(
        &self,
        tasks: &[On<P::Task, B>],
        starts: Option<&[Option<Iterate<B>>]>,
    ) -> Result<(MetaBatch<B>, Vec<Iterate<B>>)> {
        refuse_differentiating::<B>()?;
        self.config.check()?;
        if self.step == 0 {
            self.check_first_task(tasks)?;
        }
        let Self { hypergradient, problem, inner_loop, outer, rates, threads, .. } = self;
        let (batch, ends) =
            mean(hypergradient, problem, inner_loop, outer, rates, tasks, starts, *threads)?;
        let batch = if self.config.allow_unreached { batch } else { batch.reached()? };
        Ok((batch, ends))
    }

    /// Looks at the first task alone: that costs one evaluation of the losses once.
    fn check_first_task(&self, tasks: &[On<P::Task, B>]) -> Result<()> {
        let Self { problem, inner_loop, outer, .. } = self;
        let allows_unreached = self.config.allow_unreached;
        let loss = |task: &On<P::Task, B>| {
            let instance = Instance::new(problem, outer, task);
            let learned = Roles::of(&instance)?.learned;
            // Where derivatives may be absent they are, of running statistics, and what has none stays.
            let moved = learned.iter().map(|learned| *learned && !allows_unreached);
            let moved: Vec<bool> = moved.collect();
            if let Some(path) = running_statistic::<P::Outer, B>(outer, &moved) {
                return Err(Error::RunningStatistic { path });
            }
            let phi = instance.phi().track_where(&learned);
            Ok(instance.lift().loss_of_computed_field(&phi, inner_loop.steps))
        };
        let refuse = |index, task: &On<P::Task, B>| {
            let found = match loss(task) {
                Ok(None) => return Ok(()),
                Ok(Some(loss)) => Error::ComputedField { loss },
                Err(refused) => refused,
            };
            Err(Error::InTask { task: index, source: Box::new(found) })
        };
        let first = &tasks[..tasks.len().min(1)];
        in_order(first, self.threads, refuse, |_, ()| ())
    }

    fn descend(&mut self, batch: MetaBatch<B>) -> Result<MetaStep> {
        let learns_rates = self.config.rates_rate.is_some();
        let learns_more = batch.roles.learned.contains(&true);
        if !learns_rates && !learns_more {
            return Err(Error::LearnsNothing);
        }
        // At every step, for a resumed learner may have another hypergradient than the one that was checked at its first.
        if learns_rates && batch.rates.is_zero() {
            return Err(Error::NoRatesGradient { learns_more });
        }
        if self.step == 0 {
            refuse_repeated_parameters(&self.outer)?;
        }
        let rates_norm = if learns_rates { batch.rates.norm() } else { 0.0 };
        let gradient_norm = batch.outer.norm().hypot(rates_norm);
        if !gradient_norm.is_finite() {
            return Err(non_finite(&batch));
        }
        if self.step == 0 && !self.config.allow_zero_gradients {
            refuse_zero_gradients(&batch)?;
        }
        let scale = match self.config.clip {
            Some(limit) if gradient_norm > limit => limit / gradient_norm,
            _ => 1.0,
        };
        let rate = self.config.outer_rate.at(self.step);
        let outer = batch.outer.scale(scale);
        self.outer = self.outer_optimizer.descend(rate, self.outer.clone(), &outer);
        if let Some(schedule) = &self.config.rates_rate {
            let gradient = batch.rates.scale(scale);
            let rate = schedule.at(self.step);
            self.rates = self.rates_optimizer.descend(rate, self.rates.clone(), &gradient);
        }
        let report = MetaStep {
            step: self.step,
            outer_loss: batch.outer_loss,
            inner_losses: batch.inner_losses,
            residual: batch.residual,
            gradient_norm,
            rate,
        };
        self.step += 1;
        self.observers.iter_mut().for_each(|observe| observe(&report));
        Ok(report)
    }

    /// The meta-gradient of a meta-batch, without a step.
    ///
    /// # Errors
    /// As [`meta_batch`](fn@crate::meta_batch) and [`MetaLearnerConfig::check`].
    pub fn meta_gradient(&self, tasks: &[On<P::Task, B>]) -> Result<MetaBatch<B>> {
        Ok(self.batch(tasks, None)?.0)
    }

    /// Adapts to every task and measures the result, in parallel; measurements come in the order of the tasks.
    ///
    /// # Errors
    /// [`Error::InTask`] with the first task whose inner loop failed.
    pub fn evaluate<R: Send>(
        &self,
        tasks: &[On<P::Task, B>],
        measure: impl Fn(usize, &On<P::Outer, B>, Adapted<P, B>) -> R + Sync,
    ) -> Result<Vec<R>> {
        let Self { problem, inner_loop, outer, rates, .. } = self;
        let mut measured = Vec::with_capacity(tasks.len());
        let adapt = |index: usize, task: &On<P::Task, B>| {
            let adapted = inner_loop.adapt(problem, outer, rates, task);
            let adapted = adapted
                .map_err(|source| Error::InTask { task: index, source: Box::new(source) })?;
            Ok(measure(index, outer, adapted))
        };
        in_order(tasks, self.threads, adapt, |_, result| measured.push(result))?;
        Ok(measured)
    }

    /// Everything that learning changes, as bytes: both modules, both optimisers and the step.
    ///
    /// # Errors
    /// [`Error::State`] if a record cannot be written, or a parameter is not in the backend's own precision, which
    /// is the only one that Burn's records come back in.
    pub fn state(&self) -> Result<Vec<u8>> {
        let state = State {
            step: self.step,
            outer: StoredModule::of(&self.outer)?,
            rates: StoredModule::of(&self.rates)?,
            outer_optimizer: self.outer_optimizer.save()?,
            rates_optimizer: self.rates_optimizer.save()?,
        };
        rmp_serde::to_vec_named(&state).map_err(unwritten)
    }

    /// The learner in a state that [`Self::state`] wrote: it goes on bit for bit.
    ///
    /// # Errors
    /// [`Error::State`] if the bytes are no such state or belong to other modules or optimisers.
    pub fn with_state(mut self, bytes: &[u8], device: &Device<B>) -> Result<Self> {
        let state: State = rmp_serde::from_slice(bytes).map_err(unread)?;
        self.step = state.step;
        self.outer = state.outer.load_into(self.outer, device)?;
        self.rates = state.rates.load_into(self.rates, device)?;
        self.outer_optimizer.load(state.outer_optimizer, device)?;
        self.rates_optimizer.load(state.rates_optimizer, device)?;
        Ok(self)
    }

    /// Changes the outer module between two steps: clamps a penalty, mixes in another copy. Parameters are to keep their ids,
    /// as they do in [`Module::map`](burn::module::Module::map), or the optimiser begins anew with them.
    pub fn map_outer(&mut self, change: impl FnOnce(On<P::Outer, B>) -> On<P::Outer, B>) {
        self.outer = change(self.outer.clone());
    }

    /// [`Self::map_outer`] for the inner rates, such as learned ones that are to stay above zero.
    pub fn map_rates(&mut self, change: impl FnOnce(Rates<B>) -> Rates<B>) {
        self.rates = change(self.rates.clone());
    }

    /// The problem, to change a setting of it between two steps. It is no part of [`Self::state`]: who goes on from there sets it
    /// again.
    pub fn problem_mut(&mut self) -> &mut P {
        &mut self.problem
    }

    /// The outer module.
    pub fn outer(&self) -> &On<P::Outer, B> {
        &self.outer
    }

    /// The inner rates.
    pub fn rates(&self) -> &Rates<B> {
        &self.rates
    }

    /// The problem.
    pub fn problem(&self) -> &P {
        &self.problem
    }

    /// The inner loop.
    pub fn inner_loop(&self) -> &InnerLoop<O> {
        &self.inner_loop
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }
}

/// Burn's optimisers find a parameter by its id: of two with one id, one would get the other's gradient.
fn refuse_repeated_parameters<B: Backend, M: Module<B>>(outer: &M) -> Result<()> {
    match repeated_parameter(outer, |_| true) {
        Some([first, second]) => Err(Error::RepeatedParameter { first, second }),
        None => Ok(()),
    }
}

fn refuse_zero_gradients<B: Backend>(batch: &MetaBatch<B>) -> Result<()> {
    match batch.zero.iter().zip(&batch.roles.outer_paths).find(|(zero, _)| **zero) {
        Some((_, path)) => Err(Error::ZeroGradient { path: path.clone() }),
        None => Ok(()),
    }
}

fn non_finite<B: Backend>(batch: &MetaBatch<B>) -> Error {
    let is_finite = |entry: &Option<_>| entry.as_ref().is_none_or(is_finite);
    let culprit =
        batch.outer.0.iter().zip(&batch.roles.outer_paths).find(|(entry, _)| !is_finite(entry));
    Error::NonFiniteMetaGradient {
        path: culprit.map_or("inner rates".into(), |(_, path)| path.clone()),
    }
}

#[cfg(test)]
mod tests;
