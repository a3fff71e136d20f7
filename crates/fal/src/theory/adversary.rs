//! The theorem's adversary, in training and as a judge.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::inner::Projection;
use inner_outer::tensors::to_f64;
use inner_outer::{InnerLoop, NormalizedAscent, Projected, RateScope};
use serde::{Deserialize, Serialize};

use super::{SphereBatch, SphereGame, SphericalCap};
use crate::attack::Norm;
use crate::client::Encounter;
use crate::data::SphereSet;
use crate::network::TwoLayer;
use crate::training_error::{TrainingError, require_few, require_radius, require_step};

/// A step along the gradient of each point, then back to its cap.
pub type SphereAscent = Projected<NormalizedAscent, SphericalCap>;

/// Projected ascent on the sphere: the theorem's `A(F, x, y)` in `B(x, rho)` within `X`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SphereAdversary {
    /// The straight distance that a point may be moved, rho; from 0 to a million. With 0 training is plain.
    pub radius: f64,
    /// Steps of ascent, at most a million; with none training is plain.
    pub steps: usize,
    /// Length of a step, above 0 and at most a million, in radii.
    pub step: f64,
}

impl Default for SphereAdversary {
    /// Points move by 0.08 at most, in 4 steps of half of that.
    fn default() -> Self {
        Self { radius: 0.08, steps: 4, step: 0.5 }
    }
}

/// The worst that an adversary found.
#[derive(Clone, Debug)]
pub struct WorstFound<B: Backend> {
    /// Mean over the points of the largest loss found for each: a lower bound of the robust loss with the best adversary.
    pub loss: f64,
    /// Where those losses are, `[points, dimension]`.
    pub points: Tensor<B, 2>,
}

impl SphereAdversary {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`].
    pub fn check(&self) -> Result<(), TrainingError> {
        let Self { radius, step, steps } = *self;
        require_few("adversary.steps", steps)?;
        require_radius("adversary.radius", radius)?;
        require_step("adversary.step", step)
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.radius == 0.0 || self.steps == 0
    }

    /// The points of `set` at `indices` with their adversary, which begins at random places of their caps drawn from
    /// `seed`, or at the points themselves.
    ///
    /// # Panics
    /// If one of `indices` is no point of the set.
    pub fn encounter<B: Backend>(
        &self,
        set: &SphereSet,
        indices: &[usize],
        seed: Option<&Seed>,
        device: &Device<B>,
    ) -> Encounter<SphereGame, SphereAscent, B> {
        let cap = SphericalCap::new(set, indices, self.radius);
        let (points, targets) = set.batch(indices, device);
        let shape = [indices.len(), set.dimension() - 1];
        let start = match seed {
            Some(seed) if !self.is_idle() => {
                let drawn = TensorData::new(self.somewhere(shape, seed), [shape[0] * shape[1]]);
                cap.project(Tensor::from_data(drawn, device)).reshape(shape)
            }
            _ => Tensor::zeros(shape, device),
        };
        let steps = if self.is_idle() { 0 } else { self.steps };
        let rule = NormalizedAscent { rows: indices.len() };
        Encounter {
            adversary: InnerLoop { optimizer: Projected { rule, onto: cap }, steps },
            step_length: self.step * self.radius,
            batch: SphereBatch { points, targets, start },
        }
    }

    /// A change of each point in a random direction, by a length uniform in 0 to the radius.
    fn somewhere(&self, [points, free]: [usize; 2], seed: &Seed) -> Vec<f64> {
        let mut rng = seed.child("adversary").rng();
        let change = |_| Norm::L2.random_change(self.radius, free, &mut rng);
        (0..points).flat_map(change).collect()
    }

    /// The worst of `restarts` ascents on all points of `set`, the first from the points themselves, and of the points as
    /// they are.
    ///
    /// # Errors
    /// Those of the inner loop.
    pub fn worst<B: Backend>(
        &self,
        game: &SphereGame,
        network: &TwoLayer<B>,
        set: &SphereSet,
        restarts: usize,
        seed: &Seed,
    ) -> inner_outer::Result<WorstFound<B>> {
        let device = network.output.device();
        let all: Vec<usize> = (0..set.len()).collect();
        let (points, targets) = set.batch(&all, &device);
        let mut losses = game.loss.of(network.forward(points.clone()), targets);
        let mut worst = points;
        for restart in 0..if self.is_idle() { 0 } else { restarts } {
            let seed = (restart > 0).then(|| seed.index(restart as u64));
            let Encounter { adversary, step_length, batch } =
                self.encounter(set, &all, seed.as_ref(), &device);
            let rates = adversary.rates(game, RateScope::Global, step_length, network, &batch)?;
            let change = adversary.adapt(game, network, &rates, &batch)?.inner.change.val();
            let found = game.losses(network, &batch, change.clone());
            let better = found.clone().greater(losses.clone());
            losses = losses.mask_where(better.clone(), found);
            let rows = better.unsqueeze_dim::<2>(1).expand(worst.dims());
            worst = worst.mask_where(rows, batch.moved(change));
        }
        Ok(WorstFound { loss: to_f64(&losses.mean())[0], points: worst })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::super::RegressionLoss;
    use super::*;
    use crate::data::SphereSet;

    const GAME: SphereGame = SphereGame { loss: RegressionLoss::PseudoHuber };

    fn network() -> TwoLayer<Flex> {
        TwoLayer::new(64, 5, &Seed::new(8), &Default::default()).unwrap()
    }

    fn set() -> SphereSet {
        SphereSet::separable(6, 5, 0.3, &Seed::new(2)).unwrap()
    }

    fn worst(adversary: SphereAdversary, restarts: usize) -> WorstFound<Flex> {
        adversary.worst(&GAME, &network(), &set(), restarts, &Seed::new(4)).unwrap()
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (radius, step) in [(-0.1, 0.5), (f64::NAN, 0.5), (0.1, 0.0), (0.1, f64::INFINITY)] {
            let refused = SphereAdversary { radius, steps: 3, step }.check().unwrap_err();
            assert!(matches!(refused, TrainingError::OutOfRange { .. }), "{refused}");
        }
        SphereAdversary::default().check().unwrap();
    }

    #[test]
    fn random_starts_lie_in_the_caps_and_differ() {
        let adversary = SphereAdversary { radius: 0.3, ..SphereAdversary::default() };
        let device = Default::default();
        let start = |number| {
            let seed = Seed::new(number);
            let encounter = adversary.encounter::<Flex>(&set(), &[0, 3], Some(&seed), &device);
            let start = encounter.batch.start;
            to_f64(&start.powi_scalar(2).sum_dim(1).sqrt().flatten::<1>(0, 1))
        };
        assert!(start(1).iter().all(|length| *length > 0.0 && *length < 0.3 + 1e-6));
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }

    #[test]
    fn more_room_and_more_restarts_find_no_less() {
        let of = |radius, restarts| {
            worst(SphereAdversary { radius, steps: 15, step: 0.2 }, restarts).loss
        };
        let clean = of(0.0, 3);
        let (point, ball) = (of(0.1, 1), of(0.4, 1));
        assert!(clean < point && point < ball, "{clean} {point} {ball}");
        assert!(of(0.4, 4) >= ball);
    }

    /// In three coordinates a cap is an arc, which can be searched exhaustively.
    #[test]
    fn ascent_finds_nearly_the_worst_point_of_an_arc() {
        let set = SphereSet::separable(4, 3, 0.4, &Seed::new(5)).unwrap();
        let network = TwoLayer::<Flex>::new(200, 3, &Seed::new(6), &Default::default()).unwrap();
        let adversary = SphereAdversary { radius: 0.5, steps: 120, step: 0.02 };
        let found = adversary.worst(&GAME, &network, &set, 8, &Seed::new(7)).unwrap().loss;
        let widest = 2.0 * (0.25 / 0.75_f64.sqrt()).asin();
        let loss_at = |index: usize, turn: f64| {
            let (sine, cosine) = turn.sin_cos();
            let [x, y] = [set.point(index)[0], set.point(index)[1]];
            let moved = [(cosine * x - sine * y) as f32, (sine * x + cosine * y) as f32, 0.5];
            let output = network.forward(Tensor::from_data([moved], &Default::default()));
            let target = Tensor::from_data([set.targets()[index]], &Default::default());
            to_f64(&GAME.loss.of(output, target))[0]
        };
        let searched: f64 = (0..set.len())
            .map(|index| {
                let turns = (-200..=200).map(|step| widest * f64::from(step) / 200.0);
                turns.map(|turn| loss_at(index, turn)).fold(0.0, f64::max)
            })
            .sum::<f64>()
            / set.len() as f64;
        assert!(found <= searched + 1e-5 && found > searched - 1e-3, "{found} {searched}");
    }

    #[test]
    fn the_worst_points_have_the_worst_losses_and_are_allowed() {
        let adversary = SphereAdversary { radius: 0.2, steps: 6, step: 0.3 };
        let (found, set) = (worst(adversary, 3), set());
        let (points, targets) = set.batch::<Flex>(&[0, 1, 2, 3, 4, 5], &Default::default());
        let losses = GAME.loss.of(network().forward(found.points.clone()), targets);
        assert!((to_f64(&losses.mean())[0] - found.loss).abs() < 1e-6);
        let distances = (found.points - points).powi_scalar(2).sum_dim(1).sqrt();
        assert!(to_f64(&distances.max())[0] < 0.2 + 1e-6);
    }
}
