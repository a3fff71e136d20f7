use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::super::test_episodes::recordings;
use super::super::{ClipWriter, Description, PoseScale, Recorded};
use super::*;
use crate::action::Action;

pub(in super::super) fn description() -> Description {
    Description {
        generator: "test".to_owned(),
        settings: json!({ "seed": 1, "share": 0.1 }),
        height: 4,
        width: 6,
        pose: PoseScale { position: 1, heading: 8 },
    }
}

/// Four episodes in two shards.
pub(in super::super) fn written() -> (TempDir, ClipSet) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let clips = ClipSet::open(folder.path()).unwrap();
    (folder, clips)
}

fn write(folder: &Path) {
    let writer = ClipWriter::create(folder, description()).unwrap();
    for (number, shard) in recordings().chunks(2).enumerate() {
        writer.write_shard(number, shard).unwrap();
    }
    writer.finish(2).unwrap();
}

fn opened(folder: &TempDir) -> Result<ClipSet, ClipError> {
    ClipSet::open(folder.path())
}

#[test]
fn what_was_written_is_read() {
    let (_folder, clips) = written();
    clips.verify().unwrap();
    assert_eq!(clips.index().description, description());
    for (number, Recorded { scene, split, route, episode }) in recordings().iter().enumerate() {
        assert_eq!(clips.episode(number).unwrap(), *episode);
        let entry = clips.entry(number).unwrap();
        assert_eq!((&entry.scene, entry.split, entry.route), (scene, *split, *route));
    }
    assert_eq!(clips.episodes_of(Split::Train).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(clips.episodes_of(Split::Test).collect::<Vec<_>>(), [3]);
}

#[test]
fn windows_are_parts_of_episodes() {
    let (_folder, clips) = written();
    let whole = clips.episode(1).unwrap();
    for start in 0..whole.len() {
        for end in start + 1..=whole.len() {
            let window = clips.window(1, start..end).unwrap();
            assert_eq!(window.len(), end - start);
            assert_eq!(window.frames, whole.frames[start * 72..end * 72]);
            assert_eq!(window.actions, whole.actions[start..end]);
            assert_eq!(window.poses, whole.poses[start..end]);
            for frame in start..end {
                let said = window.text(frame - start, frame - start + 1);
                assert_eq!(said, whole.text(frame, frame + 1));
            }
        }
    }
}

#[test]
fn what_is_not_there_is_told() {
    let (_folder, clips) = written();
    assert!(matches!(clips.episode(4), Err(ClipError::NoSuchEpisode { asked: 4, available: 4 })));
    for range in [0..10, 3..3, 8..11] {
        let failure = clips.window(0, range).unwrap_err();
        assert!(matches!(failure, ClipError::NoSuchFrames { available: 9, .. }), "{failure}");
    }
}

/// What comes after an episode's tensor in the file is another's.
#[test]
fn frames_beyond_a_tensor_are_refused() {
    let (_folder, clips) = written();
    let (shard, frames) = (&clips.shards[0], clips.entry(0).unwrap().frames);
    assert!(shard.read(0, 0..frames).is_ok());
    for range in [0..frames + 1, frames..frames + 1] {
        assert!(matches!(shard.read(0, range), Err(ClipError::Damaged { .. })));
    }
}

#[test]
fn a_missing_or_cut_or_changed_shard_is_named() {
    let shard = |folder: &TempDir| folder.path().join("shard-00001.safetensors");
    let (folder, _) = written();
    fs::remove_file(shard(&folder)).unwrap();
    assert!(
        matches!(opened(&folder), Err(ClipError::MissingShard(path)) if path == shard(&folder))
    );

    let (folder, _) = written();
    let bytes = fs::read(shard(&folder)).unwrap();
    fs::write(shard(&folder), &bytes[..bytes.len() - 5]).unwrap();
    assert!(
        matches!(opened(&folder), Err(ClipError::Length { path, .. }) if path == shard(&folder))
    );

    let mut changed = bytes.clone();
    let last = changed.len() - 40;
    changed[last] ^= 1;
    fs::write(shard(&folder), &changed).unwrap();
    let failure = opened(&folder).unwrap().verify().unwrap_err();
    assert!(matches!(failure, ClipError::Checksum(path) if path == shard(&folder)));

    let mut changed = bytes;
    changed[0] ^= 1;
    fs::write(shard(&folder), &changed).unwrap();
    let failure = opened(&folder).unwrap_err();
    assert!(matches!(failure, ClipError::Damaged { path, .. } if path == shard(&folder)));
}

#[test]
fn a_broken_or_foreign_index_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(opened(&folder), Err(ClipError::NoIndex(_))));
    write(folder.path());
    let path = folder.path().join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    let with = |old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
        opened(&folder).unwrap_err()
    };
    assert!(matches!(
        with("\"version\": 1", "\"version\": 2"),
        ClipError::Version { found: 2, .. }
    ));
    assert!(matches!(with("\"version\": 1,", ""), ClipError::Damaged { .. }));
    assert!(matches!(with("slowfast clips", "photographs"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"shards\"", "\"sherds\""), ClipError::Damaged { .. }));
    assert!(matches!(with("{", ""), ClipError::Damaged { .. }));
    assert!(matches!(with("\"shard\": 1", "\"shard\": 9"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"frames\": 9", "\"frames\": 8"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"seed\": 1", "\"seed\": 2"), ClipError::Damaged { .. }));
    // The second of two episodes as if it were the first.
    assert!(matches!(with("\"number\": 1", "\"number\": 0"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"number\": 0", "\"number\": 1"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"number\": 1", "\"number\": 7"), ClipError::Damaged { .. }));
    assert!(matches!(with("\"attic\"", "\"hall\""), ClipError::SharedScene { .. }));
}

#[test]
fn a_shard_outside_of_the_folder_is_refused() {
    let (outside, _) = written();
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("within");
    fs::create_dir(&within).unwrap();
    write(&within);
    let name = "shard-00000.safetensors";
    fs::copy(within.join(name), folder.path().join(name)).unwrap();
    let text = fs::read_to_string(within.join("index.json")).unwrap();
    let absolute = outside.path().join(name).display().to_string();
    let elsewhere = [format!("../{name}"), absolute, format!("./{name}"), format!("{name}/")];
    for file in elsewhere.iter().map(String::as_str).chain(["..", ".", ""]) {
        let changed = text.replacen(&json!(name).to_string(), &json!(file).to_string(), 1);
        fs::write(within.join("index.json"), changed).unwrap();
        let failure = ClipSet::open(&within).unwrap_err();
        assert!(matches!(failure, ClipError::Damaged { .. }), "{failure}");
        let told = failure.to_string();
        assert!(told.contains(&format!("`{file}`")) && told.contains("index.json"), "{told}");
    }
}

#[test]
fn a_killed_generation_goes_on_and_ends_with_the_same_bytes() {
    let (whole, _) = written();
    let folder = tempfile::tempdir().unwrap();
    let writer = ClipWriter::create(folder.path(), description()).unwrap();
    writer.write_shard(1, &recordings()[2..]).unwrap();
    fs::write(folder.path().join("shard-00000.safetensors"), b"not a shard").unwrap();
    drop(writer);
    let writer = ClipWriter::create(folder.path(), description()).unwrap();
    assert!(!writer.has_shard(0).unwrap(), "damaged");
    assert!(writer.has_shard(1).unwrap());
    assert!(!writer.has_shard(2).unwrap());
    writer.write_shard(0, &recordings()[..2]).unwrap();
    writer.finish(2).unwrap();
    for file in ["index.json", "shard-00000.safetensors", "shard-00001.safetensors"] {
        let read = |folder: &TempDir| fs::read(folder.path().join(file)).unwrap();
        assert_eq!(read(&folder), read(&whole), "{file}");
    }
}

/// A byte that rotted changes neither length nor header, and only the index tells.
#[test]
fn a_shard_that_is_not_what_the_index_says_is_written_anew() {
    let (folder, _) = written();
    let path = folder.path().join("shard-00000.safetensors");
    let whole = fs::read(&path).unwrap();
    let mut rotten = whole.clone();
    *rotten.last_mut().unwrap() ^= 1;
    fs::write(&path, &rotten).unwrap();
    let writer = ClipWriter::create(folder.path(), description()).unwrap();
    assert_eq!([0, 1].map(|number| writer.has_shard(number).unwrap()), [false, true]);
    writer.write_shard(0, &recordings()[..2]).unwrap();
    writer.finish(2).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn an_index_that_was_cut_off_is_made_of_the_shards() {
    let (folder, _) = written();
    let path = folder.path().join("index.json");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(ClipSet::open(folder.path()), Err(ClipError::Damaged { .. })));
    ClipWriter::create(folder.path(), description()).unwrap().finish(2).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole);
    // What is whole and no index is another program's.
    fs::write(&path, "{}").unwrap();
    assert!(ClipWriter::create(folder.path(), description()).is_err());
}

#[test]
fn clips_of_other_settings_are_not_mixed() {
    let (folder, _) = written();
    let other = Description { settings: json!({ "seed": 2 }), ..description() };
    let failure = ClipWriter::create(folder.path(), other.clone()).unwrap_err();
    assert!(matches!(failure, ClipError::OtherSettings(_)));
    fs::remove_file(folder.path().join("index.json")).unwrap();
    let writer = ClipWriter::create(folder.path(), other).unwrap();
    assert!(matches!(writer.has_shard(0), Err(ClipError::OtherSettings(_))));
    assert!(matches!(writer.finish(1), Err(ClipError::OtherSettings(_))));
}

#[test]
fn episodes_that_do_not_fit_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let writer = ClipWriter::create(folder.path(), description()).unwrap();
    let refused = |change: fn(&mut Recorded)| {
        let mut recordings = recordings();
        change(&mut recordings[2]);
        let failure = writer.write_shard(0, &recordings).unwrap_err();
        assert!(
            matches!(&failure, ClipError::Episode { number: 2, scene, .. } if scene == "cellar")
        );
        failure.to_string()
    };
    assert!(refused(|recorded| recorded.episode.height = 6).contains("6 by 6"));
    assert!(refused(|recorded| recorded.episode.poses.truncate(3)).contains("3 poses"));
    assert!(refused(|recorded| recorded.episode.actions[0] = Action::ALL[1]).contains("forward"));
    let mut shared = recordings();
    shared[3].scene = "hall".to_owned();
    writer.write_shard(0, &shared).unwrap();
    assert!(matches!(writer.finish(1), Err(ClipError::SharedScene { .. })));
}
