//! Algorithm 1 where the theorem holds: the two-layer network, points on the sphere, a uniform mean of all clients.

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::Threads;
use inner_outer::parallel::in_order;

use super::deal::deal;
use super::{SphereGame, TheorySettings};
use crate::client::client_update;
use crate::data::SphereSet;
use crate::network::TwoLayer;
use crate::server::parameters::{flatten, unflatten};
use crate::server::{ServerError, ServerState, Update};
use crate::training_error::TrainingError;

/// A server and its clients in the regime of the theorem. The algorithm is that of
/// [`Federation`](crate::algorithm::Federation): the same clients ([`client_update`]) and the same server
/// ([`ServerChoice::paper`](crate::server::ServerChoice::paper)), on points in place of images.
pub struct TheoryFederation<B: Backend> {
    settings: TheorySettings,
    set: SphereSet,
    /// For each client the positions of its points.
    clients: Vec<Vec<usize>>,
    network: TwoLayer<B>,
    global: Vec<f32>,
    server: ServerState,
    seed: Seed,
    device: Device<B>,
    /// Clients at work at the same time. The result does not depend on it.
    pub threads: Threads,
}

impl<B: Backend> TheoryFederation<B> {
    /// Draws the points, deals them out and draws the network. Each has a stream of its own, so that settings which do not
    /// concern one of them leave it as it is.
    ///
    /// # Errors
    /// Those of the settings, and [`TrainingError::Sphere`] if the points find no place.
    pub fn new(
        settings: TheorySettings,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, TrainingError> {
        settings.check()?;
        let TheorySettings { clients, dimension, .. } = settings;
        let set = settings.draw_points(seed)?;
        let dealt = deal(set.targets(), clients, settings.heterogeneity, &seed.child("clients"));
        let network = TwoLayer::new(settings.width, dimension, &seed.child("network"), device)?;
        Ok(Self {
            settings,
            set,
            clients: dealt,
            global: flatten(&network),
            network,
            server: ServerState::default(),
            seed: seed.child("rounds"),
            device: device.clone(),
            threads: Threads::default(),
        })
    }

    /// From `U(t)` to `U(t + 1)`; gives the clients' mean loss on perturbed points over their steps.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`] if a number is not finite any more, [`TrainingError::Client`] if a client cannot take a step for
    /// another reason, and those of the server. `U` then stays.
    pub fn round(&mut self) -> Result<f64, TrainingError> {
        let t = self.server.rounds;
        let clients: Vec<usize> = (0..self.clients.len()).collect();
        let mut updates = Vec::with_capacity(clients.len());
        in_order(
            &clients,
            self.threads,
            |_, client| {
                self.local_update(*client, t).map_err(|source| match is_divergence(&source) {
                    true => TrainingError::Diverged { round: t + 1 },
                    false => TrainingError::Client { client: *client, round: t + 1, source },
                })
            },
            |_, update| updates.push(update),
        )?;
        let loss = updates.iter().map(|update| update.loss).sum::<f64>() / updates.len() as f64;
        // What bounds updates elsewhere is no setting of the theorem's simulation.
        self.settings.server().step(&mut self.server, &mut self.global, updates).map_err(
            |refusal| match refusal {
                ServerError::NotFinite { .. } | ServerError::Overflow { .. } => {
                    TrainingError::Diverged { round: t + 1 }
                }
                other => other.into(),
            },
        )?;
        Ok(loss)
    }

    /// `dU_c(t) = W_c(t, K) - U(t)`.
    fn local_update(&self, client: usize, t: u64) -> inner_outer::Result<Update> {
        let TheorySettings { loss, local_steps: steps, adversary, .. } = self.settings;
        let points = &self.clients[client];
        let seed = self.seed.child("client").index(client as u64).index(t);
        let encounter = |k: usize, _: &TwoLayer<B>| {
            let seed = seed.index(k as u64);
            Ok(adversary.encounter(&self.set, points, Some(&seed), &self.device))
        };
        let (game, config) = (SphereGame { loss }, self.settings.client());
        let learned = client_update(&game, &self.network(), &config, None, steps, encounter)?;
        Ok(learned.update(client, &self.global, points.len()))
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.server.rounds
    }

    /// The server's network, `F_U(t)`.
    pub fn network(&self) -> TwoLayer<B> {
        unflatten(self.network.clone(), &self.global).expect("parameters of this network")
    }

    /// The points of all clients.
    pub fn set(&self) -> &SphereSet {
        &self.set
    }

    /// For each client the positions of its points in the set.
    pub fn clients(&self) -> &[Vec<usize>] {
        &self.clients
    }
}

/// Whether a number left the finite ones. Points, start and losses are finite here and have derivatives everywhere, so that it
/// is the rates that were too large.
pub(super) fn is_divergence(error: &inner_outer::Error) -> bool {
    use inner_outer::Error;
    matches!(
        error,
        Error::NonFiniteInnerLoss { .. }
            | Error::NonFiniteEnd { .. }
            | Error::NonFiniteOuterLoss { .. }
            | Error::NonFiniteMetaGradient { .. }
    )
}

#[cfg(test)]
mod tests;
