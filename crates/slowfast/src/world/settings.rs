//! How the built-in worlds look and how the agent moves in them.

use serde::{Deserialize, Serialize};

use super::WorldError;

/// Settings of the built-in worlds. The defaults are those of the published numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSettings {
    /// Height and width of a frame in pixels, 8 to 512.
    pub size: usize,
    /// Rays cast for a pixel along each axis, 1 to 4: their mean is the pixel, which keeps far textures from flickering.
    pub rays_per_pixel: usize,
    /// Horizontal and vertical angle of view in degrees, 30 to 120.
    pub field_of_view: f64,
    /// Rooms from west to east, 1 to 8.
    pub room_columns: usize,
    /// Rooms from south to north, 1 to 8.
    pub room_rows: usize,
    /// Least width and depth of a room in cells, at least 2. A cell is as wide as a room is high.
    pub smallest_room: usize,
    /// Greatest width and depth of a room in cells, up to 12.
    pub largest_room: usize,
    /// Probability, 0 to 1, that two neighbouring rooms have a door though one can get from one to the other already.
    pub extra_doors: f64,
    /// Paintings on the walls of a room, up to 16; a room with little wall has fewer.
    pub paintings_per_room: usize,
    /// Probability, 0 to 1, that a room of at least 3 by 3 cells has a column in its middle.
    pub columns: f64,
    /// Turns that make a full circle, a multiple of 4 from 8 to 360: 32 turns are of 11.25 degrees each.
    pub turns_per_circle: u32,
    /// Steps that make the width of a cell, 2 to 64.
    pub steps_per_cell: u32,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            size: 64,
            rays_per_pixel: 2,
            field_of_view: 75.0,
            room_columns: 3,
            room_rows: 3,
            smallest_room: 2,
            largest_room: 4,
            extra_doors: 0.3,
            paintings_per_room: 3,
            columns: 0.6,
            turns_per_circle: 32,
            steps_per_cell: 8,
        }
    }
}

impl WorldSettings {
    /// Checks that a world can be made of these settings.
    ///
    /// # Errors
    /// [`WorldError::Setting`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), WorldError> {
        let within = |field, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(WorldError::setting(
                field,
                format!("is {value}: choose a number from {least} to {most}"),
            ))
        };
        let share = |field, value: f64| {
            if (0.0..=1.0).contains(&value) {
                return Ok(());
            }
            Err(WorldError::setting(field, format!("is {value}: choose a probability from 0 to 1")))
        };
        within("size", self.size, 8, 512)?;
        within("rays_per_pixel", self.rays_per_pixel, 1, 4)?;
        within("room_columns", self.room_columns, 1, 8)?;
        within("room_rows", self.room_rows, 1, 8)?;
        within("smallest_room", self.smallest_room, 2, 12)?;
        within("largest_room", self.largest_room, self.smallest_room, 12)?;
        within("paintings_per_room", self.paintings_per_room, 0, 16)?;
        within("turns_per_circle", self.turns_per_circle as usize, 8, 360)?;
        within("steps_per_cell", self.steps_per_cell as usize, 2, 64)?;
        share("extra_doors", self.extra_doors)?;
        share("columns", self.columns)?;
        if !(30.0..=120.0).contains(&self.field_of_view) {
            let problem = format!("is {}: choose 30 to 120 degrees", self.field_of_view);
            return Err(WorldError::setting("field_of_view", problem));
        }
        if !self.turns_per_circle.is_multiple_of(4) {
            let problem = format!(
                "is {}: choose a multiple of 4, or nothing could turn by a right angle",
                self.turns_per_circle
            );
            return Err(WorldError::setting("turns_per_circle", problem));
        }
        Ok(())
    }

    /// Checks that an action held for so many frames makes a half circle some time.
    ///
    /// # Errors
    /// [`WorldError::Hold`].
    pub fn check_hold(&self, frames: usize) -> Result<(), WorldError> {
        let half = self.turns_per_circle as usize / 2;
        match frames > 0 && half.is_multiple_of(frames) {
            true => Ok(()),
            false => Err(WorldError::Hold { frames, half }),
        }
    }

    /// Bytes of a frame: a float, since settings may be anything.
    pub(crate) fn frame_bytes(&self) -> f64 {
        3.0 * (self.size as f64).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        WorldSettings::default().validate().unwrap();
    }

    #[test]
    fn every_field_out_of_range_is_named() {
        let defaults = WorldSettings::default;
        for (field, settings) in [
            ("size", WorldSettings { size: 4, ..defaults() }),
            ("rays_per_pixel", WorldSettings { rays_per_pixel: 0, ..defaults() }),
            ("field_of_view", WorldSettings { field_of_view: f64::NAN, ..defaults() }),
            ("room_columns", WorldSettings { room_columns: 0, ..defaults() }),
            ("room_rows", WorldSettings { room_rows: 9, ..defaults() }),
            ("smallest_room", WorldSettings { smallest_room: 1, ..defaults() }),
            ("largest_room", WorldSettings { largest_room: 1, ..defaults() }),
            ("paintings_per_room", WorldSettings { paintings_per_room: 17, ..defaults() }),
            ("turns_per_circle", WorldSettings { turns_per_circle: 30, ..defaults() }),
            ("steps_per_cell", WorldSettings { steps_per_cell: 1, ..defaults() }),
            ("extra_doors", WorldSettings { extra_doors: 1.1, ..defaults() }),
            ("columns", WorldSettings { columns: -0.1, ..defaults() }),
        ] {
            let failure = settings.validate().unwrap_err().to_string();
            assert!(failure.contains(&format!("`world.{field}`")), "{failure}");
        }
    }
}
