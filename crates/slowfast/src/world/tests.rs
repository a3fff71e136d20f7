use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::action::{Turn, Walk};

fn world(seed: u64, size: usize) -> World {
    let settings = WorldSettings { size, ..WorldSettings::default() };
    World::new(&settings, &Seed::new(seed)).unwrap()
}

#[test]
fn invalid_settings_make_no_world() {
    let settings = WorldSettings { size: 0, ..WorldSettings::default() };
    let failure = World::new(&settings, &Seed::new(0)).unwrap_err();
    assert!(matches!(failure, WorldError::Setting { field: "size", .. }));
}

#[test]
fn walls_stop_the_agent_but_not_its_turn() {
    let world = world(1, 8);
    let mut pose = middle_of(1, 1);
    pose.heading = 32;
    let west = Action { turn: None, walk: Some(Walk::Forward) };
    let mut steps = 0;
    while !world.step(pose, west).blocked {
        pose = world.step(pose, west).pose;
        steps += 1;
    }
    // From the middle of the cell 0.3 of it are free, which two steps of an eighth fit into.
    assert_eq!(steps, 2);
    let turning = Action { turn: Some(Turn::Left), ..west };
    let step = world.step(pose, turning);
    assert!(step.blocked);
    assert_eq!((step.pose.x, step.pose.y, step.pose.heading), (pose.x, pose.y, pose.heading + 2));
}

#[test]
fn columns_stop_the_agent() {
    let settings = WorldSettings {
        columns: 1.0,
        smallest_room: 3,
        largest_room: 3,
        size: 8,
        ..WorldSettings::default()
    };
    let world = World::new(&settings, &Seed::new(0)).unwrap();
    assert!(!world.is_free(middle_of(2, 2)));
    assert!(world.is_free(middle_of(1, 2)));
    let walk = Action::walk(Walk::Forward);
    let mut pose = middle_of(1, 2);
    while !world.step(pose, walk).blocked {
        pose = world.step(pose, walk).pose;
        assert!(pose.x < 3 * CELL, "the column was walked through");
    }
}

#[test]
fn turning_left_moves_the_picture_to_the_right() {
    let world = world(2, 32);
    let pose = middle_of(1, 1);
    let turned = world.step(pose, Action::turn(Turn::Left)).pose;
    let (before, after) = (world.render(pose), world.render(turned));
    // The middle row of the old frame, shifted by so many pixels to the right, against the new frame's.
    let mismatch = |shift: i32| -> f64 {
        let row = 16;
        let pixel = |frame: &[u8], column: i32| {
            let start = (row * 32 + column as usize) * 3;
            [frame[start], frame[start + 1], frame[start + 2]].map(f64::from)
        };
        let overlap = shift.max(0)..32 + shift.min(0);
        let count = overlap.len() as f64;
        overlap
            .map(|column| {
                let (old, new) = (pixel(&before, column - shift), pixel(&after, column));
                old.iter().zip(new).map(|(old, new)| (old - new).abs()).sum::<f64>()
            })
            .sum::<f64>()
            / count
    };
    let best = (-8..=8).min_by(|left, right| mismatch(*left).total_cmp(&mismatch(*right))).unwrap();
    assert!((2..=7).contains(&best), "11.25 of 75 degrees are about 5 pixels, found {best}");
}

#[test]
fn rooms_are_told_from_doors() {
    let world = world(3, 8);
    assert_eq!(world.room_at(middle_of(1, 1)), Some(0));
    let door = (0..world.layout().depth())
        .flat_map(|row| (0..world.layout().width()).map(move |column| (column, row)))
        .find(|(column, row)| world.layout().cell(*column as i64, *row as i64) == Cell::Door)
        .unwrap();
    assert_eq!(world.room_at(middle_of(door.0, door.1)), None);
}

/// A change of these bytes silently changes every data set made from a seed.
#[test]
fn frames_are_fixed_for_ever() {
    let world = world(7, 32);
    let mut rng = Seed::new(8).rng();
    let mut digest = Sha256::new();
    for _ in 0..8 {
        digest.update(world.render(world.random_pose(&mut rng)));
    }
    let digest: String =
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "0df78f8114bb678d");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_poses_are_free_and_actions_keep_them_so(seed: u64, codes in prop::collection::vec(0_u8..9, 1..200)) {
        let world = world(seed % 16, 8);
        let mut pose = world.random_pose(&mut Seed::new(seed).rng());
        prop_assert!(world.is_free(pose));
        for action in codes.into_iter().filter_map(Action::from_code) {
            pose = world.step(pose, action).pose;
            prop_assert!(world.is_free(pose));
        }
    }

    #[test]
    fn an_unblocked_action_is_undone_by_its_inverse(seed: u64, code in 0_u8..9) {
        let world = world(seed % 16, 8);
        let pose = world.random_pose(&mut Seed::new(seed).rng());
        let action = Action::from_code(code).unwrap();
        let step = world.step(pose, action);
        prop_assume!(!step.blocked);
        let back = world.step(step.pose, action.inverse());
        prop_assert_eq!(back, Step { pose, blocked: false });
    }

    #[test]
    fn no_pose_brings_the_world_down(x: i32, y: i32, heading: i32, code in 0_u8..9) {
        let world = world(0, 8);
        let pose = Pose { x, y, heading };
        world.render(pose);
        world.is_free(pose);
        world.step(pose, Action::from_code(code).unwrap());
    }
}
