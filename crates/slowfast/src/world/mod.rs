//! A deterministic first-person world: textured rooms behind doors, drawn from a seed and seen by ray casting.
//!
//! | to | read |
//! |---|---|
//! | see how worlds can be set | [`WorldSettings`] |
//! | move and look | [`World::step`], [`World::render`] |
//! | explore without a person | [`Explorer`] |
//! | go somewhere and come back | [`Route::plan`](crate::clip::Route::plan), [`World::record`] |
//!
//! A frame depends on nothing but the scene and the pose, and poses are whole numbers: whoever comes back to a pose sees
//! the same bytes. Seeds, scenes and frames are the same on every platform and for any number of threads.

mod camera;
mod colour;
mod distance;
mod error;
mod explorer;
mod layout;
mod motion;
mod recording;
mod route;
mod scene;
mod settings;
mod texture;
mod way;

use experiment::seed::Seed;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use self::camera::Camera;
use self::motion::{CELL, Motion};
use self::scene::Scene;
use crate::action::Action;
use crate::clip::{Pose, PoseScale};

pub use error::WorldError;
pub use explorer::Explorer;
pub use layout::{Cell, Layout, Room};
pub use route::Plan;
pub use settings::WorldSettings;

/// Half the width of the agent's square body, in units of length: a fifth of a cell.
const BODY: i32 = CELL / 5;

/// One scene and the agent's laws of motion and sight in it.
#[derive(Clone, Debug)]
pub struct World {
    scene: Scene,
    motion: Motion,
    camera: Camera,
    size: usize,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The pose after it.
    pub pose: Pose,
    /// Whether something was in the way: the agent then turned but did not walk.
    pub blocked: bool,
}

impl World {
    /// The world of a seed: the same settings and seed always give the same world.
    ///
    /// # Errors
    /// [`WorldError::Setting`] for a setting out of its range.
    pub fn new(settings: &WorldSettings, seed: &Seed) -> Result<Self, WorldError> {
        settings.validate()?;
        Ok(Self {
            scene: Scene::generate(settings, &mut seed.child("scene").rng()),
            motion: Motion::new(settings),
            camera: Camera::new(settings),
            size: settings.size,
        })
    }

    /// Height and width of a frame in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Units of poses: 65,536 to a cell, and two to a turn.
    pub fn pose_scale(&self) -> PoseScale {
        self.motion.scale()
    }

    /// The plan of the building.
    pub fn layout(&self) -> &Layout {
        &self.scene.layout
    }

    /// The frame `[size, size, 3]` seen from a pose: rows from the top, pixels from the left, red, green, blue.
    pub fn render(&self, pose: Pose) -> Vec<u8> {
        let cells = |value: i32| f64::from(value) / f64::from(CELL);
        let place = (cells(pose.x), cells(pose.y));
        self.camera.render(&self.scene, place, self.motion.direction(pose.heading))
    }

    /// Takes an action. Where a wall or a column is in the way the agent turns without walking.
    pub fn step(&self, pose: Pose, action: Action) -> Step {
        let moved = self.motion.apply(pose, action);
        if action.walk.is_none() || self.is_free(moved) {
            return Step { pose: moved, blocked: false };
        }
        Step { pose: Pose { x: pose.x, y: pose.y, ..moved }, blocked: true }
    }

    /// Whether an agent has room at a pose.
    pub fn is_free(&self, pose: Pose) -> bool {
        let cells = |centre: i32| {
            i64::from((centre.saturating_sub(BODY)).div_euclid(CELL))
                ..=i64::from((centre.saturating_add(BODY)).div_euclid(CELL))
        };
        cells(pose.y).all(|row| {
            cells(pose.x).all(|column| {
                self.scene.layout.cell(column, row) != Cell::Wall
                    && !self.hits_column(pose, column, row)
            })
        })
    }

    fn hits_column(&self, pose: Pose, column: i64, row: i64) -> bool {
        let Some(landmark) = self.scene.column(column, row) else { return false };
        let cells = |value: i32| f64::from(value) / f64::from(CELL);
        let (dx, dy) = (cells(pose.x) - column as f64 - 0.5, cells(pose.y) - row as f64 - 0.5);
        let reach = landmark.radius + cells(BODY);
        dx * dx + dy * dy < reach * reach
    }

    /// The number of the room that a pose is in; `None` in a door.
    pub fn room_at(&self, pose: Pose) -> Option<usize> {
        let (column, row) = cell_of(pose);
        match self.scene.layout.cell(column, row) {
            Cell::Room(room) => Some(room),
            Cell::Door | Cell::Wall => None,
        }
    }

    /// A pose in the middle of a free cell of any room, looking anywhere.
    pub fn random_pose(&self, rng: &mut impl Rng) -> Pose {
        let rooms = self.scene.layout.rooms();
        let cells: Vec<(usize, usize)> = rooms.iter().flat_map(|room| room.cells()).collect();
        let free: Vec<Pose> = cells
            .into_iter()
            .filter(|(column, row)| self.scene.column(*column as i64, *row as i64).is_none())
            .map(|(column, row)| middle_of(column, row))
            .collect();
        let pose = free.choose(rng).expect("a room has cells without a column");
        let turns = self.pose_scale().heading as i32 / 2;
        Pose { heading: 2 * rng.random_range(0..turns), ..*pose }
    }
}

/// The column and row of the cell that a pose is in.
fn cell_of(pose: Pose) -> (i64, i64) {
    (i64::from(pose.x.div_euclid(CELL)), i64::from(pose.y.div_euclid(CELL)))
}

/// The pose in the middle of a cell, looking east.
fn middle_of(column: usize, row: usize) -> Pose {
    let middle = |cell: usize| cell as i32 * CELL + CELL / 2;
    Pose { x: middle(column), y: middle(row), heading: 0 }
}

#[cfg(test)]
mod tests;
