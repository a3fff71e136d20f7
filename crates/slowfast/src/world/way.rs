//! Finding a way: A* over the poses that whole actions lead to.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use rand::{Rng, RngExt};

use super::distance::DistanceField;
use super::{CELL, World, cell_of};
use crate::action::{Action, Turn, Walk};
use crate::clip::Pose;

/// What is tried on the way to a goal: whoever walks backwards does not see where to.
const MOVES: [Action; 5] = [
    Action::walk(Walk::Forward),
    Action { turn: Some(Turn::Left), walk: Some(Walk::Forward) },
    Action { turn: Some(Turn::Right), walk: Some(Walk::Forward) },
    Action::turn(Turn::Left),
    Action::turn(Turn::Right),
];
/// Poses that are looked at before the best way so far is taken.
const MOST_POSES: usize = 4000;
/// Costs are in thousandths of an action.
const ACTION: u64 = 1000;
/// What chance adds to the cost of an action at most, so that ways differ from visit to visit.
const WHIM: u64 = 300;
/// Poses are taken for the same if they agree in heading and in this fraction of a cell.
const GRAIN: i32 = CELL / 8;

/// A pose on the way, and how it was reached.
struct Reached {
    pose: Pose,
    cost: u64,
    from: Option<(usize, Action)>,
}

/// Actions of `frames_per_action` frames each that nothing blocks and that lead from `start` into the cell to which the
/// distances of `field` lead, or as near as could be found. Empty if no move brings the agent nearer.
pub(super) fn find_way(
    world: &World,
    start: Pose,
    field: &DistanceField,
    frames_per_action: usize,
    rng: &mut impl Rng,
) -> Vec<Action> {
    let pace = f64::from(world.motion.pace()) / f64::from(CELL) * frames_per_action as f64;
    let left = |pose: Pose| (remaining(field, pose) / pace * ACTION as f64) as u64;
    let mut reached = vec![Reached { pose: start, cost: 0, from: None }];
    let mut waiting = BinaryHeap::from([Reverse((left(start), 0))]);
    let mut closed = HashSet::new();
    let mut nearest = (left(start), 0);
    while let Some(Reverse((_, index))) = waiting.pop() {
        let Reached { pose, cost, .. } = reached[index];
        if !closed.insert((pose.x.div_euclid(GRAIN), pose.y.div_euclid(GRAIN), pose.heading)) {
            continue;
        }
        nearest = nearest.min((left(pose), index));
        let (column, row) = cell_of(pose);
        if field.distance(column, row) == Some(0) || closed.len() > MOST_POSES {
            break;
        }
        for action in MOVES {
            let Some(there) = held(world, pose, action, frames_per_action) else { continue };
            let cost = cost + ACTION + rng.random_range(0..WHIM);
            waiting.push(Reverse((cost + left(there), reached.len())));
            reached.push(Reached { pose: there, cost, from: Some((index, action)) });
        }
    }
    way_to(&reached, nearest.1)
}

/// The pose after holding an action; `None` where something is in the way.
fn held(world: &World, pose: Pose, action: Action, frames: usize) -> Option<Pose> {
    (0..frames).try_fold(pose, |pose, _| {
        let step = world.step(pose, action);
        (!step.blocked).then_some(step.pose)
    })
}

/// Cells from a pose to the goal's cell, on foot.
fn remaining(field: &DistanceField, pose: Pose) -> f64 {
    let (column, row) = cell_of(pose);
    let Some(((column, row), left)) = field.next(column, row) else {
        // A corner of a column's cell is no place on the way, though one could stand there.
        return if field.distance(column, row).is_some() { 0.0 } else { f64::from(CELL) };
    };
    let cells = |value: i32| f64::from(value) / f64::from(CELL);
    let (dx, dy) = (column as f64 + 0.5 - cells(pose.x), row as f64 + 0.5 - cells(pose.y));
    f64::from(left) + (dx * dx + dy * dy).sqrt()
}

fn way_to(reached: &[Reached], mut index: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some((earlier, action)) = reached[index].from {
        actions.push(action);
        index = earlier;
    }
    actions.reverse();
    actions
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::super::WorldSettings;
    use super::*;

    #[test]
    fn ways_lead_to_the_goal_without_a_bump() {
        for seed in 0..12 {
            let settings = WorldSettings { size: 8, columns: 1.0, ..WorldSettings::default() };
            let world = World::new(&settings, &Seed::new(seed)).unwrap();
            let mut rng = Seed::new(seed).rng();
            let start = world.random_pose(&mut rng);
            let goal = cell_of(world.random_pose(&mut rng));
            let blocked = |column, row| world.scene.column(column, row).is_some();
            let to = (goal.0 as usize, goal.1 as usize);
            let field = DistanceField::towards(&world.scene.layout, to, blocked);
            let way = find_way(&world, start, &field, 4, &mut rng);
            let end =
                way.iter().fold(start, |pose, action| held(&world, pose, *action, 4).unwrap());
            assert_eq!(cell_of(end), goal, "seed {seed}, {} actions", way.len());
        }
    }

    #[test]
    fn whoever_is_there_need_not_move() {
        let world = World::new(&WorldSettings::default(), &Seed::new(0)).unwrap();
        let field = DistanceField::towards(&world.scene.layout, (1, 1), |_, _| false);
        let start = super::super::middle_of(1, 1);
        assert!(find_way(&world, start, &field, 4, &mut Seed::new(0).rng()).is_empty());
    }
}
