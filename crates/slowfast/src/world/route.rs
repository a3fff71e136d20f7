//! What an episode does: explore, or go there and back, so that what was seen comes into view again.

use experiment::seed::Seed;
use rand::RngExt;

use super::{Explorer, World, WorldError};
use crate::action::{Action, Turn, Walk};
use crate::clip::{Pose, Route};

/// Starts that are tried for a route that needs room, and those that are if none of these has any.
const ATTEMPTS: usize = 64;
const MOST_ATTEMPTS: usize = 1024;

impl Route {
    /// What to do on this route, with an exploration of `actions` actions and a way there of `there` actions, each held
    /// for `frames_per_action` frames. Where nobody can walk straight ahead for an action, whoever should turn around makes a
    /// full turn, and the plan says so.
    ///
    /// # Errors
    /// [`WorldError::Hold`] unless so many frames divide a half circle.
    pub fn plan(
        self,
        world: &World,
        actions: usize,
        there: usize,
        frames_per_action: usize,
        seed: &Seed,
    ) -> Result<Plan, WorldError> {
        let half = world.pose_scale().heading as usize / 4;
        if frames_per_action == 0 || !half.is_multiple_of(frames_per_action) {
            return Err(WorldError::Hold { frames: frames_per_action, half });
        }
        let half = half / frames_per_action;
        let mut rng = seed.child("start").rng();
        let turn = Action::turn(if rng.random() { Turn::Left } else { Turn::Right });
        let start = world.random_pose(&mut rng);
        let plan = |start, actions| Plan { route: self, start, actions, frames_per_action };
        Ok(match self {
            Self::Explore => plan(start, explored(world, start, actions, frames_per_action, seed)),
            Self::LookAway => plan(start, [vec![turn; half], vec![turn.inverse(); half]].concat()),
            Self::FullTurn => plan(start, vec![turn; 2 * half]),
            Self::Retrace => {
                let mut actions = explored(world, start, there, frames_per_action, seed);
                actions.extend(actions.clone().into_iter().rev().map(Action::inverse));
                plan(start, actions)
            }
            Self::TurnAround => {
                let (start, walk) = straight_way(world, start, there, frames_per_action, &mut rng);
                let around = vec![turn; half];
                let route = if walk.is_empty() { Self::FullTurn } else { self };
                let actions = [walk.clone(), around.clone(), walk, around].concat();
                Plan { route, ..plan(start, actions) }
            }
        })
    }
}

/// The actions of an explorer.
fn explored(
    world: &World,
    start: Pose,
    actions: usize,
    frames_per_action: usize,
    seed: &Seed,
) -> Vec<Action> {
    let mut explorer = Explorer::new(world, frames_per_action, seed);
    let mut pose = start;
    (0..actions)
        .map(|_| {
            let action = explorer.decide(pose);
            pose = (0..frames_per_action).fold(pose, |pose, _| world.step(pose, action).pose);
            action
        })
        .collect()
}

/// A start from which one can walk straight ahead for `most` actions, or for as many as could be found; at least one, unless
/// there is hardly any such start in the world.
fn straight_way(
    world: &World,
    start: Pose,
    most: usize,
    frames_per_action: usize,
    rng: &mut rand_chacha::ChaCha8Rng,
) -> (Pose, Vec<Action>) {
    let forward = Action::walk(Walk::Forward);
    let mut best = (start, 0);
    for attempt in 0..MOST_ATTEMPTS {
        if attempt >= ATTEMPTS && best.1 > 0 {
            break;
        }
        let start = world.random_pose(rng);
        let (mut pose, mut frames) = (start, 0);
        while frames < most.saturating_mul(frames_per_action) {
            let step = world.step(pose, forward);
            if step.blocked {
                break;
            }
            (pose, frames) = (step.pose, frames + 1);
        }
        if frames / frames_per_action > best.1 {
            best = (start, frames / frames_per_action);
        }
    }
    (best.0, vec![forward; best.1])
}

/// A start and the actions from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it does.
    pub route: Route,
    /// The first frame's pose.
    pub start: Pose,
    /// The actions, one after the other.
    pub actions: Vec<Action>,
    /// Frames that each action is held for.
    pub frames_per_action: usize,
}

#[cfg(test)]
mod tests {
    use super::super::WorldSettings;
    use super::*;
    use crate::clip::Episode;

    fn world(seed: u64) -> World {
        let settings = WorldSettings { size: 16, ..WorldSettings::default() };
        World::new(&settings, &Seed::new(seed)).unwrap()
    }

    fn episode(route: Route, seed: u64) -> Episode {
        let world = world(seed);
        let seed = Seed::new(seed);
        let plan = route.plan(&world, 64, 12, 4, &seed).unwrap();
        world.record(&plan, &seed)
    }

    #[test]
    fn every_route_there_and_back_ends_on_the_very_frame_where_it_began() {
        for route in Route::THERE_AND_BACK {
            for seed in 0..6 {
                let episode = episode(route, seed);
                let last = episode.len() - 1;
                assert!(last > 0, "{route:?} goes nowhere");
                assert_eq!(episode.poses[0], episode.poses[last], "{route:?}");
                assert_eq!(episode.frame(0), episode.frame(last), "{route:?}");
                assert_ne!(episode.frame(0), episode.frame(last / 2), "{route:?} stays");
            }
        }
    }

    #[test]
    fn a_way_retraced_shows_every_frame_again() {
        for route in [Route::Retrace, Route::LookAway] {
            for seed in 0..4 {
                let episode = episode(route, seed);
                let last = episode.len() - 1;
                for frame in 0..=last {
                    assert_eq!(episode.poses[frame], episode.poses[last - frame]);
                    assert_eq!(episode.frame(frame), episode.frame(last - frame));
                }
            }
        }
    }

    #[test]
    fn whoever_turns_around_passes_the_same_places() {
        for seed in 0..4 {
            let episode = episode(Route::TurnAround, seed);
            let walked = (episode.len() - 1 - 32) / 2;
            assert!(walked >= 8, "walked {walked} frames");
            for frame in 0..=walked {
                let (there, back) = (episode.poses[frame], episode.poses[2 * walked + 16 - frame]);
                assert_eq!((there.x, there.y), (back.x, back.y));
                assert_eq!((there.heading - back.heading).abs(), 32);
            }
        }
    }

    /// Actions as long as that are rarely free: in some of these worlds none of the first starts has room for one.
    #[test]
    fn whoever_should_turn_around_is_given_a_start_with_room_or_another_route() {
        let settings = WorldSettings { size: 8, steps_per_cell: 4, ..WorldSettings::default() };
        let mut walked = 0;
        for seed in 0..16 {
            let world = World::new(&settings, &Seed::new(seed)).unwrap();
            let plan = Route::TurnAround.plan(&world, 0, 1, 16, &Seed::new(seed)).unwrap();
            let (forward, whole) = (Action::walk(Walk::Forward), plan.actions.len());
            let walks = plan.actions.iter().filter(|action| **action == forward).count();
            match plan.route {
                Route::TurnAround => assert_eq!((walks, whole), (2, 4), "seed {seed}"),
                Route::FullTurn => assert_eq!((walks, whole), (0, 2), "seed {seed}"),
                other => panic!("seed {seed}: {other}"),
            }
            walked += usize::from(walks > 0);
        }
        assert!(walked >= 15, "{walked}");
    }

    #[test]
    fn a_world_without_room_for_an_action_makes_a_full_turn_of_turning_around() {
        let (room_columns, room_rows, steps_per_cell) = (1, 1, 2);
        let settings =
            WorldSettings { room_columns, room_rows, steps_per_cell, ..Default::default() };
        let world = World::new(&settings, &Seed::new(0)).unwrap();
        let plan = |route: Route| route.plan(&world, 0, 12, 16, &Seed::new(0)).unwrap();
        assert_eq!(plan(Route::TurnAround), plan(Route::FullTurn));
    }

    #[test]
    fn whoever_should_walk_on_for_ever_walks_to_a_wall() {
        let plan = |there| Route::TurnAround.plan(&world(2), 0, there, 4, &Seed::new(2)).unwrap();
        assert_eq!(plan(usize::MAX), plan(1000));
        assert_ne!(plan(usize::MAX), plan(1));
    }

    #[test]
    fn routes_have_the_length_that_was_asked_for() {
        assert_eq!(episode(Route::Explore, 1).len(), 1 + 64 * 4);
        assert_eq!(episode(Route::Retrace, 1).len(), 1 + 2 * 12 * 4);
        assert_eq!(episode(Route::LookAway, 1).len(), 1 + 32);
        assert_eq!(episode(Route::FullTurn, 1).len(), 1 + 32);
    }

    #[test]
    fn a_hold_that_makes_no_half_circle_is_refused() {
        for frames in [0, 3, 5, 32] {
            let failure = Route::Explore.plan(&world(0), 4, 4, frames, &Seed::new(0)).unwrap_err();
            assert_eq!(failure, WorldError::Hold { frames, half: 16 });
        }
    }
}
