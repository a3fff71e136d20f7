//! Action phrases: words as tokens, and a vector for each word.
//!
//! The paper reads actions through a frozen CLIP encoder, whose weights cannot be had offline. Here a phrase is the words
//! it consists of; a [`Vocabulary`] numbers them and gives each a fixed random vector that depends on the word alone, and
//! the denoiser attends to the vectors of a frame's phrase. [`Phrases`] holds the tokens of many frames.

mod phrases;
mod vocabulary;

pub use phrases::Phrases;
pub use vocabulary::{Encoded, Vocabulary};

/// Fills a phrase up to the common length; nothing attends to it.
pub const PADDING: u32 = 0;
/// The action of frames whose action is not told.
pub const NO_ACTION: u32 = 1;

/// A phrase or an array of phrases that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Not a word of a phrase is known.
    #[error("no word of the action {phrase:?} is known; use some of: {known}")]
    NoKnownWord {
        /// What was asked for.
        phrase: String,
        /// All known words.
        known: String,
    },
    /// A phrase has more words than the model reads.
    #[error("the action {phrase:?} has {found} words, but the model reads {most}; shorten it")]
    TooLong {
        /// What was asked for.
        phrase: String,
        /// Known words in it.
        found: usize,
        /// Words that the model reads.
        most: usize,
    },
    /// A list of words with one that no phrase can contain, or twice the same.
    #[error(
        "{word:?} cannot be in a vocabulary at its place; give single lower-case words, sorted and each once"
    )]
    NotAWord {
        /// The first such word.
        word: String,
    },
    /// Phrases that cannot stand one after the other.
    #[error(
        "phrases of shapes {first:?} and {second:?} cannot follow each other; give as many clips, and phrases of as many words"
    )]
    Unlike {
        /// `[batch, frames, words]` of the first.
        first: [usize; 3],
        /// `[batch, frames, words]` of the second.
        second: [usize; 3],
    },
    /// A token that stands for no word.
    #[error(
        "there is no token {token}, for the vocabulary has {size}; take phrases of the same model"
    )]
    NoSuchToken {
        /// The token.
        token: u32,
        /// Tokens that there are.
        size: usize,
    },
    /// Tokens that do not fill their shape.
    #[error("{found} tokens do not fill the shape {shape:?}; give one token for each place")]
    Shape {
        /// Tokens given.
        found: usize,
        /// `[batch, frames, words]`.
        shape: [usize; 3],
    },
}
