//! A policy that sees a building: it walks to the rooms it has not seen for longest, looks around in them, and does not
//! walk into things.

use std::collections::VecDeque;

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::distance::DistanceField;
use super::layout::Room;
use super::way::find_way;
use super::{World, cell_of};
use crate::action::{Action, Turn};
use crate::clip::Pose;

/// Probability of looking around after arriving somewhere.
const LOOK_AROUND: f64 = 0.6;

/// An agent that explores a world without bumping into anything. Each decision holds for the same number of frames.
#[derive(Debug)]
pub struct Explorer<'w> {
    world: &'w World,
    frames_per_action: usize,
    rng: ChaCha8Rng,
    /// Decision at which the agent was last in each room, 0 for never.
    last_seen: Vec<u64>,
    decisions: u64,
    intended: VecDeque<Action>,
}

impl<'w> Explorer<'w> {
    /// An explorer that holds every action for `frames_per_action` frames.
    pub fn new(world: &'w World, frames_per_action: usize, seed: &Seed) -> Self {
        Self {
            world,
            frames_per_action,
            rng: seed.child("explorer").rng(),
            last_seen: vec![0; world.layout().rooms().len()],
            decisions: 0,
            intended: VecDeque::new(),
        }
    }

    /// The action for the next frames of an agent at `pose`. If the agent is where the decisions so far led it, nothing
    /// blocks it.
    pub fn decide(&mut self, pose: Pose) -> Action {
        self.decisions += 1;
        if let Some(room) = self.world.room_at(pose) {
            self.last_seen[room] = self.decisions;
        }
        if self.intended.is_empty() {
            self.intend(pose);
        }
        self.intended.pop_front().unwrap_or(Action::turn(Turn::Left))
    }

    /// Plans to look around here, or to go somewhere else.
    fn intend(&mut self, pose: Pose) {
        if self.rng.random_bool(LOOK_AROUND) {
            let circle = self.world.pose_scale().heading as usize / 2 / self.frames_per_action;
            let turn = if self.rng.random() { Turn::Left } else { Turn::Right };
            let quarters = self.rng.random_range(1..=4);
            self.intended.extend(vec![Action::turn(turn); (circle * quarters / 4).max(1)]);
        }
        let field = self.choose_goal(pose);
        let start = self.turned(pose);
        let way = find_way(self.world, start, &field, self.frames_per_action, &mut self.rng);
        self.intended.extend(way);
    }

    /// The pose after the turns that are intended so far.
    fn turned(&self, pose: Pose) -> Pose {
        let frames = self.frames_per_action;
        let actions = self.intended.iter().flat_map(|action| std::iter::repeat_n(*action, frames));
        actions.fold(pose, |pose, action| self.world.step(pose, action).pose)
    }

    /// Ways to a free cell of the room that was not seen for longest, the nearest of these.
    fn choose_goal(&mut self, pose: Pose) -> DistanceField<'w> {
        let scene = &self.world.scene;
        let blocked = |column, row| scene.column(column, row).is_some();
        let (column, row) = cell_of(pose);
        let here = (column.max(0) as usize, row.max(0) as usize);
        let around = DistanceField::towards(&scene.layout, here, blocked);
        let rooms = scene.layout.rooms();
        let current = self.world.room_at(pose);
        let room = (0..rooms.len())
            .filter(|room| current != Some(*room) || rooms.len() == 1)
            .min_by_key(|room| {
                let Room { west, south, .. } = rooms[*room];
                (self.last_seen[*room], around.distance(west as i64, south as i64))
            })
            .unwrap_or(0);
        let cells: Vec<(usize, usize)> = rooms[room]
            .cells()
            .filter(|(column, row)| !blocked(*column as i64, *row as i64))
            .collect();
        let goal = *cells.choose(&mut self.rng).expect("a room has cells without a column");
        DistanceField::towards(&scene.layout, goal, blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorldSettings;
    use super::*;

    fn explored(seed: u64, decisions: usize) -> (usize, usize) {
        let settings = WorldSettings { size: 8, ..WorldSettings::default() };
        let world = World::new(&settings, &Seed::new(seed)).unwrap();
        let mut pose = world.random_pose(&mut Seed::new(seed).rng());
        let mut explorer = Explorer::new(&world, 4, &Seed::new(seed));
        let mut walked = 0;
        for _ in 0..decisions {
            let action = explorer.decide(pose);
            walked += usize::from(action.walk.is_some());
            for _ in 0..4 {
                let step = world.step(pose, action);
                assert!(!step.blocked, "seed {seed}: {action} was blocked at {pose:?}");
                pose = step.pose;
            }
        }
        (explorer.last_seen.iter().filter(|seen| **seen > 0).count(), walked)
    }

    #[test]
    fn all_rooms_are_seen_in_a_while_and_nothing_is_bumped_into() {
        for seed in 0..12 {
            assert_eq!(explored(seed, 400).0, 9, "seed {seed}");
        }
    }

    #[test]
    fn an_episode_sees_several_rooms_and_does_not_only_look_around() {
        let episodes: Vec<(usize, usize)> = (0..24).map(|seed| explored(seed, 64)).collect();
        let rooms: usize = episodes.iter().map(|(rooms, _)| rooms).sum();
        assert!(rooms >= 24 * 3, "{rooms} rooms in 24 episodes");
        assert!(episodes.iter().all(|(_, walked)| (16..64).contains(walked)), "{episodes:?}");
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(explored(5, 100), explored(5, 100));
    }
}
