use std::fs;

use super::*;
use crate::clip::ClipSet;

fn small() -> GenerationSettings {
    GenerationSettings {
        episodes: 12,
        episodes_per_scene: 2,
        actions: 4,
        actions_there: 2,
        episodes_per_shard: 5,
        there_and_back: 0.5,
        validation: 0.2,
        test: 0.2,
        world: WorldSettings { size: 8, rays_per_pixel: 1, ..WorldSettings::default() },
        ..GenerationSettings::default()
    }
}

fn generated(folder: &Path, threads: usize, interrupt: &Interrupt) -> Result<Index, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| generate(folder, &small(), interrupt))
}

#[test]
fn any_number_of_threads_and_any_interruption_give_the_same_bytes() {
    let [one, three] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    generated(one.path(), 1, &Interrupt::new()).unwrap();
    let stopped = Interrupt::new();
    stopped.request();
    assert!(matches!(generated(three.path(), 3, &stopped), Err(Failure::Interrupted)));
    let writer = ClipWriter::create(three.path(), small().description()).unwrap();
    writer.write_shard(1, &small().shard(1).unwrap()).unwrap();
    generated(three.path(), 3, &Interrupt::new()).unwrap();
    for entry in fs::read_dir(one.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(one.path()), read(three.path()), "{name:?}");
    }
}

#[test]
fn generated_clips_are_whole_and_their_scenes_can_be_visited_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = small();
    generated(folder.path(), 2, &Interrupt::new()).unwrap();
    let clips = ClipSet::open(folder.path()).unwrap();
    clips.verify().unwrap();
    for split in Split::ALL {
        assert!(clips.episodes_of(split).count() >= 2, "{split}");
    }
    for (number, entry) in clips.index().episodes.iter().enumerate() {
        let scene = number / 2;
        assert_eq!(entry.scene, format!("rooms-0-{scene}"));
        assert_eq!((entry.split, entry.route), (settings.split(scene), settings.route(number)));
        let world = settings.world(scene).unwrap();
        assert_eq!(clips.index().description.pose, world.pose_scale());
        let window = clips.window(number, 3..5).unwrap();
        assert_eq!(window.frame(1), world.render(window.poses[1]));
    }
}

#[test]
fn routes_are_spread_and_splits_take_their_share() {
    let settings = GenerationSettings { episodes: 100, ..GenerationSettings::default() };
    let back = (0..100).filter(|episode| settings.route(*episode) != Route::Explore).count();
    assert_eq!(back, 25);
    for route in Route::THERE_AND_BACK {
        assert!((0..100).filter(|episode| settings.route(*episode) == route).count() >= 6);
    }
    let count = |split| (0..100).filter(|scene| settings.split(*scene) == split).count();
    assert_eq!(Split::ALL.map(count), [80, 10, 10]);
    let few = GenerationSettings { episodes: 3, ..settings };
    let splits = [0, 1, 2].map(|scene| few.split(scene));
    assert_eq!(splits, Split::ALL);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    type Change = fn(&mut GenerationSettings);
    for (field, change) in [
        ("`episodes`", (|settings: &mut GenerationSettings| settings.episodes = 0) as Change),
        ("`frames_per_action`", |settings| settings.frames_per_action = 0),
        ("`there_and_back`", |settings| settings.there_and_back = 1.5),
        ("`test`", |settings| settings.test = 0.9),
        ("`world.size`", |settings| settings.world.size = 1),
        ("`episodes` is 1000000000000000000: choose at most 1000000", |settings| {
            settings.episodes = 1_000_000_000_000_000_000
        }),
        ("`episodes_per_shard`", |settings| settings.episodes_per_shard = usize::MAX),
        ("`frames_per_action`", |settings| settings.frames_per_action = usize::MAX),
        ("`actions` is 1000000000000: choose at most", |settings| {
            settings.actions = 1_000_000_000_000
        }),
        ("`actions_there`", |settings| settings.actions_there = usize::MAX),
        ("`actions` is 1000000, for which", |settings| {
            (settings.actions, settings.world.size) = (1_000_000, 512)
        }),
        ("`actions_there` is 1000000, for which", |settings| {
            (settings.actions_there, settings.world.size) = (1_000_000, 512)
        }),
        ("`episodes_per_shard` is 10000, for which", |settings| {
            (settings.episodes_per_shard, settings.episodes) = (10_000, 10_000);
            (settings.actions, settings.world.size) = (1000, 512)
        }),
        ("divides 16", |settings| settings.frames_per_action = 3),
    ] {
        let mut settings = small();
        change(&mut settings);
        if field == "`test`" {
            settings.validation = 0.2;
        }
        let failure = settings.validate().unwrap_err().to_string();
        assert!(failure.contains(field), "{failure}");
        let folder = tempfile::tempdir().unwrap();
        let refused = generate(folder.path(), &settings, &Interrupt::new());
        assert!(matches!(refused, Err(Failure::BadInput(_))));
    }
    // What no episode does takes no room.
    let settings = GenerationSettings { actions_there: MOST, there_and_back: 0.0, ..small() };
    settings.validate().unwrap();
}
