//! The plan of a building: a grid of cells, of which some are rooms, some doors and the rest walls.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::WorldSettings;

/// What a cell of the grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Solid up to the ceiling.
    Wall,
    /// Part of the room of this number.
    Room(usize),
    /// A passage in the wall between two rooms.
    Door,
}

/// A rectangular room, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its westernmost column of cells.
    pub west: usize,
    /// Its southernmost row of cells.
    pub south: usize,
    /// Cells from west to east.
    pub width: usize,
    /// Cells from south to north.
    pub depth: usize,
}

impl Room {
    /// The room's cells as (column, row), row by row from the south.
    pub fn cells(self) -> impl Iterator<Item = (usize, usize)> {
        (self.south..self.south + self.depth).flat_map(move |row| {
            (self.west..self.west + self.width).map(move |column| (column, row))
        })
    }
}

/// Rooms in columns and rows, each joined to at least one other by a door, so that all can be reached from all.
///
/// Columns count from the west, rows from the south; the outermost cells are walls.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    width: usize,
    depth: usize,
    cells: Vec<Cell>,
    rooms: Vec<Room>,
}

impl Layout {
    /// Draws a plan. The settings must be valid.
    pub(super) fn generate(settings: &WorldSettings, rng: &mut impl Rng) -> Self {
        let mut sizes = |count: usize| -> Vec<usize> {
            let range = settings.smallest_room..=settings.largest_room;
            (0..count).map(|_| rng.random_range(range.clone())).collect()
        };
        let (widths, depths) = (sizes(settings.room_columns), sizes(settings.room_rows));
        let mut layout = Self::walls_around(&widths, &depths);
        layout.open_doors(settings, rng);
        layout
    }

    fn walls_around(widths: &[usize], depths: &[usize]) -> Self {
        let extent = |sizes: &[usize]| sizes.iter().sum::<usize>() + sizes.len() + 1;
        let (width, depth) = (extent(widths), extent(depths));
        let mut layout =
            Self { width, depth, cells: vec![Cell::Wall; width * depth], rooms: Vec::new() };
        let mut south = 1;
        for depth in depths {
            let mut west = 1;
            for width in widths {
                let room = Room { west, south, width: *width, depth: *depth };
                for (column, row) in room.cells() {
                    layout.cells[row * layout.width + column] = Cell::Room(layout.rooms.len());
                }
                layout.rooms.push(room);
                west += width + 1;
            }
            south += depth + 1;
        }
        layout
    }

    /// Opens a door wherever two neighbours are not yet joined by a way through other doors, in random order, and
    /// elsewhere with the probability of the settings.
    fn open_doors(&mut self, settings: &WorldSettings, rng: &mut impl Rng) {
        let mut neighbours = Vec::new();
        for room in 0..self.rooms.len() {
            if (room + 1) % settings.room_columns != 0 {
                neighbours.push((room, room + 1));
            }
            if room + settings.room_columns < self.rooms.len() {
                neighbours.push((room, room + settings.room_columns));
            }
        }
        neighbours.shuffle(rng);
        // Rooms with the same number can be reached from each other.
        let mut group: Vec<usize> = (0..self.rooms.len()).collect();
        for (first, second) in neighbours {
            let joined = group[first] == group[second];
            if joined && !rng.random_bool(settings.extra_doors) {
                continue;
            }
            let (kept, merged) = (group[first], group[second]);
            group.iter_mut().filter(|number| **number == merged).for_each(|number| *number = kept);
            let (column, row) = self.door_between(first, second, rng);
            self.cells[row * self.width + column] = Cell::Door;
        }
    }

    /// A cell of the wall that `second` shares with `first` to its west or south.
    fn door_between(&self, first: usize, second: usize, rng: &mut impl Rng) -> (usize, usize) {
        let (first, second) = (self.rooms[first], self.rooms[second]);
        if first.south == second.south {
            (second.west - 1, rng.random_range(second.south..second.south + second.depth))
        } else {
            (rng.random_range(second.west..second.west + second.width), second.south - 1)
        }
    }

    /// Cells from west to east.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Cells from south to north.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The rooms, in the order of their numbers.
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// The cell in a column and a row; everything outside of the grid is wall.
    pub fn cell(&self, column: i64, row: i64) -> Cell {
        self.index(column, row).map_or(Cell::Wall, |index| self.cells[index])
    }

    /// Position of a cell in lists with an entry a cell; `None` outside of the grid.
    pub(super) fn index(&self, column: i64, row: i64) -> Option<usize> {
        let (column, row) = (usize::try_from(column).ok()?, usize::try_from(row).ok()?);
        (column < self.width && row < self.depth).then_some(row * self.width + column)
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;
    use proptest::prelude::*;

    use super::super::distance::DistanceField;
    use super::*;

    fn layout(seed: u64, columns: usize, rows: usize) -> Layout {
        let settings =
            WorldSettings { room_columns: columns, room_rows: rows, ..WorldSettings::default() };
        Layout::generate(&settings, &mut Seed::new(seed).rng())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_room_can_be_reached_and_the_border_is_closed(seed: u64, columns in 1_usize..=5, rows in 1_usize..=5) {
            let layout = layout(seed, columns, rows);
            prop_assert_eq!(layout.rooms().len(), columns * rows);
            let (width, depth) = (layout.width() as i64, layout.depth() as i64);
            let field = DistanceField::towards(&layout, (1, 1), |_, _| false);
            for row in -1..=depth {
                for column in -1..=width {
                    let cell = layout.cell(column, row);
                    if column <= 0 || row <= 0 || column >= width - 1 || row >= depth - 1 {
                        prop_assert_eq!(cell, Cell::Wall);
                    }
                    prop_assert_eq!(cell == Cell::Wall, field.distance(column, row).is_none());
                }
            }
        }

        #[test]
        fn doors_are_passages_between_two_walls(seed: u64) {
            let layout = layout(seed, 3, 3);
            for row in 0..layout.depth() as i64 {
                for column in 0..layout.width() as i64 {
                    if layout.cell(column, row) == Cell::Door {
                        let wall = |dx, dy| layout.cell(column + dx, row + dy) == Cell::Wall;
                        let beside = [wall(-1, 0) && wall(1, 0), wall(0, -1) && wall(0, 1)];
                        prop_assert_eq!(beside.iter().filter(|closed| **closed).count(), 1);
                    }
                }
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(layout(1, 3, 3), layout(1, 3, 3));
        assert_ne!(layout(1, 3, 3), layout(2, 3, 3));
    }
}
