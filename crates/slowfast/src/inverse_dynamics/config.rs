//! Settings of the inverse dynamics.

use serde::{Deserialize, Serialize};

use super::{BlockMatching, InverseDynamicsError};
use crate::action::Action;
use crate::size::{self, MOST_PARAMETERS, NUMBER, listed, together};

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
    /// Checks the settings, and that a machine has room for the network.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Setting`] and [`InverseDynamicsError::TooLarge`].
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
        let sizes = || {
            listed(&[
                ("network.hidden", self.hidden),
                ("network.features", self.features),
                ("network.matching.blocks", self.matching.blocks),
            ])
        };
        let parameters = ("the network would have", self.parameters(), "parameters");
        Ok(together(parameters, MOST_PARAMETERS, sizes)?)
    }

    /// Number of parameters, exact for every network that there may be.
    fn parameters(&self) -> f64 {
        let layers = self.layers().map(|(_, sides)| sides.map(|side| side as f64));
        layers.into_iter().map(|[inputs, outputs]| size::layer(inputs, outputs)).sum()
    }

    /// Bytes that a pair of frames leaves in a graph, about.
    pub(crate) fn pair_bytes(&self) -> f64 {
        let widths = self.layers().map(|(_, [inputs, outputs])| inputs as f64 + outputs as f64);
        NUMBER * 4.0 * widths.iter().sum::<f64>()
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

#[cfg(test)]
mod tests {
    use burn::module::Module;

    use super::*;
    use crate::inverse_dynamics::tests::untrained;

    #[test]
    fn networks_beyond_any_machine_are_refused() {
        let inverse = untrained();
        assert_eq!(inverse.config.parameters(), inverse.network.num_params() as f64);
        let usual = InverseDynamicsConfig::default();
        usual.check().unwrap();
        let most = i64::MAX as usize;
        let fine = BlockMatching { blocks: most, ..usual.matching };
        for (config, named) in [
            (InverseDynamicsConfig { hidden: most, ..usual }, "`network.hidden` = "),
            (InverseDynamicsConfig { features: most, ..usual }, "`network.features` = "),
            (InverseDynamicsConfig { matching: fine, ..usual }, "`network.matching.blocks` = "),
        ] {
            let refused = config.check().unwrap_err();
            assert!(matches!(refused, InverseDynamicsError::TooLarge(_)), "{refused}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
    }
}
