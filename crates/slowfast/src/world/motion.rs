//! How actions change a pose where nothing is in the way.
//!
//! Places are whole numbers of 1/65,536 of a cell and headings whole numbers of half turns, so every action is undone
//! exactly by its inverse: no rounding builds up, and a way back ends bit for bit where it began.

use super::WorldSettings;
use crate::action::{Action, Turn, Walk};
use crate::clip::{Pose, PoseScale};

/// Units of length of a cell.
pub(super) const CELL: i32 = 1 << 16;

/// Steps and directions of all headings.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// The step forward of each heading, in units of length east and north.
    steps: Vec<(i32, i32)>,
    /// The unit vector of each heading, east and north.
    directions: Vec<(f64, f64)>,
}

impl Motion {
    /// The table of valid settings.
    pub(super) fn new(settings: &WorldSettings) -> Self {
        // A turn is of two units, because an action that turns and walks does so at the angle in between.
        let headings = 2 * settings.turns_per_circle as usize;
        let length = f64::from(CELL) / f64::from(settings.steps_per_cell);
        let angle = |heading: usize| std::f64::consts::TAU * heading as f64 / headings as f64;
        // Computed for a half circle and negated for the other, so that opposite headings are exactly opposite. The
        // functions are the same on every platform, unlike the standard library's.
        let half: Vec<(f64, f64)> = (0..headings / 2)
            .map(|heading| (libm::cos(angle(heading)), libm::sin(angle(heading))))
            .collect();
        let directions: Vec<(f64, f64)> =
            half.iter().copied().chain(half.iter().map(|(x, y)| (-x, -y))).collect();
        let rounded = |value: f64| libm::round(value * length) as i32;
        let steps = directions.iter().map(|(x, y)| (rounded(*x), rounded(*y))).collect();
        Self { steps, directions }
    }

    /// Units of poses.
    pub(super) fn scale(&self) -> PoseScale {
        PoseScale { position: CELL as u32, heading: self.steps.len() as u32 }
    }

    /// Length of a step, in units of length.
    pub(super) fn pace(&self) -> i32 {
        self.steps[0].0
    }

    /// The heading as a position in the tables.
    fn index(&self, heading: i32) -> usize {
        heading.rem_euclid(self.steps.len() as i32) as usize
    }

    /// The unit vector of a pose's heading, east and north.
    pub(super) fn direction(&self, heading: i32) -> (f64, f64) {
        self.directions[self.index(heading)]
    }

    /// The pose after an action: by half of the turn, then the step, then the other half of the turn.
    pub(super) fn apply(&self, pose: Pose, action: Action) -> Pose {
        let half = match action.turn {
            None => 0,
            Some(Turn::Left) => 1,
            Some(Turn::Right) => -1,
        };
        let (dx, dy) = self.steps[self.index(pose.heading.wrapping_add(half))];
        let sign = match action.walk {
            None => 0,
            Some(Walk::Forward) => 1,
            Some(Walk::Back) => -1,
        };
        Pose {
            x: pose.x.wrapping_add(sign * dx),
            y: pose.y.wrapping_add(sign * dy),
            heading: self.index(pose.heading.wrapping_add(2 * half)) as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn motion(turns_per_circle: u32, steps_per_cell: u32) -> Motion {
        Motion::new(&WorldSettings { turns_per_circle, steps_per_cell, ..Default::default() })
    }

    proptest! {
        #[test]
        fn the_inverse_actions_in_reverse_order_lead_back_exactly(
            codes in prop::collection::vec(0_u8..9, 0..200),
            quarter in 2_u32..=90,
            steps in 2_u32..=64,
            heading in 0_i32..16,
        ) {
            let motion = motion(4 * quarter, steps);
            let start = Pose { x: 12 * CELL, y: 7 * CELL + 5, heading };
            let actions: Vec<Action> = codes.into_iter().filter_map(Action::from_code).collect();
            let away = actions.iter().fold(start, |pose, action| motion.apply(pose, *action));
            let back = actions.iter().rev().fold(away, |pose, action| motion.apply(pose, action.inverse()));
            prop_assert_eq!(back, start);
        }

        #[test]
        fn opposite_headings_step_to_opposite_sides(quarter in 2_u32..=90, heading: i32) {
            let motion = motion(4 * quarter, 8);
            let half = motion.steps.len() as i32 / 2;
            let heading = heading / 2;
            let (x, y) = motion.steps[motion.index(heading)];
            prop_assert_eq!(motion.steps[motion.index(heading + half)], (-x, -y));
        }
    }

    #[test]
    fn a_full_circle_of_turns_leads_back() {
        let motion = motion(32, 8);
        let start = Pose { x: CELL, y: CELL, heading: 3 };
        let turned =
            |turns| (0..turns).fold(start, |pose, _| motion.apply(pose, Action::turn(Turn::Left)));
        assert_eq!(turned(32), start);
        assert!((1..32).all(|turns| turned(turns) != start));
    }

    #[test]
    fn left_is_counter_clockwise_and_a_cell_is_so_many_steps() {
        let motion = motion(32, 8);
        let start = Pose { x: 0, y: 0, heading: 0 };
        let east = (0..8).fold(start, |pose, _| motion.apply(pose, Action::walk(Walk::Forward)));
        assert_eq!(east, Pose { x: CELL, y: 0, heading: 0 });
        let north = (0..8).fold(start, |pose, _| motion.apply(pose, Action::turn(Turn::Left)));
        let north = motion.apply(north, Action::walk(Walk::Forward));
        assert_eq!(north, Pose { x: 0, y: CELL / 8, heading: 16 });
    }
}
