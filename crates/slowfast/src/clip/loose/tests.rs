use std::collections::HashMap;

use tempfile::TempDir;

use super::super::{ClipSet, Route, Split};
use super::*;

/// One file an episode, before something is changed in it.
struct Loose {
    frames: (Dtype, Vec<usize>, Vec<u8>),
    actions: (Dtype, Vec<usize>, Vec<u8>),
    poses: (Dtype, Vec<usize>, Vec<u8>),
    texts: HashMap<String, String>,
}

fn loose(scene: &str, split: &str) -> Loose {
    let poses =
        [[0.5_f32, -1.25, 90.0], [0.5, -1.25, 180.0], [0.5, -1.25, -90.0], [1.5, 0.0, 720.0]];
    let texts = [("source", "elsewhere"), ("scene", scene), ("split", split), ("route", "explore")];
    Loose {
        frames: (Dtype::U8, vec![4, 2, 3, 3], (0..72).collect()),
        actions: (Dtype::U8, vec![4], vec![0, 3, 3, 1]),
        poses: (
            Dtype::F32,
            vec![4, 3],
            poses.iter().flatten().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        texts: texts.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
    }
}

fn save(folder: &Path, name: &str, loose: &Loose) {
    let view = |(dtype, shape, bytes): &'_ (Dtype, Vec<usize>, Vec<u8>)| {
        (*dtype, shape.clone(), bytes.clone())
    };
    let tensors = [
        ("frames", view(&loose.frames)),
        ("actions", view(&loose.actions)),
        ("poses", view(&loose.poses)),
    ];
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let bytes = safetensors::serialize(views, Some(loose.texts.clone())).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn imported(episodes: &[(&str, Loose)]) -> (TempDir, Result<ClipSet, ClipError>) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("loose");
    fs::create_dir(&source).unwrap();
    episodes.iter().for_each(|(name, loose)| save(&source, name, loose));
    fs::write(source.join("notes.txt"), "not an episode").unwrap();
    let out = folder.path().join("clips");
    let clips = import(&source, &out).and_then(|_| ClipSet::open(&out));
    (folder, clips)
}

#[test]
fn loose_episodes_become_clips() {
    let mut tested = loose("b", "test");
    let phrases = r#"[{"first": 1, "end": 3, "text": "to the left"}]"#;
    tested.texts.insert("phrases".into(), phrases.into());
    tested.texts.insert("route".into(), "look-away".into());
    let (_folder, clips) =
        imported(&[("2", tested), ("1", loose("a", "train"))].map(|(name, loose)| {
            (if name == "1" { "1.safetensors" } else { "2.safetensors" }, loose)
        }));
    let clips = clips.unwrap();
    clips.verify().unwrap();
    assert_eq!(clips.index().description.generator, "elsewhere");
    let (first, second) = (clips.entry(0).unwrap(), clips.entry(1).unwrap());
    assert_eq!(
        (first.scene.as_str(), first.split, first.route),
        ("a", Split::Train, Route::Explore)
    );
    assert_eq!((second.split, second.route), (Split::Test, Route::LookAway));
    let episode = clips.episode(0).unwrap();
    assert_eq!(episode.frames, (0..72).collect::<Vec<u8>>());
    let quarter = 1 << 14;
    assert_eq!(episode.poses[0], Pose { x: 1 << 15, y: -5 * quarter, heading: quarter });
    assert_eq!(episode.poses[2].heading, 3 * quarter);
    assert_eq!(episode.poses[3], Pose { x: 3 << 15, y: 0, heading: 0 });
    let spans: Vec<_> = episode.phrases.iter().map(|said| (said.first, said.end)).collect();
    assert_eq!(spans, [(1, 3), (3, 4)]);
    for said in &episode.phrases {
        assert!(episode.actions[said.first].wordings().contains(&said.text), "{said:?}");
    }
    assert_eq!(clips.episode(1).unwrap().text(1, 2), "to the left");
}

#[test]
fn held_actions_are_said_again() {
    let [stay, forward, left] = [0, 1, 3].map(|code| Action::from_code(code).unwrap());
    let actions = [stay, left, left, left, left, left, forward, forward, forward];
    let spans = |held| -> Vec<_> {
        described(&actions, held, "a").iter().map(|said| (said.first, said.end)).collect()
    };
    assert_eq!(spans(usize::MAX), [(1, 6), (6, 9)]);
    assert_eq!(spans(2), [(1, 3), (3, 5), (5, 6), (6, 7), (7, 9)]);
    assert_eq!(spans(1).len(), 8);
}

#[test]
fn importing_again_gives_the_same_and_changed_files_are_not_mixed_in() {
    let (folder, clips) = imported(&[("1.safetensors", loose("a", "train"))]);
    let (source, out) = (folder.path().join("loose"), folder.path().join("clips"));
    assert_eq!(import(&source, &out).unwrap(), *clips.unwrap().index());
    save(&source, "2.safetensors", &loose("a", "train"));
    assert!(matches!(import(&source, &out), Err(ClipError::OtherSettings(_))));
}

#[test]
fn clips_are_not_written_among_the_episodes_that_they_are_made_of() {
    let (folder, _) = imported(&[("1.safetensors", loose("a", "train"))]);
    let source = folder.path().join("loose");
    for out in [source.clone(), folder.path().join("clips/../loose")] {
        let failure = import(&source, &out).unwrap_err();
        assert!(matches!(&failure, ClipError::OntoItself(_)), "{failure}");
        assert!(failure.to_string().contains("--out"), "{failure}");
    }
    assert!(!source.join("index.json").exists());
}

#[test]
fn every_mistake_is_named() {
    let mistake = |change: &dyn Fn(&mut Loose)| {
        let mut changed = loose("a", "train");
        change(&mut changed);
        match imported(&[("1.safetensors", loose("a", "train")), ("2.safetensors", changed)]).1 {
            Err(failure @ ClipError::Damaged { .. }) => failure.to_string(),
            other => panic!("expected a damaged file, found {other:?}"),
        }
    };
    for (part, change) in [
        (
            "`frames`",
            (&|loose: &mut Loose| loose.frames.1 = vec![4, 3, 2, 3]) as &dyn Fn(&mut Loose),
        ),
        ("not U8 [n, h, w, 3]", &|loose| loose.frames.1 = vec![4, 18]),
        ("`actions` is not U8 [4]", &|loose| {
            loose.actions.1 = vec![3];
            loose.actions.2.truncate(3);
        }),
        ("code 9", &|loose| loose.actions.2[2] = 9),
        ("first frame", &|loose| loose.actions.2[0] = 1),
        ("`poses` is U8", &|loose| loose.poses = (Dtype::U8, vec![12], vec![0; 12])),
        ("`poses` has the shape [12]", &|loose| loose.poses.1 = vec![12]),
        ("a pose is at", &|loose| loose.poses.2[..4].copy_from_slice(&1e9_f32.to_le_bytes())),
        ("a pose is at", &|loose| loose.poses.2[..4].copy_from_slice(&f32::NAN.to_le_bytes())),
        ("no `scene`", &|loose| drop(loose.texts.remove("scene"))),
        ("`split`", &|loose| drop(loose.texts.insert("split".into(), "exam".into()))),
        ("`route`", &|loose| drop(loose.texts.insert("route".into(), "detour".into()))),
        ("`phrases`", &|loose| drop(loose.texts.insert("phrases".into(), "turn".into()))),
        ("`frames_per_action`", &|loose| {
            drop(loose.texts.insert("frames_per_action".into(), "0".into()));
        }),
        ("from the moon", &|loose| drop(loose.texts.insert("source".into(), "the moon".into()))),
    ] {
        let found = mistake(change);
        let expected = if part == "`frames`" { "not 2 by 3" } else { part };
        assert!(found.contains(expected) && found.contains("2.safetensors"), "{part}: {found}");
    }
}

#[test]
fn nothing_and_shared_scenes_and_no_safetensors_are_refused() {
    assert!(matches!(imported(&[]).1, Err(ClipError::NothingToImport(_))));
    let both = [("1.safetensors", loose("a", "train")), ("2.safetensors", loose("a", "test"))];
    let (folder, failure) = imported(&both);
    assert!(matches!(failure, Err(ClipError::SharedScene { .. })));
    assert!(!folder.path().join("clips").exists(), "nothing was written");
    let source = folder.path().join("loose");
    fs::write(source.join("0.safetensors"), b"photographs").unwrap();
    let failure = import(&source, folder.path()).unwrap_err();
    assert!(matches!(failure, ClipError::Damaged { path, .. } if path.ends_with("0.safetensors")));
    let nowhere = import(&source.join("nowhere"), folder.path()).unwrap_err();
    assert!(matches!(nowhere, ClipError::Access { .. }));
}
