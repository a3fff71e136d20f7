//! How far every cell is from a goal, on foot.

use std::collections::VecDeque;

use super::layout::{Cell, Layout};

const SIDES: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Lengths of the shortest ways from every cell to one goal, through the sides of cells.
#[derive(Debug)]
pub(super) struct DistanceField<'l> {
    layout: &'l Layout,
    distances: Vec<Option<u32>>,
}

impl<'l> DistanceField<'l> {
    /// The distances to the cell `goal`; cells that are `blocked` (column, row) cannot be entered.
    pub(super) fn towards(
        layout: &'l Layout,
        goal: (usize, usize),
        blocked: impl Fn(i64, i64) -> bool,
    ) -> Self {
        let mut distances = vec![None; layout.len()];
        let mut waiting = VecDeque::from([(goal.0 as i64, goal.1 as i64, 0)]);
        while let Some((column, row, distance)) = waiting.pop_front() {
            let Some(index) = layout.index(column, row) else { continue };
            let solid = layout.cell(column, row) == Cell::Wall || blocked(column, row);
            if solid || distances[index].is_some() {
                continue;
            }
            distances[index] = Some(distance);
            waiting.extend(SIDES.map(|(dx, dy)| (column + dx, row + dy, distance + 1)));
        }
        Self { layout, distances }
    }

    /// Cells to walk from this one; `None` where the goal cannot be reached.
    pub(super) fn distance(&self, column: i64, row: i64) -> Option<u32> {
        self.layout.index(column, row).and_then(|index| self.distances[index])
    }

    /// The neighbour that is nearer to the goal, and its distance; `None` at the goal and where it cannot be reached.
    pub(super) fn next(&self, column: i64, row: i64) -> Option<((i64, i64), u32)> {
        let here = self.distance(column, row)?;
        SIDES.into_iter().find_map(|(dx, dy)| {
            let there = (column + dx, row + dy);
            let distance = self.distance(there.0, there.1)?;
            (distance < here).then_some((there, distance))
        })
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::super::WorldSettings;
    use super::*;

    #[test]
    fn following_the_next_cells_leads_to_the_goal_in_as_many_steps_as_told() {
        let layout = Layout::generate(&WorldSettings::default(), &mut Seed::new(5).rng());
        let field = DistanceField::towards(&layout, (1, 1), |_, _| false);
        let last = layout.rooms().last().unwrap();
        let mut here = (last.west as i64, last.south as i64);
        let mut left = field.distance(here.0, here.1).unwrap();
        while let Some((there, distance)) = field.next(here.0, here.1) {
            assert_eq!(distance, left - 1);
            (here, left) = (there, distance);
        }
        assert_eq!((here, left), ((1, 1), 0));
    }

    #[test]
    fn walls_and_blocked_cells_have_no_distance() {
        let layout = Layout::generate(&WorldSettings::default(), &mut Seed::new(5).rng());
        let field = DistanceField::towards(&layout, (1, 1), |column, row| (column, row) == (2, 1));
        assert_eq!(field.distance(0, 0), None);
        assert_eq!(field.distance(2, 1), None);
        assert_eq!(field.distance(-1, 5), None);
        assert_eq!(field.next(1, 1), None);
    }
}
