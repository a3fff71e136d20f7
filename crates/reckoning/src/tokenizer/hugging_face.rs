//! The `tokenizer.json` of a pretrained model.

use std::path::Path;

use tokenizers::Tokenizer as Pretrained;

use super::TokenizerError;

/// Tokens with which models end a text, the most specific first.
const ENDS_OF_TEXT: [&str; 8] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "</s>",
    "<eos>",
    "[EOS]",
    "<|eot_id|>",
    "<end_of_text>",
];
const PADDINGS: [&str; 6] =
    ["<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<PAD>", "<|finetune_right_pad_id|>"];

/// A pretrained tokenizer, applied without its own padding, truncation and added start or end tokens.
#[derive(Clone, Debug)]
pub struct HuggingFaceTokenizer {
    inner: Pretrained,
    vocabulary_size: usize,
    end_of_text: u32,
    padding: u32,
}

impl HuggingFaceTokenizer {
    /// Loads a `tokenizer.json`. `end_of_text` names the token that ends a text; `None` looks for a usual one such as
    /// `<|endoftext|>`.
    ///
    /// # Errors
    /// [`TokenizerError::Access`] and [`TokenizerError::Malformed`] for the file, [`TokenizerError::NoEndOfText`]
    /// when there is no such token.
    pub fn load(path: impl AsRef<Path>, end_of_text: Option<&str>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| TokenizerError::Access { path: path.to_owned(), source })?;
        Self::from_json(path, &bytes, end_of_text)
    }

    /// As [`HuggingFaceTokenizer::load`], from the content of a file; `path` is for messages.
    pub(super) fn from_json(
        path: &Path,
        bytes: &[u8],
        end_of_text: Option<&str>,
    ) -> Result<Self, TokenizerError> {
        let malformed =
            |problem: String| TokenizerError::Malformed { path: path.to_owned(), problem };
        let mut inner =
            Pretrained::from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
        let wanted: Vec<&str> = end_of_text.map_or(ENDS_OF_TEXT.to_vec(), |token| vec![token]);
        let first_of = |tokens: &[&str]| tokens.iter().find_map(|token| inner.token_to_id(token));
        let end_of_text = first_of(&wanted).ok_or_else(|| TokenizerError::NoEndOfText {
            path: path.to_owned(),
            looked_for: wanted.join(", "),
        })?;
        let padding = first_of(&PADDINGS).unwrap_or(end_of_text);
        let vocabulary_size =
            inner.get_vocab(true).values().max().map_or(0, |largest| *largest as usize + 1);
        Ok(Self { inner, vocabulary_size, end_of_text, padding })
    }

    /// Token numbers of `text`. A tokenizer that has a token for unknown words uses it silently.
    ///
    /// # Errors
    /// [`TokenizerError::Failed`] when the tokenizer refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let failed = |error: tokenizers::Error| TokenizerError::Failed {
            input: format!("{text:?}"),
            problem: error.to_string(),
        };
        Ok(self.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    /// The text of `tokens`, leaving out special ones, padding and ends of texts.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownToken`] for a number outside the vocabulary, [`TokenizerError::Failed`] when the
    /// tokenizer refuses.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokenizerError> {
        if let Some(&token) = tokens.iter().find(|token| self.inner.id_to_token(**token).is_none())
        {
            return Err(TokenizerError::UnknownToken {
                token,
                vocabulary_size: self.vocabulary_size,
            });
        }
        let is_text = |token: &u32| ![self.end_of_text, self.padding].contains(token);
        let visible: Vec<u32> = tokens.iter().copied().filter(is_text).collect();
        let failed = |error: tokenizers::Error| TokenizerError::Failed {
            input: format!("{visible:?}"),
            problem: error.to_string(),
        };
        self.inner.decode(&visible, true).map_err(failed)
    }

    /// One more than the largest token number.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The token that ends a text.
    pub fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// The token that fills up rows; the end of text where the model has none.
    pub fn padding(&self) -> u32 {
        self.padding
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A `tokenizer.json` with the words `big` and `red`, an end of text, and a gap in its numbers.
    pub(in crate::tokenizer) fn example() -> String {
        r#"{
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "added_tokens": [{"id": 7, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}],
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "red", "vocab": {"red": 0, "big": 1, "<|endoftext|>": 7}}
        }"#
        .to_owned()
    }

    fn load(end_of_text: Option<&str>) -> Result<HuggingFaceTokenizer, TokenizerError> {
        HuggingFaceTokenizer::from_json(
            Path::new("tokenizer.json"),
            example().as_bytes(),
            end_of_text,
        )
    }

    #[test]
    fn texts_come_back_without_special_tokens() {
        let tokenizer = load(None).unwrap();
        assert_eq!(tokenizer.encode("big red").unwrap(), [1, 0]);
        assert_eq!(tokenizer.decode(&[1, 0, 7, 7]).unwrap(), "big red");
        assert_eq!(
            (tokenizer.vocabulary_size(), tokenizer.end_of_text(), tokenizer.padding()),
            (8, 7, 7)
        );
    }

    #[test]
    fn a_token_may_be_named_the_end_of_text() {
        let tokenizer = load(Some("big")).unwrap();
        assert_eq!(
            (tokenizer.end_of_text(), tokenizer.decode(&[0, 1]).unwrap().as_str()),
            (1, "red")
        );
        let error = load(Some("</s>")).unwrap_err();
        assert!(
            matches!(&error, TokenizerError::NoEndOfText { looked_for, .. } if looked_for == "</s>"),
            "{error}"
        );
    }

    #[test]
    fn numbers_in_a_gap_are_unknown() {
        let error = load(None).unwrap().decode(&[1, 3]).unwrap_err();
        assert!(
            matches!(error, TokenizerError::UnknownToken { token: 3, vocabulary_size: 8 }),
            "{error}"
        );
    }

    #[test]
    fn files_are_loaded_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, example()).unwrap();
        assert!(HuggingFaceTokenizer::load(&path, None).is_ok());
        std::fs::write(&path, &example()[..100]).unwrap();
        assert!(matches!(
            HuggingFaceTokenizer::load(&path, None),
            Err(TokenizerError::Malformed { .. })
        ));
        let missing = HuggingFaceTokenizer::load(folder.path().join("none"), None);
        assert!(matches!(missing, Err(TokenizerError::Access { .. })));
    }
}
