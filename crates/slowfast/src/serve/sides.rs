//! The two sides of the comparison.

use serde::{Deserialize, Serialize};

/// One side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Every chunk is learned before the next.
    WithMemory,
    /// The model knows no more than the chunk before.
    WithoutMemory,
}

/// Something of both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Sides<T> {
    /// Of the side with memory.
    pub with_memory: T,
    /// Of the other side.
    pub without_memory: T,
}

impl Side {
    /// Both, the one without memory first, for it is generated faster.
    pub const ALL: [Self; 2] = [Self::WithoutMemory, Self::WithMemory];
}

impl<T> Sides<T> {
    /// That of one side.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::WithMemory => &self.with_memory,
            Side::WithoutMemory => &self.without_memory,
        }
    }

    /// That of one side, to change it.
    pub fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::WithMemory => &mut self.with_memory,
            Side::WithoutMemory => &mut self.without_memory,
        }
    }

    /// What `change` makes of each.
    ///
    /// # Errors
    /// The first error of `change`.
    pub fn try_map<U, E>(&self, mut change: impl FnMut(&T) -> Result<U, E>) -> Result<Sides<U>, E> {
        let with_memory = change(&self.with_memory)?;
        Ok(Sides { with_memory, without_memory: change(&self.without_memory)? })
    }
}
