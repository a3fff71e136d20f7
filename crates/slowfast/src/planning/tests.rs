use experiment::cli::Failure;
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::Threads;

use super::*;
use crate::action::Action;
use crate::clip::Route;
use crate::diffusion::Spacing;
use crate::evaluation::tests::{SAMPLER, model, remembering};
use crate::evaluation::{Context, Method, NO_MEMORY};
use crate::inverse_dynamics::tests::untrained;
use crate::memory::FastForm;
use crate::world::{World, WorldSettings};

fn world() -> WorldSettings {
    WorldSettings { size: 16, rays_per_pixel: 1, ..WorldSettings::default() }
}

fn config() -> PlanningConfig {
    assert_eq!(SAMPLER.spacing, Spacing::Trailing);
    PlanningConfig {
        tasks: 2,
        actions_there: 1,
        frames_per_action: 4,
        frames_per_chunk: 3,
        world: world(),
        sampler: SAMPLER,
        methods: vec![
            Method::without_memory(NO_MEMORY, Context::LastChunk),
            remembering("Temp-LoRA", FastForm::Local, 1e-2),
        ],
        ..PlanningConfig::default()
    }
}

#[test]
fn whoever_does_what_was_meant_is_at_every_way_point() {
    let world = World::new(&world(), &Seed::new(1)).unwrap();
    for route in [Route::Retrace, Route::TurnAround] {
        let plan = route.plan(&world, 6, 6, 4, &Seed::new(2)).unwrap();
        let episode = world.record(&plan, &Seed::new(2));
        let exact = distances(&world, &episode.poses, &episode.actions[1..], 8);
        assert_eq!(exact.len(), (episode.len() - 1).div_ceil(8));
        assert!(exact.iter().all(|distance| *distance == 0.0), "{exact:?}");
        let still = vec![Action::STAY; episode.len() - 1];
        let still = distances(&world, &episode.poses, &still, 8);
        assert!(still.iter().any(|distance| *distance > 0.1));
        assert_eq!(still.last(), Some(&0.0), "the way ends where it began");
    }
    assert!(distances(&world, &[], &[], 8).is_empty());
}

#[test]
fn models_and_methods_are_compared_and_an_interrupted_planning_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (config, inverse) = (config(), untrained());
    let models = [("one".to_owned(), model()), ("two".to_owned(), model())];
    let threads = Threads::new(2);
    let planner = Planner { config: &config, models: &models, inverse: &inverse, threads };
    let stop = Interrupt::new();
    stop.request();
    let stopped = planner.plan(folder.path(), &stop).unwrap_err();
    assert!(matches!(stopped, Failure::Interrupted));
    let found = planner.plan(folder.path(), &Interrupt::new()).unwrap();
    let names: Vec<&str> = found.rows.iter().map(|row| row.name.as_str()).collect();
    let expected = [TRUE_FRAMES, STAND_STILL, NO_MEMORY, "Temp-LoRA", NO_MEMORY, "Temp-LoRA"];
    assert_eq!(names, expected);
    assert_eq!(found.scores[2], found.scores[4], "the same model twice");
    assert!(found.rows[2].change.is_none() && found.rows[3].change.is_some());
    assert_eq!(planner.plan(folder.path(), &Interrupt::new()).unwrap(), found);
    assert!(found.page().unwrap().to_html().contains("Distance"));
    assert_eq!(found.table().lines().count(), 7);
}

/// Else these tasks would be turns on the spot, at whose way-points is whoever stands still.
#[test]
fn a_world_without_room_to_turn_around_is_refused() {
    let (room_columns, room_rows, steps_per_cell) = (1, 1, 2);
    let world = WorldSettings { room_columns, room_rows, steps_per_cell, ..world() };
    let routes = vec![Route::LookAway, Route::TurnAround];
    let config = PlanningConfig { world, routes, frames_per_action: 16, ..config() };
    let models = [("one".to_owned(), model())];
    let (inverse, threads) = (untrained(), Threads::new(1));
    let planner = Planner { config: &config, models: &models, inverse: &inverse, threads };
    let Err(Failure::BadInput(cause)) = planner.check() else {
        panic!("an action goes eight cells far")
    };
    let told = cause.to_string();
    assert!(told.contains("task 1") && told.contains("16 frames straight ahead"), "{told}");
    assert!(told.contains("lower `frames_per_action`"), "{told}");
    let roomy = PlanningConfig { frames_per_action: 1, ..config.clone() };
    Planner { config: &roomy, models: &models, inverse: &inverse, threads }.check().unwrap();
}

#[test]
fn what_does_not_fit_is_named() {
    let refused = |config: PlanningConfig| config.check().unwrap_err().to_string();
    assert!(refused(PlanningConfig { tasks: 0, ..config() }).contains("`tasks`"));
    let away = vec![Route::Retrace, Route::Explore];
    assert!(refused(PlanningConfig { routes: away, ..config() }).contains("does not lead back"));
    assert!(refused(PlanningConfig { baseline: "x".into(), ..config() }).contains("`baseline`"));
    let world = WorldSettings { size: 1, ..world() };
    assert!(refused(PlanningConfig { world, ..config() }).contains("`world.size`"));

    let (config, inverse, threads) = (config(), untrained(), Threads::new(1));
    let models = [("one".to_owned(), model()), ("one".to_owned(), model())];
    let planner = Planner { config: &config, models: &models, inverse: &inverse, threads };
    let Err(Failure::BadInput(cause)) = planner.check() else { panic!("one name for two models") };
    assert!(cause.to_string().contains("`--model NAME=FOLDER`"), "{cause}");
}
