//! One simulation, and what is measured on its way.

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::Threads;
use serde::{Deserialize, Serialize};

use super::federation::is_divergence;
use super::{SphereAdversary, SphereGame, TheoryFederation, TheorySettings};
use crate::data::separability_margin;
use crate::training_error::TrainingError;

/// The network of one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Rounds before it.
    pub round: u64,
    /// A lower bound of the robust training loss `L_A(F_U(t))`: at the worst points that were found.
    pub robust_loss: f64,
    /// The least robust loss so far: the left side of the theorem, at the rounds that were looked at.
    pub least_robust_loss: f64,
    /// The training loss at the points themselves.
    pub clean_loss: f64,
    /// `max_r |u_r(t) - u_r(0)|`.
    pub drift: f64,
    /// `max_x |F(x) - G(x)|` over the points: how far the pseudo-network is.
    pub pseudo_gap: f64,
    /// The same over the worst points that were found.
    pub perturbed_pseudo_gap: f64,
}

impl Measure {
    /// The measure, if all of it is finite: a ledger could not be read again with anything else.
    fn finite(self) -> Result<Self, TrainingError> {
        let Self { round, robust_loss, least_robust_loss, clean_loss, .. } = self;
        let losses = [robust_loss, least_robust_loss, clean_loss];
        let distances = [self.drift, self.pseudo_gap, self.perturbed_pseudo_gap];
        match losses.iter().chain(&distances).all(|value| value.is_finite()) {
            true => Ok(self),
            false => Err(TrainingError::Diverged { round }),
        }
    }
}

/// One simulation from start to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The least distance between two points, delta, as measured.
    pub separation: f64,
    /// The largest gamma for which the points are separable, `delta (delta - 2 rho)`. Where it is not above 0 the theorem
    /// says nothing.
    pub margin: f64,
    /// From the start to the end, in order of rounds.
    pub measures: Vec<Measure>,
}

impl Course {
    /// Whether the network has left its start and the pseudo-network: few neurons may all be inactive at every point, and a
    /// distance of zero has no logarithm.
    pub fn moved(&self) -> bool {
        let Measure { drift, pseudo_gap, perturbed_pseudo_gap, .. } = self.end();
        [drift, pseudo_gap, perturbed_pseudo_gap].iter().all(|distance| *distance > 0.0)
    }

    /// The last round.
    pub fn end(&self) -> Measure {
        *self.measures.last().expect("the start is always looked at")
    }
}

/// Runs the federation that `settings` and `seed` describe, on `threads` threads. The result does not depend on their number.
///
/// # Errors
/// Those of [`TheoryFederation`]; [`TrainingError::Diverged`].
pub fn simulate<B: Backend>(
    settings: TheorySettings,
    seed: u64,
    threads: Threads,
    device: &Device<B>,
) -> Result<Course, TrainingError> {
    let seed = Seed::new(seed);
    let mut federation = TheoryFederation::<B>::new(settings, &seed, device)?;
    federation.threads = threads;
    let separation = federation.set().separation();
    let margin = separability_margin(separation, settings.adversary.radius);
    let mut course = Course { separation, margin, measures: Vec::new() };
    let mut least = f64::INFINITY;
    loop {
        let round = federation.rounds();
        if round.is_multiple_of(settings.measurement.every) || round == settings.rounds {
            let measure = measure(&federation, &settings, least, &seed.child("measurement"));
            let measure = measure.map_err(|cause| match is_divergence(&cause) {
                true => TrainingError::Diverged { round },
                false => cause.into(),
            });
            let measure = measure?.finite()?;
            least = measure.least_robust_loss;
            course.measures.push(measure);
        }
        if round == settings.rounds {
            return Ok(course);
        }
        federation.round()?;
    }
}

fn measure<B: Backend>(
    federation: &TheoryFederation<B>,
    settings: &TheorySettings,
    least: f64,
    seed: &Seed,
) -> inner_outer::Result<Measure> {
    let (network, set) = (federation.network(), federation.set());
    let game = SphereGame { loss: settings.loss };
    let judge = SphereAdversary { steps: settings.measurement.steps, ..settings.adversary };
    let nobody = SphereAdversary { radius: 0.0, ..judge };
    let clean = nobody.worst(&game, &network, set, 1, seed)?;
    let worst = judge.worst(&game, &network, set, settings.measurement.restarts, seed)?;
    Ok(Measure {
        round: federation.rounds(),
        robust_loss: worst.loss,
        least_robust_loss: worst.loss.min(least),
        clean_loss: clean.loss,
        drift: network.drift(),
        pseudo_gap: network.pseudo_gap(clean.points),
        perturbed_pseudo_gap: network.pseudo_gap(worst.points),
    })
}

#[cfg(test)]
mod tests;
