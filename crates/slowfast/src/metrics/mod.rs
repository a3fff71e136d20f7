//! How good generated frames are, and whether what was seen comes back as it was.
//!
//! | question | measure |
//! |---|---|
//! | is a frame the true one | [`psnr`], [`structural_similarity`] |
//! | does the picture jump | [`scene_cuts`] |
//! | does a revisited place look as it did | [`revisit_consistency`] (SRC), [`revisit_psnr`] |
//! | does anything move at all | [`motion`] |
//! | do edges and textures look alike | [`RandomFilters::distance`] |
//! | are many clips distributed like true ones | [`frechet_distance`] |
//! | all of it for a method, with intervals | [`Evaluator`](crate::evaluation::Evaluator) |
//!
//! A frozen picture has no cuts and is perfectly consistent with itself: read these two only beside [`motion`] and
//! [`revisit_psnr`], and beside the rows of a frozen picture and of the ground truth.

mod error;
mod features;
mod frechet;
#[cfg(test)]
mod golden;
mod hsv;
mod motion;
mod psnr;
mod random_filters;
mod revisit;
mod scene_cuts;
mod ssim;
mod video;

pub use error::MetricError;
pub use features::{FeatureEncoder, PooledColours, cosine_similarity};
pub use frechet::{Gaussian, frechet_between_halves, frechet_distance};
pub use motion::motion;
pub use psnr::{CEILING, psnr};
pub use random_filters::RandomFilters;
pub use revisit::{Revisit, Tolerance, revisit_consistency, revisit_psnr, revisits};
pub use scene_cuts::{AdaptiveDetector, scene_cuts};
pub use ssim::structural_similarity;
pub use video::Video;
