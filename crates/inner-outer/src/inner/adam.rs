//! Adam and AdamW.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{InnerOptimizer, Iterate};
use crate::Result;
use crate::settings::{
    refuse_half_precision, require_not_negative, require_positive, require_share,
};
use crate::tensors::Tensors;

/// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), differentiable.
///
/// With `t = step + 1`: `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
/// `theta (1 - rate decay) - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)`.
///
/// Where every gradient so far is exactly zero (rows of an embedding that no token uses) the square root has no
/// derivative; those elements move by the weight decay alone, and the derivative of the rest of their step is taken as zero.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Decay of the first moment, in `[0, 1)`.
    pub beta_1: f64,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta_2: f64,
    /// Added to the root of the second moment, above 0.
    pub epsilon: f64,
    /// Decoupled weight decay, at least 0; zero for plain Adam.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Adam {
    /// AdamW with the usual weight decay of 0.01.
    pub fn with_weight_decay() -> Self {
        Self { weight_decay: 0.01, ..Self::default() }
    }

    /// The direction of the step: bias-corrected first moment over root of the second.
    fn direction<B: Backend>(
        &self,
        step: usize,
        m: &Tensor<B, 1>,
        v: &Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        let t = step as i32 + 1;
        let untouched = v.clone().equal_elem(0.0);
        // Multiplied by reciprocals: Burn rounds the derivative of a division by a number to single precision.
        let [correct_1, correct_2] =
            [self.beta_1, self.beta_2].map(|beta| 1.0 / (1.0 - beta.powi(t)));
        let v = v.clone().mask_fill(untouched.clone(), 1.0) * correct_2;
        let direction = m.clone() * correct_1 / (v.sqrt() + self.epsilon);
        direction.mask_fill(untouched, 0.0)
    }
}

impl InnerOptimizer for Adam {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        refuse_half_precision("Adam", theta)?;
        require_share("Adam::beta_1", self.beta_1)?;
        require_share("Adam::beta_2", self.beta_2)?;
        require_positive("Adam::epsilon", self.epsilon)?;
        require_not_negative("Adam::weight_decay", self.weight_decay)
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        (self.weight_decay != 0.0).then_some("the weight decay of `Adam`")
    }

    /// First moments of all tensors, then second moments.
    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        let zeros = || theta.0.iter().map(Tensor::zeros_like);
        Tensors(zeros().chain(zeros()).collect())
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let (first, second) = at.state.0.split_at(at.theta.len());
        let (theta, state) = (Tensors(Vec::new()), Tensors(Vec::new()));
        let mut next = Iterate { theta, state, steps_taken: at.steps_taken };
        let mut second_moments = Vec::new();
        for (i, theta) in at.theta.0.into_iter().enumerate() {
            let (g, rate) = (gradient.0[i].clone(), rates.0[i].clone());
            let m = first[i].clone() * self.beta_1 + g.clone() * (1.0 - self.beta_1);
            let v = second[i].clone() * self.beta_2 + g.clone() * g * (1.0 - self.beta_2);
            let mut direction = self.direction(step, &m, &v);
            if self.weight_decay != 0.0 {
                direction = direction + theta.clone() * self.weight_decay;
            }
            next.theta.0.push(theta - direction * rate);
            next.state.0.push(m);
            second_moments.push(v);
        }
        next.state.0.extend(second_moments);
        next
    }
}
