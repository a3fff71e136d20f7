//! Judging a network: clean, and under attack.

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use experiment::statistics::Interval;
use inner_outer::Autodiff;
use rand::seq::index;
use serde::Serialize;

use crate::attack::{
    Attack, AttackError, AutoAttack, Campaign, CheckBudget, Evaluation, Fgsm, Images, Pgd, Samples,
    Size, Square, Transparent, WhiteBox,
};
use crate::config::{AttackChoice, EvaluationConfig};
use crate::data::ImageSet;
use crate::network::Network;

/// Steps of the projected ascent of a [`Glance`].
const GLANCE_STEPS: usize = 10;

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
            Self::Pgd { steps, restarts } => Box::new(Pgd { restarts, ..Pgd::new(steps) }),
            Self::CarliniWagner { steps } => Box::new(Pgd::margin(steps)),
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
