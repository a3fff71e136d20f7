//! Algorithm 1, federated adversarial learning (Li, Song and Yang 2023).
//!
//! ```text
//! for t = 0 .. T
//!     for each client c in parallel
//!         W_c(t, 0) = U(t)
//!         for k = 0 .. K
//!             x~_j = A(F_W, x_j, y_j)                                           for all its samples j
//!             W_c(t, k + 1) = W_c(t, k) - eta_local grad_W 1/J sum_j loss(F_W(x~_j), y_j)
//!         dU_c(t) = W_c(t, K) - U(t)
//!     dU(t) = 1/N sum_c dU_c(t)
//!     U(t + 1) = U(t) + eta_global dU(t)
//! ```
//!
//! [`Federation::round`] is the body of the outer loop, [`client_update`] that of a client. Other servers, partial
//! participation, clients that lie and terms against drift are settings of the same round. It is the algorithm above with
//! [`ServerChoice::paper`](crate::server::ServerChoice::paper) and with clients that take K steps on all their samples
//! (`Work::Steps`, a batch of 0) without momentum or decay.

mod divergence;

use std::collections::BTreeSet;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::Threads;
use inner_outer::parallel::in_order;
use inner_outer::tensors::Tensors;

pub use self::divergence::Divergence;
use crate::adversary::{AdversaryConfig, Ascent};
use crate::client::{Encounter, client_update};
use crate::config::ExperimentConfig;
use crate::data::ImageSet;
use crate::game::{AdversarialGame, Batch};
use crate::network::Network;
use crate::partition::Partition;
use crate::server::parameters::{flatten, unflatten, unflatten_tensors};
use crate::server::{
    AttackerChoice, DriftControl, Participant, Received, Scaffold, ServerError, ServerState,
    Update, set_aside_non_finite,
};
use crate::training_error::TrainingError;

/// A server and its clients.
pub struct Federation<B: Backend> {
    config: ExperimentConfig,
    images: ImageSet,
    partition: Partition,
    liars: BTreeSet<usize>,
    network: Network<B>,
    state: FederationState,
    seed: Seed,
    device: Device<B>,
    /// Clients at work at the same time. The result does not depend on it.
    pub threads: Threads,
}

/// What changes from round to round.
#[derive(Clone, Debug, PartialEq)]
pub struct FederationState {
    /// The parameters of the server's network, `U(t)`.
    pub global: Vec<f32>,
    /// What the server remembers besides.
    pub server: ServerState,
    /// The control variates, where there are some.
    pub scaffold: Option<Scaffold>,
    /// The last rounds in which nothing finite came.
    pub divergence: Divergence,
}

/// What happened in a round.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundReport {
    /// The round, from 1.
    pub round: u64,
    /// Mean loss of the clients on perturbed samples, over their steps; `None` if nobody reported back.
    pub loss: Option<f64>,
    /// Clients that sent a finite update.
    pub participants: usize,
    /// Clients that were asked, but lost.
    pub dropped: Vec<usize>,
    /// Clients whose loss or update was not finite.
    pub set_aside: Vec<usize>,
    /// Whether the server moved: not if too few updates came for its rule.
    pub is_used: bool,
    /// False where the server moved by an iteration that had not come to rest.
    pub is_converged: bool,
}

/// So many times the norm of the network as it was drawn is more than learning explains.
const GROWN: f64 = 10.0;

/// What a client trains against: the losses of both sides, what calibrates them, and how far and how the adversary goes.
struct Opponent<'g, B: Backend> {
    game: &'g AdversarialGame,
    class_counts: &'g Tensor<B, 1>,
    adversary: AdversaryConfig,
}

impl<B: Backend> Federation<B> {
    /// Divides `images` among the clients and draws the network.
    ///
    /// # Errors
    /// Those of the configuration, the division and the network.
    pub fn new(
        config: &ExperimentConfig,
        images: ImageSet,
        device: &Device<B>,
    ) -> Result<Self, TrainingError> {
        config.check()?;
        let seed = Seed::new(config.seed);
        let clients = config.clients;
        let partition = clients.partition.divide(
            images.labels(),
            images.classes(),
            clients.count,
            &seed.child("partition"),
        )?;
        let network = Network::new(
            &config.network,
            images.shape(),
            images.classes(),
            &seed.child("network"),
            device,
        )?;
        let global = flatten(&network);
        let scaffold = matches!(config.client.drift, DriftControl::Scaffold)
            .then(|| Scaffold::new(global.len()));
        let liars = clients.attackers.map(|attackers| attackers.among(clients.count, &seed));
        Ok(Self {
            config: config.clone(),
            images,
            partition,
            liars: liars.unwrap_or_default(),
            network,
            state: FederationState {
                global,
                server: ServerState::default(),
                scaffold,
                divergence: Divergence::default(),
            },
            seed: seed.child("rounds"),
            device: device.clone(),
            threads: Threads::default(),
        })
    }

    /// The body of the outer loop of Algorithm 1: from `U(t)` to `U(t + 1)`. Where nobody reports back, or too few do for the
    /// server's rule to protect, `U` stays.
    ///
    /// # Errors
    /// [`TrainingError::Client`] if a client cannot take a step, [`TrainingError::NothingFinite`] if no update was finite of all
    /// clients, or of more than half of them or ten in three rounds running or more, and [`TrainingError::Aggregation`] if the
    /// server cannot take its own. The state is then that before the round.
    pub fn round(&mut self) -> Result<RoundReport, TrainingError> {
        let t = self.state.server.rounds;
        let roster = self.config.clients.participation.round(self.partition.len(), t, &self.seed);
        let mut updates = Vec::with_capacity(roster.participants.len());
        let mut diverged = Vec::new();
        in_order(
            &roster.participants,
            self.threads,
            |_, participant| self.update_of(participant, t),
            |index, update| match update {
                Some(update) => updates.push(update),
                None => diverged.push(roster.participants[index].client),
            },
        )?;
        let (updates, infinite) = set_aside_non_finite(updates);
        let mut set_aside = [diverged, infinite].concat();
        set_aside.sort_unstable();
        let divergence = self.state.divergence.after(updates.len(), &set_aside);
        if divergence.is_of_the_model(self.partition.len()) {
            let (rounds, may_clip) = (divergence.rounds, self.may_clip());
            return Err(TrainingError::NothingFinite { round: t + 1, rounds, may_clip });
        }
        let (loss, participants) = (mean_loss(&updates), updates.len());
        let is_converged = self
            .aggregate(Received { updates, set_aside: set_aside.len() })
            .map_err(|source| TrainingError::Aggregation { round: t + 1, source })?;
        self.state.divergence = divergence;
        if is_converged.is_none() {
            self.state.server.rounds += 1;
        }
        Ok(RoundReport {
            round: t + 1,
            loss,
            participants,
            dropped: roster.dropped,
            set_aside,
            is_used: is_converged.is_some(),
            is_converged: is_converged.unwrap_or(true),
        })
    }

    /// Whether a bound on updates is missing that could have kept the model from growing.
    fn may_clip(&self) -> bool {
        let norm = |parameters: &[f32]| {
            parameters.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
        };
        let has_grown = norm(&self.state.global) > GROWN * norm(&flatten(&self.network));
        self.config.server.clip.is_none() && has_grown
    }

    /// `dU_c(t) = W_c(t, K) - U(t)`, or what a client that lies sends in its place. None where its loss was not finite: one
    /// client that diverges, or lies about its labels until it does, cannot stop the others.
    fn update_of(
        &self,
        participant: &Participant,
        t: u64,
    ) -> Result<Option<Update>, TrainingError> {
        let client = participant.client;
        let mut update = match self.local_update(&self.state.global, participant, t) {
            Ok(update) => update,
            Err(
                inner_outer::Error::NonFiniteInnerLoss { .. }
                | inner_outer::Error::NonFiniteOuterLoss { .. },
            ) => return Ok(None),
            Err(source) => return Err(TrainingError::Client { client, round: t + 1, source }),
        };
        if let Some(behaviour) = self.lie_of(client) {
            behaviour.corrupt(&mut update, t, &self.seed);
        }
        Ok(Some(update))
    }

    /// What a participant of round `t`, from 0, learns from the parameters `global`: the honest update.
    ///
    /// # Errors
    /// Those of the inner loop.
    ///
    /// # Panics
    /// If `global` has another length than the network's parameters, or there is no such client.
    pub fn local_update(
        &self,
        global: &[f32],
        participant: &Participant,
        t: u64,
    ) -> inner_outer::Result<Update> {
        let client = participant.client;
        let samples = &self.partition.clients[client];
        let config = &self.config.client;
        let steps = participant.steps(config.steps(samples.len()));
        let seed = self.seed.child("client").index(client as u64);
        let mut batches = config.batches(samples.len(), t, &seed);
        let seed = seed.index(t);
        let game = AdversarialGame { loss: self.config.loss };
        let class_counts = self.class_counts(client);
        let adversary = self.config.adversary.in_round(t, self.config.rounds);

        let network = unflatten(self.network.clone(), global).expect("parameters of this network");
        let start = Tensors::of(&network);
        let correction = self.state.scaffold.as_ref().map(|variates| {
            let correction = unflatten_tensors(&variates.correction(client), &start);
            correction.expect("control variates of this network").into_cotangents()
        });
        let learned =
            client_update(&game, &network, config, correction.as_ref(), steps, |k, network| {
                let batch = batches.next().expect("every client has samples");
                let chosen: Vec<usize> = batch.into_iter().map(|index| samples[index]).collect();
                let opponent = Opponent { game: &game, class_counts: &class_counts, adversary };
                self.encounter(opponent, network, client, &chosen, &seed.index(k as u64))
            })?;
        Ok(learned.update(client, global, samples.len()))
    }

    /// The samples at `chosen` and the adversary that perturbs them.
    fn encounter(
        &self,
        Opponent { game, class_counts, adversary }: Opponent<'_, B>,
        network: &Network<B>,
        client: usize,
        chosen: &[usize],
        seed: &Seed,
    ) -> inner_outer::Result<Encounter<AdversarialGame, Ascent, B>> {
        let (images, mut labels) = self.images.batch::<B>(chosen, &self.device);
        if self.lie_of(client).is_some() {
            let told: Vec<i64> = self.labels(client, chosen).into_iter().map(i64::from).collect();
            labels = Tensor::from_data(TensorData::new(told, [chosen.len()]), &self.device);
        }
        let pixels: Vec<f32> =
            chosen.iter().flat_map(|index| self.images.image(*index)).copied().collect();
        let start = adversary.start(&pixels, chosen.len(), seed);
        let start = TensorData::new(start, images.shape());
        let batch = Batch {
            start: Tensor::from_data(start, &self.device),
            images,
            labels,
            class_counts: class_counts.clone(),
            clean: None,
        };
        Ok(Encounter {
            adversary: adversary.inner_loop(&pixels, chosen.len())?,
            step_length: adversary.step,
            batch: game.with_clean_scores(network, batch),
        })
    }

    /// The labels that a client learns from at some of its `samples`: the true ones, unless it flips them.
    fn labels(&self, client: usize, samples: &[usize]) -> Vec<u8> {
        let own: Vec<u8> = samples.iter().map(|index| self.images.labels()[*index]).collect();
        match self.lie_of(client) {
            Some(behaviour) => behaviour.labels(&own, self.images.classes()),
            None => own,
        }
    }

    /// Logarithms of what the classes of a client count as, by the labels that it learns from, `[classes]`.
    fn class_counts(&self, client: usize) -> Tensor<B, 1> {
        let classes = self.images.classes();
        // Counted when the images were divided, for neither samples nor labels change.
        let own = &self.partition.counts()[client];
        // A label has one byte, so that a class beyond has no samples.
        let labels: Vec<u8> = (0..classes).map(|class| class as u8).collect();
        let told = match self.lie_of(client) {
            Some(behaviour) => behaviour.labels(&labels, classes),
            None => labels,
        };
        let mut counts = vec![0; classes];
        told.into_iter().zip(own).for_each(|(label, count)| counts[usize::from(label)] += count);
        let logarithms = counts.into_iter().map(|count| self.config.loss.log_count(count));
        let logarithms: Vec<f64> = logarithms.collect();
        Tensor::from_data(TensorData::new(logarithms, [classes]), &self.device)
    }

    fn lie_of(&self, client: usize) -> Option<AttackerChoice> {
        let attackers = self.config.clients.attackers?;
        self.liars.contains(&client).then_some(attackers.behaviour)
    }

    /// `U(t + 1) = U(t) + eta_global dU(t)`, or what else the server does, and whether an iteration for it came to rest. None,
    /// and nothing changes, where too few updates came for its rule.
    fn aggregate(&mut self, received: Received) -> Result<Option<bool>, ServerError> {
        let FederationState { global, server, scaffold, .. } = &mut self.state;
        let (mut next_global, mut next_server) = (global.clone(), server.clone());
        let of_clients = scaffold.is_some().then(|| received.updates.clone());
        let moved = self.config.server.step(&mut next_server, &mut next_global, received);
        let is_converged = match moved {
            Ok(is_converged) => is_converged,
            Err(refusal) if refusal.passes_over() => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        // Last, because it changes in place, or not at all: the variates of all clients are not copied for a round of a few.
        if let (Some(scaffold), Some(updates)) = (scaffold, of_clients) {
            scaffold.absorb(&updates, self.config.client.rate, self.partition.len())?;
        }
        (*global, *server) = (next_global, next_server);
        Ok(Some(is_converged))
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.state.server.rounds
    }

    /// The server's network, `F_U(t)`.
    pub fn network(&self) -> Network<B> {
        unflatten(self.network.clone(), &self.state.global).expect("parameters of this network")
    }

    /// Who has which samples.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// What changes from round to round.
    pub fn state(&self) -> &FederationState {
        &self.state
    }

    /// Goes on from `state`.
    ///
    /// # Errors
    /// [`TrainingError::State`] if it is that of another network, or of a training with or without control variates unlike
    /// this one.
    pub fn with_state(mut self, state: FederationState) -> Result<Self, TrainingError> {
        let refuse = |what, cause| Err(TrainingError::State { what, cause });
        let (expected, found) = (self.state.global.len(), state.global.len());
        if expected != found {
            let cause = format!("it has {found} parameters, and the network {expected}");
            return refuse("the saved network", cause);
        }
        match (&self.state.scaffold, &state.scaffold) {
            (Some(_), None) => {
                return refuse("the saved control variates", "there are none".into());
            }
            (None, Some(_)) => {
                return refuse("the saved control variates", "this training has none".into());
            }
            (Some(_), Some(variates)) if !variates.fit(expected) => {
                return refuse("the saved control variates", "they are of another network".into());
            }
            _ => {}
        }
        self.state = state;
        Ok(self)
    }
}

fn mean_loss(updates: &[Update]) -> Option<f64> {
    let losses = updates.iter().map(|update| update.loss);
    (!updates.is_empty()).then(|| losses.sum::<f64>() / updates.len() as f64)
}

#[cfg(test)]
mod tests;
