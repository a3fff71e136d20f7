//! The tangent rules, grouped as a calculus textbook would; functions are named after the method
//! of Burn's traits that they implement.
//!
//! In the comments `x`, `y` are values and `dx`, `dy` their tangents.

pub(crate) mod arithmetic;
pub(crate) mod convolution;
pub(crate) mod elementwise;
pub(crate) mod extremum;
pub(crate) mod indexing;
pub(crate) mod layers;
pub(crate) mod matmul;
pub(crate) mod pooling;
pub(crate) mod power;
pub(crate) mod product;
pub(crate) mod spectrum;

/// Stops at an operation whose tangent is not known, naming it and the way around it.
fn no_rule(operation: &str, operand: &str, remedy: &str) -> ! {
    panic!("forward-mode: no tangent rule for `{operation}` when {operand} varies; {remedy}")
}
