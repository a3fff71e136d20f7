//! Settings of the inverse dynamics.

use serde::{Deserialize, Serialize};

use super::{BlockMatching, InverseDynamicsError};
use crate::action::Action;

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

impl InverseDynamicsConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Setting`].
    pub fn check(&self) -> Result<(), InverseDynamicsError> {
        for (setting, count) in [
            ("network.matching.blocks", self.matching.blocks),
            ("network.hidden", self.hidden),
            ("network.features", self.features),
        ] {
            if count == 0 {
                let range = "at least 1";
                return Err(InverseDynamicsError::Setting { setting, found: 0.0, range });
            }
        }
        Ok(())
    }

    /// The network's layers, each with its inputs and outputs.
    pub(super) fn layers(&self) -> [(&'static str, [usize; 2]); 3] {
        [
            ("first", [self.matching.values(), self.hidden]),
            ("second", [self.hidden, self.features]),
            ("scores", [self.features, Action::ALL.len()]),
        ]
    }
}
