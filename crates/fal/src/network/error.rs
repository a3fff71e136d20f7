//! Networks that cannot be built.

use crate::data::ImageShape;

/// A network that cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// The images are too small for the convolutions.
    #[error(
        "images of {shape} are too small for `{network}`, which needs at least {least}x{least}; choose another network"
    )]
    TooSmall {
        /// The network.
        network: &'static str,
        /// The images.
        shape: ImageShape,
        /// Rows and columns that are needed.
        least: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "a network tells at least 2 classes apart, but there are {found}; give images of more classes, or state data.classes"
    )]
    Classes {
        /// Classes that there are.
        found: usize,
    },
    /// A setting that is zero, or an image without pixels.
    #[error("`{setting}` has a zero in it; every layer and image needs at least 1")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// Groups of channels that do not come out even.
    #[error(
        "`network.groups` is {groups}, which does not divide the {width} channels of `network.width`; choose a divisor"
    )]
    Groups {
        /// Groups asked for.
        groups: usize,
        /// Channels of the first stage.
        width: usize,
    },
    /// More parameters than the clients of a federation can hold.
    #[error(
        "the network would have {parameters:.3e} parameters, of which every client at work holds copies; choose fewer or narrower layers, for at most {most:.0e}"
    )]
    TooLarge {
        /// What was asked for.
        parameters: f64,
        /// How many there may be.
        most: f64,
    },
}
