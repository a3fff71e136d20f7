use experiment::cli::Failure;
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::{ConfiguredRule, RuleChoice, Threads};

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

/// A rate that is too high for one model is no reason to lose what the others came to.
#[test]
fn a_method_that_diverges_has_a_row_without_scores_and_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut steep = remembering("steep", FastForm::Local, 1e30);
    let fast = steep.memory.as_mut().and_then(|memory| memory.fast.as_mut()).unwrap();
    (fast.steps, fast.optimizer) = (2, ConfiguredRule { rule: RuleChoice::Sgd, clip: None });
    let methods = [config().methods, vec![steep]].concat();
    let config = PlanningConfig { methods: methods.clone(), ..config() };
    let (inverse, threads) = (untrained(), Threads::new(1));
    let models = [("one".to_owned(), model())];
    let plan = |config: &PlanningConfig, run: &str| {
        let planner = Planner { config, models: &models, inverse: &inverse, threads };
        planner.plan(&folder.path().join(run), &Interrupt::new()).unwrap()
    };
    let found = plan(&config, "run");
    let row = &found.rows[4];
    assert_eq!(row.diverged, Some(PlanDivergence { task: 0, chunk: 0 }));
    assert!(row.distance.is_none() && row.change.is_none() && found.scores[4].is_empty());
    assert!(found.rows[..4].iter().all(|row| row.diverged.is_none() && row.distance.is_some()));
    assert!(found.rows[3].change.is_some());
    let told = "steep: diverged at chunk 0 of task 0";
    assert!(found.table().contains(told), "{}", found.table());
    assert!(found.page().unwrap().to_html().contains(told));

    // Items that are scored are written as ever, so that runs of earlier programs go on.
    let item = "run/items/03-one-Temp-LoRA/episode-00000-seed-0.json";
    let item = std::fs::read_to_string(folder.path().join(item)).unwrap();
    assert_eq!(item, serde_json::to_string(&found.scores[3][0]).unwrap());
    assert_eq!(plan(&config, "run"), found);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Planning>(&text).unwrap(), found);
    assert_eq!(text.matches("diverged").count(), 1, "rows with scores are written as ever");

    // Nothing can be compared with a baseline that has no scores.
    let steep = PlanningConfig { baseline: "steep".into(), methods, ..config };
    let rows = plan(&steep, "steep").rows;
    assert!(rows.iter().all(|row| row.change.is_none()) && rows[3].distance.is_some());
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
    let most = i64::MAX as usize;
    let tasks = refused(PlanningConfig { tasks: most, ..config() });
    assert!(
        tasks.contains("`tasks` is 9223372036854775807, but must be at most 100000"),
        "{tasks}"
    );
    let far = refused(PlanningConfig { actions_there: most, ..config() });
    assert!(far.contains("`actions_there` is 9223372036854775807"), "{far}");
    let large = WorldSettings { size: 512, ..world() };
    let far = refused(PlanningConfig { actions_there: 1_000_000, world: large, ..config() });
    assert!(far.contains("`actions_there` is 1000000, for which about"), "{far}");
    let held = refused(PlanningConfig { frames_per_action: most, ..config() });
    assert!(held.contains("never makes a half circle"), "{held}");
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
