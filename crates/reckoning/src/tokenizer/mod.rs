//! Text to token numbers and back: a closed vocabulary of words, or a pretrained model's `tokenizer.json`.

mod hugging_face;
mod word;

use std::path::{Path, PathBuf};

pub use hugging_face::HuggingFaceTokenizer;
pub use word::WordTokenizer;

/// A failure to load, save or apply a tokenizer. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is no tokenizer.
    #[error("{}: neither a word vocabulary nor a Hugging Face tokenizer.json ({problem})", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A word outside the vocabulary.
    #[error(
        "the word {word:?} in {text:?} is not in the vocabulary; build the vocabulary from data that has it, or use \
         the wording and names that the model was trained with"
    )]
    UnknownWord {
        /// The word.
        word: String,
        /// The text it is in.
        text: String,
    },
    /// A token number outside the vocabulary.
    #[error(
        "token {token} is outside the vocabulary of {vocabulary_size} tokens; use the tokenizer of the model"
    )]
    UnknownToken {
        /// The number.
        token: u32,
        /// Tokens there are.
        vocabulary_size: usize,
    },
    /// A word that cannot be in a vocabulary of words.
    #[error(
        "{word:?} is not a single word (texts are split at spaces and punctuation); split it up"
    )]
    NotAWord {
        /// The would-be word.
        word: String,
    },
    /// No token that ends a text.
    #[error("{}: none of its tokens ends a text (looked for {looked_for}); give the tokenizer.json of a model that has one of these", path.display())]
    NoEndOfText {
        /// The file.
        path: PathBuf,
        /// Tokens looked for.
        looked_for: String,
    },
    /// A Hugging Face tokenizer refused.
    #[error("the tokenizer failed on {input}: {problem}")]
    Failed {
        /// The text or tokens.
        input: String,
        /// What the tokenizer said.
        problem: String,
    },
}

/// Marks that no space comes before.
const CLOSE_MARKS: [char; 8] = [',', '.', ';', ':', '?', '!', ')', '\''];

/// A tokenizer of either kind.
#[derive(Clone, Debug)]
pub enum Tokenizer {
    /// One token a word, from a closed vocabulary.
    Word(WordTokenizer),
    /// Tokens of a pretrained model.
    HuggingFace(Box<HuggingFaceTokenizer>),
}

impl Tokenizer {
    /// Loads a file written by [`WordTokenizer::save`] or a `tokenizer.json`, recognised by its content.
    ///
    /// # Errors
    /// [`TokenizerError::Access`] and [`TokenizerError::Malformed`] for the file, [`TokenizerError::NoEndOfText`] for
    /// a `tokenizer.json` without a token that ends a text.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| TokenizerError::Access { path: path.to_owned(), source })?;
        match WordTokenizer::from_json(&bytes) {
            Some(tokenizer) => tokenizer.map(Self::Word),
            None => Ok(Self::HuggingFace(Box::new(HuggingFaceTokenizer::from_json(
                path, &bytes, None,
            )?))),
        }
    }

    /// Token numbers of `text`, without a token for its end.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownWord`] for a word outside a closed vocabulary, [`TokenizerError::Failed`] when a Hugging
    /// Face tokenizer refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match self {
            Self::Word(tokenizer) => tokenizer.encode(text),
            Self::HuggingFace(tokenizer) => tokenizer.encode(text),
        }
    }

    /// Token numbers of `text` where it follows another text: a pretrained tokenizer, for which a space belongs to the
    /// word behind it, gets one, unless `text` begins with a mark that stands close to the word before.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_after(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match self {
            Self::Word(tokenizer) => tokenizer.encode(text),
            Self::HuggingFace(tokenizer) if text.is_empty() || text.starts_with(CLOSE_MARKS) => {
                tokenizer.encode(text)
            }
            Self::HuggingFace(tokenizer) => tokenizer.encode(&format!(" {}", text.trim_start())),
        }
    }

    /// The text of `tokens`, leaving out padding and ends of texts.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownToken`] for a number outside the vocabulary, [`TokenizerError::Failed`] when a Hugging
    /// Face tokenizer refuses.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokenizerError> {
        match self {
            Self::Word(tokenizer) => tokenizer.decode(tokens),
            Self::HuggingFace(tokenizer) => tokenizer.decode(tokens),
        }
    }

    /// One more than the largest token number: the rows of an embedding table.
    pub fn vocabulary_size(&self) -> usize {
        match self {
            Self::Word(tokenizer) => tokenizer.vocabulary_size(),
            Self::HuggingFace(tokenizer) => tokenizer.vocabulary_size(),
        }
    }

    /// The token that ends a text.
    pub fn end_of_text(&self) -> u32 {
        match self {
            Self::Word(tokenizer) => tokenizer.end_of_text(),
            Self::HuggingFace(tokenizer) => tokenizer.end_of_text(),
        }
    }

    /// The token that fills up rows; the end of text where a pretrained model has none, as in the paper's code.
    pub fn padding(&self) -> u32 {
        match self {
            Self::Word(tokenizer) => tokenizer.padding(),
            Self::HuggingFace(tokenizer) => tokenizer.padding(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_kind_is_recognised_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let words = folder.path().join("words");
        WordTokenizer::from_words(["red", "big"]).unwrap().save(&words).unwrap();
        assert!(matches!(Tokenizer::load(&words), Ok(Tokenizer::Word(_))));
        let pretrained = folder.path().join("pretrained");
        std::fs::write(&pretrained, hugging_face::tests::example()).unwrap();
        let tokenizer = Tokenizer::load(&pretrained).unwrap();
        assert!(matches!(tokenizer, Tokenizer::HuggingFace(_)));
        let tokens = tokenizer.encode("big red").unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap(), "big red");
    }

    #[test]
    fn what_follows_a_text_is_parted_from_it_by_a_space() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gpt2_tiny");
        let tokenizer = Tokenizer::load(format!("{folder}/tokenizer.json")).unwrap();
        let joined = |parts: &[&str]| {
            let first = tokenizer.encode(parts[0]).unwrap();
            let rest = parts[1..].iter().map(|part| tokenizer.encode_after(part).unwrap());
            let tokens: Vec<u32> = first.into_iter().chain(rest.flatten()).collect();
            (tokenizer.decode(&tokens).unwrap(), tokens)
        };
        let (text, tokens) = joined(&["blue", "because", "Bob is kind", ".", " the bear"]);
        assert_eq!(text, "blue because Bob is kind. the bear");
        assert_eq!(tokens, tokenizer.encode("blue because Bob is kind. the bear").unwrap());
        assert_eq!(joined(&["blue", ""]).0, "blue");
        let words = Tokenizer::Word(WordTokenizer::from_words(["red", "big"]).unwrap());
        assert_eq!(words.encode_after("big red").unwrap(), words.encode("big red").unwrap());
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Tokenizer::load(folder.path().join("none")),
            Err(TokenizerError::Access { .. })
        ));
        for (name, text) in [
            ("text", "hello"),
            ("other", "{\"a\": 1}"),
            ("empty", ""),
            ("words", "{\"words\": [1]}"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert!(
                matches!(Tokenizer::load(&path), Err(TokenizerError::Malformed { .. })),
                "{text}"
            );
        }
    }
}
