//! The adversary of training, `A(F_W, x, y)`: projected ascent in a ball around every sample.
//!
//! It is an inner loop of [`inner_outer`] that adapts the perturbation of a batch: a step of fixed length up the loss
//! ([`SignedAscent`] for Linf, [`NormalizedAscent`] for L2), then the projection to the ball and to the range of pixels.

use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::inner::Iterate;
use inner_outer::tensors::Tensors;
use inner_outer::{
    InnerLoop, InnerOptimizer, Intervals, L2Ball, NormalizedAscent, Projected, SignedAscent,
    Successive,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::attack::Norm;
use crate::training_error::{TrainingError, require, require_few, require_radius, require_step};

/// Where the ascent begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// At a random point of the ball: every pixel uniform for Linf; a random direction and a uniform length for L2.
    #[default]
    Uniform,
    /// Close to the sample, with normal noise: where a divergence from the clean prediction climbs, which is flat at the
    /// sample itself.
    Normal {
        /// Standard deviation, above 0, in the unit of the pixels; TRADES and CalFAT have 0.001.
        deviation: f64,
    },
    /// At the sample.
    Sample,
}

/// What the adversary of training may do and does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdversaryConfig {
    /// How the size of a perturbation is measured.
    pub norm: Norm,
    /// The radius of the ball, rho, in the unit of the pixels; from 0 to a million. With 0 there is no adversary and
    /// training is plain.
    pub radius: f64,
    /// Steps of ascent, at most a million; with none training is plain.
    pub steps: usize,
    /// Length of a step, above 0 and at most a million, in the unit of the pixels.
    pub step: f64,
    /// Where the ascent begins.
    pub start: Start,
    /// Share of the rounds, 0 to 1, over which ball and steps grow to their full size. 0 in the papers; but against a large
    /// ball from the first round on, a network may learn nothing but always the same answer.
    pub warm_up: f64,
}

impl Default for AdversaryConfig {
    /// Pixels change by 0.1 at most, in 10 steps of 0.025 from a random point.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            radius: 0.1,
            steps: 10,
            step: 0.025,
            start: Start::Uniform,
            warm_up: 0.0,
        }
    }
}

/// The ascent on one batch.
#[derive(Clone, Debug)]
pub enum Ascent {
    /// Signs of the gradient; the ball and the range of pixels make one box.
    Signed(Projected<SignedAscent, Intervals>),
    /// The direction of the gradient; to the ball, then to the range of pixels.
    Normalized(Projected<NormalizedAscent, Successive<L2Ball, Intervals>>),
}

impl AdversaryConfig {
    /// No adversary.
    pub fn none() -> Self {
        Self { radius: 0.0, steps: 0, ..Self::default() }
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.radius == 0.0 || self.steps == 0
    }

    /// The adversary of round `t`, from 0, of `rounds`.
    pub fn in_round(&self, t: u64, rounds: u64) -> Self {
        let grown = (t + 1) as f64 / (self.warm_up * rounds as f64).max(1.0);
        let share = grown.min(1.0);
        Self { radius: self.radius * share, step: self.step * share, ..*self }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`].
    pub fn check(&self) -> Result<(), TrainingError> {
        let Self { radius, step, steps, .. } = *self;
        require_few("adversary.steps", steps)?;
        require_radius("adversary.radius", radius)?;
        require_step("adversary.step", step)?;
        let share = (0.0..=1.0).contains(&self.warm_up);
        require(share, "adversary.warm_up", self.warm_up, "at least 0 and at most 1")?;
        match self.start {
            Start::Normal { deviation } => {
                let usable = deviation.is_finite() && deviation > 0.0;
                require(usable, "adversary.start.deviation", deviation, "above 0")
            }
            Start::Uniform | Start::Sample => Ok(()),
        }
    }

    /// The inner loop on a batch of `samples` images with these `pixels`, `[samples * elements]`, from 0 to 1.
    ///
    /// # Errors
    /// Those of [`Intervals::new`] for pixels outside of their range.
    pub fn inner_loop(
        &self,
        pixels: &[f32],
        samples: usize,
    ) -> inner_outer::Result<InnerLoop<Ascent>> {
        let steps = if self.is_idle() { 0 } else { self.steps };
        let radius = self.radius as f32;
        let optimizer = match self.norm {
            Norm::Linf => {
                let lower = pixels.iter().map(|x| (-radius).max(-x)).collect();
                let upper = pixels.iter().map(|x| radius.min(1.0 - x)).collect();
                let onto = Intervals::new(lower, upper)?;
                Ascent::Signed(Projected { rule: SignedAscent, onto })
            }
            Norm::L2 => {
                let range = Intervals::new(
                    pixels.iter().map(|x| -x).collect(),
                    pixels.iter().map(|x| 1.0 - x).collect(),
                )?;
                // An idle adversary takes no step, but its ball is checked all the same.
                let radius = if self.is_idle() { 1.0 } else { self.radius };
                let ball = L2Ball { radius, rows: samples };
                let onto = Successive { first: ball, then: range };
                let rule = NormalizedAscent { rows: samples };
                Ascent::Normalized(Projected { rule, onto })
            }
        };
        Ok(InnerLoop { optimizer, steps })
    }

    /// The perturbation before the first step, `[samples * elements]`, within the range of pixels; within the ball too but for
    /// [`Start::Normal`], whose noise the first step brings back.
    pub fn start(&self, pixels: &[f32], samples: usize, seed: &Seed) -> Vec<f32> {
        let nothing = || vec![0.0; pixels.len()];
        if self.is_idle() {
            return nothing();
        }
        let mut rng = seed.child("adversary").rng();
        let mut start: Vec<f32> = match (self.start, self.norm) {
            (Start::Sample, _) => return nothing(),
            (Start::Normal { deviation }, _) => {
                let noise = rng.sample_iter::<f64, _>(StandardNormal).take(pixels.len());
                noise.map(|x| (deviation * x) as f32).collect()
            }
            (Start::Uniform, Norm::Linf) => {
                let radius = self.radius as f32;
                (0..pixels.len()).map(|_| rng.random_range(-radius..=radius)).collect()
            }
            (Start::Uniform, Norm::L2) => {
                let elements = pixels.len() / samples.max(1);
                let draw = |_| Norm::L2.random_change(self.radius, elements, &mut rng);
                (0..samples).flat_map(draw).map(|x| x as f32).collect()
            }
        };
        for (change, x) in start.iter_mut().zip(pixels) {
            *change = change.clamp(-x, 1.0 - x);
        }
        start
    }
}

impl InnerOptimizer for Ascent {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> inner_outer::Result<()> {
        match self {
            Self::Signed(rule) => rule.check(theta),
            Self::Normalized(rule) => rule.check(theta),
        }
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        match self {
            Self::Signed(rule) => rule.rests_elsewhere(),
            Self::Normalized(rule) => rule.rests_elsewhere(),
        }
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        match self {
            Self::Signed(rule) => rule.state(theta),
            Self::Normalized(rule) => rule.state(theta),
        }
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        match self {
            Self::Signed(rule) => rule.step(step, rates, at, gradient),
            Self::Normalized(rule) => rule.step(step, rates, at, gradient),
        }
    }
}

#[cfg(test)]
mod tests;
