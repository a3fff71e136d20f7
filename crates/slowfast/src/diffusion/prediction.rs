//! What the denoiser predicts, and what follows from it.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

/// What the denoiser predicts of `z_t = sqrt(alpha) z_0 + sqrt(1 - alpha) epsilon`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The noise `epsilon`, as in the paper.
    #[default]
    Epsilon,
    /// The velocity `sqrt(alpha) epsilon - sqrt(1 - alpha) z_0` (Salimans and Ho 2022).
    Velocity,
}

/// What a prediction says about a noised latent.
#[derive(Clone, Debug)]
pub struct Estimate<B: Backend> {
    /// `z_0`.
    pub clean: Tensor<B, 5>,
    /// `epsilon`.
    pub noise: Tensor<B, 5>,
}

impl Prediction {
    /// What should be predicted, from rows `[rows, values]` of clean latents and of noise, and the roots of signal and noise
    /// of each row, `[rows, 1]`.
    pub(super) fn target<B: Backend>(
        self,
        clean: Tensor<B, 2>,
        noise: Tensor<B, 2>,
        [signal, spread]: [Tensor<B, 2>; 2],
    ) -> Tensor<B, 2> {
        match self {
            Self::Epsilon => noise,
            Self::Velocity => noise * signal - clean * spread,
        }
    }

    /// The clean latents and the noise in `noised` at signal `alpha`, by the `predicted` output.
    pub fn estimate<B: Backend>(
        self,
        noised: Tensor<B, 5>,
        predicted: Tensor<B, 5>,
        alpha: f64,
    ) -> Estimate<B> {
        let (signal, spread) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        match self {
            Self::Epsilon => {
                let clean = (noised - predicted.clone() * spread) * signal.recip();
                Estimate { clean, noise: predicted }
            }
            Self::Velocity => Estimate {
                clean: noised.clone() * signal - predicted.clone() * spread,
                noise: noised * spread + predicted * signal,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use inner_outer::tensors::to_f64;
    use proptest::prelude::*;

    use super::*;

    fn rows(value: f64) -> Tensor<Flex, 2> {
        Tensor::full([1, 1], value, (&Default::default(), DType::F64))
    }

    proptest! {
        #[test]
        fn the_target_tells_what_was_mixed(z in -3.0..3.0f64, e in -3.0..3.0f64, alpha in 0.01..0.99f64) {
            let roots = [alpha.sqrt(), (1.0 - alpha).sqrt()];
            let noised = (rows(z) * roots[0] + rows(e) * roots[1]).reshape([1, 1, 1, 1, 1]);
            for prediction in [Prediction::Epsilon, Prediction::Velocity] {
                let target = prediction.target(rows(z), rows(e), roots.map(rows));
                let found = prediction.estimate(noised.clone(), target.reshape([1, 1, 1, 1, 1]), alpha);
                prop_assert!((to_f64(&found.clean)[0] - z).abs() < 1e-9);
                prop_assert!((to_f64(&found.noise)[0] - e).abs() < 1e-9);
            }
        }
    }
}
