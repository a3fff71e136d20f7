//! Settings of the inverse dynamics and of its training.

use inner_outer::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use super::{BlockMatching, InverseDynamicsError};

/// What is needed to use a trained network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InverseDynamicsConfig {
    /// How blocks are looked for.
    pub matching: BlockMatching,
    /// Width of the first layer.
    pub hidden: usize,
    /// Width of the layer before the scores, whose values serve as features of motion.
    pub features: usize,
}

impl Default for InverseDynamicsConfig {
    fn default() -> Self {
        Self { matching: BlockMatching::default(), hidden: 192, features: 32 }
    }
}

/// Settings of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InverseDynamicsTraining {
    /// Seed of every random choice.
    pub seed: u64,
    /// The network.
    pub network: InverseDynamicsConfig,
    /// Pairs of frames that are drawn from the training clips. Each is also learned backwards, as the inverse action.
    pub pairs: usize,
    /// Pairs of the validation clips that the network is judged by; the same number of the test clips.
    pub judged: usize,
    /// Share of the pairs, 0 to 1, whose frames are blurred and noised, as generated frames are soft.
    pub softened: f64,
    /// Steps of AdamW.
    pub steps: usize,
    /// Pairs in a step; every action is as likely as any other.
    pub batch: usize,
    /// The rate.
    pub rate: Schedule,
    /// Steps from one checkpoint to the next.
    pub checkpoint_every: usize,
}

impl Default for InverseDynamicsTraining {
    fn default() -> Self {
        let steps = 4000;
        Self {
            seed: 0,
            network: InverseDynamicsConfig::default(),
            pairs: 40_000,
            judged: 8_000,
            softened: 0.5,
            steps,
            batch: 256,
            rate: Schedule { rate: 2e-3, warm_up: 100, steps, decay: Decay::Cosine },
            checkpoint_every: 1000,
        }
    }
}

impl InverseDynamicsTraining {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Setting`], and [`InverseDynamicsError::State`] for a rate that decays in no step.
    pub fn check(&self) -> Result<(), InverseDynamicsError> {
        let refuse =
            |setting, found, range| Err(InverseDynamicsError::Setting { setting, found, range });
        for (setting, count) in [
            ("network.matching.blocks", self.network.matching.blocks),
            ("network.hidden", self.network.hidden),
            ("network.features", self.network.features),
            ("pairs", self.pairs),
            ("judged", self.judged),
            ("steps", self.steps),
            ("batch", self.batch),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            if count == 0 {
                return refuse(setting, 0.0, "at least 1");
            }
        }
        if !(0.0..=1.0).contains(&self.softened) {
            return refuse("softened", self.softened, "from 0 to 1");
        }
        self.rate.check().map_err(InverseDynamicsError::State)
    }
}
