//! What the integration tests share: problems, numbers, finite differences and a watchdog.

// Every test file compiles its own copy and uses a part of it.
#![allow(dead_code)]

pub mod convolution;
pub mod engines;
pub mod finite_difference;
pub mod low_rank;
pub mod methods;
pub mod mistaken;
pub mod numbers;
pub mod points;
pub mod scalar;
pub mod transformer;
pub mod watchdog;
pub mod weighted_mean;
