//! Hypergradients with the engine that they have by default.

use inner_outer::{Truncated, Unrolled};

/// The exact hypergradient.
pub fn unrolled() -> Unrolled {
    Unrolled::default()
}

/// The exact hypergradient through the last `exact_steps` steps.
pub fn truncated(exact_steps: usize) -> Truncated {
    Truncated { exact_steps, curvature: Default::default() }
}
