//! Objects that cannot be used.

use crate::flower::npy::NpyError;

/// An object that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Bytes that were changed on the way, or another object's.
    #[error(
        "object {id} was received with the hash {found}; a proxy or the SuperLink changed it: run the round again"
    )]
    Hash {
        /// The object that was asked for.
        id: String,
        /// SHA-256 of what came.
        found: String,
    },
    /// No head, or one that cannot be understood.
    #[error("object {id} has no readable head; this client speaks the format of Flower 1.41")]
    Head {
        /// The object.
        id: String,
    },
    /// A body that is longer or shorter than the head says.
    #[error(
        "object {id} should have a body of {expected} bytes, but has {found}; run the round again"
    )]
    Length {
        /// The object.
        id: String,
        /// Bytes by the head.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// A child that was not received.
    #[error("object {id} is part of a message, but was not received; run the round again")]
    Missing {
        /// The object.
        id: String,
    },
    /// An object of another type than its place asks for.
    #[error(
        "object {id} is of type {found}, but {expected} is needed there; this client speaks the format of Flower 1.41"
    )]
    Type {
        /// The object.
        id: String,
        /// What it is.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// A body that cannot be understood.
    #[error(
        "the body of object {id} cannot be read: {cause}; this client speaks the format of Flower 1.41"
    )]
    Body {
        /// The object.
        id: String,
        /// Why.
        cause: String,
    },
    /// A message that would fill the memory.
    #[error(
        "the message takes more than the {most} bytes of memory that this client gives to one; send the weights of the network that it trains, and nothing else"
    )]
    TooLarge {
        /// Bytes that a message may take.
        most: usize,
    },
    /// An array that is not one of NumPy's.
    #[error(
        "array {id} is serialised as `{found}`; send it as `numpy.ndarray`, as `Array(numpy_array)` does"
    )]
    Serialisation {
        /// The object.
        id: String,
        /// How it is serialised.
        found: String,
    },
    /// An array that cannot be used.
    #[error("array {id} cannot be used")]
    Array {
        /// The object.
        id: String,
        /// Why.
        #[source]
        cause: NpyError,
    },
}
