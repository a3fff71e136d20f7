use super::*;
use proptest::prelude::*;

struct Fixture {
    checkpoints: Checkpoints,
    run: RunDirectory,
    _folder: TempDir,
}

fn keeping(keep: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(folder.path(), &BTreeMap::<String, u64>::new()).unwrap();
    Fixture { checkpoints: Checkpoints::new(&run, keep).unwrap(), run, _folder: folder }
}

impl Fixture {
    fn save(&self, step: u64) {
        self.checkpoints
            .save(step, &[("model", b"weights"), ("state", &step.to_le_bytes())])
            .unwrap();
    }

    fn steps(&self) -> Vec<u64> {
        self.checkpoints.steps().unwrap()
    }

    /// As a new process would find the run.
    fn reopened(&self) -> Checkpoints {
        Checkpoints::new(&self.run, self.checkpoints.keep).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.checkpoints.entries().unwrap();
        names.sort();
        names
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_saved_is_loaded(files: BTreeMap<u8, Vec<u8>>, step: u64) {
        let fixture = keeping(1);
        let named: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(name, content)| (format!("file {name}"), content)).collect();
        let slices: Vec<(&str, &[u8])> = named.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        fixture.checkpoints.save(step, &slices).unwrap();
        prop_assert_eq!(fixture.checkpoints.load(step).unwrap(), Checkpoint { step, files: named });
    }
}

#[test]
fn the_last_ones_stay() {
    let fixture = keeping(2);
    assert_eq!(fixture.checkpoints.latest().unwrap(), None);
    fixture.save(1);
    assert_eq!(fixture.steps(), [1]);
    (2..=6).for_each(|step| fixture.save(step));
    assert_eq!(fixture.steps(), [5, 6]);
    assert_eq!(fixture.checkpoints.latest().unwrap(), Some(6));
    assert_eq!(fixture.names(), ["step-000000000005", "step-000000000006"]);
}

#[test]
fn saving_a_step_again_replaces_it() {
    let fixture = keeping(2);
    fixture.checkpoints.save(3, &[("old", b"a")]).unwrap();
    fixture.checkpoints.save(3, &[("new", b"b")]).unwrap();
    let loaded = fixture.checkpoints.load(3).unwrap();
    assert_eq!(loaded.file("new").unwrap(), b"b");
    assert!(matches!(loaded.file("old"), Err(CheckpointError::NoFile { step: 3, .. })));
}

/// A kill between the going of a checkpoint and the coming of the one that replaces it.
#[test]
fn a_checkpoint_that_was_not_replaced_in_the_end_is_put_back() {
    let fixture = keeping(2);
    fixture.save(1);
    fixture.checkpoints.save(3, &[("old", b"a")]).unwrap();
    let _ = fixture.checkpoints.set_aside(3).unwrap().keep();
    assert_eq!(fixture.steps(), [1]);
    let reopened = fixture.reopened();
    assert_eq!(reopened.steps().unwrap(), [1, 3]);
    assert_eq!(reopened.load(3).unwrap().file("old").unwrap(), b"a");
    // One that was to go, as older ones do, goes.
    let _ = reopened.set_aside(1).unwrap().keep();
    fixture.reopened();
    assert_eq!(fixture.names(), ["step-000000000003"]);
}

#[test]
fn what_a_kill_left_unfinished_is_ignored_and_removed() {
    let fixture = keeping(2);
    fixture.save(1);
    let unfinished = fixture.checkpoints.folder.join(".unfinished-abc");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("model"), "weig").unwrap();
    fs::write(fixture.checkpoints.folder.join(".unfinished-best"), "1").unwrap();
    assert_eq!(fixture.checkpoints.latest().unwrap(), Some(1));
    fixture.checkpoints.load(1).unwrap();
    fixture.reopened();
    assert_eq!(fixture.names(), ["step-000000000001"]);
}

#[test]
fn every_kind_of_damage_is_told_with_the_last_whole_checkpoint() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("`model` has 3 bytes instead of 7", |folder| {
            fs::write(folder.join("model"), "wei").unwrap()
        }),
        ("`model` does not have the SHA-256", |folder| {
            fs::write(folder.join("model"), "weightz").unwrap()
        }),
        ("`state` is missing", |folder| fs::remove_file(folder.join("state")).unwrap()),
        ("`manifest.json` is broken", |folder| {
            fs::write(folder.join("manifest.json"), "{\"step\":3,").unwrap()
        }),
        ("its manifest is that of step 1", |folder| {
            let first = folder.with_file_name("step-000000000001/manifest.json");
            fs::copy(first, folder.join("manifest.json")).map(drop).unwrap();
        }),
    ];
    for (symptom, damage) in damages {
        let fixture = keeping(3);
        (1..=3).for_each(|step| fixture.save(step));
        fs::write(fixture.checkpoints.path_of(2).join("model"), "").unwrap();
        damage(&fixture.checkpoints.path_of(3));
        let failure = fixture.checkpoints.load(3).unwrap_err();
        assert!(matches!(failure, CheckpointError::Corrupt { previous: Some(1), .. }), "{failure}");
        let text = failure.to_string();
        assert!(
            text.contains(symptom) && text.ends_with("delete it to go on from step 1"),
            "{text}"
        );
    }
}

/// What the system refuses to read may be whole: nobody is told to delete it.
#[test]
fn a_checkpoint_that_cannot_be_read_is_not_called_damaged() {
    let fixture = keeping(3);
    fixture.save(1);
    let file = fixture.checkpoints.path_of(1).join("model");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let failure = fixture.checkpoints.load(1).unwrap_err();
    assert!(
        matches!(&failure, CheckpointError::FileSystem { path, .. } if *path == file),
        "{failure}"
    );
}

#[test]
fn copies_under_like_names_are_no_checkpoints() {
    let fixture = keeping(1);
    fixture.save(1);
    for copy in ["step-1", "step-000000000001-old", "step-+00000000001"] {
        fs::create_dir(fixture.checkpoints.folder.join(copy)).unwrap();
    }
    assert_eq!(fixture.steps(), [1]);
    fixture.save(2);
    assert_eq!(fixture.steps(), [2]);
    assert_eq!(fixture.names().len(), 4, "the copies stay");
}

#[test]
fn damage_to_the_only_checkpoint_sends_the_user_to_the_start() {
    let fixture = keeping(1);
    fixture.save(1);
    fs::remove_file(fixture.checkpoints.path_of(1).join("manifest.json")).unwrap();
    assert!(
        fixture
            .checkpoints
            .load(1)
            .unwrap_err()
            .to_string()
            .ends_with("delete it to go on from the start")
    );
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    let fixture = keeping(1);
    for name in ["", ".", "..", "../model", "a/b", "a\\b", ".hidden", "manifest.json"] {
        assert!(
            matches!(fixture.checkpoints.save(1, &[(name, b"")]), Err(CheckpointError::Name(_))),
            "{name}"
        );
    }
    assert!(matches!(
        fixture.checkpoints.save(1, &[("a", b""), ("a", b"")]),
        Err(CheckpointError::Name(_))
    ));
    assert!(fixture.names().is_empty());
}

#[test]
fn absent_checkpoints_are_told_with_those_that_are_there() {
    let fixture = keeping(2);
    assert!(fixture.checkpoints.load(3).unwrap_err().to_string().ends_with("it has none"));
    fixture.save(1);
    fixture.save(2);
    assert!(
        fixture
            .checkpoints
            .load(3)
            .unwrap_err()
            .to_string()
            .ends_with("it has those of steps 1, 2")
    );
}

#[test]
fn a_run_opened_for_reading_is_read_and_not_touched() {
    let fixture = keeping(1);
    fixture.save(1);
    fs::create_dir(fixture.checkpoints.folder.join(".unfinished-live")).unwrap();
    let reader = Checkpoints::new(&RunDirectory::open(fixture.run.path()).unwrap(), 1).unwrap();
    reader.load(1).unwrap();
    assert!(matches!(reader.save(2, &[]), Err(CheckpointError::Run(RunError::ReadOnly(_)))));
    assert!(
        fixture.names().contains(&".unfinished-live".to_owned()),
        "the writer may still be at it"
    );
}

#[test]
fn keeping_none_is_refused() {
    let fixture = keeping(1);
    assert!(matches!(Checkpoints::new(&fixture.run, 0), Err(CheckpointError::KeepNone)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_last_checkpoint_and_no_rubbish() {
    let fixture = keeping(1);
    fixture.save(1);
    for full_at in ["model", "state", "manifest.json"] {
        let create = |path: &Path| {
            let device = if path.ends_with(full_at) { Path::new("/dev/full") } else { path };
            File::options().write(true).create(true).truncate(true).open(device)
        };
        let failure = fixture
            .checkpoints
            .save_through(2, &[("model", b"w"), ("state", b"s")], create)
            .unwrap_err();
        assert!(matches!(failure, CheckpointError::FileSystem { .. }));
        assert!(failure.to_string().contains(full_at), "{failure}");
        assert_eq!(fixture.names(), ["step-000000000001"]);
        fixture.checkpoints.load(1).unwrap();
    }
}
