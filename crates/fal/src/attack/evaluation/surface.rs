//! The loss around the samples, seen along the direction of an attack and along a random one.

use experiment::figure::{FigureError, HeatMap};
use serde::{Deserialize, Serialize};

use crate::attack::error::require;
use crate::attack::model::BlackBox;
use crate::attack::objective::Objective;
use crate::attack::{AttackError, Campaign, Fate, Images, Outcome, Samples, ThreatModel};

/// By how much of its range the mean loss may fall on the way up: a start may lie beyond the highest point of single samples.
const DIP: f64 = 0.05;

/// The mean cross entropy at `x + a (x' - x) + b r` for `a` and `b` from -1 to 1, where `x'` is the attacked image and `r` a
/// random change of length epsilon; pixels are cut to their range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossSurface {
    /// The values of `a`, and of `b`; only 0 at an epsilon of 0, and where the model gets all samples wrong, so that none is
    /// attacked.
    pub shares: Vec<f64>,
    /// `losses[i][j]` is the mean loss at `b = shares[i]` and `a = shares[j]`.
    pub losses: Vec<Vec<f64>>,
}

impl LossSurface {
    /// The surface of `model` around `samples` and what the attack made of them, with `points` on each side. Samples that the
    /// model gets wrong by themselves are left out, unless it gets all wrong. Then, and at an epsilon of 0, it is a single
    /// point.
    ///
    /// # Errors
    /// Those of the model, and [`AttackError::Setting`] unless `points` is odd and at least 3.
    pub fn of<M: BlackBox + ?Sized>(
        campaign: &Campaign,
        points: usize,
        model: &M,
        samples: &Samples,
        attacked: &Outcome,
    ) -> Result<Self, AttackError> {
        check_points(points)?;
        let half = (points / 2) as f64;
        let shares = (0..points).map(|point| point as f64 / half - 1.0);
        let nothing_moves = campaign.threat.epsilon == 0.0
            || attacked.fates.iter().all(|fate| *fate == Fate::Misclassified);
        let shares: Vec<f64> = if nothing_moves { vec![0.0] } else { shares.collect() };
        let neighbours = Neighbours::of(campaign, samples, attacked);
        let losses = shares.iter().map(|&random| {
            shares
                .iter()
                .map(|&towards| neighbours.mean_loss(campaign, model, towards, random))
                .collect()
        });
        let losses = losses.collect::<Result<_, AttackError>>()?;
        Ok(Self { shares, losses })
    }

    /// Whether there is a way to go on it, and so a slope.
    pub fn has_extent(&self) -> bool {
        self.shares.len() > 1
    }

    /// Whether the loss rises, but for small dips, from the samples to the attacked images.
    pub fn rises(&self) -> bool {
        let middle = self.shares.len() / 2;
        let path = &self.losses[middle][middle..];
        let (start, end) = (path[0], path[path.len() - 1]);
        let allowed = DIP * (end - start);
        end > start && path.windows(2).all(|pair| pair[1] >= pair[0] - allowed)
    }

    /// Whether the loss is anywhere higher along the random direction alone than at the attacked images.
    pub fn is_random_direction_worse(&self) -> bool {
        let middle = self.shares.len() / 2;
        let attacked = self.losses[middle][self.shares.len() - 1];
        self.losses.iter().any(|row| row[middle] > attacked)
    }

    /// The surface as an SVG.
    ///
    /// # Errors
    /// [`FigureError`] if it has no finite value.
    pub fn to_svg(&self) -> Result<String, FigureError> {
        let labels = || self.shares.iter().map(|share| format!("{share:.2}"));
        let middle = self.shares.len() / 2;
        HeatMap::new(
            "Mean cross entropy around the samples",
            labels(),
            labels(),
            self.losses.clone(),
        )
        .centre(self.losses[middle][middle])
        .axes("share of a random direction", "share of the attack's direction")
        .to_svg()
    }
}

/// # Errors
/// [`AttackError::Setting`] unless there is a point in the middle and one on each side.
pub(super) fn check_points(points: usize) -> Result<(), AttackError> {
    let usable = points >= 3 && points % 2 == 1;
    let range = "an odd number of at least 3";
    require(usable, "CheckBudget::surface_points", points as f64, range)
}

/// Samples with a direction of attack and a random one each.
struct Neighbours {
    originals: Images,
    labels: Vec<usize>,
    towards: Images,
    random: Images,
}

impl Neighbours {
    fn of(campaign: &Campaign, samples: &Samples, attacked: &Outcome) -> Self {
        let ThreatModel { norm, epsilon, .. } = campaign.threat;
        let right: Vec<usize> = (0..samples.len())
            .filter(|&index| attacked.fates[index] != Fate::Misclassified)
            .collect();
        let right = if right.is_empty() { (0..samples.len()).collect() } else { right };
        let originals = samples.images().select(&right);
        let (size, elements) = (originals.size(), originals.size().elements());
        let difference = |&index: &usize| {
            let pairs = samples.images().get(index).iter().zip(attacked.images.get(index));
            pairs.map(|(original, attacked)| attacked - original).collect::<Vec<f32>>()
        };
        let random = |&index: &usize| {
            let mut rng = campaign.seed.index(index as u64).child("loss surface").rng();
            let direction = norm.random_direction(elements, &mut rng);
            direction.into_iter().map(|x| x * epsilon as f32).collect::<Vec<f32>>()
        };
        let gather = |rows: Vec<Vec<f32>>| Images::gather(size, rows.iter().map(|row| &row[..]));
        Self {
            labels: right.iter().map(|&index| samples.labels()[index]).collect(),
            towards: gather(right.iter().map(difference).collect()),
            random: gather(right.iter().map(random).collect()),
            originals,
        }
    }

    fn mean_loss<M: BlackBox + ?Sized>(
        &self,
        campaign: &Campaign,
        model: &M,
        towards: f64,
        random: f64,
    ) -> Result<f64, AttackError> {
        let mut images = self.originals.clone();
        for index in 0..images.len() {
            let directions = self.towards.get(index).iter().zip(self.random.get(index));
            let pixels = self.originals.get(index).iter().zip(directions);
            let mut image: Vec<f32> =
                pixels.map(|(x, (t, r))| x + towards as f32 * t + random as f32 * r).collect();
            campaign.threat.clamp(&mut image);
            images.set(index, &image);
        }
        let all: Vec<usize> = (0..images.len()).collect();
        let losses = campaign.in_batches(&all, |indices| {
            let scores = model.scores(&images.select(indices))?;
            let losses = scores.iter().zip(indices).map(|(scores, &index)| {
                let objective = Objective::CrossEntropy { label: self.labels[index] };
                objective.evaluate(scores, &mut vec![0.0; scores.len()])
            });
            losses.collect::<Result<Vec<f64>, _>>()
        })?;
        let losses: Vec<f64> = losses.into_iter().flatten().collect();
        Ok(losses.iter().sum::<f64>() / losses.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{Pgd, toy};
    use experiment::seed::Seed;

    fn surface(losses: [[f64; 3]; 3]) -> LossSurface {
        LossSurface { shares: vec![-1.0, 0.0, 1.0], losses: losses.map(Vec::from).to_vec() }
    }

    #[test]
    fn an_attack_climbs_and_a_random_direction_does_not() {
        let good = surface([[0.1, 0.2, 0.8], [0.1, 0.2, 0.9], [0.2, 0.3, 0.8]]);
        assert!(good.rises() && !good.is_random_direction_worse());
        let flat = surface([[0.2; 3]; 3]);
        assert!(!flat.rises() && !flat.is_random_direction_worse());
        let misled = surface([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1, 0.5, 0.3]]);
        assert!(misled.rises() && misled.is_random_direction_worse());
    }

    #[test]
    fn a_dip_on_the_way_is_no_steady_rise() {
        let mut rough = surface([[0.0; 3]; 3]);
        rough.shares = vec![-1.0, -0.5, 0.0, 0.5, 1.0];
        rough.losses = vec![vec![0.0, 0.0, 0.2, 0.1, 0.5]; 5];
        assert!(!rough.rises());
        rough.losses = vec![vec![0.0, 0.0, 0.2, 0.195, 0.5]; 5];
        assert!(rough.rises());
    }

    /// The middle is the mean cross entropy of the samples that the model gets right, the end of the middle row that of
    /// the attacked images.
    #[test]
    fn the_surface_passes_through_originals_and_attacked_images() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(9, 5));
        let mut labels = samples.labels().to_vec();
        labels[4] = (labels[4] + 1) % 6;
        let samples = Samples::new(samples.images().clone(), labels).unwrap();
        let campaign =
            Campaign { batch_size: 4, ..Campaign::new(ThreatModel::l2(0.2), Seed::new(1)) };
        let attacked = campaign.run(&Pgd::new(5), &model, &samples).unwrap();
        let surface = LossSurface::of(&campaign, 3, &model, &samples, &attacked).unwrap();
        let mean = |images: &Images| {
            let scores = model.scores(images).unwrap();
            let losses =
                scores.iter().zip(samples.labels()).enumerate().filter(|(index, _)| *index != 4);
            let losses = losses.map(|(_, (scores, &label))| {
                Objective::CrossEntropy { label }.evaluate(scores, &mut [0.0; 6]).unwrap()
            });
            losses.sum::<f64>() / 8.0
        };
        assert!((surface.losses[1][1] - mean(samples.images())).abs() < 1e-9);
        assert!((surface.losses[1][2] - mean(&attacked.images)).abs() < 1e-5);
        assert!(surface.rises());
        assert!(surface.to_svg().unwrap().contains("attack"));
    }

    #[test]
    fn the_number_of_points_must_be_odd() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(2, 5));
        let campaign = Campaign::new(ThreatModel::l2(0.2), Seed::new(1));
        let attacked = campaign.run(&Pgd::new(5), &model, &samples).unwrap();
        for points in [0, 1, 4] {
            let failure = LossSurface::of(&campaign, points, &model, &samples, &attacked);
            assert!(matches!(failure, Err(AttackError::Setting { .. })), "{points}");
        }
    }
}
