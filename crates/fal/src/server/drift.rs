//! What keeps a client near the others while it learns alone.

use burn::tensor::backend::Backend;
use inner_outer::tensors::{Cotangents, Tensors};
use serde::{Deserialize, Serialize};

use super::ServerError;
use super::error::require;

/// A term that clients add to their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DriftControl {
    /// None.
    #[default]
    None,
    /// FedProx (Li et al. 2020): the loss has `mu/2 |W - U|^2` more.
    Proximal {
        /// At least 0.
        mu: f64,
    },
    /// SCAFFOLD (Karimireddy et al. 2020): control variates, see [`super::Scaffold`].
    Scaffold,
}

impl DriftControl {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        match *self {
            Self::Proximal { mu } => {
                require(mu.is_finite() && mu >= 0.0, "mu", mu, "finite and at least 0")
            }
            Self::None | Self::Scaffold => Ok(()),
        }
    }

    /// What the proximal term adds to the gradient at `weights`, `mu (W - U)`; `None` where there is no such term.
    pub fn proximal_gradient<B: Backend>(
        &self,
        weights: &Tensors<B>,
        global: &Tensors<B>,
    ) -> Option<Cotangents<B>> {
        match *self {
            Self::Proximal { mu } => Some(weights.minus(global).scale(mu)),
            Self::None | Self::Scaffold => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tensor;

    use super::*;

    fn tensors(values: [f64; 2]) -> Tensors<Flex> {
        let tensor = |value: f64| Tensor::from_data([value], &Default::default());
        Tensors(values.map(tensor).to_vec())
    }

    #[test]
    fn the_proximal_term_pulls_back() {
        let (weights, global) = (tensors([3.0, 1.0]), tensors([1.0, 2.0]));
        let term = DriftControl::Proximal { mu: 0.5 };
        let gradient = term.proximal_gradient(&weights, &global).unwrap().or_zeros(&weights);
        assert_eq!(gradient.to_f64(), [1.0, -0.5]);
    }

    #[test]
    fn other_controls_have_no_proximal_term() {
        let (weights, global) = (tensors([3.0, 1.0]), tensors([1.0, 2.0]));
        for control in [DriftControl::None, DriftControl::Scaffold] {
            assert!(control.proximal_gradient(&weights, &global).is_none());
            control.check().unwrap();
        }
        let refused = DriftControl::Proximal { mu: -1.0 }.check();
        assert!(matches!(refused, Err(ServerError::OutOfRange { setting: "mu", .. })));
    }
}
