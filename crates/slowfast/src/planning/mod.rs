//! Planning: go from A to B and retrace the way, as section 3.4 of the paper has it for its simulators.
//!
//! A plan is told in phrases, a model imagines the video of it, the inverse dynamics read actions from consecutive imagined
//! frames, and these are carried out in the simulator. What counts is how far the agent then is from the way-points: the poses
//! that the plan leads to after each chunk. The first frame and the phrases are all that a model is given.

mod config;
mod score;
mod task;

pub use config::PlanningConfig;
pub use score::{PlanDivergence, PlanRow, PlanScore, distances};
pub use task::{Planner, Planning};

/// The row of true frames read by the inverse dynamics: what these alone cost.
pub const TRUE_FRAMES: &str = "true frames";
/// The row of an agent that never moves.
pub const STAND_STILL: &str = "stand still";

#[cfg(test)]
mod tests;
