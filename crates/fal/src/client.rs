//! The client: local steps on samples that its adversary perturbs anew at every step.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::hypergradient::MetaGradient;
use inner_outer::inner::Iterate;
use inner_outer::tensors::{Cotangents, Tensors};
use inner_outer::{
    Envelope, Hypergradient, InnerLoop, InnerOptimizer, Momentum, On, Problem, RateScope,
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::server::parameters::flatten_tensors;
use crate::server::{DriftControl, Update};
use crate::training_error::{TrainingError, require, require_some, within};

/// How much a client does in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Local steps.
    Steps {
        /// How many, `K`, from 1 to a million.
        count: usize,
    },
    /// Passes over its samples.
    Epochs {
        /// How many, from 1 to a million.
        count: usize,
    },
}

/// With which batches a client begins a round, where a step sees fewer than all its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// With those of an order that no round had before.
    #[default]
    Anew,
    /// With those after the last of the round before, so that all its samples come before any comes again, however few steps a
    /// round has. Steps that it did not take, in this round or because it was not asked, are passed over.
    Continued,
}

/// How a client learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// How much it does in a round, at least 1.
    pub work: Work,
    /// Samples of a step; 0 for all that it has.
    pub batch: usize,
    /// Where the batches of a round begin.
    pub order: Order,
    /// Rate of its descent, eta_local, above 0.
    pub rate: f64,
    /// Momentum of its descent, at least 0 and below 1; fresh in every round.
    pub momentum: f64,
    /// Weight decay, at least 0.
    pub weight_decay: f64,
    /// What keeps it near the others.
    pub drift: DriftControl,
}

impl Default for ClientConfig {
    /// One pass in batches of 32, in an order of its own in every round, rate 0.05, momentum 0.9.
    fn default() -> Self {
        Self {
            work: Work::Epochs { count: 1 },
            batch: 32,
            order: Order::Anew,
            rate: 0.05,
            momentum: 0.9,
            weight_decay: 0.0,
            drift: DriftControl::None,
        }
    }
}

/// A batch and the adversary that perturbs it.
pub struct Encounter<P: Problem, O, B: Backend> {
    /// The ascent, `A`.
    pub adversary: InnerLoop<O>,
    /// Length of a step of it.
    pub step_length: f64,
    /// `x_j, y_j`.
    pub batch: On<P::Task, B>,
}

/// What a client has learned.
pub struct Learned<B: Backend> {
    /// Its parameters after the last step, `W_c(t, K)`.
    pub weights: Tensors<B>,
    /// Its loss on perturbed samples before each step.
    pub losses: Vec<f64>,
}

impl<B: Backend> Learned<B> {
    /// What the client number `client` reports to the server that it began with, `dU_c(t) = W_c(t, K) - U(t)`.
    pub fn update(&self, client: usize, global: &[f32], samples: usize) -> Update {
        let weights = flatten_tensors(&self.weights);
        let steps = self.losses.len();
        Update {
            client,
            delta: weights.iter().zip(global).map(|(w, u)| w - u).collect(),
            samples,
            steps,
            loss: self.losses.iter().sum::<f64>() / steps as f64,
        }
    }
}

/// The client's side of Algorithm 1 of Li, Song and Yang (2023): from the server's network `U(t)`, in each of `steps` local
/// steps,
///
/// ```text
/// x~_j      = A(F_W, x_j, y_j)
/// W(k + 1)  = W(k) - rate * grad_W 1/J sum_j loss(F_W(x~_j), y_j)
/// ```
///
/// where `encounter` gives the samples and the adversary of step `k` for the network `F_W(k)`. The gradient is taken with the
/// perturbed samples held constant, which is exact where the adversary has won ([`Envelope`]). `correction` is added to it:
/// the control variates of SCAFFOLD.
///
/// # Errors
/// Those of the inner loop and of `encounter`.
pub fn client_update<P: Problem, O: InnerOptimizer, B: Backend>(
    game: &P,
    global: &On<P::Outer, B>,
    config: &ClientConfig,
    correction: Option<&Cotangents<B>>,
    steps: usize,
    mut encounter: impl FnMut(usize, &On<P::Outer, B>) -> inner_outer::Result<Encounter<P, O, B>>,
) -> inner_outer::Result<Learned<B>> {
    let start = Tensors::of(global);
    let descent = Momentum { coefficient: config.momentum };
    let rate = Tensors(
        start
            .0
            .iter()
            .map(|like| Tensor::full_like(&like.clone().narrow(0, 0, 1), config.rate))
            .collect(),
    );
    let mut at = Iterate { state: descent.state(&start), theta: start.clone(), steps_taken: 0 };
    let mut losses = Vec::new();
    for k in 0..steps {
        let network = at.theta.write(global.clone());
        let perturbed = perturbed_gradient(game, &network, &encounter(k, &network)?)?;
        losses.push(perturbed.outer_loss);
        let gradient = config.gradient(perturbed.outer, &at.theta, &start, correction);
        at = descent.step(k, &rate, at, &gradient);
    }
    Ok(Learned { weights: at.theta, losses })
}

/// The loss at `x~_j = A(F_W, x_j, y_j)` and its gradient by `W` with `x~_j` held constant: the adversary is the inner loop, whose
/// rate is the length of its steps, and its network what the outer loop learns.
fn perturbed_gradient<P: Problem, O: InnerOptimizer, B: Backend>(
    game: &P,
    network: &On<P::Outer, B>,
    Encounter { adversary, step_length, batch }: &Encounter<P, O, B>,
) -> inner_outer::Result<MetaGradient<B>> {
    let step_length = adversary.rates(game, RateScope::Global, *step_length, network, batch)?;
    Envelope.meta_gradient(game, adversary, network, &step_length, batch)
}

impl ClientConfig {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`], [`TrainingError::Excluded`] and those of [`DriftControl::check`].
    pub fn check(&self) -> Result<(), TrainingError> {
        let (Work::Steps { count } | Work::Epochs { count }) = self.work;
        require_some("client.work.count", count)?;
        require(self.rate.is_finite() && self.rate > 0.0, "client.rate", self.rate, "above 0")?;
        let usable = (0.0..1.0).contains(&self.momentum);
        require(usable, "client.momentum", self.momentum, "at least 0 and below 1")?;
        let usable = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        require(usable, "client.weight_decay", self.weight_decay, "at least 0")?;
        within("client.drift", self.drift.check())?;
        match self.drift {
            DriftControl::Scaffold if self.momentum != 0.0 => Err(TrainingError::Excluded(
                "the control variates of SCAFFOLD are those of plain steps; set client.momentum = 0, or another client.drift",
            )),
            _ => Ok(()),
        }
    }

    /// Local steps of a client with so many samples.
    pub fn steps(&self, samples: usize) -> usize {
        match self.work {
            Work::Steps { count } => count,
            Work::Epochs { count } => count * samples.div_ceil(self.batch_size(samples)),
        }
    }

    fn batch_size(&self, samples: usize) -> usize {
        match self.batch {
            0 => samples.max(1),
            size => size.min(samples).max(1),
        }
    }

    /// Which of a client's `samples` each of its steps of round `t`, from 0, sees, without end: pass after pass, each in an order
    /// of its own; in the order of the samples where a step sees them all. Nothing without samples. `seed` is the client's.
    pub fn batches(
        &self,
        samples: usize,
        t: u64,
        seed: &Seed,
    ) -> impl Iterator<Item = Vec<usize>> + use<> {
        let size = self.batch_size(samples);
        let (seed, steps_before) = match self.order {
            Order::Anew => (seed.index(t).child("order"), 0),
            Order::Continued => (seed.child("order"), t.saturating_mul(self.steps(samples) as u64)),
        };
        let pass = move |number| {
            let mut order: Vec<usize> = (0..samples).collect();
            if size < samples {
                order.shuffle(&mut seed.index(number).rng());
            }
            order.chunks(size).map(<[usize]>::to_vec).collect::<Vec<_>>()
        };
        let steps_of_a_pass = samples.div_ceil(size) as u64;
        let passes = match steps_before.checked_div(steps_of_a_pass) {
            Some(done) => done..u64::MAX,
            None => 0..0,
        };
        let into_the_pass = steps_before.checked_rem(steps_of_a_pass).unwrap_or(0);
        passes.flat_map(pass).skip(into_the_pass as usize)
    }

    /// The gradient of the loss with weight decay, proximal term and correction.
    fn gradient<B: Backend>(
        &self,
        of_loss: Cotangents<B>,
        weights: &Tensors<B>,
        global: &Tensors<B>,
        correction: Option<&Cotangents<B>>,
    ) -> Tensors<B> {
        let mut sum = of_loss;
        if self.weight_decay > 0.0 {
            sum = sum + weights.clone().into_cotangents().scale(self.weight_decay);
        }
        if let Some(proximal) = self.drift.proximal_gradient(weights, global) {
            sum = sum + proximal;
        }
        if let Some(correction) = correction {
            sum = sum + correction.clone();
        }
        sum.or_zeros(weights)
    }
}
