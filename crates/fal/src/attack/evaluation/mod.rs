//! Robust accuracies, with what tells whether they can be believed.

mod accuracy;
mod masking;
mod surface;

pub use accuracy::{Evaluation, RobustAccuracy, RobustnessReport};
pub use masking::{CheckBudget, MaskingChecks};
pub use surface::LossSurface;
