//! Judging a network: clean, and under attack.

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use experiment::statistics::Interval;
use inner_outer::Autodiff;
use rand::seq::index;
use serde::Serialize;

use crate::attack::{
    Apgd, Attack, AttackError, AutoAttack, Campaign, CheckBudget, Evaluation, Fab, Fgsm, Images,
    Pgd, Samples, Size, Square, TargetedApgd, Transparent, WhiteBox,
};
use crate::config::{AttackChoice, EvaluationConfig};
use crate::data::ImageSet;
use crate::network::Network;

/// Steps of the projected ascent of a [`Glance`].
pub const GLANCE_STEPS: usize = 10;

/// A quick look at a network during training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Glance {
    /// Accuracy on the images as they are.
    pub clean: Interval,
    /// Accuracy under projected ascent of ten steps.
    pub attacked: Interval,
}

/// Images of a set to judge by, drawn at random; all of them for `count` 0.
pub fn samples(set: &ImageSet, count: usize, seed: &Seed) -> Samples {
    let count = if count == 0 { set.len() } else { count.min(set.len()) };
    let mut chosen = index::sample(&mut seed.child("judged").rng(), set.len(), count).into_vec();
    chosen.sort_unstable();
    let shape = set.shape();
    let size = Size { channels: shape.channels, height: shape.height, width: shape.width };
    let images = Images::gather(size, chosen.iter().map(|index| set.image(*index)));
    let labels = chosen.iter().map(|index| set.labels()[*index].into()).collect();
    Samples::new(images, labels).expect("sets are never empty")
}

impl AttackChoice {
    /// The attack itself.
    pub fn attack<M: WhiteBox + ?Sized>(self) -> Box<dyn Attack<M>> {
        match self {
            Self::Fgsm => Box::new(Fgsm),
            Self::Pgd { steps, restarts, relative_step, random_start } => {
                Box::new(Pgd { restarts, relative_step, random_start, ..Pgd::new(steps) })
            }
            Self::CarliniWagner { steps } => Box::new(Pgd::margin(steps)),
            Self::ApgdCe { steps, restarts } => {
                Box::new(Apgd { restarts, ..Apgd::cross_entropy(steps) })
            }
            Self::ApgdDlr { steps, restarts } => {
                Box::new(Apgd { restarts, ..Apgd::logit_ratio(steps) })
            }
            Self::ApgdT { steps, targets } => Box::new(TargetedApgd { steps, targets }),
            Self::FabT { steps, targets } => Box::new(Fab { steps, targets }),
            Self::Square { queries } => Box::new(Square::new(queries)),
            Self::AutoAttack => Box::new(AutoAttack::standard()),
        }
    }
}

impl EvaluationConfig {
    /// A quick look at `network`.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn glance<B: Backend>(
        &self,
        network: &Network<B>,
        samples: &Samples,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Glance, AttackError> {
        let model = transparent(network, device);
        let campaign = Campaign::new(self.threat(), seed.clone());
        let outcome = campaign.run(&Pgd::new(GLANCE_STEPS), &model, samples)?;
        Ok(Glance { clean: outcome.clean_accuracy(), attacked: outcome.robust_accuracy() })
    }

    /// How the last judgement attacks and checks.
    pub fn evaluation(&self, seed: &Seed) -> Evaluation {
        let campaign = Campaign::new(self.threat(), seed.clone());
        Evaluation { campaign, checks: CheckBudget::default() }
    }
}

/// A network that shows its gradients.
pub fn transparent<B: Backend>(
    network: &Network<B>,
    device: &Device<B>,
) -> Transparent<B, Network<Autodiff<B>>> {
    Transparent::of_inner(network.clone(), device)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::data::DataChoice;
    use crate::network::NetworkChoice;

    /// Every attack by its name, on a network of a few neurons that has learned nothing: each of them fells what it gets right
    /// when it may change anything.
    #[test]
    fn every_attack_runs_alone() {
        let test = DataChoice::Digits.load(None, None).unwrap().test;
        let device = Default::default();
        let choice = NetworkChoice::Mlp { hidden: vec![6] };
        let network =
            Network::<Flex>::new(&choice, test.shape(), 10, &Seed::new(3), &device).unwrap();
        let samples = samples(&test, 30, &Seed::new(1));
        let config = EvaluationConfig { radius: 1.0, ..EvaluationConfig::default() };
        let evaluation = config.evaluation(&Seed::new(2));
        let model = transparent(&network, &device);
        for (attack, name) in [
            (AttackChoice::Fgsm, "FGSM"),
            (AttackChoice::pgd(10), "PGD-10"),
            (
                AttackChoice::Pgd {
                    steps: 10,
                    restarts: 1,
                    relative_step: 0.5,
                    random_start: false,
                },
                "PGD-10, steps of 0.5 epsilon, from the image",
            ),
            (AttackChoice::CarliniWagner { steps: 10 }, "CW-PGD-10"),
            (AttackChoice::ApgdCe { steps: 10, restarts: 1 }, "APGD-CE-10"),
            (AttackChoice::ApgdDlr { steps: 10, restarts: 1 }, "APGD-DLR-10"),
            (AttackChoice::ApgdT { steps: 10, targets: 9 }, "APGD-T-10x9"),
            (AttackChoice::FabT { steps: 10, targets: 9 }, "FAB-T-10x9"),
            (AttackChoice::Square { queries: 200 }, "Square-200"),
        ] {
            let attack: Box<dyn Attack<_>> = attack.attack();
            let found = evaluation.attack(&*attack, &model, &samples).unwrap();
            assert_eq!(found.attack, name);
            let clean = evaluation.campaign.clean_accuracy(&model, &samples).unwrap().mean;
            assert!(clean > 0.0 && found.accuracy.mean < clean, "{name}: {}", found.accuracy.mean);
        }
    }
}
