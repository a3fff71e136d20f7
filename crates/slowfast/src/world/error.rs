//! What can go wrong with a world.

/// A world or a route that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorldError {
    /// A setting out of its range.
    #[error("`world.{field}` {problem}")]
    Setting {
        /// The field of [`WorldSettings`](super::WorldSettings).
        field: &'static str,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
    /// Actions are held so long that no number of them makes a half circle.
    #[error(
        "an action held for {frames} frames never makes a half circle of {half} turns: choose a number of frames that \
         divides {half}"
    )]
    Hold {
        /// Frames an action is held.
        frames: usize,
        /// Turns of a half circle.
        half: usize,
    },
}

impl WorldError {
    pub(super) fn setting(field: &'static str, problem: String) -> Self {
        Self::Setting { field, problem }
    }
}
