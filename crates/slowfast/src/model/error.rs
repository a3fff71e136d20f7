//! Models that cannot be built.

use crate::size::SizeError;

/// A model that cannot be built, or input that it cannot read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A setting that must be at least 1.
    #[error("`{setting}` is 0; it must be at least 1")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// A number that must divide another.
    #[error(
        "`{divisor_name}` is {divisor}, which does not divide `{name}` = {value}; change either"
    )]
    Indivisible {
        /// What is divided.
        name: &'static str,
        /// Its value.
        value: usize,
        /// What divides it.
        divisor_name: &'static str,
        /// Its value.
        divisor: usize,
    },
    /// A network or adapters that no machine has room for.
    #[error(transparent)]
    TooLarge(#[from] SizeError),
    /// Adapters without a layer to adapt.
    #[error(
        "`fast.adapters.targets` is empty; name at least one kind of layer, such as \"temporal\""
    )]
    NoTargets,
    /// Adapters for layers that the network does not have.
    #[error(
        "the denoiser has no layer of the kinds {targets}; choose other `fast.adapters.targets`"
    )]
    NothingToAdapt {
        /// What was asked for.
        targets: String,
    },
    /// Latents of another shape than the model was built for.
    #[error(
        "latents are {found:?}, but the model reads {expected:?}; encode the frames with the autoencoder it was trained on"
    )]
    Latents {
        /// `[batch, frames, channels, height, width]` of the latents.
        found: [usize; 5],
        /// That of the model.
        expected: [usize; 5],
    },
    /// Phrases for another number of clips or frames than there are.
    #[error(
        "there are phrases for {found:?} clips and frames, but {expected:?} of them; give each frame one"
    )]
    Phrases {
        /// Clips and frames of the phrases.
        found: [usize; 2],
        /// Clips and frames of the latents.
        expected: [usize; 2],
    },
    /// A token that no word has.
    #[error(
        "token {token} is none of the {size} that the model knows; encode phrases with the vocabulary it was trained on"
    )]
    UnknownToken {
        /// The token.
        token: u32,
        /// Tokens that there are.
        size: usize,
    },
    /// A window with more frames than the model has positions for.
    #[error(
        "a window of {found} frames is longer than the {most} of `denoiser.frames`; shorten the past, or train with more"
    )]
    TooManyFrames {
        /// Frames of the window.
        found: usize,
        /// Frames that the model has positions for.
        most: usize,
    },
}
