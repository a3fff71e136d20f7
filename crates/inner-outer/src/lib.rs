#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod choice;
pub mod copies;
pub mod curvature;
mod descent;
mod error;
mod family;
pub mod hypergradient;
pub mod inner;
pub mod layers;
mod learner_state;
pub mod lora;
mod meta_batch;
mod meta_learner;
pub mod named_tensors;
pub mod parallel;
mod problem;
mod running_statistics;
mod schedule;
pub mod sealed;
mod selection;
mod settings;
mod stored;
pub mod tensors;

pub use choice::{ConfiguredRule, CurvatureChoice, HypergradientChoice, RuleChoice, SolverChoice};
pub use curvature::{CentralDifference, Curvature, ForwardOverReverse, Nested};
pub use error::{Error, Result};
pub use family::{Family, On};
pub use hypergradient::{
    ConjugateGradient, Envelope, FirstOrder, Hypergradient, Implicit, MetaGradient, Neumann,
    Nystroem, Reptile, Truncated, Unrolled,
};
pub use inner::{
    Adam, BoxConstraint, Clipped, InnerLoop, InnerOptimizer, Intervals, L2Ball, LinfBall, Momentum,
    NormalizedAscent, Projected, RateScope, Rates, Sgd, SignedAscent, Successive,
};
pub use lora::{AdaptedLinear, Lora};
pub use meta_batch::{MetaBatch, meta_batch, meta_batch_from};
pub use meta_learner::{MetaLearner, MetaLearnerConfig, MetaStep};
pub use parallel::Threads;
pub use problem::{Instance, Problem, Roles};
pub use schedule::{Decay, Schedule};
pub use selection::Selection;
pub use stored::{load_selected, save_selected};

/// Burn's reverse-mode backend over `B`.
pub type Autodiff<B> = burn::backend::Autodiff<B>;
