//! The theorem's losses.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

/// A loss of regression as the theorem asks for it: convex and 1-Lipschitz in the output, zero at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionLoss {
    /// `sqrt(1 + (F - y)^2) - 1`: smooth, like a square near the target and like a distance far from it.
    #[default]
    PseudoHuber,
    /// `|F - y|`.
    Absolute,
}

impl RegressionLoss {
    /// The loss of each point: outputs and targets `[batch]` to `[batch]`.
    pub fn of<B: Backend>(self, outputs: Tensor<B, 1>, targets: Tensor<B, 1>) -> Tensor<B, 1> {
        let error = outputs - targets;
        match self {
            Self::PseudoHuber => {
                // The same as the root less 1, without the cancellation near the target.
                let square = error.powi_scalar(2);
                square.clone() / ((square + 1.0).sqrt() + 1.0)
            }
            Self::Absolute => error.abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, TensorData};
    use inner_outer::tensors::to_f64;
    use proptest::prelude::*;

    use super::*;

    const ALL: [RegressionLoss; 2] = [RegressionLoss::PseudoHuber, RegressionLoss::Absolute];

    fn value(loss: RegressionLoss, output: f64, target: f64) -> f64 {
        let scalar = |x| {
            let like = (&Default::default(), DType::F64);
            Tensor::<Flex, 1>::from_data(TensorData::new(vec![x], [1]), like)
        };
        to_f64(&loss.of(scalar(output), scalar(target)))[0]
    }

    proptest! {
        #[test]
        fn losses_are_what_the_theorem_asks_for(
            left in -5.0..5.0_f64,
            right in -5.0..5.0_f64,
            share in 0.0..1.0_f64,
            target in -1.0..1.0_f64,
        ) {
            for loss in ALL {
                let at = |output| value(loss, output, target);
                prop_assert_eq!(at(target), 0.0);
                prop_assert!((at(left) - at(right)).abs() <= (left - right).abs() + 1e-12);
                let between = at(share * left + (1.0 - share) * right);
                prop_assert!(between <= share * at(left) + (1.0 - share) * at(right) + 1e-12);
            }
        }
    }

    #[test]
    fn losses_are_their_formulas() {
        assert!(
            (value(RegressionLoss::PseudoHuber, 2.5, 1.0) - (3.25_f64.sqrt() - 1.0)).abs() < 1e-12
        );
        assert_eq!(value(RegressionLoss::Absolute, -0.5, 1.0), 1.5);
    }
}
