//! CIFAR-10 in its binary version: records of a label and 3 x 32 x 32 bytes, six files of 10,000 records.
//!
//! There is no checksum: the original could not be had where this was written. The structure is checked instead: the
//! size of each file, every label, the 1,000 test images of each class, and that no file is there twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use experiment::fingerprint::sha256;

use super::folder::BYTE;
use super::{DataError, ImageSet, ImageShape, Split, idx};

const NAME: &str = "CIFAR-10";
const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const RECORD: usize = 1 + 3 * 32 * 32;
const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";
/// Records of each file.
const RECORDS: usize = 10_000;

/// Reads the set below `folder`, or below the current folder.
pub(super) fn load(folder: Option<&Path>) -> Result<Split, DataError> {
    load_records(folder, RECORDS)
}

/// Reads files of so many records each.
fn load_records(folder: Option<&Path>, records: usize) -> Result<Split, DataError> {
    let folder = find(folder.unwrap_or(Path::new(".")))?;
    let train = TRAIN.map(|name| folder.join(name));
    let mut seen = BTreeMap::new();
    let train = read(&train, records, &mut seen)?;
    let test = read(&[folder.join(TEST)], records, &mut seen)?;
    require_balance(&folder.join(TEST), &test)?;
    Ok(Split { train, test })
}

/// The folder of the files, `folder` itself or the one in it that the archive unpacks to.
pub(super) fn find(folder: &Path) -> Result<PathBuf, DataError> {
    let places = vec![folder.to_owned(), folder.join("cifar-10-batches-bin")];
    match places.iter().find(|place| place.join(TEST).is_file()) {
        Some(place) => Ok(place.clone()),
        None => Err(DataError::NotFound {
            set: NAME.into(),
            looked: places,
            remedy: "unpack `cifar-10-binary.tar.gz` of https://www.cs.toronto.edu/~kriz/cifar.html and give its folder with --data".into(),
        }),
    }
}

/// Reads files, none of which may have the content of one that was `seen`.
fn read(
    files: &[PathBuf],
    records: usize,
    seen: &mut BTreeMap<String, PathBuf>,
) -> Result<ImageSet, DataError> {
    let mut pixels = Vec::with_capacity(files.len() * records * (RECORD - 1));
    let mut labels = Vec::with_capacity(files.len() * records);
    for path in files {
        let bytes = idx::read(path)?;
        if bytes.len() != records * RECORD {
            return Err(DataError::Length {
                file: path.display().to_string(),
                expected: records * RECORD,
                found: bytes.len(),
            });
        }
        if let Some(original) = seen.insert(sha256(&bytes), path.clone()) {
            let (file, original) = (path.display().to_string(), original.display().to_string());
            return Err(DataError::Copied { file, original });
        }
        let (records, _) = bytes.as_chunks::<RECORD>();
        for (index, [label, values @ ..]) in records.iter().enumerate() {
            if usize::from(*label) >= CLASS_NAMES.len() {
                let (set, classes) = (path.display().to_string(), CLASS_NAMES.len());
                return Err(DataError::Label { set, index, label: *label, classes });
            }
            labels.push(*label);
            pixels.extend(values.iter().map(|value| f32::from(*value) / BYTE));
        }
    }
    ImageSet::new(NAME, SHAPE, pixels, labels, CLASS_NAMES.map(Into::into).to_vec())
}

/// The original has as many test images of each class; a batch of training images does not.
fn require_balance(path: &Path, test: &ImageSet) -> Result<(), DataError> {
    let counts = test.class_counts();
    if counts.iter().all(|count| *count == test.len() / CLASS_NAMES.len()) {
        return Ok(());
    }
    Err(DataError::Exchanged {
        file: path.display().to_string(),
        expected: format!("test images of {NAME}, equally many of each class"),
        found: format!("images of the classes in the numbers {counts:?}"),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A record whose image is filled with one value.
    fn record(label: u8, value: u8) -> Vec<u8> {
        [vec![label], vec![value; RECORD - 1]].concat()
    }

    /// Ten records, one of each class.
    fn batch(value: u8) -> Vec<u8> {
        (0..10).flat_map(|label| record(label, value)).collect()
    }

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        for (index, name) in TRAIN.iter().enumerate() {
            fs::write(inner.join(name), batch(index as u8)).unwrap();
        }
        fs::write(inner.join(TEST), batch(255)).unwrap();
        folder
    }

    fn load(folder: &TempDir) -> Result<Split, DataError> {
        load_records(Some(folder.path()), 10)
    }

    fn replace(folder: &TempDir, name: &str, bytes: Vec<u8>) {
        fs::write(folder.path().join("cifar-10-batches-bin").join(name), bytes).unwrap();
    }

    #[test]
    fn six_batches_make_a_set() {
        let Split { train, test } = load(&folder()).unwrap();
        assert_eq!((train.len(), test.len(), train.shape(), train.classes()), (50, 10, SHAPE, 10));
        assert_eq!(train.image(49)[0], 4.0 / 255.0);
        assert_eq!((test.image(9)[3071], test.labels()[9]), (1.0, 9));
    }

    #[test]
    fn faults_are_named() {
        let cut = folder();
        replace(&cut, TRAIN[2], batch(0)[1..].to_vec());
        assert!(matches!(load(&cut), Err(DataError::Length { found: 30_729, .. })));
        let mislabelled = folder();
        let labels = (1..11).flat_map(|label| record(label, 0)).collect();
        replace(&mislabelled, TRAIN[0], labels);
        assert!(matches!(load(&mislabelled), Err(DataError::Label { index: 9, label: 10, .. })));
        let exchanged = folder();
        replace(&exchanged, TEST, (0..10).flat_map(|_| record(3, 0)).collect());
        assert!(matches!(load(&exchanged), Err(DataError::Exchanged { .. })));
        let copied = folder();
        replace(&copied, TRAIN[1], batch(255));
        let failure = load(&copied).unwrap_err();
        assert!(matches!(failure, DataError::Copied { .. }), "{failure}");
        let failure = failure.to_string();
        assert!(failure.contains(TEST) && failure.contains(TRAIN[1]), "{failure}");
        let incomplete = folder();
        fs::remove_file(incomplete.path().join("cifar-10-batches-bin").join(TRAIN[4])).unwrap();
        assert!(matches!(load(&incomplete), Err(DataError::Access { .. })));
        let nothing = tempfile::tempdir().unwrap();
        let failure = load(&nothing).unwrap_err();
        assert!(failure.to_string().contains("cifar-10-binary.tar.gz"), "{failure}");
    }
}
