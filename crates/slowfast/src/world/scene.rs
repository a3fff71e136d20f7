//! A furnished building: the plan, what its surfaces look like, and what stands in its rooms.
//!
//! Every room has its own hue, patterns and paintings, so that places can be told apart.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};

use super::WorldSettings;
use super::colour::{Colour, colour};
use super::layout::{Cell, Layout, Room};
use super::texture::{Pattern, Texture};

/// The side of a wall's cell that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    West,
    East,
    South,
    North,
}

impl Face {
    const ALL: [Self; 4] = [Self::West, Self::East, Self::South, Self::North];

    /// From the wall's cell to the cell in front of this side.
    fn outwards(self) -> (i64, i64) {
        match self {
            Self::West => (-1, 0),
            Self::East => (1, 0),
            Self::South => (0, -1),
            Self::North => (0, 1),
        }
    }
}

/// A round landmark in the middle of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    /// Radius in cells.
    pub(super) radius: f64,
    /// Height of 0.5 (the eye) to 1 (the ceiling), so that its top is never seen.
    pub(super) height: f64,
    pub(super) texture: usize,
}

/// Everything that can be seen of a building. Places are in cells, from the grid's south-west corner.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) layout: Layout,
    textures: Vec<Texture>,
    /// Textures of the four faces of each cell.
    faces: Vec<[usize; 4]>,
    floors: Vec<usize>,
    ceilings: Vec<usize>,
    columns: Vec<Option<Column>>,
}

impl Scene {
    /// Draws a plan and furnishes it. The settings must be valid.
    pub(super) fn generate(settings: &WorldSettings, rng: &mut impl Rng) -> Self {
        let layout = Layout::generate(settings, rng);
        let cells = layout.len();
        let passage = [[150, 150, 155], [90, 90, 95]];
        let mut scene = Self {
            layout,
            textures: vec![Texture::of(Pattern::Plain, passage, rng)],
            faces: vec![[0; 4]; cells],
            floors: vec![0; cells],
            ceilings: vec![0; cells],
            columns: vec![None; cells],
        };
        let rooms = scene.layout.rooms().to_vec();
        // Evenly spaced hues, shuffled: no two rooms look alike, and neighbours have no system.
        let mut hues: Vec<f64> = (0..rooms.len()).map(|n| n as f64 / rooms.len() as f64).collect();
        hues.shuffle(rng);
        for (room, hue) in rooms.into_iter().zip(hues) {
            scene.furnish(room, hue, settings, rng);
        }
        scene
    }

    fn furnish(&mut self, room: Room, hue: f64, settings: &WorldSettings, rng: &mut impl Rng) {
        let wall = self.painted(hue, 0.55, rng);
        let floor = self.painted(hue + rng.random_range(0.3..0.7), 0.35, rng);
        let ceiling = {
            let tones = [colour(hue, 0.12, 0.95), colour(hue, 0.2, 0.75)];
            self.add(Texture::of(Pattern::Panels, tones, rng))
        };
        let mut visible = Vec::new();
        for (column, row) in room.cells() {
            let here = (column as i64, row as i64);
            if let Some(index) = self.layout.index(here.0, here.1) {
                self.floors[index] = floor;
                self.ceilings[index] = ceiling;
            }
            visible.extend(self.faces_around(here));
        }
        for (cell, face) in &visible {
            self.faces[*cell][*face as usize] = wall;
        }
        visible.shuffle(rng);
        for (cell, face) in visible.into_iter().take(settings.paintings_per_room) {
            self.faces[cell][face as usize] = self.painting(wall, rng);
        }
        if room.width >= 3 && room.depth >= 3 && rng.random_bool(settings.columns) {
            self.place_column(room, hue, rng);
        }
    }

    /// The faces of walls that are seen from a cell, as (index of the wall's cell, face).
    fn faces_around(&self, (column, row): (i64, i64)) -> Vec<(usize, Face)> {
        let seen = |face: Face| {
            let (dx, dy) = face.outwards();
            let wall = (column - dx, row - dy);
            let index = self.layout.index(wall.0, wall.1)?;
            (self.layout.cell(wall.0, wall.1) == Cell::Wall).then_some((index, face))
        };
        Face::ALL.into_iter().filter_map(seen).collect()
    }

    /// A new texture in a pattern of two tones of about the same hue.
    fn painted(&mut self, hue: f64, saturation: f64, rng: &mut impl Rng) -> usize {
        let pattern = *Pattern::ALL.choose(rng).expect("there are patterns");
        let tones = [
            colour(hue, saturation, 0.9),
            colour(hue + 0.06, saturation, rng.random_range(0.4..0.6)),
        ];
        self.add(Texture::of(pattern, tones, rng))
    }

    /// A new texture: the wall with a sign of random shape and colours.
    fn painting(&mut self, wall: usize, rng: &mut impl Rng) -> usize {
        let hue: f64 = rng.random();
        let (ink, paper): (Colour, Colour) =
            (colour(hue, 0.95, 1.0), colour(hue + rng.random_range(0.3..0.7), 0.9, 0.3));
        // Neither all ink nor all paper.
        let bits = rng.random_range(1..0x7FFF);
        let painting = self.textures[wall].clone().with_sign(bits, ink, paper);
        self.add(painting)
    }

    fn place_column(&mut self, room: Room, hue: f64, rng: &mut impl Rng) {
        // Not at the walls: one can always walk around it.
        let column = rng.random_range(room.west + 1..room.west + room.width - 1);
        let row = rng.random_range(room.south + 1..room.south + room.depth - 1);
        let hue = hue + rng.random_range(0.35..0.65);
        let tones = [colour(hue, 0.9, 0.95), colour(hue + 0.15, 0.9, 0.35)];
        let patterns = [Pattern::Level, Pattern::Upright, Pattern::Checks, Pattern::Diagonal];
        let pattern = *patterns.choose(rng).expect("there are patterns");
        let texture = self.add(Texture::of(pattern, tones, rng));
        if let Some(index) = self.layout.index(column as i64, row as i64) {
            let (radius, height) = (rng.random_range(0.12..0.24), rng.random_range(0.55..1.0));
            self.columns[index] = Some(Column { radius, height, texture });
        }
    }

    fn add(&mut self, texture: Texture) -> usize {
        self.textures.push(texture);
        self.textures.len() - 1
    }

    /// The texture of a face of the wall in a cell.
    pub(super) fn wall(&self, column: i64, row: i64, face: Face) -> &Texture {
        let texture =
            self.layout.index(column, row).map_or(0, |cell| self.faces[cell][face as usize]);
        &self.textures[texture]
    }

    /// The texture of the floor of a cell.
    pub(super) fn floor(&self, column: i64, row: i64) -> &Texture {
        &self.textures[self.layout.index(column, row).map_or(0, |cell| self.floors[cell])]
    }

    /// The texture of the ceiling of a cell.
    pub(super) fn ceiling(&self, column: i64, row: i64) -> &Texture {
        &self.textures[self.layout.index(column, row).map_or(0, |cell| self.ceilings[cell])]
    }

    /// The column in the middle of a cell, if there is one.
    pub(super) fn column(&self, column: i64, row: i64) -> Option<&Column> {
        self.layout.index(column, row).and_then(|cell| self.columns[cell].as_ref())
    }

    /// A texture by the number that a [`Column`] has.
    pub(super) fn texture(&self, number: usize) -> &Texture {
        &self.textures[number]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use experiment::seed::Seed;

    use super::super::distance::DistanceField;
    use super::*;

    fn scene(seed: u64) -> Scene {
        Scene::generate(&WorldSettings::default(), &mut Seed::new(seed).rng())
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(scene(1), scene(1));
        assert_ne!(scene(1), scene(2));
    }

    #[test]
    fn rooms_have_walls_floors_and_ceilings_of_their_own() {
        let scene = scene(3);
        let corner = |room: &Room| scene.layout.index(room.west as i64, room.south as i64).unwrap();
        let rooms = scene.layout.rooms();
        for surfaces in [&scene.floors, &scene.ceilings] {
            let distinct: BTreeSet<usize> =
                rooms.iter().map(|room| surfaces[corner(room)]).collect();
            assert_eq!(distinct.len(), rooms.len());
        }
    }

    #[test]
    fn columns_leave_every_other_cell_reachable() {
        let settings =
            WorldSettings { columns: 1.0, smallest_room: 3, largest_room: 5, ..Default::default() };
        for seed in 0..20 {
            let scene = Scene::generate(&settings, &mut Seed::new(seed).rng());
            assert_eq!(scene.columns.iter().flatten().count(), scene.layout.rooms().len());
            let blocked = |column, row| scene.column(column, row).is_some();
            let field = DistanceField::towards(&scene.layout, (1, 1), blocked);
            for (column, row) in scene.layout.rooms().iter().flat_map(|room| room.cells()) {
                let (column, row) = (column as i64, row as i64);
                assert_eq!(field.distance(column, row).is_none(), blocked(column, row));
            }
        }
    }

    #[test]
    fn paintings_hang_in_every_room() {
        let settings = WorldSettings { columns: 0.0, ..WorldSettings::default() };
        let scene = Scene::generate(&settings, &mut Seed::new(3).rng());
        // The passages' texture, three for each of nine rooms, and its paintings.
        assert_eq!(scene.textures.len(), 1 + 9 * 3 + 9 * settings.paintings_per_room);
        let hung: BTreeSet<usize> = scene.faces.iter().flatten().copied().collect();
        assert_eq!(hung.len(), 1 + 9 + 9 * settings.paintings_per_room);
    }
}
