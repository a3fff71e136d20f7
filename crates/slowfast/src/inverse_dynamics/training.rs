//! Training the network, as an outer loop without inner steps.

use burn::module::Module;
use burn::optim::AdamWConfig;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::layers::cross_entropy;
use inner_outer::tensors::Tensors;
use inner_outer::{
    FirstOrder, InnerLoop, MetaLearner, MetaLearnerConfig, MetaStep, Problem, RateScope, Rates,
    Schedule, Selection, Sgd, family,
};
use rand::RngExt;

use super::{InverseDynamics, InverseDynamicsError, MotionNetwork, MotionNetworks, MotionPairs};

/// The cross entropy of actions as a bi-level problem without inner steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActionRecognition;

/// Pairs of one graph.
#[derive(Module, Debug)]
pub struct MotionBatch<B: Backend> {
    /// `[pairs, values]`.
    pub values: Tensor<B, 2>,
    /// Codes of the actions, `[pairs]`.
    pub actions: Tensor<B, 1, Int>,
}

family!(
    /// Batches on every backend.
    pub MotionBatches => MotionBatch
);

impl Problem for ActionRecognition {
    type Outer = MotionNetworks;
    type Inner = MotionNetworks;
    type Task = MotionBatches;

    fn learned(&self) -> Selection {
        Selection::All
    }

    fn init<B: Backend>(
        &self,
        outer: &MotionNetwork<B>,
        _task: &MotionBatch<B>,
    ) -> MotionNetwork<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &MotionNetwork<B>,
        outer: &MotionNetwork<B>,
        task: &MotionBatch<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        self.outer_loss(inner, outer, task)
    }

    fn outer_loss<B: Backend>(
        &self,
        network: &MotionNetwork<B>,
        _outer: &MotionNetwork<B>,
        task: &MotionBatch<B>,
    ) -> Tensor<B, 1> {
        cross_entropy(network.forward(task.values.clone()), task.actions.clone())
    }
}

/// A network in training on pairs that are kept in memory.
pub struct InverseDynamicsTrainer<B: Backend> {
    learner: MetaLearner<ActionRecognition, Sgd, FirstOrder, B>,
    untrained: InverseDynamics<B>,
    pairs: MotionPairs,
    by_action: Vec<Vec<usize>>,
    batch: usize,
    seed: Seed,
}

impl<B: Backend> InverseDynamicsTrainer<B> {
    /// A trainer at step 0, with `batch` pairs in a step.
    ///
    /// # Errors
    /// [`InverseDynamicsError::NoPairs`].
    pub fn new(
        inverse: InverseDynamics<B>,
        pairs: MotionPairs,
        batch: usize,
        rate: Schedule,
        seed: Seed,
    ) -> Result<Self, InverseDynamicsError> {
        let by_action = pairs.by_action();
        if by_action.is_empty() {
            return Err(InverseDynamicsError::NoPairs("training".to_owned()));
        }
        let network = inverse.network.clone();
        let rates = Rates::new(RateScope::Global, 1.0, &Tensors::of(&network), 0);
        let config = MetaLearnerConfig {
            outer_rate: rate,
            rates_rate: None,
            clip: Some(1.0),
            allow_zero_gradients: true,
            ..MetaLearnerConfig::default()
        };
        let learner = MetaLearner::new(
            ActionRecognition,
            InnerLoop { optimizer: Sgd, steps: 0 },
            FirstOrder,
            config,
            network,
            rates,
            AdamWConfig::new().with_weight_decay(0.01).init(),
            AdamWConfig::new().init(),
        );
        Ok(Self { learner, untrained: inverse, pairs, by_action, batch, seed })
    }

    /// One step on pairs whose actions are equally likely.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Learning`] for losses that are not finite.
    pub fn step(&mut self) -> Result<MetaStep, InverseDynamicsError> {
        let step = self.learner.steps_taken();
        let batch = self.drawn(step as u64);
        self.learner.step(&[batch]).map_err(|cause| InverseDynamicsError::Learning { step, cause })
    }

    fn drawn(&self, step: u64) -> MotionBatch<B> {
        let mut random = self.seed.child("batch").index(step).rng();
        let width = self.untrained.config.matching.values();
        let (mut values, mut actions) = (Vec::new(), Vec::new());
        for _ in 0..self.batch {
            let group = &self.by_action[random.random_range(0..self.by_action.len())];
            let pair = group[random.random_range(0..group.len())];
            values.extend_from_slice(&self.pairs.values[pair * width..(pair + 1) * width]);
            actions.push(i32::from(self.pairs.actions[pair].code()));
        }
        let device = self.untrained.network.scores.weight.device();
        let count = actions.len();
        MotionBatch {
            values: Tensor::from_data(TensorData::new(values, [count, width]), &device),
            actions: Tensor::from_data(TensorData::new(actions, [count]), &device),
        }
    }

    /// The inverse dynamics as they are now.
    pub fn inverse_dynamics(&self) -> InverseDynamics<B> {
        InverseDynamics { network: self.learner.outer().clone(), ..self.untrained.clone() }
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.learner.steps_taken()
    }

    /// Everything that training changes.
    ///
    /// # Errors
    /// [`InverseDynamicsError::State`] if a record cannot be written.
    pub fn state(&self) -> Result<Vec<u8>, InverseDynamicsError> {
        self.learner.state().map_err(InverseDynamicsError::State)
    }

    /// The trainer in a state that [`Self::state`] wrote: it goes on bit for bit.
    ///
    /// # Errors
    /// [`InverseDynamicsError::State`] if the bytes are no such state, or that of another network.
    pub fn with_state(
        self,
        state: &[u8],
        device: &Device<B>,
    ) -> Result<Self, InverseDynamicsError> {
        let learner =
            self.learner.with_state(state, device).map_err(InverseDynamicsError::State)?;
        Ok(Self { learner, ..self })
    }
}
