//! Episodes that `python/export_episodes.py` made with MiniWorld and ViZDoom (`--scenes 3 --episodes-per-scene 2 --actions 4
//! --size 12 --seed 5`), read as clips.

use std::path::PathBuf;

use slowfast::clip::{ClipSet, Pose, Route, Split, import};
use slowfast::metrics::{PooledColours, Tolerance, Video, revisit_consistency, revisits};
use tempfile::TempDir;

fn imported(simulator: &str) -> (TempDir, ClipSet) {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/episodes").join(simulator);
    let folder = tempfile::tempdir().unwrap();
    import(&source, folder.path()).unwrap();
    let clips = ClipSet::open(folder.path()).unwrap();
    clips.verify().unwrap();
    (folder, clips)
}

#[test]
fn episodes_of_others_are_whole_and_divided_by_scene() {
    for (simulator, generator) in [("miniworld", "MiniWorld"), ("vizdoom", "ViZDoom")] {
        let (_folder, clips) = imported(simulator);
        assert!(clips.index().description.generator.starts_with(generator));
        for split in Split::ALL {
            let routes: Vec<Route> =
                clips.episodes_of(split).map(|number| clips.entry(number).unwrap().route).collect();
            assert_eq!(routes, [Route::Explore, Route::LookAway], "{simulator}, {split}");
        }
        for number in 0..6 {
            let episode = clips.episode(number).unwrap();
            let last = episode.phrases.last().unwrap();
            assert_eq!((episode.phrases[0].first, last.end), (1, episode.len()));
            assert!(episode.phrases.iter().all(|phrase| phrase.end - phrase.first == 4));
        }
    }
}

#[test]
fn looking_away_and_back_shows_the_same_view() {
    // Doom's agent may still glide a little when it begins to turn.
    let near = Tolerance { distance: 0.05, angle: 0.01 };
    for (simulator, tolerance) in [("miniworld", Tolerance::EXACT), ("vizdoom", near)] {
        let (_folder, clips) = imported(simulator);
        let scale = clips.index().description.pose;
        for number in [1, 3, 5] {
            let episode = clips.episode(number).unwrap();
            let views = revisits(&episode.poses, scale, tolerance);
            assert_eq!(views.len(), 16, "{simulator}, episode {number}");
            let video = Video::of(&episode).unwrap();
            let encoder = PooledColours { cells: 4 };
            let consistency = revisit_consistency(video, &views, &encoder).unwrap();
            assert!(consistency > 99.0, "{simulator}, episode {number}: {consistency}");
            if simulator == "miniworld" {
                let same = |pair: &slowfast::metrics::Revisit| {
                    episode.frame(pair.first) == episode.frame(pair.again)
                };
                assert!(views.iter().all(same));
            }
        }
    }
}

#[test]
fn walks_are_the_way_the_agent_looks() {
    // Doom's agent keeps its momentum while it turns.
    for (simulator, least) in [("miniworld", 5.0), ("vizdoom", 2.0)] {
        let (_folder, clips) = imported(simulator);
        let scale = clips.index().description.pose;
        let (mut along, mut aside) = (0.0, 0.0);
        for number in [0, 2, 4] {
            let episode = clips.episode(number).unwrap();
            for frame in 1..episode.len() {
                let Pose { x, y, heading } = episode.poses[frame - 1];
                let now = episode.poses[frame];
                let angle = std::f64::consts::TAU * f64::from(heading) / f64::from(scale.heading);
                let (dx, dy) = (f64::from(now.x - x), f64::from(now.y - y));
                along += dx * angle.cos() + dy * angle.sin();
                aside += (dx * angle.sin() - dy * angle.cos()).abs();
            }
        }
        assert!(along > least * aside, "{simulator}: {along} ahead, {aside} aside");
    }
}
