//! The state of a federation as the bytes of a checkpoint, bit for bit.

use burn::tensor::TensorData;
use inner_outer::named_tensors::{self, NamedTensors};

use crate::algorithm::{Divergence, FederationState};
use crate::server::{Scaffold, ServerState};
use crate::training_error::TrainingError;

const GLOBAL: &str = "global";
const ROUNDS: &str = "rounds";
const MOMENTUM: &str = "server.momentum";
const SQUARES: &str = "server.squares";
const SERVER_VARIATE: &str = "scaffold.server";
const CLIENT_VARIATE: &str = "scaffold.client.";
const DIVERGED_ROUNDS: &str = "divergence.rounds";
const DIVERGED_CLIENTS: &str = "divergence.clients";

impl FederationState {
    /// The bytes of a safetensors file with everything that changes from round to round.
    ///
    /// # Errors
    /// [`TrainingError::Core`] if they cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainingError> {
        let rounds = counts(ROUNDS, vec![self.server.rounds as f64]);
        let mut parts = vec![rounds, vector(GLOBAL, &self.global)];
        let Divergence { rounds, clients } = &self.divergence;
        if *rounds > 0 {
            parts.push(counts(DIVERGED_ROUNDS, vec![*rounds as f64]));
            let clients = clients.iter().map(|client| *client as f64).collect();
            parts.push(counts(DIVERGED_CLIENTS, clients));
        }
        for (name, values) in [(MOMENTUM, &self.server.momentum), (SQUARES, &self.server.squares)] {
            if !values.is_empty() {
                parts.push(vector(name, values));
            }
        }
        if let Some(variates) = &self.scaffold {
            parts.push(vector(SERVER_VARIATE, &variates.server));
            let clients = variates.clients.iter();
            parts.extend(
                clients.map(|(client, own)| vector(&format!("{CLIENT_VARIATE}{client}"), own)),
            );
        }
        Ok(named_tensors::write(&parts)?)
    }

    /// What [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`TrainingError::State`] if the bytes are cut off, changed, or of another kind.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TrainingError> {
        let broken = |cause: String| TrainingError::State { what: "the saved state", cause };
        let mut file = NamedTensors::read(bytes).map_err(|cause| broken(cause.to_string()))?;
        let mut take = |name: &str| -> Result<Option<Vec<f32>>, TrainingError> {
            let Some(shape) = file.shape(name).map(<[usize]>::to_vec) else { return Ok(None) };
            let data = file.take(name, &shape).map_err(|cause| broken(cause.to_string()))?;
            data.into_vec().map(Some).map_err(|cause| broken(format!("{cause:?}")))
        };
        let global = take(GLOBAL)?.ok_or_else(|| broken(format!("`{GLOBAL}` is missing")))?;
        let (momentum, squares) = (take(MOMENTUM)?, take(SQUARES)?);
        let server_variate = take(SERVER_VARIATE)?;
        let scaffold = match server_variate {
            None => None,
            Some(server) => Some(Scaffold { server, clients: client_variates(&mut file)? }),
        };
        let rounds = take_counts(&mut file, ROUNDS)?;
        let rounds = rounds.ok_or_else(|| broken(format!("`{ROUNDS}` is missing")))?;
        let diverged_rounds = take_counts(&mut file, DIVERGED_ROUNDS)?.unwrap_or_default();
        let clients = take_counts(&mut file, DIVERGED_CLIENTS)?.unwrap_or_default();
        let divergence = Divergence {
            rounds: diverged_rounds.first().copied().unwrap_or(0.0) as u64,
            clients: clients.into_iter().map(|client| client as usize).collect(),
        };
        file.finish().map_err(|cause| broken(cause.to_string()))?;
        let server = ServerState {
            rounds: rounds.first().copied().unwrap_or(0.0) as u64,
            momentum: momentum.unwrap_or_default(),
            squares: squares.unwrap_or_default(),
        };
        Ok(Self { global, server, scaffold, divergence })
    }
}

/// Counts below 2^53 are whole numbers in double precision.
fn counts(name: &str, values: Vec<f64>) -> (String, TensorData) {
    let length = values.len();
    (name.to_owned(), TensorData::new(values, [length]))
}

fn take_counts(file: &mut NamedTensors, name: &str) -> Result<Option<Vec<f64>>, TrainingError> {
    let broken = |cause: String| TrainingError::State { what: "the saved state", cause };
    let Some(shape) = file.shape(name).map(<[usize]>::to_vec) else { return Ok(None) };
    let data = file.take(name, &shape).map_err(|cause| broken(cause.to_string()))?;
    data.into_vec().map(Some).map_err(|cause| broken(format!("{cause:?}")))
}

fn vector(name: &str, values: &[f32]) -> (String, TensorData) {
    (name.to_owned(), TensorData::new(values.to_vec(), [values.len()]))
}

fn client_variates(
    file: &mut NamedTensors,
) -> Result<std::collections::BTreeMap<usize, Vec<f32>>, TrainingError> {
    let broken = |cause: String| TrainingError::State { what: "the saved state", cause };
    let names: Vec<String> =
        file.names().filter(|name| name.starts_with(CLIENT_VARIATE)).map(str::to_owned).collect();
    let read = |name: String| {
        let number = name[CLIENT_VARIATE.len()..].parse();
        let client = number.map_err(|_| broken(format!("`{name}` names no client")))?;
        let shape = file.shape(&name).map(<[usize]>::to_vec).unwrap_or_default();
        let data = file.take(&name, &shape).map_err(|cause| broken(cause.to_string()))?;
        let values = data.into_vec().map_err(|cause| broken(format!("{cause:?}")))?;
        Ok((client, values))
    };
    names.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> FederationState {
        let server = ServerState { rounds: 7, momentum: vec![0.1, -0.2], squares: vec![] };
        let clients = [(3, vec![1.0, 2.0]), (11, vec![-0.5, f32::MIN_POSITIVE])].into();
        let scaffold = Some(Scaffold { server: vec![0.3, 0.7], clients });
        let divergence = Divergence { rounds: 2, clients: [1, 4].into() };
        FederationState { global: vec![1.5, -2.25], server, scaffold, divergence }
    }

    #[test]
    fn a_state_comes_back_bit_for_bit() {
        let plain = FederationState {
            scaffold: None,
            server: ServerState::default(),
            divergence: Divergence::default(),
            ..state()
        };
        for state in [state(), plain] {
            let read = FederationState::from_bytes(state.to_bytes().unwrap()).unwrap();
            assert_eq!(read, state);
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        let bytes = state().to_bytes().unwrap();
        for end in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            let refused = FederationState::from_bytes(bytes[..end].to_vec()).unwrap_err();
            assert!(matches!(refused, TrainingError::State { .. }), "{refused}");
        }
        let other = named_tensors::write(&[vector("other", &[1.0])]).unwrap();
        let refused = FederationState::from_bytes(other).unwrap_err().to_string();
        assert!(refused.contains("`global` is missing"), "{refused}");
    }
}
