//! One token a word: the closed vocabulary of a generator or of a corpus.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use experiment::atomic::write_atomically;
use serde::{Deserialize, Serialize};

use super::TokenizerError;
use crate::data::words;

const PADDING: u32 = 0;
const END_OF_TEXT: u32 = 1;
/// Token numbers before those of words; written so that no word can be mistaken for them.
const SPECIAL: [&str; 2] = ["<padding>", "<end of text>"];

/// Splits texts at spaces and punctuation (see [`words`]) and numbers the words, sorted, after padding (0) and the end
/// of text (1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordTokenizer {
    words: Vec<String>,
    tokens: HashMap<String, u32>,
}

/// What is in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    words: Vec<String>,
}

impl WordTokenizer {
    /// A vocabulary of the given words, such as a generator's; repetitions count once.
    ///
    /// # Errors
    /// [`TokenizerError::NotAWord`] for a word that texts would be split within.
    pub fn from_words<W: AsRef<str>>(
        vocabulary: impl IntoIterator<Item = W>,
    ) -> Result<Self, TokenizerError> {
        let sorted: BTreeSet<String> =
            vocabulary.into_iter().map(|word| word.as_ref().to_owned()).collect();
        // A suffix such as 's is a word only behind another one.
        let is_word =
            |word: &str| words(word).eq([word]) || words(&format!("a{word}")).eq(["a", word]);
        if let Some(word) = sorted.iter().find(|word| !is_word(word)) {
            return Err(TokenizerError::NotAWord { word: word.clone() });
        }
        Ok(Self::numbered(sorted.into_iter().collect()))
    }

    fn numbered(words: Vec<String>) -> Self {
        let first = SPECIAL.len() as u32;
        let tokens = words.iter().cloned().zip(first..).collect();
        Self { words, tokens }
    }

    /// Writes the vocabulary as JSON; [`super::Tokenizer::load`] reads it.
    ///
    /// # Errors
    /// [`TokenizerError::Access`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TokenizerError> {
        let path = path.as_ref();
        let access = |source| TokenizerError::Access { path: path.to_owned(), source };
        let text = serde_json::to_vec(&Saved { words: self.words.clone() })
            .map_err(|error| access(error.into()))?;
        write_atomically(path, &text).map_err(access)
    }

    /// The vocabulary in a file's content; `None` when the content is something else.
    pub(super) fn from_json(bytes: &[u8]) -> Option<Result<Self, TokenizerError>> {
        serde_json::from_slice(bytes).ok().map(|Saved { words }| Self::from_words(words))
    }

    /// Token numbers of the words of `text`.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownWord`] for the first word outside the vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let token = |word: &str| {
            let unknown =
                || TokenizerError::UnknownWord { word: word.to_owned(), text: text.to_owned() };
            self.token(word).ok_or_else(unknown)
        };
        words(text).map(token).collect()
    }

    /// The words of `tokens` with a space between, leaving out padding and ends of texts.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownToken`] for a number outside the vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokenizerError> {
        let mut found = Vec::with_capacity(tokens.len());
        for &token in tokens.iter().filter(|token| **token as usize >= SPECIAL.len()) {
            let unknown =
                || TokenizerError::UnknownToken { token, vocabulary_size: self.vocabulary_size() };
            found
                .push(self.words.get(token as usize - SPECIAL.len()).ok_or_else(unknown)?.as_str());
        }
        Ok(found.join(" "))
    }

    /// The token of one word, if it is in the vocabulary.
    pub fn token(&self, word: &str) -> Option<u32> {
        self.tokens.get(word).copied()
    }

    /// The words, sorted, without padding and end of text; word i has token i + 2.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Words and the two other tokens.
    pub fn vocabulary_size(&self) -> usize {
        self.words.len() + SPECIAL.len()
    }

    /// The token that ends a text.
    pub fn end_of_text(&self) -> u32 {
        END_OF_TEXT
    }

    /// The token that fills up rows.
    pub fn padding(&self) -> u32 {
        PADDING
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::KnowledgeSet;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};

    #[test]
    fn a_generators_vocabulary_covers_its_corpus() {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        let tokenizer = WordTokenizer::from_words(generator.vocabulary()).unwrap();
        // 26 letters, 20 relations, 2 marks, padding and end of text.
        assert_eq!(tokenizer.vocabulary_size(), 50);
        let sets = generator.knowledge_sets(Chains::Any, 50).unwrap();
        for text in sets.iter().flat_map(KnowledgeSet::texts) {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn special_tokens_are_left_out_and_never_words() {
        let tokenizer = WordTokenizer::from_words(["red", "'s", "red"]).unwrap();
        let (end, padding) = (tokenizer.end_of_text(), tokenizer.padding());
        assert_eq!(tokenizer.decode(&[3, end, padding]).unwrap(), "red");
        assert_eq!(tokenizer.encode("red's").unwrap(), [3, 2]);
        assert!(SPECIAL.iter().all(|name| words(name).count() > 1));
    }

    #[test]
    fn what_is_not_known_is_named() {
        let tokenizer = WordTokenizer::from_words(["red"]).unwrap();
        let error = tokenizer.encode("red or blue").unwrap_err();
        assert!(
            matches!(&error, TokenizerError::UnknownWord { word, .. } if word == "or"),
            "{error}"
        );
        let error = tokenizer.decode(&[2, 3]).unwrap_err();
        assert!(
            matches!(error, TokenizerError::UnknownToken { token: 3, vocabulary_size: 3 }),
            "{error}"
        );
        for bad in ["two words", "", " red", "red."] {
            let error = WordTokenizer::from_words([bad]).unwrap_err();
            assert!(matches!(error, TokenizerError::NotAWord { .. }), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = WordTokenizer::from_words(["red"])
            .unwrap()
            .save("no/such/folder/words.json")
            .unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.json");
        for words in [vec!["red", "blue", "green"], vec!["red"]] {
            WordTokenizer::from_words(words).unwrap().save(&path).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), r#"{"words":["red"]}"#);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
    }

    proptest! {
        #[test]
        fn saving_keeps_the_numbers(vocabulary in prop::collection::btree_set("[a-z]{1,6}(-[a-z]{1,3})?", 0..20)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("words.json");
            let tokenizer = WordTokenizer::from_words(vocabulary).unwrap();
            tokenizer.save(&path).unwrap();
            let again = WordTokenizer::from_json(&std::fs::read(&path).unwrap()).unwrap().unwrap();
            prop_assert_eq!(again, tokenizer);
        }
    }
}
