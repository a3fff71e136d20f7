//! A tokenizer that can be written again.

use std::path::Path;

use experiment::atomic::write_atomically;

use crate::fingerprint::Fingerprint;
use crate::tokenizer::{Tokenizer, TokenizerError, WordTokenizer};

/// A tokenizer with what its file holds. A pretrained one is kept as it was read, so that nothing of it gets lost.
#[derive(Clone, Debug)]
pub struct StoredTokenizer {
    tokenizer: Tokenizer,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Words(WordTokenizer),
    File(Vec<u8>),
}

impl StoredTokenizer {
    /// Reads a word vocabulary or a `tokenizer.json`, recognised by its content.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let tokenizer = Tokenizer::load(path)?;
        let content = match &tokenizer {
            Tokenizer::Word(words) => Content::Words(words.clone()),
            Tokenizer::HuggingFace(_) => {
                let access = |source| TokenizerError::Access { path: path.to_owned(), source };
                Content::File(std::fs::read(path).map_err(access)?)
            }
        };
        Ok(Self { tokenizer, content })
    }

    /// Writes the tokenizer; [`Self::load`] reads it.
    ///
    /// # Errors
    /// [`TokenizerError::Access`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TokenizerError> {
        let access = |source| TokenizerError::Access { path: path.to_owned(), source };
        match &self.content {
            Content::Words(words) => words.save(path),
            Content::File(content) => write_atomically(path, content).map_err(access),
        }
    }

    /// What tells two tokenizers apart: the words, or the content of the file.
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.content {
            Content::Words(words) => {
                let words: Vec<&[u8]> = words.words().iter().map(String::as_bytes).collect();
                Fingerprint::of_parts(&words)
            }
            Content::File(content) => Fingerprint::of_parts(&[content]),
        }
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

impl From<WordTokenizer> for StoredTokenizer {
    fn from(words: WordTokenizer) -> Self {
        Self { tokenizer: Tokenizer::Word(words.clone()), content: Content::Words(words) }
    }
}
