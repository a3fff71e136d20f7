//! Choices as data: update rules, hypergradients and curvature engines for configuration files.
//!
//! Code composes the types themselves; a program whose user chooses at run time composes these.

mod curvature;
mod hypergradient;
mod rule;

pub use curvature::CurvatureChoice;
pub use hypergradient::{HypergradientChoice, SolverChoice};
pub use rule::{ConfiguredRule, RuleChoice};
