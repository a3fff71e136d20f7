//! What can go wrong between a file and a set of images.

use std::path::PathBuf;

use super::ImageShape;

/// A failure to find, read or trust data. Every message says where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file system refused.
    #[error("cannot read {}: {source}; check that the file exists and is readable", path.display())]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A set is at none of its places.
    #[error("{set} was not found in {}; {remedy}", join(looked))]
    NotFound {
        /// Name of the set.
        set: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
        /// How to get it.
        remedy: String,
    },
    /// A folder lacks one file of a set.
    #[error(
        "{} has no `{expected}` (also looked for with a dot, and with .gz); put the file there, or give another \
         folder with --data",
        folder.display()
    )]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// Conventional name of the file.
        expected: String,
    },
    /// A choice that needs a folder was made without one.
    #[error("`{set}` needs a folder; give it with --data")]
    NoFolder {
        /// The choice.
        set: &'static str,
    },
    /// A gzip stream that cannot be unpacked.
    #[error("{file} cannot be decompressed ({source}); it is damaged or cut short: fetch it again")]
    Compressed {
        /// The file.
        file: String,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// A file that is no idx file of bytes.
    #[error(
        "{file} is not an idx file of bytes: {found}; fetch it again, or convert it (magic number 0x00000803 for images, 0x00000801 for labels)"
    )]
    NotIdx {
        /// The file.
        file: String,
        /// What its beginning says instead.
        found: String,
    },
    /// Fewer or more bytes than announced.
    #[error(
        "{file} holds {found} bytes, but {expected} are announced; it was cut short or changed: fetch it again"
    )]
    Length {
        /// The file.
        file: String,
        /// Bytes that belong there.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// One file lies under the name of another.
    #[error(
        "{file} should hold the {expected}, but holds the {found}; give the files their own names"
    )]
    Exchanged {
        /// The file.
        file: String,
        /// What the name promises.
        expected: String,
        /// What the file is.
        found: String,
    },
    /// A file that is there under two names.
    #[error("{file} is a copy of {original}: fetch the set again")]
    Copied {
        /// The file.
        file: String,
        /// The file whose content it has.
        original: String,
    },
    /// A file of a known set that is not the original.
    #[error(
        "{file} is not the original of {set}: its SHA-256 is {found} and not {expected}; fetch it again, or, if the set was made from {set}, say so with data.set = \"derived\""
    )]
    Checksum {
        /// The file.
        file: String,
        /// Name of the set.
        set: String,
        /// The checksum of the original.
        expected: String,
        /// The checksum of the file.
        found: String,
    },
    /// Files of different sets in one folder.
    #[error(
        "{first} is of {first_set}, but {second} is of {second_set}; keep each set in a folder of its own"
    )]
    Mixed {
        /// A file.
        first: String,
        /// The set it belongs to.
        first_set: String,
        /// Another file.
        second: String,
        /// The set that one belongs to.
        second_set: String,
    },
    /// A file of no known set beside others that are of one.
    #[error(
        "{beside} is of {set}, but {file} is not: it was altered or damaged, so fetch it again; if the set was made from {set}, say so with data.set = \"derived\""
    )]
    Altered {
        /// The file.
        file: String,
        /// One that is of the set.
        beside: String,
        /// The set.
        set: String,
    },
    /// Not one label for each image.
    #[error(
        "{set} has {images} images but {labels} labels; its files do not belong together: fetch both again"
    )]
    Counts {
        /// The set, or the file of labels.
        set: String,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label beyond the classes.
    #[error(
        "{set}: image {index} has the label {label}, but the classes are 0 to {}; correct the file of labels, or state data.classes",
        classes.saturating_sub(1)
    )]
    Label {
        /// The set, or the file.
        set: String,
        /// Position of the image, from 0.
        index: usize,
        /// Its label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "{set} has {found} class, but a network tells at least 2 apart; add images of another class, or state data.classes if others have them"
    )]
    Classes {
        /// The set.
        set: String,
        /// Number of classes.
        found: usize,
    },
    /// Pixels that are not 0 to 1.
    #[error(
        "{set}: the pixel {value} of image {index} is not between 0 and 1; divide by the largest value first"
    )]
    Pixel {
        /// The set.
        set: String,
        /// Position of the image, from 0.
        index: usize,
        /// The pixel.
        value: f32,
    },
    /// Not a whole number of images.
    #[error("{set} has {found} pixels for {images} images of {shape}; give {} for each", shape.pixels())]
    Pixels {
        /// The set.
        set: String,
        /// Number of labels.
        images: usize,
        /// Shape of an image.
        shape: ImageShape,
        /// Number of pixels.
        found: usize,
    },
    /// Nothing to learn from.
    #[error("{set} holds no images; give a file with at least one")]
    Empty {
        /// The set.
        set: String,
    },
    /// Training and test images differ in shape.
    #[error(
        "the training images are {train} but the test images {test}; keep each set in a folder of its own"
    )]
    Shapes {
        /// Shape of training images.
        train: ImageShape,
        /// Shape of test images.
        test: ImageShape,
    },
}

fn join(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Points on the sphere that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SphereError {
    /// Too few dimensions for a sphere.
    #[error(
        "points of {0} coordinates leave no sphere once the last is fixed at 1/2; take at least 3"
    )]
    Dimension(usize),
    /// A distance that two points of the sphere cannot have.
    #[error(
        "the separation {0} is not between 0 and sqrt(3), the widest that two such points can be apart; lower it"
    )]
    Separation(f64),
    /// There is no room for all points.
    #[error(
        "only {placed} of {wanted} points that far apart were found; lower the separation from {separation}, or raise the dimension from {dimension}"
    )]
    Full {
        /// Points found.
        placed: usize,
        /// Points asked for.
        wanted: usize,
        /// Smallest distance asked for.
        separation: f64,
        /// Coordinates of a point.
        dimension: usize,
    },
    /// A row that cannot be put on the sphere.
    #[error("row {0} is zero or not finite, so it has no direction; leave it out")]
    NoDirection(usize),
    /// A row of the wrong length, or a target too many or too few.
    #[error("{what} has {found} values instead of {expected}; give one for each")]
    Length {
        /// What is wrong.
        what: String,
        /// How many are needed.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A target beyond the theorem's range.
    #[error("target {index} is {value}, but the theorem asks for |y| <= 1; scale the targets")]
    Target {
        /// Position, from 0.
        index: usize,
        /// The target.
        value: f64,
    },
}
