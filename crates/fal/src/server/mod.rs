//! The server: what becomes of the clients' updates.
//!
//! A round at the server is three steps, each a value of its own: bound the length of updates, aggregate them
//! ([`AggregatorChoice`]), move the model ([`OptimizerChoice`]). [`ServerChoice`] composes them; [`ServerState`] is what a
//! server remembers between rounds. Everything works on flat vectors of parameters ([`parameters`]), in double precision
//! inside, in the order of the updates: the result does not depend on which client was done first.
//!
//! | method | aggregator | optimiser | client |
//! |---|---|---|---|
//! | the paper's | uniform mean | global rate | |
//! | FedAvg | mean by samples | rate 1 | |
//! | FedProx | mean by samples | rate 1 | [`DriftControl::Proximal`] |
//! | SCAFFOLD | uniform mean | rate | [`Scaffold`] |
//! | FedNova | [`AggregatorChoice::Nova`] | rate 1 | |
//! | FedAvgM, FedAdam, FedYogi, FedAdagrad | mean by samples | the rule of that name | |
//! | SFAT | [`AggregatorChoice::Slack`] | rate 1 | |
//!
//! [`Participation`] says who takes part in a round, [`AttackerChoice`] who lies and how.

mod aggregator;
mod attacker;
mod blocks;
mod drift;
mod error;
mod krum;
mod mean;
mod optimizer;
pub mod parameters;
mod participation;
mod robust;
mod scaffold;
mod sorted;
mod update;

use serde::{Deserialize, Serialize};

pub use aggregator::{Aggregate, AggregatorChoice, Weighting};
pub use attacker::{AttackerChoice, Attackers};
pub use drift::DriftControl;
pub use error::ServerError;
pub use optimizer::{Adaptive, OptimizerChoice, ServerState};
pub use participation::{Participant, Participation, Roster};
pub use scaffold::Scaffold;
pub use update::{Received, Update, set_aside_non_finite};

/// What a server does with the updates of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerChoice {
    /// The largest Euclidean norm of an update, above 0; longer ones are shortened to it. `None` for no bound.
    pub clip: Option<f64>,
    /// How updates become one.
    pub aggregator: AggregatorChoice,
    /// How that one moves the model.
    pub optimizer: OptimizerChoice,
}

impl ServerChoice {
    /// The server of the paper: `U(t+1) = U(t) + rate / N sum_c dU_c`.
    pub fn paper(rate: f64) -> Self {
        let aggregator = AggregatorChoice::Mean { weighting: Weighting::Uniform };
        Self { clip: None, aggregator, optimizer: OptimizerChoice::Rate { rate } }
    }

    /// FedAvg (McMahan et al. 2017): the mean of the clients' parameters by their numbers of samples.
    pub fn fedavg() -> Self {
        let aggregator = AggregatorChoice::Mean { weighting: Weighting::Samples };
        Self { aggregator, ..Self::paper(1.0) }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        if let Some(limit) = self.clip.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
            let range = "finite and above 0";
            return Err(ServerError::OutOfRange { setting: "clip", value: limit, range });
        }
        self.aggregator.check()?;
        self.optimizer.check()
    }

    /// Moves the `global` parameters by the updates of a round. Returns [`Aggregate::is_converged`].
    ///
    /// # Errors
    /// Those of [`Self::check`] and [`AggregatorChoice::combine`]; [`ServerError::Length`] if the updates or the state
    /// belong to another model; [`ServerError::Overflow`] if the next model or state would not be finite. Nothing is changed
    /// then.
    pub fn step(
        &self,
        state: &mut ServerState,
        global: &mut [f32],
        received: impl Into<Received>,
    ) -> Result<bool, ServerError> {
        let Received { mut updates, set_aside } = received.into();
        self.check()?;
        update::require_fit(&updates, global.len())?;
        if let Some(limit) = self.clip {
            updates.iter_mut().for_each(|update| update.clip(limit));
        }
        let Aggregate { delta, is_converged } =
            self.aggregator.combine(state.rounds, &updates, set_aside)?;
        self.optimizer.step(state, global, &delta)?;
        Ok(is_converged)
    }
}

#[cfg(test)]
mod tests;
