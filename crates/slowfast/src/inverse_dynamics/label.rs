//! What an agent did, from where it was before and after.

use std::f64::consts::TAU;

use crate::action::{Action, Turn, Walk};
use crate::clip::{Pose, PoseScale};

/// Degrees below which nothing turned.
const LEAST_TURN: f64 = 0.5;
/// Units of length below which nothing walked.
const LEAST_WALK: f64 = 0.01;

/// The action that led from one pose to another: the sign of the turn, and that of the way along the mean heading. Whoever was
/// blocked by a wall did not walk, whatever was asked.
pub fn happened(before: Pose, after: Pose, scale: PoseScale) -> Action {
    let circle = f64::from(scale.heading.max(1));
    let turned = f64::from(after.heading) - f64::from(before.heading);
    let turned = turned - (turned / circle).round() * circle;
    let heading = (f64::from(before.heading) + turned / 2.0) / circle * TAU;
    let length = |units: i32, earlier: i32| {
        (f64::from(units) - f64::from(earlier)) / f64::from(scale.position.max(1))
    };
    let (east, north) = (length(after.x, before.x), length(after.y, before.y));
    let ahead = east * libm::cos(heading) + north * libm::sin(heading);
    let turn = match turned * 360.0 / circle {
        degrees if degrees.abs() < LEAST_TURN => None,
        degrees if degrees > 0.0 => Some(Turn::Left),
        _ => Some(Turn::Right),
    };
    let walk = match ahead {
        way if way.abs() < LEAST_WALK => None,
        way if way > 0.0 => Some(Walk::Forward),
        _ => Some(Walk::Back),
    };
    Action { turn, walk }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::world::{World, WorldSettings};

    #[test]
    fn every_action_is_recognised_where_nothing_is_in_the_way_and_a_wall_stops_the_walk() {
        let settings = WorldSettings { size: 8, ..WorldSettings::default() };
        let world = World::new(&settings, &Seed::new(2)).unwrap();
        let mut random = Seed::new(3).rng();
        let mut blocked = 0;
        for _ in 0..20 {
            let mut pose = world.random_pose(&mut random);
            for step in 0..90 {
                let asked = Action::ALL[step / 10];
                let next = world.step(pose, asked);
                let walk = asked.walk.filter(|_| !next.blocked);
                let expected = Action { walk, ..asked };
                assert_eq!(happened(pose, next.pose, world.pose_scale()), expected);
                blocked += usize::from(next.blocked);
                pose = next.pose;
            }
        }
        assert!(blocked > 0);
    }
}
