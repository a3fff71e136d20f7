//! Outer learning rates over time, as functions of the step so that resuming needs no state.

use serde::{Deserialize, Serialize};

use crate::settings::require_not_negative;
use crate::{Error, Result};

/// How the outer rate changes over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// No change.
    #[default]
    Constant,
    /// Down to zero along a line.
    Linear,
    /// Down to zero along half a cosine.
    Cosine,
}

/// Linear warm-up, then decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The largest rate, at least 0.
    pub rate: f64,
    /// Steps of linear warm-up from zero.
    pub warm_up: usize,
    /// Steps in all, at which the decay reaches zero; more than `warm_up` where there is a decay.
    pub steps: usize,
    /// The shape of the decay.
    pub decay: Decay,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::constant(1e-3)
    }
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(rate: f64) -> Self {
        Self { rate, warm_up: 0, steps: 0, decay: Decay::Constant }
    }

    /// Checks that the rate is a number of at least 0, and that a decay has steps to happen in.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for the rate; [`Error::NoStepToDecay`] if the rate should decay, but the warm-up lasts to the last step or longer.
    pub fn check(&self) -> Result<()> {
        require_not_negative("Schedule::rate", self.rate)?;
        match self.decay != Decay::Constant && self.steps <= self.warm_up {
            true => Err(Error::NoStepToDecay { warm_up: self.warm_up, steps: self.steps }),
            false => Ok(()),
        }
    }

    /// The rate of step `step`, from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.rate * (step + 1) as f64 / self.warm_up as f64;
        }
        let length = self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let progress = ((step - self.warm_up) as f64 / length).min(1.0);
        match self.decay {
            Decay::Constant => self.rate,
            Decay::Linear => self.rate * (1.0 - progress),
            Decay::Cosine => self.rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_then_decays_to_zero() {
        let schedule = Schedule { rate: 2.0, warm_up: 4, steps: 14, decay: Decay::Linear };
        assert_eq!(schedule.at(0), 0.5);
        assert_eq!(schedule.at(3), 2.0);
        assert_eq!(schedule.at(4), 2.0);
        assert_eq!(schedule.at(9), 1.0);
        assert_eq!(schedule.at(14), 0.0);
        assert_eq!(schedule.at(100), 0.0);
        let cosine = Schedule { decay: Decay::Cosine, ..schedule };
        assert!((cosine.at(9) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_rate_that_ascends_or_is_no_number_is_refused() {
        for rate in [-1e-3, f64::NAN, f64::INFINITY] {
            let refused = Schedule::constant(rate).check().unwrap_err();
            assert!(refused.to_string().contains("Schedule::rate"), "{refused}");
        }
        assert!(Schedule::constant(0.0).check().is_ok());
    }

    #[test]
    fn a_decay_needs_steps_after_the_warm_up() {
        for decay in [Decay::Linear, Decay::Cosine] {
            for (warm_up, steps) in [(0, 0), (4, 3), (4, 4)] {
                let schedule = Schedule { rate: 1.0, warm_up, steps, decay };
                let refused = schedule.check().unwrap_err();
                assert!(matches!(refused, Error::NoStepToDecay { .. }));
                assert!(refused.to_string().contains("raise its `steps`"), "{refused}");
                Schedule { decay: Decay::Constant, ..schedule }.check().unwrap();
            }
            Schedule { rate: 1.0, warm_up: 4, steps: 5, decay }.check().unwrap();
        }
    }

    #[test]
    fn constant_stays() {
        assert_eq!(Schedule::constant(0.1).at(12345), 0.1);
    }
}
