//! The outer loop: meta-batches, Burn's optimisers, schedules, evaluation and state.

use std::marker::PhantomData;

use burn::module::{AutodiffModule, Module};
use burn::optim::Optimizer;
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Element};
use serde::{Deserialize, Serialize};

use crate::hypergradient::Hypergradient;
use crate::inner::{Adapted, InnerLoop, InnerOptimizer, Rates};
use crate::meta_batch::{MetaBatch, meta_batch};
use crate::parallel::{Threads, in_order};
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::tensors::{Cotangents, Tensors, parameter_shapes};
use crate::{Autodiff, Error, On, Result};

/// Settings of the outer loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetaLearnerConfig {
    /// Rate of the outer module's optimiser.
    pub outer_rate: Schedule,
    /// Rate of the inner rates' optimiser; `None` keeps the inner rates fixed.
    pub rates_rate: Option<Schedule>,
    /// Largest Euclidean norm of the whole meta-gradient; larger ones are scaled down.
    pub clip: Option<f64>,
    /// Accept a learned parameter whose gradient is exactly zero in the whole first meta-batch.
    pub allow_zero_gradients: bool,
}

impl Default for MetaLearnerConfig {
    fn default() -> Self {
        Self {
            outer_rate: Schedule::default(),
            rates_rate: Some(Schedule::default()),
            clip: Some(1.0),
            allow_zero_gradients: false,
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
        // Clones of parameters that nobody has read yet would draw other random values.
        let _drawn = (Tensors::of(&outer), Tensors::of(&rates));
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

    /// The learner with `observer` called after every step: metrics, progress, early stopping.
    pub fn observe(mut self, observer: impl FnMut(&MetaStep) + Send + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// One outer step on a meta-batch.
    ///
    /// # Errors
    /// As [`meta_batch`](fn@meta_batch), [`Error::NonFiniteMetaGradient`], and [`Error::ZeroGradient`] at the first
    /// step. The learner is left as it was.
    pub fn step(&mut self, tasks: &[On<P::Task, B>]) -> Result<MetaStep> {
        let batch = self.meta_gradient(tasks)?;
        if self.step == 0 && !self.config.allow_zero_gradients {
            refuse_zero_gradients(&batch)?;
        }
        let learns_rates = self.config.rates_rate.is_some();
        let rates_norm = if learns_rates { batch.rates.norm() } else { 0.0 };
        let gradient_norm = batch.outer.norm().hypot(rates_norm);
        if !gradient_norm.is_finite() {
            return Err(non_finite(&batch));
        }
        let scale = self.config.clip.map_or(1.0, |limit| limit / gradient_norm.max(limit));
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
    /// As [`meta_batch`](fn@meta_batch).
    pub fn meta_gradient(&self, tasks: &[On<P::Task, B>]) -> Result<MetaBatch<B>> {
        let Self { hypergradient, problem, inner_loop, outer, rates, threads, .. } = self;
        meta_batch(hypergradient, problem, inner_loop, outer, rates, tasks, *threads)
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
        refuse_other_precision(&Tensors::of(&self.outer))?;
        refuse_other_precision(&Tensors::of(&self.rates))?;
        let state = State {
            step: self.step,
            outer: module_to_bytes(self.outer.clone())?,
            rates: module_to_bytes(self.rates.clone())?,
            outer_optimizer: self.outer_optimizer.save()?,
            rates_optimizer: self.rates_optimizer.save()?,
        };
        rmp_serde::to_vec_named(&state).map_err(unwritten)
    }

    /// The learner in a state that [`Self::state`] wrote: it goes on bit for bit.
    ///
    /// # Errors
    /// [`Error::State`] if the bytes are no such state or belong to other modules.
    pub fn with_state(mut self, bytes: &[u8], device: &Device<B>) -> Result<Self> {
        let state: State = rmp_serde::from_slice(bytes).map_err(unread)?;
        self.step = state.step;
        self.outer = module_from_bytes(self.outer, state.outer, device)?;
        self.rates = module_from_bytes(self.rates, state.rates, device)?;
        self.outer_optimizer.load(state.outer_optimizer, device)?;
        self.rates_optimizer.load(state.rates_optimizer, device)?;
        Ok(self)
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

fn refuse_zero_gradients<B: Backend>(batch: &MetaBatch<B>) -> Result<()> {
    for (entry, path) in batch.outer.0.iter().zip(&batch.roles.outer_paths) {
        if entry.is_some() && Cotangents(vec![entry.clone()]).norm() == 0.0 {
            return Err(Error::ZeroGradient { path: path.clone() });
        }
    }
    Ok(())
}

fn non_finite<B: Backend>(batch: &MetaBatch<B>) -> Error {
    let is_finite = |entry: &Option<_>| Cotangents(vec![entry.clone()]).norm().is_finite();
    let culprit =
        batch.outer.0.iter().zip(&batch.roles.outer_paths).find(|(entry, _)| !is_finite(entry));
    Error::NonFiniteMetaGradient {
        path: culprit.map_or("inner rates".into(), |(_, path)| path.clone()),
    }
}

/// Everything that learning changes. Modules and optimisers are Burn records in bytes.
#[derive(Serialize, Deserialize)]
struct State {
    step: usize,
    #[serde(with = "serde_bytes")]
    outer: Vec<u8>,
    #[serde(with = "serde_bytes")]
    rates: Vec<u8>,
    #[serde(with = "serde_bytes")]
    outer_optimizer: Vec<u8>,
    #[serde(with = "serde_bytes")]
    rates_optimizer: Vec<u8>,
}

/// Any of Burn's optimisers, for a module on the backend below autodiff.
trait Descent<M, B: Backend>: Send {
    fn descend(&mut self, rate: f64, module: M, gradient: &Cotangents<B>) -> M;
    fn save(&self) -> Result<Vec<u8>>;
    fn load(&mut self, bytes: Vec<u8>, device: &Device<B>) -> Result<()>;
}

/// An optimiser of the lifted module `M`.
struct Lifted<Opt, M> {
    optimizer: Opt,
    module: PhantomData<fn() -> M>,
}

impl<Opt, M> Lifted<Opt, M> {
    fn new(optimizer: Opt) -> Self {
        Self { optimizer, module: PhantomData }
    }
}

impl<Opt, M, B> Descent<M::InnerModule, B> for Lifted<Opt, M>
where
    B: Backend,
    M: AutodiffModule<Autodiff<B>>,
    Opt: Optimizer<M, Autodiff<B>>,
{
    fn descend(
        &mut self,
        rate: f64,
        module: M::InnerModule,
        gradient: &Cotangents<B>,
    ) -> M::InnerModule {
        let module = M::from_inner(module);
        let gradients = gradient.gradients(&module);
        self.optimizer.step(rate, module, gradients).valid()
    }

    fn save(&self) -> Result<Vec<u8>> {
        let record = self.optimizer.to_record();
        Recorder::<Autodiff<B>>::record(&recorder(), record, ()).map_err(unwritten)
    }

    fn load(&mut self, bytes: Vec<u8>, device: &Device<B>) -> Result<()> {
        let record = Recorder::<Autodiff<B>>::load(&recorder(), bytes, device).map_err(unread)?;
        self.optimizer = self.optimizer.clone().load_record(record);
        Ok(())
    }
}

fn recorder() -> BinBytesRecorder<FullPrecisionSettings> {
    BinBytesRecorder::default()
}

fn module_to_bytes<B: Backend, M: Module<B>>(module: M) -> Result<Vec<u8>> {
    Recorder::<B>::record(&recorder(), module.into_record(), ()).map_err(unwritten)
}

fn module_from_bytes<B: Backend, M: Module<B>>(
    module: M,
    bytes: Vec<u8>,
    device: &Device<B>,
) -> Result<M> {
    let expected = parameter_shapes(&module);
    let record = Recorder::<B>::load(&recorder(), bytes, device).map_err(unread)?;
    let loaded = module.load_record(record);
    let found = parameter_shapes(&loaded);
    match expected.iter().zip(&found).find(|(expected, found)| expected != found) {
        Some(((path, expected), (_, found))) => {
            Err(unread(format!("`{path}` is {found:?} there and {expected:?} in the module")))
        }
        None if expected.len() != found.len() => Err(unread("it has another number of parameters")),
        None => Ok(loaded),
    }
}

fn refuse_other_precision<B: Backend>(parameters: &Tensors<B>) -> Result<()> {
    let own = B::FloatElem::dtype();
    match parameters.0.iter().map(|tensor| tensor.dtype()).find(|dtype| *dtype != own) {
        Some(dtype) => Err(unwritten(format!(
            "a parameter is {dtype:?}, and the backend's precision is {own:?}"
        ))),
        None => Ok(()),
    }
}

fn unwritten(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "write", reason: reason.to_string() }
}

fn unread(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "read", reason: reason.to_string() }
}
