//! SCAFFOLD (Karimireddy et al. 2020): control variates against the drift of clients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::require;
use super::update::{require_finite, require_fit};
use super::{ServerError, Update};

/// The control variates of the server, `c`, and of its clients, `c_i`, all zero at first.
///
/// In each local step a client takes its gradient plus `c - c_i` ([`Self::correction`]). After the round
/// ([`Self::absorb`]) its variate becomes `c_i - c - delta / (steps rate)`, the mean gradient along its way (the paper's
/// option II), and the server's moves by the sum of the changes over the number of all clients.
///
/// A client that never took part has no variate here, so memory grows with those that did, not with all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaffold {
    pub(crate) server: Vec<f32>,
    pub(crate) clients: BTreeMap<usize, Vec<f32>>,
}

impl Scaffold {
    /// Variates for a model of so many parameters.
    pub fn new(parameters: usize) -> Self {
        Self { server: vec![0.0; parameters], clients: BTreeMap::new() }
    }

    /// Whether all are of a model of so many parameters.
    pub(crate) fn fit(&self, parameters: usize) -> bool {
        [&self.server].into_iter().chain(self.clients.values()).all(|own| own.len() == parameters)
    }

    /// `c - c_i`, which client `client` adds to its gradient.
    pub fn correction(&self, client: usize) -> Vec<f32> {
        match self.clients.get(&client) {
            Some(own) => self.server.iter().zip(own).map(|(server, own)| server - own).collect(),
            None => self.server.clone(),
        }
    }

    /// Learns from the updates of a round, made by steps of plain gradient descent with the local rate `rate`, by some of
    /// `population` clients.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`] for a rate that is not above 0, no clients or an update without steps,
    /// [`ServerError::Overflow`] if a variate would not be finite, else those of updates that do not fit. Nothing is changed
    /// then.
    pub fn absorb(
        &mut self,
        updates: &[Update],
        rate: f64,
        population: usize,
    ) -> Result<(), ServerError> {
        require(rate.is_finite() && rate > 0.0, "rate", rate, "finite and above 0")?;
        require(population > 0, "population", 0.0, "at least 1")?;
        require_fit(updates, self.server.len())?;
        let all_took_steps = updates.iter().all(|update| update.steps > 0);
        require(all_took_steps, "steps", 0.0, "at least 1 in every update")?;

        let mut change = vec![0.0; self.server.len()];
        let mut clients = BTreeMap::new();
        for Update { client, delta, steps, .. } in updates {
            let length = *steps as f64 * rate;
            let own = clients.entry(*client).or_insert_with(|| self.variate(*client));
            for (index, own) in own.iter_mut().enumerate() {
                let moved = -f64::from(self.server[index]) - f64::from(delta[index]) / length;
                change[index] += moved;
                *own = (f64::from(*own) + moved) as f32;
            }
        }
        let moved = self.server.iter().zip(change);
        let moved = moved.map(|(c, change)| (f64::from(*c) + change / population as f64) as f32);
        let server: Vec<f32> = moved.collect();
        [&server]
            .into_iter()
            .chain(clients.values())
            .try_for_each(|variate| require_finite("a control variate", variate))?;
        self.server = server;
        self.clients.extend(clients);
        Ok(())
    }

    /// `c_i`, which is zero for a client that never took part.
    fn variate(&self, client: usize) -> Vec<f32> {
        self.clients.get(&client).cloned().unwrap_or_else(|| vec![0.0; self.server.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::update::updates_of;
    use super::*;

    fn quadratic_gradient(client: usize, x: f64) -> f64 {
        // Minima at 4 and -2, curvatures 1 and 3: the sum is smallest at -0.5.
        if client == 0 { x - 4.0 } else { 3.0 * (x + 2.0) }
    }

    /// Where federated learning with five local steps ends up.
    fn learn(mut scaffold: Option<Scaffold>) -> f64 {
        let (rate, steps, mut global) = (0.05, 5, 0.0_f64);
        for _ in 0..400 {
            let mut updates = updates_of(&[&[0.0], &[0.0]]);
            for update in &mut updates {
                let correction = scaffold
                    .as_ref()
                    .map_or(0.0, |scaffold| f64::from(scaffold.correction(update.client)[0]));
                let mut x = global;
                for _ in 0..steps {
                    x -= rate * (quadratic_gradient(update.client, x) + correction);
                }
                (update.delta, update.steps) = (vec![(x - global) as f32], steps);
            }
            if let Some(scaffold) = &mut scaffold {
                scaffold.absorb(&updates, rate, 2).unwrap();
            }
            global += updates.iter().map(|update| f64::from(update.delta[0])).sum::<f64>() / 2.0;
        }
        global
    }

    #[test]
    fn variates_take_the_bias_of_local_steps_away() {
        assert!((learn(Some(Scaffold::new(1))) + 0.5).abs() < 1e-4);
        assert!((learn(None) + 0.5).abs() > 0.05);
    }

    /// For the first round: `c_i = -delta / (steps rate)`, and the server has the mean over all clients, also absent ones.
    #[test]
    fn the_first_round_stores_mean_gradients() {
        let mut scaffold = Scaffold::new(1);
        let mut updates = updates_of(&[&[-0.5]]);
        updates[0].steps = 2;
        scaffold.absorb(&updates, 0.1, 4).unwrap();
        assert_eq!(scaffold.correction(0), [0.625 - 2.5]);
        assert_eq!(scaffold.correction(3), [0.625]);
        let text = serde_json::to_string(&scaffold).unwrap();
        assert_eq!(serde_json::from_str::<Scaffold>(&text).unwrap(), scaffold);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut scaffold = Scaffold::new(1);
        let updates = updates_of(&[&[1.0]]);
        let setting = |outcome| match outcome {
            Err(ServerError::OutOfRange { setting, .. }) => setting,
            other => panic!("{other:?}"),
        };
        assert_eq!(setting(scaffold.absorb(&updates, 0.0, 1)), "rate");
        assert_eq!(setting(scaffold.absorb(&updates, 0.1, 0)), "population");
        let mut idle = updates.clone();
        idle[0].steps = 0;
        assert_eq!(setting(scaffold.absorb(&idle, 0.1, 1)), "steps");
        let wide = scaffold.absorb(&updates_of(&[&[1.0, 2.0]]), 0.1, 1);
        assert!(matches!(wide, Err(ServerError::Length { .. })));
        let long = scaffold.absorb(&updates_of(&[&[1e38]]), 0.1, 1);
        assert!(matches!(long, Err(ServerError::Overflow { .. })));
        assert_eq!(scaffold, Scaffold::new(1));
    }
}
