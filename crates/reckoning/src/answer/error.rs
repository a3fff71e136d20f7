//! Why there is no answer.

use crate::tokenizer::TokenizerError;

/// A question that a model cannot answer. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Prompt and answer do not fit the model's context.
    #[error(
        "{read} tokens of prompt and up to {more} more need a context of {}, but the model's is {context}; shorten \
         the prompt, allow fewer tokens of answer, or train with a larger model.context",
        read + more
    )]
    TooLong {
        /// Tokens read.
        read: usize,
        /// Tokens to be read on.
        more: usize,
        /// The model's context in tokens.
        context: usize,
    },
    /// Nothing to continue.
    #[error("the prompt has no token; give at least one, such as the end of a text")]
    EmptyPrompt,
    /// A setting or label that leaves nothing to do.
    #[error("{what} must not be {value}; give at least one")]
    Nothing {
        /// What is too few.
        what: &'static str,
        /// What it is.
        value: &'static str,
    },
    /// A length penalty that orders nothing.
    #[error("the length penalty is {0}; give a number of at least 0, where 0 is none")]
    LengthPenalty(f64),
    /// A token outside the vocabulary.
    #[error(
        "token {token} is outside the model's vocabulary of {vocabulary} tokens; use the model's own tokenizer"
    )]
    UnknownToken {
        /// The token.
        token: u32,
        /// Tokens of the model.
        vocabulary: usize,
    },
    /// The model's scores are NaN or infinite.
    #[error(
        "the model's scores after {read} tokens are not finite; its weights are damaged or diverged, so train with a lower outer.rate, or a lower \
         inner.rate where facts are encoded"
    )]
    NotFinite {
        /// Tokens read.
        read: usize,
    },
    /// A text cannot be turned into tokens or back.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
