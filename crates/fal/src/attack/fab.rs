//! FAB-T, the targeted fast adaptive boundary attack (Croce and Hein 2020b): it looks for the closest image that is
//! misclassified, and not for the worst one in a ball.
//!
//! At each step the boundary between the true class and the target is taken to be flat. The present point and the original
//! are both projected onto it, and the next point lies a little behind a mixture of the two: the original pulls the walk
//! towards the closest part of the boundary.

use serde::{Deserialize, Serialize};

use super::error::require;
use super::hyperplane::shortest_change;
use super::objective::{Objective, prediction, rivals};
use super::perturb::{Attack, Batch, Perturbed};
use super::{AttackError, Images, ThreatModel, WhiteBox};

const NAME: &str = "FAB-T";
/// `alpha_max`: the largest share that the projection of the original has in the next point.
const LARGEST_PULL: f64 = 0.1;
/// `eta`: how far beyond the projection the next point lies.
const OVERSHOOT: f64 = 1.05;
/// `beta`: where on the way back to the original the search goes on from a misclassified point.
const BACKWARD: f64 = 0.9;
/// Keeps the shares defined where the boundary is met exactly.
const SHORTEST: f64 = 1e-8;

/// FAB towards one other class after the other, likeliest first, each from the image itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fab {
    /// Steps towards each class.
    pub steps: usize,
    /// How many classes are tried; all others where there are fewer.
    pub targets: usize,
}

/// The closest misclassified image that FAB found.
#[derive(Clone, Debug, PartialEq)]
pub struct Closest {
    /// Its pixels.
    pub image: Vec<f32>,
    /// How far it is from the original.
    pub distance: f64,
}

impl Fab {
    /// The closest misclassified image to each of `batch`, in the norm and the pixel range of `threat` whatever its epsilon,
    /// and `None` where the search found none.
    ///
    /// # Errors
    /// As [`Attack::perturb`].
    pub fn closest<M: WhiteBox + ?Sized>(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Vec<Option<Closest>>, AttackError> {
        let searches = self.search(model, threat, batch, f64::NEG_INFINITY)?;
        Ok(searches.into_iter().map(|search| search.closest).collect())
    }

    /// Looks for the closest misclassified images; one within `enough` ends the search for its original.
    fn search<'a, M: WhiteBox + ?Sized>(
        &self,
        model: &M,
        threat: &'a ThreatModel,
        batch: &'a Batch,
        enough: f64,
    ) -> Result<Vec<Search<'a>>, AttackError> {
        require(self.steps > 0, "Fab::steps", self.steps as f64, "at least 1")?;
        require(self.targets > 0, "Fab::targets", self.targets as f64, "at least 1")?;
        let scores = model.scores(&batch.images)?;
        let ranked: Vec<_> = scores
            .iter()
            .zip(&batch.labels)
            .map(|(scores, &label)| rivals(scores, label))
            .collect();
        let start = |index| Search::new(threat, batch.images.get(index), batch.labels[index]);
        let mut searches: Vec<Search<'a>> = (0..batch.len()).map(start).collect();
        for rank in 0..self.targets.min(scores.classes() - 1) {
            for (search, ranked) in searches.iter_mut().zip(&ranked) {
                search.begin(ranked[rank]);
            }
            for _ in 0..self.steps {
                let unfinished = |search: &&mut Search<'_>| search.distance() > enough;
                let mut active: Vec<_> = searches.iter_mut().filter(unfinished).collect();
                if active.is_empty() {
                    return Ok(searches);
                }
                step(model, batch, &mut active)?;
            }
        }
        Ok(searches)
    }
}

impl<M: WhiteBox + ?Sized> Attack<M> for Fab {
    fn name(&self) -> String {
        format!("{NAME}-{}x{}", self.steps, self.targets)
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        let mut found = Perturbed::untouched(batch);
        let searches = self.search(model, threat, batch, threat.epsilon)?;
        for (index, search) in searches.into_iter().enumerate() {
            found.queries[index] = search.queries;
            if let Some(closest) = search.closest.filter(|it| it.distance <= threat.epsilon) {
                found.felled_by[index] = Some(NAME);
                found.images.set(index, &closest.image);
            }
        }
        Ok(found)
    }
}

/// One step of all `searches`: a gradient where they are, the move, a look at where they come to.
fn step<M: WhiteBox + ?Sized>(
    model: &M,
    batch: &Batch,
    searches: &mut [&mut Search<'_>],
) -> Result<(), AttackError> {
    let gather = |searches: &[&mut Search<'_>]| {
        Images::gather(batch.images.size(), searches.iter().map(|search| &search.image[..]))
    };
    let objectives: Vec<_> = searches.iter().map(|search| search.objective()).collect();
    let slopes = model.slopes(&gather(searches), &objectives)?;
    for (search, (loss, gradient)) in
        searches.iter_mut().zip(slopes.losses.iter().zip(slopes.gradients.iter()))
    {
        search.advance(*loss, gradient);
    }
    let scores = model.scores(&gather(searches))?;
    for (search, scores) in searches.iter_mut().zip(scores.iter()) {
        search.look(scores);
    }
    Ok(())
}

/// The search for the closest misclassified image to one original.
struct Search<'a> {
    threat: &'a ThreatModel,
    original: &'a [f32],
    label: usize,
    target: usize,
    image: Vec<f32>,
    closest: Option<Closest>,
    queries: usize,
}

impl<'a> Search<'a> {
    fn new(threat: &'a ThreatModel, original: &'a [f32], label: usize) -> Self {
        let image = original.to_vec();
        // One query ranks the targets.
        Self { threat, original, label, target: label, image, closest: None, queries: 1 }
    }

    /// Goes back to the original and heads for `target`.
    fn begin(&mut self, target: usize) {
        self.target = target;
        self.image.copy_from_slice(self.original);
    }

    fn objective(&self) -> Objective {
        Objective::Difference { label: self.label, target: self.target }
    }

    fn distance(&self) -> f64 {
        self.closest.as_ref().map_or(f64::INFINITY, |closest| closest.distance)
    }

    /// `x <- P((1 - a) (x + eta d) + a (x_0 + eta d_0))`, where `d` and `d_0` lead from `x` and the original `x_0` to the
    /// plane on which the linearised difference of the two scores is zero, and `a` weighs them by their lengths.
    fn advance(&mut self, difference: f64, gradient: &[f32]) {
        let threat = self.threat;
        let back: f64 = (self.original.iter().zip(&self.image).zip(gradient))
            .map(|((original, x), slope)| {
                (f64::from(*original) - f64::from(*x)) * f64::from(*slope)
            })
            .sum();
        let here = shortest_change(threat, &self.image, gradient, -difference);
        let there = shortest_change(threat, self.original, gradient, -(difference + back));
        let length = |change: &[f64]| threat.norm.length(change.iter().copied()).max(SHORTEST);
        let (near, far) = (length(&here), length(&there));
        let pull = (near / (near + far)).min(LARGEST_PULL);
        for ((x, original), (here, there)) in
            self.image.iter_mut().zip(self.original).zip(here.iter().zip(&there))
        {
            let walked = f64::from(*x) + OVERSHOOT * here;
            let pulled = f64::from(*original) + OVERSHOOT * there;
            *x = ((1.0 - pull) * walked + pull * pulled) as f32;
        }
        threat.clamp(&mut self.image);
        self.queries += 2;
    }

    /// Keeps a misclassified image that is closer than any before, and goes back from it towards the original.
    fn look(&mut self, scores: &[f32]) {
        if prediction(scores) == self.label {
            return;
        }
        let distance = self.threat.norm.distance(self.original, &self.image);
        if distance < self.distance() {
            self.closest = Some(Closest { image: self.image.clone(), distance });
        }
        for (x, &original) in self.image.iter_mut().zip(self.original) {
            let original = f64::from(original);
            *x = (original + BACKWARD * (f64::from(*x) - original)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::toy;

    const ALL: Fab = Fab { steps: 60, targets: 9 };

    /// Three linear scores: the closest boundary is known in both norms.
    #[test]
    fn it_finds_the_distance_of_a_linear_model() {
        let weights: [[f32; 3]; 3] = [[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, -1.0, 0.5]];
        let model = toy::linear_model(&weights);
        let image = [0.6, 0.4, 0.5];
        let batch = toy::right_batch(&model, toy::images(&[&image]), &Seed::new(1));
        for threat in [ThreatModel::linf(1.0), ThreatModel::l2(1.0)] {
            let to = |target: usize| {
                let normal: Vec<f64> =
                    (0..3).map(|i| weights[target][i] - weights[0][i]).map(f64::from).collect();
                let gap: f64 = normal.iter().zip(image).map(|(w, x)| w * f64::from(x)).sum();
                let dual = match threat.norm {
                    crate::attack::Norm::Linf => normal.iter().map(|w| w.abs()).sum(),
                    crate::attack::Norm::L2 => threat.norm.length(normal.iter().copied()),
                };
                gap.abs() / dual
            };
            let expected = to(1).min(to(2));
            let found = ALL.closest(&model, &threat, &batch).unwrap()[0].clone().unwrap();
            assert!(
                (found.distance / expected - 1.0).abs() < 0.01,
                "{} is not {expected}",
                found.distance
            );
            assert!(found.distance >= expected * (1.0 - 1e-6));
        }
    }

    #[test]
    fn an_image_falls_where_its_distance_is_within_epsilon() {
        let model = toy::network_model(6, 2);
        let batch = toy::right_batch(&model, toy::noise(20, 2), &Seed::new(1));
        let closest = ALL.closest(&model, &ThreatModel::linf(0.0), &batch).unwrap();
        let distances: Vec<f64> =
            closest.iter().map(|closest| closest.as_ref().unwrap().distance).collect();
        let mut sorted = distances.clone();
        sorted.sort_by(f64::total_cmp);
        let threat = ThreatModel::linf(sorted[10]);
        let found = ALL.perturb(&model, &threat, &batch).unwrap();
        for (index, distance) in distances.iter().enumerate() {
            assert_eq!(found.felled_by[index].is_some(), *distance <= threat.epsilon);
            assert!(threat.allows(batch.images.get(index), found.images.get(index)));
        }
    }

    #[test]
    fn an_image_that_cannot_be_misclassified_has_no_closest() {
        let model = toy::linear_model(&[[1.0, 1.0, 3.0], [0.0, 0.0, -1.0]]);
        let batch = toy::right_batch(&model, toy::images(&[&[0.5, 0.5, 1.0]]), &Seed::new(1));
        let threat = ThreatModel::l2(0.3);
        assert_eq!(ALL.closest(&model, &threat, &batch).unwrap(), [None]);
        let found = ALL.perturb(&model, &threat, &batch).unwrap();
        assert_eq!((found.standing(), found.queries[0]), (vec![0], 1 + 2 * 60));
    }

    #[test]
    fn empty_budgets_are_refused() {
        let model = toy::network_model(4, 2);
        let batch = toy::right_batch(&model, toy::noise(1, 2), &Seed::new(1));
        for fab in [Fab { steps: 0, ..ALL }, Fab { targets: 0, ..ALL }] {
            let failure = fab.perturb(&model, &ThreatModel::linf(0.1), &batch).unwrap_err();
            assert!(matches!(failure, AttackError::Setting { .. }));
        }
    }
}
