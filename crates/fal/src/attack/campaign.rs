//! One attack on many images: in batches, on threads, with the outcome checked.

use experiment::seed::Seed;
use experiment::statistics::{Interval, proportion_interval};
use inner_outer::Threads;
use inner_outer::parallel::in_order;

use super::error::require;
use super::images::Samples;
use super::model::Scores;
use super::objective::prediction;
use super::outcome::{Fate, Outcome, Tally};
use super::perturb::{Attack, Batch, Perturbed};
use super::{AttackError, BlackBox, ThreatModel};

/// The attack of record where only the last look at an image found the model wrong about it.
const VERIFICATION: &str = "verification";

/// How an attack is run. The outcome for an image depends on the threat model and the seed, and on neither the batch size
/// nor the number of threads, as far as the backend computes an image's scores the same in every batch.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// What the attacker may do.
    pub threat: ThreatModel,
    /// Root of all random choices; every image has its own stream.
    pub seed: Seed,
    /// Images in one evaluation of the model, at most.
    pub batch_size: usize,
    /// Threads that attack a batch each.
    pub threads: Threads,
}

impl Campaign {
    /// Batches of up to 128 images on all cores.
    pub fn new(threat: ThreatModel, seed: Seed) -> Self {
        Self { threat, seed, batch_size: 128, threads: Threads::default() }
    }

    /// Attacks the samples that `model` gets right.
    ///
    /// # Errors
    /// Those of the attack and the model; [`AttackError::Setting`], [`AttackError::LabelOutOfRange`] and
    /// [`AttackError::PixelOutOfRange`] for what cannot be attacked, and [`AttackError::OutOfBounds`] if the attack breaks
    /// the threat model.
    pub fn run<M: BlackBox + ?Sized>(
        &self,
        attack: &dyn Attack<M>,
        model: &M,
        samples: &Samples,
    ) -> Result<Outcome, AttackError> {
        let right = self.attackable(model, samples)?;
        let parts: Vec<Outcome> =
            self.in_batches(&right, |indices| self.attacked(attack, model, samples, indices))?;
        let mut outcome = Outcome {
            images: samples.images().clone(),
            fates: vec![Fate::Misclassified; samples.len()],
            queries: vec![1; samples.len()],
        };
        for (indices, part) in self.batches(&right).into_iter().zip(&parts) {
            for (from, &index) in indices.iter().enumerate() {
                outcome.images.set(index, part.images.get(from));
                outcome.fates[index] = part.fates[from];
                outcome.queries[index] = part.queries[from];
            }
        }
        Ok(outcome)
    }

    /// The numbers of [`Self::run`], batch by batch: `each` is given the samples of a batch and what attacks them, from any
    /// thread, and may keep what that gives, give what was kept of the same samples, or refuse to go on.
    ///
    /// # Errors
    /// As [`Self::run`], and those of `each`, after which batches that have begun still end.
    pub fn tally<M: BlackBox + ?Sized, E: From<AttackError> + Send>(
        &self,
        attack: &dyn Attack<M>,
        model: &M,
        samples: &Samples,
        each: impl Fn(&[usize], &dyn Fn() -> Result<Tally, AttackError>) -> Result<Tally, E> + Sync,
    ) -> Result<Tally, E> {
        let right = self.attackable(model, samples)?;
        let attacked = self.in_batches(&right, |indices| {
            each(indices, &|| {
                self.attacked(attack, model, samples, indices).map(|part| Tally::of(&part))
            })
        })?;
        let misclassified = samples.len() - right.len();
        let mut all = Tally { samples: misclassified, queries: misclassified, ..Tally::default() };
        attacked.into_iter().for_each(|tally| all.add(tally));
        Ok(all)
    }

    /// The share of samples that `model` gets right without an attack.
    ///
    /// # Errors
    /// Those of the model, and as [`Self::run`] for what cannot be attacked.
    pub fn clean_accuracy<M: BlackBox + ?Sized>(
        &self,
        model: &M,
        samples: &Samples,
    ) -> Result<Interval, AttackError> {
        let right = self.attackable(model, samples)?;
        Ok(proportion_interval(right.len(), samples.len()).expect("samples are never empty"))
    }

    /// The samples that `model` gets right, once it is known that samples and settings can be used.
    fn attackable<M: BlackBox + ?Sized>(
        &self,
        model: &M,
        samples: &Samples,
    ) -> Result<Vec<usize>, AttackError> {
        self.check(samples)?;
        let all: Vec<usize> = (0..samples.len()).collect();
        let scores =
            self.in_batches(&all, |indices| model.scores(&samples.images().select(indices)))?;
        let rows = scores.iter().flat_map(Scores::iter);
        let mut right = Vec::new();
        for (index, (&label, scores)) in samples.labels().iter().zip(rows).enumerate() {
            let classes = scores.len();
            if label >= classes {
                return Err(AttackError::LabelOutOfRange { index, label, classes });
            }
            if prediction(scores) == label {
                right.push(index);
            }
        }
        Ok(right)
    }

    fn check(&self, samples: &Samples) -> Result<(), AttackError> {
        self.threat.check()?;
        require(self.batch_size > 0, "Campaign::batch_size", 0.0, "at least 1")?;
        let ThreatModel { low, high, .. } = self.threat;
        for (index, image) in samples.images().iter().enumerate() {
            if let Some(&value) = image.iter().find(|pixel| !(low..=high).contains(pixel)) {
                return Err(AttackError::PixelOutOfRange { index, value, low, high });
            }
        }
        Ok(())
    }

    /// The outcome for the samples at `indices`, all of which the model gets right, in one batch.
    fn attacked<M: BlackBox + ?Sized>(
        &self,
        attack: &dyn Attack<M>,
        model: &M,
        samples: &Samples,
        indices: &[usize],
    ) -> Result<Outcome, AttackError> {
        let batch = Batch::of(samples, indices, &self.seed);
        let perturbed = attack.perturb(model, &self.threat, &batch)?;
        for (from, &index) in indices.iter().enumerate() {
            let (original, image) = (samples.images().get(index), perturbed.images.get(from));
            if !self.threat.allows(original, image) {
                let (attack, epsilon) = (attack.name(), self.threat.epsilon);
                let distance = self.threat.norm.distance(original, image);
                return Err(AttackError::OutOfBounds { attack, index, distance, epsilon });
            }
        }
        let fates = verified(model, &batch.labels, &perturbed)?;
        let queries = perturbed.queries.iter().map(|queries| 1 + queries).collect();
        Ok(Outcome { images: perturbed.images, fates, queries })
    }

    /// Groups of nearly the same size: threads wait for each other at the end of a backward pass.
    fn batches<'a>(&self, indices: &'a [usize]) -> Vec<&'a [usize]> {
        let count = indices.len().div_ceil(self.batch_size).max(1);
        indices.chunks(indices.len().div_ceil(count).max(1)).collect()
    }

    /// The results of `work` for each batch of `indices`, in order.
    pub(super) fn in_batches<R: Send, E: Send>(
        &self,
        indices: &[usize],
        work: impl Fn(&[usize]) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E> {
        let mut results = Vec::new();
        in_order(
            &self.batches(indices),
            self.threads,
            |_, batch| work(batch),
            |_, result| results.push(result),
        )?;
        Ok(results)
    }
}

/// What became of each image, after the model was asked once more: what it said while it was differentiated may differ in the
/// last digits from what others will see.
fn verified<M: BlackBox + ?Sized>(
    model: &M,
    labels: &[usize],
    perturbed: &Perturbed,
) -> Result<Vec<Fate>, AttackError> {
    let scores = model.scores(&perturbed.images)?;
    let claims = labels.iter().zip(&perturbed.felled_by);
    let fates = scores.iter().zip(claims).map(|(scores, (&label, &felled_by))| {
        match (prediction(scores) == label, felled_by) {
            (true, _) => Fate::Stands,
            (false, Some(attack)) => Fate::FelledBy(attack),
            (false, None) => Fate::FelledBy(VERIFICATION),
        }
    });
    Ok(fates.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;
    use crate::attack::{Apgd, Fab, Pgd, Square, TargetedApgd, WhiteBox, toy};

    fn attacks() -> [&'static dyn Attack<dyn WhiteBox>; 5] {
        const PGD: Pgd = Pgd {
            loss: crate::attack::Loss::CrossEntropy,
            steps: 8,
            relative_step: 0.25,
            random_start: true,
            restarts: 2,
        };
        const APGD: Apgd = Apgd { loss: crate::attack::Loss::LogitRatio, steps: 12, restarts: 2 };
        [
            &PGD,
            &APGD,
            &TargetedApgd { steps: 8, targets: 3 },
            &Fab { steps: 8, targets: 3 },
            &Square { queries: 40, first_share: 0.8, rescaled: true },
        ]
    }

    fn campaign(threat: ThreatModel) -> Campaign {
        Campaign { threads: Threads::new(2), ..Campaign::new(threat, Seed::new(9)) }
    }

    fn run(campaign: &Campaign, attack: &dyn Attack<dyn WhiteBox>) -> Outcome {
        let model = toy::network_model(6, 5);
        let mut samples = toy::right_samples(&model, toy::noise(40, 5));
        let mut labels = samples.labels().to_vec();
        labels[7] = (labels[7] + 1) % 6;
        samples = Samples::new(samples.images().clone(), labels).unwrap();
        campaign.run(attack, &model, &samples).unwrap()
    }

    #[test]
    fn every_image_is_allowed_and_every_fall_is_real() {
        let model = toy::network_model(6, 5);
        let originals = toy::noise(40, 5);
        for threat in [ThreatModel::linf(0.05), ThreatModel::l2(0.2)] {
            for attack in attacks() {
                let outcome = run(&campaign(threat), attack);
                let scores = model.scores(&outcome.images).unwrap();
                let labels = model.scores(&originals).unwrap();
                let (mut standing, mut fallen) = (0, 0);
                for index in 0..40 {
                    assert!(threat.allows(originals.get(index), outcome.images.get(index)));
                    let same = prediction(scores.iter().nth(index).unwrap())
                        == prediction(labels.iter().nth(index).unwrap());
                    match outcome.fates[index] {
                        Fate::Stands => standing += usize::from(same),
                        Fate::FelledBy(_) => fallen += usize::from(!same),
                        Fate::Misclassified => assert_eq!(index, 7),
                    }
                }
                assert_eq!(standing + fallen, 39, "{}", attack.name());
                assert!(standing > 0 && fallen > 0, "{} on {threat}: {standing}", attack.name());
                assert_eq!(outcome.stands().iter().filter(|stands| **stands).count(), standing);
                assert_eq!(outcome.felled().iter().map(|(_, count)| count).sum::<usize>(), fallen);
                assert_eq!(outcome.robust_accuracy().mean, standing as f64 / 40.0);
                assert_eq!(outcome.clean_accuracy().mean, 39.0 / 40.0);
            }
        }
    }

    #[test]
    fn batches_and_threads_change_nothing_and_the_seed_does() {
        for attack in attacks() {
            let base = campaign(ThreatModel::l2(0.1));
            let outcome = run(&base, attack);
            for (batch_size, threads) in [(1, 1), (7, 3), (40, 1), (16, 8)] {
                let other = Campaign { batch_size, threads: Threads::new(threads), ..base.clone() };
                let other = run(&other, attack);
                assert_eq!(other.fates, outcome.fates, "{} in {batch_size}s", attack.name());
                assert_eq!(other.images, outcome.images, "{} in {batch_size}s", attack.name());
                assert_eq!(other.queries, outcome.queries, "{} in {batch_size}s", attack.name());
            }
            let other = run(&Campaign { seed: Seed::new(10), ..base.clone() }, attack);
            let deterministic = attack.name().starts_with("FAB");
            assert_eq!(other.images == outcome.images, deterministic, "{}", attack.name());
        }
    }

    /// What a batch came to may come from an earlier process, which was stopped after some of the batches.
    #[test]
    fn a_tally_goes_on_where_it_was_stopped() {
        let base = Campaign { batch_size: 7, ..campaign(ThreatModel::linf(0.05)) };
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(40, 5));
        let mut labels = samples.labels().to_vec();
        labels[7] = (labels[7] + 1) % 6;
        let samples = Samples::new(samples.images().clone(), labels).unwrap();
        let attack: &dyn Attack<dyn WhiteBox> = attacks()[0];
        let left = Mutex::new(BTreeMap::new());
        let tally = |most: usize| {
            base.tally(attack, &model, &samples, |batch, attack| {
                let kept = left.lock().unwrap().get(batch).cloned();
                match kept {
                    Some(tally) => Ok(tally),
                    None if batch[0] >= most => Err(AttackError::NoGradient),
                    None => attack().inspect(|tally| {
                        left.lock().unwrap().insert(batch.to_vec(), tally.clone());
                    }),
                }
            })
        };
        assert_eq!(tally(20), Err(AttackError::NoGradient));
        let first: Vec<usize> = left.lock().unwrap().keys().map(|batch| batch[0]).collect();
        assert!(first.len() == 3 && first.iter().all(|index| *index < 20), "{first:?}");
        let whole = tally(usize::MAX).unwrap();
        assert_eq!(whole, Tally::of(&base.run(attack, &model, &samples).unwrap()));
        assert_eq!((whole.samples, left.lock().unwrap().len()), (40, 6));
        assert!(whole.standing > 0 && !whole.felled.is_empty(), "{whole:?}");
    }

    /// Claims to have felled what it did not move, or moves too far.
    struct Liar {
        shift: f32,
    }

    impl<M: ?Sized> Attack<M> for Liar {
        fn name(&self) -> String {
            "liar".into()
        }

        fn perturb(
            &self,
            _model: &M,
            _threat: &ThreatModel,
            batch: &Batch,
        ) -> Result<Perturbed, AttackError> {
            let mut found = Perturbed::untouched(batch);
            found.felled_by.fill(Some("liar"));
            for index in 0..batch.len() {
                let moved: Vec<f32> =
                    batch.images.get(index).iter().map(|x| x + self.shift).collect();
                found.images.set(index, &moved);
            }
            Ok(found)
        }
    }

    #[test]
    fn no_attack_is_taken_at_its_word() {
        let threat = ThreatModel::linf(0.05);
        let outcome = run(&campaign(threat), &Liar { shift: 0.0 });
        assert_eq!(outcome.robust_accuracy().mean, 39.0 / 40.0);
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(4, 5));
        let failure = campaign(threat).run(&Liar { shift: 0.1 }, &model, &samples).unwrap_err();
        assert!(matches!(failure, AttackError::OutOfBounds { index: 0, .. }), "{failure}");
    }

    #[test]
    fn what_cannot_be_attacked_is_named() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(2, 5));
        let refusal = |campaign: &Campaign, samples: &Samples| {
            campaign.run(&Square::new(5), &model, samples).unwrap_err()
        };
        let base = campaign(ThreatModel::linf(0.1));
        let failure = refusal(&Campaign { batch_size: 0, ..base.clone() }, &samples);
        assert!(matches!(failure, AttackError::Setting { .. }));
        let failure = refusal(&campaign(ThreatModel::linf(-1.0)), &samples);
        assert!(matches!(failure, AttackError::Setting { .. }));
        let failure = refusal(&campaign(ThreatModel::linf(0.1).pixels(0.0, 0.5)), &samples);
        assert!(matches!(failure, AttackError::PixelOutOfRange { high: 0.5, .. }));
        let strange = Samples::new(samples.images().clone(), vec![0, 6]).unwrap();
        let failure = refusal(&base, &strange);
        assert_eq!(failure, AttackError::LabelOutOfRange { index: 1, label: 6, classes: 6 });
    }

    #[test]
    fn nothing_is_left_to_attack_where_the_model_is_always_wrong() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(3, 5));
        let wrong = samples.labels().iter().map(|label| (label + 1) % 6).collect();
        let samples = Samples::new(samples.images().clone(), wrong).unwrap();
        let outcome = campaign(ThreatModel::linf(0.1)).run(&Pgd::new(5), &model, &samples).unwrap();
        assert_eq!(outcome.fates, [Fate::Misclassified; 3]);
        assert_eq!(outcome.images, *samples.images());
    }
}
