//! Evaluation attacks on any Burn classifier, and how to tell whether their numbers can be believed.
//!
//! An attack asks a question about each image: is there another one, which the [`ThreatModel`] allows, that the model gets
//! wrong? A [`Campaign`] runs an [`Attack`] over many images, in batches and on threads, and checks every answer;
//! [`Evaluation`] makes [`RobustAccuracy`] numbers of it, which never go out without the [`MaskingChecks`] that would show
//! a model that merely hides its gradients.
//!
//! | attack | looks for | asks for |
//! |---|---|---|
//! | [`Fgsm`] | one step up the cross entropy | gradients |
//! | [`Pgd`] | steps up the cross entropy, or the margin of Carlini and Wagner | gradients |
//! | [`Apgd`], [`TargetedApgd`] | the same with step sizes found as it goes, away from a class or towards others | gradients |
//! | [`Fab`] | the closest misclassified image | gradients |
//! | [`Square`] | a random search over square patches | scores |
//! | [`AutoAttack`] | the last four in turn, each on what stands | gradients |
//!
//! ```
//! use burn::backend::{Autodiff, Flex};
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Tensor, backend::Backend};
//! use experiment::seed::Seed;
//! use fal::Classifier;
//! use fal::attack::{Campaign, Pgd, Samples, ThreatModel, Transparent};
//!
//! #[derive(Module, Debug)]
//! struct Model<B: Backend> {
//!     layer: Linear<B>,
//! }
//!
//! impl<B: Backend> Classifier<B> for Model<B> {
//!     fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
//!         self.layer.forward(images.flatten(1, 3))
//!     }
//! }
//!
//! let device = Default::default();
//! let model = Model::<Autodiff<Flex>> { layer: LinearConfig::new(4, 3).init(&device) };
//! let images = Tensor::<Flex, 4>::full([5, 1, 2, 2], 0.5, &device);
//! let samples = Samples::from_tensor(images, vec![0, 1, 2, 0, 1])?;
//!
//! let campaign = Campaign::new(ThreatModel::linf(8.0 / 255.0), Seed::new(7));
//! let outcome = campaign.run(&Pgd::new(20), &Transparent::new(&model, &device), &samples)?;
//! println!("{}", outcome.robust_accuracy().percent());
//! # Ok::<(), fal::attack::AttackError>(())
//! ```

mod apgd;
mod auto_attack;
mod campaign;
mod climber;
mod error;
mod evaluation;
mod fab;
mod hyperplane;
mod images;
mod model;
mod objective;
mod outcome;
mod perturb;
mod pgd;
mod square;
mod threat;
#[cfg(test)]
pub(crate) mod toy;

pub use apgd::{Apgd, TargetedApgd};
pub use auto_attack::AutoAttack;
pub use campaign::Campaign;
pub use error::AttackError;
pub use evaluation::{
    CheckBudget, Evaluation, LossSurface, MaskingChecks, RobustAccuracy, RobustnessReport,
};
pub use fab::{Closest, Fab};
pub use images::{Images, Samples, Size};
pub use model::{BlackBox, Opaque, Scores, Slopes, Transparent, WhiteBox};
pub(crate) use objective::prediction;
pub use objective::{Loss, Objective};
pub use outcome::{Fate, Outcome, Tally};
pub use perturb::{Attack, Batch, Perturbed};
pub use pgd::{Fgsm, Pgd};
pub use square::Square;
pub use threat::{Norm, ThreatModel};

/// Which attacks and checks these are. Raise it with every change by which one of them may find another answer for the same
/// network: a judgement that goes on takes no parts of other revisions.
pub const REVISION: u32 = 1;
