//! The built-in handwritten digits.

use experiment::seed::Seed;
use rand::seq::SliceRandom;

use super::{DataError, ImageSet, Split, folder, idx};

const IMAGES: &[u8] = include_bytes!("../../data/digits-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../data/digits-labels-idx1-ubyte.gz");
/// The brightest pixel.
const LARGEST: f32 = 16.0;
/// Images to judge by: a fifth.
const TEST: usize = 360;

/// All 1,797 digits, in the order of scikit-learn's `load_digits`.
pub(super) fn all() -> Result<ImageSet, DataError> {
    let read = |bytes: &[u8]| idx::parse(idx::decompress(bytes.to_vec(), "digits")?, "digits");
    let class_names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    folder::from_idx("digits", "digits", read(IMAGES)?, read(LABELS)?, &class_names, LARGEST)
}

/// 1,437 digits to learn from and 360 to judge by, always the same ones.
///
/// They are drawn at random, because the file is in the order of its writers: its end alone would judge by people whose
/// hand was never seen.
pub(super) fn load() -> Result<Split, DataError> {
    let digits = all()?;
    let mut order: Vec<usize> = (0..digits.len()).collect();
    order.shuffle(&mut Seed::new(0).child("split of the digits").rng());
    let (test, train) = order.split_at(TEST);
    Ok(Split { train: digits.subset(train)?, test: digits.subset(test)? })
}

#[cfg(test)]
mod tests {
    use experiment::fingerprint::sha256;

    use super::*;

    #[test]
    fn the_files_are_those_that_were_made() {
        let images = sha256(idx::decompress(IMAGES.to_vec(), "f").unwrap());
        let labels = sha256(idx::decompress(LABELS.to_vec(), "f").unwrap());
        assert_eq!(images, "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96");
        assert_eq!(labels, "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad");
    }

    /// Counts of scikit-learn's `load_digits().target`, and the first row of its first image.
    #[test]
    fn the_digits_are_those_of_scikit_learn() {
        let digits = all().unwrap();
        assert_eq!(digits.class_counts(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let first = [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|value: f32| value / LARGEST);
        assert_eq!(digits.image(0)[..8], first);
        assert_eq!(digits.pixels().iter().copied().fold(0.0, f32::max), 1.0);
    }

    #[test]
    fn the_split_has_every_digit_once_and_every_class_twice() {
        let Split { train, test } = load().unwrap();
        assert_eq!((train.len(), test.len()), (1437, 360));
        assert!(train.class_counts().iter().all(|count| *count > 120));
        assert!(test.class_counts().iter().all(|count| *count > 20));
        let sum = |set: &ImageSet| set.pixels().iter().map(|value| f64::from(*value)).sum::<f64>();
        let whole = sum(&all().unwrap());
        assert!((sum(&train) + sum(&test) - whole).abs() < 1e-6);
        assert_eq!(load().unwrap().test, test);
    }
}
