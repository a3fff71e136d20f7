//! How much noise there is at each timestep.

use serde::{Deserialize, Serialize};

use super::DiffusionError;

/// Timesteps that there may be: far more than frames can be told apart by.
const MOST_STEPS: usize = 100_000;

/// The scaled-linear schedule: variances whose roots lie on a line (Rombach et al. 2022).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Timesteps.
    pub steps: usize,
    /// Variance added at the first timestep.
    pub first_beta: f64,
    /// Variance added at the last timestep.
    pub last_beta: f64,
}

impl Default for ScheduleConfig {
    /// That of ModelScopeT2V, the paper's base.
    fn default() -> Self {
        Self { steps: 1000, first_beta: 0.00085, last_beta: 0.012 }
    }
}

/// The share of the signal's variance that is left at each timestep: `alpha_t = prod_{s <= t} (1 - beta_s)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSchedule {
    signal: Vec<f64>,
}

impl NoiseSchedule {
    /// The schedule of a configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Steps`] without timesteps or with too many, [`DiffusionError::Betas`] for variances out of order or range.
    pub fn new(config: &ScheduleConfig) -> Result<Self, DiffusionError> {
        let ScheduleConfig { steps, first_beta: first, last_beta: last } = *config;
        if !(1..=MOST_STEPS).contains(&steps) {
            let (setting, found, most) = ("schedule.steps", steps, MOST_STEPS);
            return Err(DiffusionError::Steps { setting, found, most });
        }
        if !(0.0 < first && first <= last && last < 1.0) {
            return Err(DiffusionError::Betas { first, last });
        }
        let (low, high) = (first.sqrt(), last.sqrt());
        let root = |step: usize| low + (high - low) * step as f64 / (steps - 1).max(1) as f64;
        let mut left = 1.0;
        let mut keep = |step: usize| {
            left *= 1.0 - root(step).powi(2);
            left
        };
        Ok(Self { signal: (0..steps).map(&mut keep).collect() })
    }

    /// Timesteps in all.
    pub fn steps(&self) -> usize {
        self.signal.len()
    }

    /// `alpha_t`, in `(0, 1)`.
    ///
    /// # Panics
    /// If there is no timestep `t`.
    pub fn signal(&self, t: usize) -> f64 {
        self.signal[t]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn schedules_without_sense_are_refused() {
        let refused = |config| NoiseSchedule::new(&config).unwrap_err();
        let default = ScheduleConfig::default();
        for steps in [0, MOST_STEPS + 1, usize::MAX] {
            let error = refused(ScheduleConfig { steps, ..default });
            let told = format!("`schedule.steps` is {steps}, but must be from 1 to 100000");
            assert_eq!(error.to_string(), told);
        }
        for (first_beta, last_beta) in [(0.0, 0.1), (0.2, 0.1), (0.1, 1.0), (f64::NAN, 0.1)] {
            let error = refused(ScheduleConfig { first_beta, last_beta, ..default });
            assert!(matches!(error, DiffusionError::Betas { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_signal_only_shrinks(first in 1e-5..0.4f64, more in 0.0..0.4f64, steps in 1usize..50) {
            let config = ScheduleConfig { steps, first_beta: first, last_beta: first + more };
            let schedule = NoiseSchedule::new(&config).unwrap();
            prop_assert_eq!(schedule.steps(), steps);
            prop_assert!((schedule.signal(0) - (1.0 - first)).abs() < 1e-12);
            for t in 1..steps {
                prop_assert!(0.0 < schedule.signal(t) && schedule.signal(t) < schedule.signal(t - 1));
            }
        }
    }
}
