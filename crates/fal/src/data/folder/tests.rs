//! Faults, one at a time.

use std::fs;

use tempfile::TempDir;

use super::super::idx::test_files::{gzip, idx};
use super::*;

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Three images of 1x2 to learn from and two to judge by; every value is `shade`.
fn files(shade: u8) -> [Vec<u8>; 4] {
    [
        idx(&[3, 1, 2], &[shade; 6]),
        idx(&[3], &[0, 1, shade % 2]),
        idx(&[2, 1, 2], &[shade; 4]),
        idx(&[2], &[1, shade % 2]),
    ]
}

fn folder_of(files: &[Vec<u8>; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn known(name: &'static str, shade: u8) -> &'static KnownSet {
    let files = files(shade);
    KnownSet::of_test(name, [&files[0], &files[1], &files[2], &files[3]])
}

/// What becomes of the folder with `change` made to its files, when any set may be in it.
fn any_set(change: impl FnOnce(&mut [Vec<u8>; 4])) -> Result<Split, DataError> {
    let mut files = files(255);
    change(&mut files);
    load(folder_of(&files).path(), Expected::Any, &[], None)
}

/// What becomes of it when it must be the known set.
fn original(change: impl FnOnce(&mut [Vec<u8>; 4])) -> Result<Split, DataError> {
    let (bright, dark) = (known("bright", 255), known("dark", 10));
    let mut files = files(255);
    change(&mut files);
    load(folder_of(&files).path(), Expected::Known(bright), &[bright, dark], None)
}

#[test]
fn any_four_files_make_a_set() {
    let Split { train, test } = any_set(|_| ()).unwrap();
    assert_eq!((train.labels(), train.pixels()), (&[0, 1, 1][..], &[1.0; 6][..]));
    assert_eq!((test.len(), test.classes()), (2, 2));
    assert_eq!(train.shape(), ImageShape { channels: 1, height: 1, width: 2 });
}

#[test]
fn a_folder_may_lack_the_last_classes() {
    let folder = folder_of(&files(9));
    let of = |classes| load(folder.path(), Expected::Any, &[], Some(classes));
    assert_eq!(of(3).unwrap().test.class_names(), ["0", "1", "2"]);
    let failure = of(1).unwrap_err();
    assert!(matches!(failure, DataError::Label { label: 1, classes: 1, .. }), "{failure}");
    let bright = known("bright", 255);
    let folder = folder_of(&files(255));
    let split = load(folder.path(), Expected::Any, &[bright], Some(3)).unwrap();
    assert_eq!(split.train.class_names()[..1], ["no"], "names that are known stay");
    assert_eq!(split.train.class_names()[2], "2");
}

#[test]
fn a_folder_of_a_single_class_needs_to_be_told_of_others() {
    let mut single = files(255);
    (single[1], single[3]) = (idx(&[3], &[0; 3]), idx(&[2], &[0; 2]));
    let folder = folder_of(&single);
    let failure = load(folder.path(), Expected::Any, &[], None).unwrap_err();
    assert!(matches!(failure, DataError::Classes { found: 1, .. }), "{failure}");
    assert!(failure.to_string().contains("data.classes"), "{failure}");
    assert_eq!(load(folder.path(), Expected::Any, &[], Some(2)).unwrap().train.classes(), 2);
}

#[test]
fn names_may_have_a_dot_and_files_may_be_compressed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files(9)) {
        let name = name.replace("-idx", ".idx") + ".gz";
        fs::write(folder.path().join(name), gzip(&bytes)).unwrap();
    }
    assert!(has_idx_files(folder.path()));
    assert_eq!(load(folder.path(), Expected::Any, &[], None).unwrap().train.len(), 3);
}

#[test]
fn the_original_is_recognised_and_named() {
    let split = original(|_| ()).unwrap();
    assert_eq!((split.train.name(), &split.train.class_names()[0][..]), ("bright", "no"));
    let mut changed = files(255);
    changed[0][16] = 254;
    let folder = folder_of(&changed);
    let own = load(folder.path(), Expected::Any, &[], None).unwrap();
    assert_eq!(own.train.name(), folder.path().join("").display().to_string());
}

#[test]
fn a_missing_file_is_named() {
    let folder = folder_of(&files(0));
    fs::remove_file(folder.path().join(NAMES[3])).unwrap();
    let failure = load(folder.path(), Expected::Any, &[], None).unwrap_err();
    assert!(
        matches!(&failure, DataError::MissingFile { expected, .. } if expected == NAMES[3]),
        "{failure}"
    );
}

#[test]
fn a_truncated_file_is_told_from_a_changed_one() {
    for part in 0..4 {
        let cut = original(|files| {
            files[part].pop();
        });
        assert!(matches!(cut, Err(DataError::Length { .. })), "{cut:?}");
    }
    let changed = original(|files| files[0][17] ^= 1);
    let changed = changed.unwrap_err();
    assert!(matches!(changed, DataError::Checksum { .. }), "{changed}");
    assert!(changed.to_string().contains("data.set = \"derived\""), "{changed}");
}

#[test]
fn exchanged_files_are_told_by_what_they_are() {
    let swapped = [original(|files| files.swap(0, 1)), any_set(|files| files.swap(0, 1))];
    for failure in swapped {
        assert!(matches!(failure, Err(DataError::Exchanged { .. })), "{failure:?}");
    }
    let failure = original(|files| {
        files.swap(0, 2);
        files.swap(1, 3);
    });
    let failure = failure.unwrap_err().to_string();
    assert!(failure.contains("training images, but holds the test images"), "{failure}");
    // Of an unknown set, only that the images and labels do not go together can be told.
    let failure = any_set(|files| files.swap(0, 2)).unwrap_err();
    assert!(matches!(failure, DataError::Counts { images: 2, labels: 3, .. }), "{failure}");
}

#[test]
fn files_of_another_set_are_told() {
    let wrong = original(|files| *files = self::files(10)).unwrap_err().to_string();
    assert!(wrong.contains("of bright") && wrong.contains("of dark"), "{wrong}");
    let (bright, dark) = (known("bright", 255), known("dark", 10));
    let mut mixed = files(255);
    mixed[1] = files(10)[1].clone();
    let failure = load(folder_of(&mixed).path(), Expected::Any, &[bright, dark], None).unwrap_err();
    assert!(matches!(failure, DataError::Mixed { .. }), "{failure}");
}

/// As of the inverted digits, whose labels are those of MNIST.
#[test]
fn a_set_that_keeps_files_of_a_known_one_is_a_set_of_its_own() {
    let (bright, dark) = (known("bright", 255), known("dark", 10));
    let mut derived = files(255);
    derived[0] = idx(&[3, 1, 2], &[0; 6]);
    derived[2] = idx(&[2, 1, 2], &[0; 4]);
    let folder = folder_of(&derived);
    let Split { train, test } =
        load(folder.path(), Expected::Derived, &[bright, dark], None).unwrap();
    assert_eq!(train.name(), folder.path().join("").display().to_string());
    assert_eq!(
        (train.pixels(), test.class_names()),
        (&[0.0; 6][..], &["0", "1"].map(String::from)[..])
    );
    let named = load(folder.path(), Expected::Known(bright), &[bright, dark], None).unwrap_err();
    assert!(matches!(named, DataError::Checksum { .. }), "{named}");
    let unsaid = load(folder.path(), Expected::Any, &[bright, dark], None).unwrap_err();
    assert!(matches!(unsaid, DataError::Altered { .. }), "{unsaid}");
    assert!(unsaid.to_string().contains("data.set = \"derived\""), "{unsaid}");
    assert!(unsaid.to_string().contains(NAMES[0]), "{unsaid}");
}

#[test]
fn labels_that_do_not_fit_are_told() {
    let beyond = any_set(|files| files[3] = idx(&[2], &[0, 7])).unwrap_err();
    assert!(matches!(beyond, DataError::Label { index: 1, label: 7, classes: 2, .. }), "{beyond}");
    assert!(beyond.to_string().contains(NAMES[3]), "{beyond}");
    let short = any_set(|files| files[1] = idx(&[2], &[0, 1])).unwrap_err();
    assert!(matches!(short, DataError::Counts { images: 3, labels: 2, .. }), "{short}");
}

#[test]
fn images_of_different_shapes_are_told() {
    let failure = any_set(|files| files[2] = idx(&[2, 2, 2], &[0; 8])).unwrap_err();
    assert!(matches!(failure, DataError::Shapes { .. }), "{failure}");
    let empty = any_set(|files| {
        files[2] = idx(&[0, 1, 2], &[]);
        files[3] = idx(&[0], &[]);
    });
    assert!(matches!(empty, Err(DataError::Empty { .. })));
    let flat = any_set(|files| files[0] = idx(&[3, 2], &[0; 6])).unwrap_err();
    assert!(matches!(flat, DataError::NotIdx { .. }), "{flat}");
}
