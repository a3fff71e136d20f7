//! How the denoiser is trained.

use inner_outer::{HypergradientChoice, RateScope, Schedule};
use serde::{Deserialize, Serialize};

use super::SlowError;
use crate::memory::FastConfig;
use crate::size::{MOST, at_most};

/// The optimiser of the denoiser, AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlowConfig {
    /// The rate over the steps; the paper, from a pretrained model, has 5e-6.
    pub rate: Schedule,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest Euclidean norm of the gradient; `None` for no bound.
    pub clip: Option<f64>,
    /// Share of the running mean of the parameters that a step keeps, in `[0, 1)`.
    pub ema_decay: f64,
}

impl Default for SlowConfig {
    fn default() -> Self {
        Self {
            rate: Schedule::constant(1e-3),
            weight_decay: 0.01,
            clip: Some(1.0),
            ema_decay: 0.999,
        }
    }
}

/// How windows are cut into past and future, and what is left out of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowConfig {
    /// Fewest frames given.
    pub least_past: usize,
    /// Most frames given.
    pub most_past: usize,
    /// Frames to denoise.
    pub future: usize,
    /// Share of clips whose action is not told, so that the action-free fast loss is no surprise; 0 in the paper.
    pub no_action: f64,
    /// Share of batches with all frames noised and no action, as in the fast loss; 0 in the paper.
    pub all_noised: f64,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self { least_past: 1, most_past: 4, future: 4, no_action: 0.1, all_noised: 0.05 }
    }
}

/// The second-order loop: what is learned through the fast steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecondOrderConfig {
    /// The fast learning, whose state must be kept from chunk to chunk.
    pub fast: FastConfig,
    /// Chunks that are learned before the outer loss is asked.
    pub written: usize,
    /// Whether the outer loss also asks for each of these chunks before it is learned, at the memory of those before.
    pub along: bool,
    /// Draws of noise and timestep for each chunk that the outer loss asks for.
    pub draws: usize,
    /// Whether the adapters' first values are learned; else every lesson draws its own.
    pub learn_start: bool,
    /// The rate of the learned fast rates; a rate of 0, or `None`, keeps them as configured, as hypergradients that give rates no
    /// gradient need.
    pub rates_rate: Option<Schedule>,
    /// What shares a learned fast rate.
    pub rate_scope: RateScope,
    /// How the outer loss is differentiated through the fast steps.
    pub hypergradient: HypergradientChoice,
}

impl Default for SecondOrderConfig {
    fn default() -> Self {
        Self {
            fast: FastConfig::default(),
            written: 2,
            along: false,
            draws: 2,
            learn_start: true,
            rates_rate: Some(Schedule::constant(1e-3)),
            rate_scope: RateScope::PerTensorPerStep,
            hypergradient: HypergradientChoice::default(),
        }
    }
}

impl SlowConfig {
    pub(super) fn check(&self) -> Result<(), SlowError> {
        let (decay, weights) = (self.ema_decay, self.weight_decay);
        in_range("slow.ema_decay", decay, (0.0..1.0).contains(&decay), "at least 0 and below 1")?;
        if let Some(clip) = self.clip {
            in_range("slow.clip", clip, clip > 0.0, "above 0; inf for no bound")?;
        }
        let is_decay = weights.is_finite() && weights >= 0.0;
        in_range("slow.weight_decay", weights, is_decay, "a finite number of at least 0")
    }
}

impl WindowConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`SlowError::Setting`], [`SlowError::TooLarge`] and [`SlowError::Past`].
    pub fn check(&self) -> Result<(), SlowError> {
        let Self { least_past: least, most_past: most, future, no_action, all_noised } = *self;
        if least == 0 || least > most {
            return Err(SlowError::Past { least, most });
        }
        at_most(MOST, &[("windows.most_past", most), ("windows.future", future)])?;
        in_range("windows.future", future as f64, future > 0, "at least 1")?;
        for (setting, share) in
            [("windows.no_action", no_action), ("windows.all_noised", all_noised)]
        {
            in_range(setting, share, (0.0..=1.0).contains(&share), "from 0 to 1")?;
        }
        Ok(())
    }

    /// Frames of the clips that windows are cut from.
    pub fn frames(&self) -> usize {
        self.most_past + self.future
    }
}

impl SecondOrderConfig {
    /// Checks the settings but for those of the fast learning, which has [`FastConfig::check`].
    ///
    /// # Errors
    /// [`SlowError::Setting`], [`SlowError::TooLarge`], [`SlowError::StateNotKept`] and [`SlowError::BlindToRates`].
    pub fn check(&self) -> Result<(), SlowError> {
        let counts = [("second_order.written", self.written), ("second_order.draws", self.draws)];
        for (setting, count) in counts {
            in_range(setting, count as f64, count > 0, "at least 1")?;
        }
        at_most(MOST, &counts)?;
        self.check_hypergradient()?;
        if !self.fast.keep_state {
            return Err(SlowError::StateNotKept);
        }
        let Some(rates_rate) = self.rates_rate else { return Ok(()) };
        let rate = rates_rate.rate;
        let is_rate = rate.is_finite() && rate >= 0.0;
        in_range("second_order.rates_rate.rate", rate, is_rate, "0 for fixed rates, or above")?;
        match self.hypergradient.blind_to_rates() {
            Some(hypergradient) if rate > 0.0 => Err(SlowError::BlindToRates { hypergradient }),
            _ => Ok(()),
        }
    }

    /// How the rates of the fast steps are learned, where they are.
    pub fn learned_rates(&self) -> Option<Schedule> {
        self.rates_rate.filter(|schedule| schedule.rate != 0.0)
    }

    /// Inner steps of a lesson.
    pub fn inner_steps(&self) -> usize {
        self.written.saturating_mul(self.fast.steps)
    }
}

pub(super) fn in_range(
    setting: &'static str,
    found: f64,
    is_in: bool,
    range: &'static str,
) -> Result<(), SlowError> {
    if is_in { Ok(()) } else { Err(SlowError::Setting { setting, found, range }) }
}
