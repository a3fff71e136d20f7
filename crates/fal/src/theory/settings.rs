//! What a simulation of the theorem is made of.

use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::{RegressionLoss, SphereAdversary};
use crate::client::{ClientConfig, Order, Work};
use crate::data::{SphereError, SphereSet};
use crate::server::{DriftControl, ServerChoice};
use crate::training_error::{MOST, TrainingError, require, require_few, require_some};

/// Points of all clients together. They are drawn one by one at a distance from all before, so time grows with the square.
const MOST_POINTS: usize = 20_000;
/// Numbers of any one kind: weights, coordinates of all points, or neurons at all of them.
const MOST_NUMBERS: usize = 100_000_000;

/// A federation in the regime of the theorem: everything but the seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TheorySettings {
    /// Number of clients, `N`, at least 1.
    pub clients: usize,
    /// Points of each client, `J`, at least 1; 2 to 20,000 points in all.
    pub points: usize,
    /// Coordinates of a point, `d`, at least 3; the last is 1/2.
    pub dimension: usize,
    /// The least distance between two points, delta, from 0 to sqrt(3). What the points that are drawn have is measured.
    pub separation: f64,
    /// Share of the points that is dealt out sorted by target, from 0 to 1; the others at random.
    pub heterogeneity: f64,
    /// Neurons, `m`, at least 1.
    pub width: usize,
    /// What is descended and climbed.
    pub loss: RegressionLoss,
    /// Local steps on all points of a client, `K`, at least 1.
    pub local_steps: usize,
    /// The way of a client in a round, above 0: `K eta_local m^(1/3)`. See [`Self::step_rate`].
    pub local_rate: f64,
    /// Factor of the mean update, eta_global, above 0.
    pub global_rate: f64,
    /// Rounds of communication, `T`, at least 1.
    pub rounds: u64,
    /// The adversary of training.
    pub adversary: SphereAdversary,
    /// How the network is looked at.
    pub measurement: Measurement,
}

/// How the network is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measurement {
    /// Rounds between looks, at least 1; the start and the end are always looked at.
    pub every: u64,
    /// Steps of ascent in the search for the worst points.
    pub steps: usize,
    /// Ascents, the first from the points and the others from random places; of all the worst counts. At least 1.
    pub restarts: usize,
}

impl Default for TheorySettings {
    fn default() -> Self {
        Self {
            clients: 5,
            points: 4,
            dimension: 4,
            separation: 0.4,
            heterogeneity: 0.5,
            width: 1024,
            loss: RegressionLoss::default(),
            local_steps: 4,
            local_rate: 4.0,
            global_rate: 3.0,
            rounds: 200,
            adversary: SphereAdversary::default(),
            measurement: Measurement::default(),
        }
    }
}

impl Default for Measurement {
    fn default() -> Self {
        Self { every: 10, steps: 10, restarts: 3 }
    }
}

impl TheorySettings {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`] with the first that does not.
    pub fn check(&self) -> Result<(), TrainingError> {
        let Measurement { every, restarts, steps } = self.measurement;
        require_few("measurement.steps", steps)?;
        for (setting, count) in [
            ("clients", self.clients),
            ("points", self.points),
            ("width", self.width),
            ("local_steps", self.local_steps),
            ("measurement.restarts", restarts),
        ] {
            require_some(setting, count)?;
        }
        // A single point has no distance to another, and so no separation.
        let points = self.clients * self.points;
        let usable = (2..=MOST_POINTS).contains(&points);
        let range = "at least 2 and at most 20,000";
        require(usable, "clients times points", points as f64, range)?;
        require(self.rounds > 0, "rounds", 0.0, "at least 1")?;
        require(every > 0, "measurement.every", 0.0, "at least 1")?;
        let dimension = self.dimension;
        let usable = (3..=MOST).contains(&dimension);
        require(usable, "dimension", dimension as f64, "at least 3 and at most a million")?;
        for (setting, numbers) in [
            ("dimension times width", dimension * self.width),
            ("clients times points times dimension", points * dimension),
            ("clients times points times width", points * self.width),
        ] {
            require(numbers <= MOST_NUMBERS, setting, numbers as f64, "at most a hundred million")?;
        }
        for (setting, rate) in [("local_rate", self.local_rate), ("global_rate", self.global_rate)]
        {
            require(rate.is_finite() && rate > 0.0, setting, rate, "above 0")?;
        }
        let share = self.heterogeneity;
        require((0.0..=1.0).contains(&share), "heterogeneity", share, "from 0 to 1")?;
        let widest = 3.0_f64.sqrt();
        let apart = (0.0..=widest).contains(&self.separation);
        require(apart, "separation", self.separation, "from 0 to sqrt(3)")?;
        self.adversary.check()
    }

    /// The points of all clients of the simulation with this seed.
    ///
    /// # Errors
    /// Those of [`SphereSet::separable`]; in particular [`SphereError::Full`] where they find no place.
    pub fn draw_points(&self, seed: &Seed) -> Result<SphereSet, SphereError> {
        let points = self.clients * self.points;
        SphereSet::separable(points, self.dimension, self.separation, &seed.child("points"))
    }

    /// The rate of a local step: `eta_local = local_rate / (K m^(1/3))`.
    ///
    /// `1/K` is the theorem's: more local steps are a finer way of the same length. `m^(-1/3)` is that of the parent analysis
    /// (Zhang et al. 2020: `eta = Theta(eps m^(-1/3))`): a step on a point moves a neuron that is active there by
    /// `eta a_r = eta m^(-1/3)` and so the output by the order of `eta m a_r^2 = eta m^(1/3)`. With `eta = m^(-1/3)` networks
    /// of every width learn equally fast, and a neuron moves by `m^(-2/3)`, as the theorem's `|U* - U(0)| <= R m^(-2/3)`
    /// has it.
    pub fn step_rate(&self) -> f64 {
        self.local_rate / self.local_steps as f64 * (self.width as f64).powf(-1.0 / 3.0)
    }

    /// The client of the theorem: `K` full-batch steps of plain descent.
    pub fn client(&self) -> ClientConfig {
        ClientConfig {
            work: Work::Steps { count: self.local_steps },
            batch: 0,
            order: Order::default(),
            rate: self.step_rate(),
            momentum: 0.0,
            weight_decay: 0.0,
            drift: DriftControl::None,
        }
    }

    /// The server of the theorem: the uniform mean of the updates, times the global rate.
    pub fn server(&self) -> ServerChoice {
        ServerChoice::paper(self.global_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense_and_survive_being_saved() {
        let settings = TheorySettings::default();
        settings.check().unwrap();
        settings.client().check().unwrap();
        settings.server().check().unwrap();
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<TheorySettings>(&text).unwrap(), settings);
        assert!(serde_json::from_str::<TheorySettings>(r#"{"widths": 3}"#).is_err());
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let refused = |setting: &str, change: fn(&mut TheorySettings)| {
            let mut settings = TheorySettings::default();
            change(&mut settings);
            let message = settings.check().unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{setting}` is")), "{message}");
        };
        refused("clients", |settings| settings.clients = 0);
        refused("points", |settings| settings.points = 0);
        refused("width", |settings| settings.width = 0);
        refused("local_steps", |settings| settings.local_steps = 0);
        refused("measurement.restarts", |settings| settings.measurement.restarts = 0);
        refused("measurement.every", |settings| settings.measurement.every = 0);
        refused("dimension", |settings| settings.dimension = 2);
        refused("clients", |settings| settings.clients = usize::MAX);
        refused("local_steps", |settings| settings.local_steps = usize::MAX);
        refused("dimension", |settings| settings.dimension = usize::MAX);
        refused("adversary.steps", |settings| settings.adversary.steps = usize::MAX);
        refused("measurement.steps", |settings| settings.measurement.steps = usize::MAX);
        refused("clients times points", |settings| settings.clients = 300_000);
        refused("clients times points", |settings| {
            (settings.clients, settings.points) = (1, 20_001)
        });
        refused("clients times points", |settings| (settings.clients, settings.points) = (1, 1));
        refused("rounds", |settings| settings.rounds = 0);
        refused("dimension times width", |settings| {
            settings.dimension = 1000;
            settings.width = 1_000_000;
        });
        refused("clients times points times dimension", |settings| {
            (settings.points, settings.dimension) = (4000, 1_000_000);
            settings.width = 64;
        });
        refused("clients times points times width", |settings| {
            (settings.points, settings.width) = (4000, 1_000_000);
        });
        refused("local_rate", |settings| settings.local_rate = 0.0);
        refused("global_rate", |settings| settings.global_rate = f64::NAN);
        refused("heterogeneity", |settings| settings.heterogeneity = 1.1);
        refused("separation", |settings| settings.separation = 1.8);
        refused("adversary.radius", |settings| settings.adversary.radius = -0.1);
    }

    #[test]
    fn a_round_is_as_long_for_any_number_of_steps() {
        let at = |local_steps, width| {
            let settings = TheorySettings { local_steps, width, ..TheorySettings::default() };
            settings.step_rate() * local_steps as f64 / settings.local_rate
        };
        assert_eq!(at(1, 1), 1.0);
        assert!((at(7, 1000) - 0.1).abs() < 1e-12);
    }
}
