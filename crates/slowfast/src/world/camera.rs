//! The agent's eye: a frame by casting rays into the scene.
//!
//! Only additions, multiplications, divisions, square roots and roundings of IEEE doubles are used, and the few other
//! functions are software, so a pose gives the same bytes on every platform.

use super::WorldSettings;
use super::colour::Colour;
use super::scene::{Column, Face, Scene};
use super::texture::Texture;

/// Height of the eye in cells; rooms are one cell high.
const EYE: f64 = 0.5;

/// A camera of fixed size and angle of view.
#[derive(Clone, Debug)]
pub(super) struct Camera {
    size: usize,
    rays_per_pixel: usize,
    /// Tangent of half the angle of view.
    spread: f64,
}

/// What a vertical plane of rays meets, and at which depth along the camera's axis, in cells.
struct Sight<'s> {
    wall: (f64, Surface<'s>),
    /// Nearest first.
    columns: Vec<(f64, &'s Column, Surface<'s>)>,
}

/// A texture at a horizontal place.
struct Surface<'s> {
    texture: &'s Texture,
    u: f64,
    /// How much of the light it sends back, 0 to 1.
    shade: f64,
}

/// A ray's start and direction on the plan; the direction's part along the camera's axis is 1 long.
struct Ray {
    start: (f64, f64),
    direction: (f64, f64),
}

impl Ray {
    fn at(&self, depth: f64) -> (f64, f64) {
        (self.start.0 + depth * self.direction.0, self.start.1 + depth * self.direction.1)
    }
}

impl Camera {
    /// The camera of valid settings.
    pub(super) fn new(settings: &WorldSettings) -> Self {
        let spread = libm::tan(settings.field_of_view.to_radians() / 2.0);
        Self { size: settings.size, rays_per_pixel: settings.rays_per_pixel, spread }
    }

    /// The frame `[size, size, 3]` (row by row from the top, red, green, blue) seen from a `place` (east, north, in
    /// cells) in a `direction` (east, north, of length 1).
    pub(super) fn render(
        &self,
        scene: &Scene,
        place: (f64, f64),
        direction: (f64, f64),
    ) -> Vec<u8> {
        let rays = self.size * self.rays_per_pixel;
        let offset = |ray: usize| ((2 * ray + 1) as f64 / rays as f64 - 1.0) * self.spread;
        let mut sums = vec![0_u32; self.size * self.size * 3];
        for across in 0..rays {
            // The camera's right is its direction turned clockwise.
            let right = offset(across);
            let ray = Ray {
                start: place,
                direction: (direction.0 + right * direction.1, direction.1 - right * direction.0),
            };
            let sight = look(scene, &ray);
            for down in 0..rays {
                let light = sight.colour(scene, &ray, offset(down));
                let pixel = down / self.rays_per_pixel * self.size + across / self.rays_per_pixel;
                for (sum, value) in sums[3 * pixel..].iter_mut().zip(light) {
                    *sum += u32::from(value);
                }
            }
        }
        let count = (self.rays_per_pixel * self.rays_per_pixel) as u32;
        sums.into_iter().map(|sum| ((sum + count / 2) / count) as u8).collect()
    }
}

/// Follows a ray from cell to cell up to the first wall.
fn look<'s>(scene: &'s Scene, ray: &Ray) -> Sight<'s> {
    let (dx, dy) = ray.direction;
    let mut cell = (ray.start.0.floor() as i64, ray.start.1.floor() as i64);
    let (mut next_x, step_x) = crossings(ray.start.0, dx);
    let (mut next_y, step_y) = crossings(ray.start.1, dy);
    // The agent may stand in the cell of a column.
    let mut columns: Vec<_> = meet_column(scene, ray, cell).into_iter().collect();
    loop {
        let through_x = next_x < next_y;
        let depth = if through_x { next_x } else { next_y };
        let face = if through_x {
            next_x += step_x;
            cell.0 += if dx > 0.0 { 1 } else { -1 };
            if dx > 0.0 { Face::West } else { Face::East }
        } else {
            next_y += step_y;
            cell.1 += if dy > 0.0 { 1 } else { -1 };
            if dy > 0.0 { Face::South } else { Face::North }
        };
        if scene.layout.cell(cell.0, cell.1) == super::layout::Cell::Wall {
            let (x, y) = ray.at(depth);
            // From left to right as one stands before the wall.
            let (u, shade) = match face {
                Face::West => (-y, 0.85),
                Face::East => (y, 0.85),
                Face::South => (x, 1.0),
                Face::North => (-x, 0.7),
            };
            let texture = scene.wall(cell.0, cell.1, face);
            return Sight { wall: (depth, Surface { texture, u, shade }), columns };
        }
        columns.extend(meet_column(scene, ray, cell));
    }
}

/// Depths at which a ray crosses into the next cell along one axis: the first, and from each to the next.
fn crossings(start: f64, direction: f64) -> (f64, f64) {
    let within = start - start.floor();
    let first = if direction > 0.0 { 1.0 - within } else { within };
    // Division by zero gives infinity: such a ray never crosses.
    if direction == 0.0 {
        (f64::INFINITY, f64::INFINITY)
    } else {
        (first / direction.abs(), 1.0 / direction.abs())
    }
}

/// Where a ray meets the column in a cell.
fn meet_column<'s>(
    scene: &'s Scene,
    ray: &Ray,
    cell: (i64, i64),
) -> Option<(f64, &'s Column, Surface<'s>)> {
    let column = scene.column(cell.0, cell.1)?;
    let centre = (cell.0 as f64 + 0.5, cell.1 as f64 + 0.5);
    let (x, y) = (ray.start.0 - centre.0, ray.start.1 - centre.1);
    let (dx, dy) = ray.direction;
    // |start + depth * direction - centre|^2 = radius^2
    let (a, b, c) =
        (dx * dx + dy * dy, x * dx + y * dy, x * x + y * y - column.radius * column.radius);
    let discriminant = b * b - a * c;
    if discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    let depth = (-b - root) / a;
    if depth <= 0.0 {
        return None;
    }
    let (x, y) = (x + depth * dx, y + depth * dy);
    // Two pictures around, and darker towards the edges, where it curves away.
    let u = libm::atan2(y, x) / std::f64::consts::PI;
    let facing = root / (column.radius * a.sqrt());
    let shade = 0.6 + 0.4 * facing;
    Some((depth, column, Surface { texture: scene.texture(column.texture), u, shade }))
}

impl Sight<'_> {
    /// The colour in the direction that falls by `slope` cells a cell of depth.
    fn colour(&self, scene: &Scene, ray: &Ray, slope: f64) -> Colour {
        let height = |depth: f64| EYE - slope * depth;
        for (depth, column, surface) in &self.columns {
            let height = height(*depth);
            if (0.0..column.height).contains(&height) {
                let picture = surface.texture.at(surface.u, 1.0 - height);
                return lit(picture, *depth, surface.shade);
            }
        }
        let (depth, surface) = &self.wall;
        let top = height(*depth);
        if (0.0..1.0).contains(&top) {
            return lit(surface.texture.at(surface.u, 1.0 - top), *depth, surface.shade);
        }
        let depth = EYE / slope.abs();
        let (x, y) = ray.at(depth);
        let (column, row) = (x.floor() as i64, y.floor() as i64);
        if slope > 0.0 {
            lit(scene.floor(column, row).at(x, y), depth, 0.8)
        } else {
            lit(scene.ceiling(column, row).at(x, y), depth, 0.9)
        }
    }
}

/// A colour as it looks from afar: the light is carried along by the agent.
fn lit(colour: Colour, depth: f64, shade: f64) -> Colour {
    let light = shade / (1.0 + 0.05 * depth * depth);
    // Thousandths, so that the product is of whole numbers.
    let light = (light * 1024.0) as u32;
    colour.map(|value| ((u32::from(value) * light) >> 10) as u8)
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;

    fn scene() -> Scene {
        Scene::generate(&WorldSettings::default(), &mut Seed::new(4).rng())
    }

    fn camera(size: usize, rays_per_pixel: usize) -> Camera {
        Camera::new(&WorldSettings { size, rays_per_pixel, ..WorldSettings::default() })
    }

    #[test]
    fn frames_have_the_size_of_the_settings() {
        for size in [16, 32, 64] {
            let frame = camera(size, 2).render(&scene(), (1.5, 1.5), (1.0, 0.0));
            assert_eq!(frame.len(), size * size * 3);
        }
    }

    #[test]
    fn a_wall_straight_ahead_is_as_high_as_its_distance_says() {
        let scene = scene();
        let ray = Ray { start: (1.5, 1.5), direction: (0.0, -1.0) };
        let sight = look(&scene, &ray);
        assert_eq!(sight.wall.0, 0.5);
        // At half a cell's depth a wall of one cell spans slopes from -1 to 1; beyond lies the floor.
        let wall = sight.wall.1.texture.at(sight.wall.1.u, 0.995);
        assert_eq!(sight.colour(&scene, &ray, 0.99), lit(wall, 0.5, 0.7));
        let floor = scene.floor(1, 1).at(1.5, 1.5 - 0.5 / 1.25);
        assert_eq!(sight.colour(&scene, &ray, 1.25), lit(floor, 0.4, 0.8));
    }

    /// Whoever turns around beside a column may stand in the corner of its cell.
    #[test]
    fn a_column_is_seen_from_within_its_cell() {
        let settings = WorldSettings { columns: 1.0, smallest_room: 3, ..WorldSettings::default() };
        let scene = Scene::generate(&settings, &mut Seed::new(4).rng());
        let cells = (0..32).flat_map(|column| (0..32).map(move |row| (column, row)));
        let (column, row) =
            cells.into_iter().find(|cell| scene.column(cell.0, cell.1).is_some()).unwrap();
        let radius = scene.column(column, row).unwrap().radius;
        let start = (column as f64 + 0.05, row as f64 + 0.5);
        let sight = look(&scene, &Ray { start, direction: (1.0, 0.0) });
        assert!((sight.columns[0].0 - (0.45 - radius)).abs() < 1e-12);
        let away = look(&scene, &Ray { start, direction: (-1.0, 0.0) });
        assert!(away.columns.iter().all(|(depth, ..)| *depth > 0.05), "not behind one's back");
    }

    #[test]
    fn more_rays_make_smoother_frames_of_the_same_view() {
        let scene = scene();
        let frame = |rays| camera(32, rays).render(&scene, (2.3, 2.1), (0.6, 0.8));
        let difference: f64 = frame(1)
            .iter()
            .zip(frame(4))
            .map(|(one, four)| f64::from(one.abs_diff(four)))
            .sum::<f64>()
            / (32.0 * 32.0 * 3.0);
        assert!(difference > 0.0 && difference < 20.0, "{difference}");
    }

    #[test]
    fn any_place_and_direction_can_be_looked_from() {
        for place in [(-3.0, 2.0), (0.5, 0.5), (1e6, -1e6), (1.0, 1.0)] {
            for direction in [(1.0, 0.0), (0.0, -1.0), (-0.6, 0.8)] {
                camera(8, 1).render(&scene(), place, direction);
            }
        }
    }
}
