//! What can go wrong in an attack, and what to do about it.

/// An attack that cannot run, or whose result would mean nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttackError {
    /// There is nothing to attack.
    #[error("there is no image to attack; give at least one")]
    NoSamples,
    /// Images and labels do not belong together.
    #[error("there are {labels} labels for {images} images; give one label for each image")]
    LabelCount {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label that the model has no score for.
    #[error(
        "image {index} has the label {label}, but the model scores the classes 0 to {}; \
         relabel the data, or attack a model of all its classes", classes - 1
    )]
    LabelOutOfRange {
        /// Position of the image, from 0.
        index: usize,
        /// Its label.
        label: usize,
        /// Number of classes that the model scores.
        classes: usize,
    },
    /// An image lies outside of the pixels that the threat model allows.
    #[error(
        "image {index} has a pixel of {value}, outside of {low} to {high}; scale the images, or set the range with `ThreatModel::pixels`"
    )]
    PixelOutOfRange {
        /// Position of the image, from 0.
        index: usize,
        /// The pixel.
        value: f32,
        /// Smallest allowed pixel.
        low: f32,
        /// Largest allowed pixel.
        high: f32,
    },
    /// A loss compares more classes than there are.
    #[error(
        "the {loss} compares {needed} classes, but the model scores {classes}; use `Pgd` with the margin loss, `Apgd` with cross entropy, `Fab` or `Square`"
    )]
    TooFewClasses {
        /// The loss.
        loss: &'static str,
        /// Number of classes that the model scores.
        classes: usize,
        /// Number of classes that the loss needs.
        needed: usize,
    },
    /// An image that has no room for the patterns of an attack.
    #[error(
        "{attack} needs images of at least {needed} x {needed} pixels, but these have {height} x {width}; use the norm Linf, or another attack"
    )]
    ImageTooSmall {
        /// The attack.
        attack: &'static str,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
        /// Smallest height and width.
        needed: usize,
    },
    /// A setting lies outside of its range.
    #[error("`{setting}` is {value}, but must be {range}; correct it")]
    Setting {
        /// The type and its field.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// The model gives something other than one row of scores for each image.
    #[error(
        "the model gives scores of shape {found:?} for {images} images; return one row of scores for each image and at least two classes"
    )]
    ScoresShape {
        /// Shape of the scores.
        found: [usize; 2],
        /// Number of images.
        images: usize,
    },
    /// A score is NaN or infinite.
    #[error(
        "the model scores an image with {value}; attacks cannot compare such scores, so mend the model or its weights"
    )]
    NonFiniteScore {
        /// The score.
        value: f32,
    },
    /// A gradient is NaN or infinite although the scores are finite.
    #[error(
        "the gradient of the scores with respect to an image is not finite: an operation of the model has no derivative there \
         (the root of zero, a norm of zero). Keep such points away, or use the black-box attack `Square`"
    )]
    NonFiniteGradient,
    /// No gradient reaches the images.
    #[error(
        "the scores do not depend on the images by operations that Burn can differentiate, which would make any model look robust. \
         Remove the detached or integer step between them, or use the black-box attack `Square`"
    )]
    NoGradient,
    /// The model is another function when it is differentiated.
    #[error(
        "the model's scores differ by {difference:.3e} between `B` and `Autodiff<B>`: Burn's dropout, noise and batch normalisation train on `Autodiff<B>`. \
         Attack a model whose `Classifier::logits` computes the same on both, for example with the running statistics applied as constants"
    )]
    TrainingMode {
        /// Largest difference of a score.
        difference: f32,
    },
    /// An attack broke the rules of its threat model.
    #[error(
        "{attack} moved image {index} by {distance}, beyond its epsilon of {epsilon}, or out of the pixel range; end `Attack::perturb` with `ThreatModel::project`"
    )]
    OutOfBounds {
        /// The attack.
        attack: String,
        /// Position of the image, from 0.
        index: usize,
        /// How far it moved.
        distance: f64,
        /// How far it may move.
        epsilon: f64,
    },
}

/// Refuses a setting outside of its range.
pub(super) fn require(
    holds: bool,
    setting: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), AttackError> {
    if holds { Ok(()) } else { Err(AttackError::Setting { setting, value, range }) }
}
