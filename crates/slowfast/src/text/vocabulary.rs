//! The words that actions are made of.

use std::collections::BTreeSet;

use burn::tensor::TensorData;
use experiment::seed::Seed;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{NO_ACTION, PADDING, TextError};

/// Tokens that are no words.
const SPECIAL: usize = 2;

/// Known words, sorted; a word's token is its place after the special ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    words: Vec<String>,
}

/// A phrase as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// As many tokens as were asked for.
    pub tokens: Vec<u32>,
    /// Words that were left out because nobody taught the model what they mean.
    pub unknown: Vec<String>,
}

impl Vocabulary {
    /// Every word of `phrases`.
    pub fn of_phrases<S: AsRef<str>>(phrases: impl IntoIterator<Item = S>) -> Self {
        let words: BTreeSet<String> =
            phrases.into_iter().flat_map(|phrase| words_of(phrase.as_ref())).collect();
        Self { words: words.into_iter().collect() }
    }

    /// Tokens in all, special ones included.
    pub fn size(&self) -> usize {
        SPECIAL + self.words.len()
    }

    /// The words, sorted.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// `phrase` as `length` tokens, whatever its letters' case and punctuation. A phrase without words is
    /// [`NO_ACTION`]; unknown words are left out and reported.
    ///
    /// # Errors
    /// [`TextError::NoKnownWord`] if there are words and none is known, [`TextError::TooLong`].
    pub fn encode(&self, phrase: &str, length: usize) -> Result<Encoded, TextError> {
        let (mut tokens, mut unknown) = (Vec::new(), Vec::new());
        for word in words_of(phrase) {
            match self.words.binary_search(&word) {
                Ok(place) => tokens.push((SPECIAL + place) as u32),
                Err(_) => unknown.push(word),
            }
        }
        if tokens.is_empty() {
            if !unknown.is_empty() {
                let known = self.words.join(", ");
                return Err(TextError::NoKnownWord { phrase: phrase.into(), known });
            }
            tokens.push(NO_ACTION);
        }
        if tokens.len() > length {
            let (phrase, found) = (phrase.into(), tokens.len());
            return Err(TextError::TooLong { phrase, found, most: length });
        }
        tokens.resize(length, PADDING);
        Ok(Encoded { tokens, unknown })
    }

    /// The words of `phrases` that are left out when these are encoded, sorted.
    pub fn unknown_words<S: AsRef<str>>(
        &self,
        phrases: impl IntoIterator<Item = S>,
    ) -> BTreeSet<String> {
        let words = phrases.into_iter().flat_map(|phrase| words_of(phrase.as_ref()));
        words.filter(|word| self.words.binary_search(word).is_err()).collect()
    }

    /// The words that a phrase's tokens stand for; none for [`NO_ACTION`] alone.
    ///
    /// # Errors
    /// [`TextError::NoSuchToken`] for a token beyond the vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TextError> {
        let words = tokens.iter().filter(|token| ![PADDING, NO_ACTION].contains(token));
        let word = |&token: &u32| {
            let word = self.words.get(token as usize - SPECIAL);
            word.map(String::as_str).ok_or(TextError::NoSuchToken { token, size: self.size() })
        };
        Ok(words.map(word).collect::<Result<Vec<_>, _>>()?.join(" "))
    }

    /// A vector for each token, `[size, width]`, standard normal. That of a word does not depend on the other words.
    pub fn vectors(&self, width: usize) -> TensorData {
        let vectors = Seed::new(0).child("word vectors");
        let special = (0..SPECIAL as u64).map(|token| vectors.index(token));
        let seeds = special.chain(self.words.iter().map(|word| vectors.child(word)));
        let draw = |seed: Seed| -> Vec<f32> {
            let mut random = seed.rng();
            (0..width).map(|_| StandardNormal.sample(&mut random)).collect()
        };
        TensorData::new(seeds.flat_map(draw).collect(), [self.size(), width])
    }
}

/// The words of a phrase in lower case; each is its own only word.
fn words_of(phrase: &str) -> Vec<String> {
    // Before it is split: in lower case `İ` is an `i` and a dot, which is no letter.
    let phrase = phrase.to_lowercase();
    let words = phrase.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.words
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = TextError;

    fn try_from(words: Vec<String>) -> Result<Self, TextError> {
        let is_word = |word: &str| words_of(word) == [word];
        let misplaced = |pair: &&[String]| pair[0] >= pair[1];
        let refused = words
            .iter()
            .find(|word| !is_word(word))
            .or_else(|| words.windows(2).find(misplaced).map(|pair| &pair[1]));
        match refused {
            Some(word) => Err(TextError::NotAWord { word: word.clone() }),
            None => Ok(Self { words }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vocabulary() -> Vocabulary {
        Vocabulary::of_phrases(["turn left, go forward", "Turn right"])
    }

    #[test]
    fn phrases_become_tokens_of_one_length() {
        let vocabulary = vocabulary();
        assert_eq!(vocabulary.words(), ["forward", "go", "left", "right", "turn"]);
        let encode = |phrase| vocabulary.encode(phrase, 4).unwrap();
        assert_eq!(encode("Turn RIGHT!").tokens, [6, 5, PADDING, PADDING]);
        assert_eq!(encode(" ... ").tokens, [NO_ACTION, PADDING, PADDING, PADDING]);
    }

    #[test]
    fn unknown_words_are_left_out_and_told() {
        let found = vocabulary().encode("turn quickly left", 4).unwrap();
        assert_eq!((found.tokens, found.unknown), (vec![6, 4, 0, 0], vec!["quickly".into()]));
        let unknown = vocabulary().unknown_words(["Quickly, turn left!", "do not turn left", ""]);
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["do", "not", "quickly"]);
        let refused = vocabulary().encode("dance", 4).unwrap_err().to_string();
        assert!(refused.contains("forward, go, left, right, turn"), "{refused}");
    }

    #[test]
    fn tokens_become_words_again() {
        let vocabulary = vocabulary();
        let said = |phrase| {
            let tokens = vocabulary.encode(phrase, 4).unwrap().tokens;
            vocabulary.decode(&tokens).unwrap()
        };
        assert_eq!((said("Turn LEFT!"), said("")), ("turn left".into(), String::new()));
        assert_eq!(vocabulary.decode(&[7]), Err(TextError::NoSuchToken { token: 7, size: 7 }));
    }

    #[test]
    fn long_phrases_are_refused() {
        let refused = vocabulary().encode("go go go", 2).unwrap_err();
        assert!(matches!(refused, TextError::TooLong { found: 3, most: 2, .. }));
    }

    #[test]
    fn a_word_keeps_its_vector_in_other_company() {
        let vector = |vocabulary: &Vocabulary, word: &str| {
            let token = vocabulary.encode(word, 1).unwrap().tokens[0] as usize;
            let vectors = vocabulary.vectors(3).into_vec::<f32>().unwrap();
            vectors[3 * token..3 * token + 3].to_vec()
        };
        let alone = Vocabulary::of_phrases(["turn"]);
        assert_eq!(vector(&alone, "turn"), vector(&vocabulary(), "turn"));
        assert_ne!(vector(&vocabulary(), "left"), vector(&vocabulary(), "right"));
    }

    #[test]
    fn stored_words_are_checked() {
        let read = serde_json::from_str::<Vocabulary>;
        assert_eq!(read(r#"["go","left"]"#).unwrap(), Vocabulary::of_phrases(["left go"]));
        for text in [r#"["left","go"]"#, r#"["go","go"]"#, r#"["Go"]"#, r#"["go on"]"#, r#"[""]"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_letter_that_is_two_in_lower_case_makes_words_that_can_be_stored() {
        let vocabulary = Vocabulary::of_phrases(["İleri git"]);
        assert_eq!(vocabulary.words(), ["git", "i", "leri"]);
        let json = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
    }

    proptest! {
        #[test]
        fn every_phrase_can_be_encoded_by_its_own_vocabulary_and_the_stored_one(phrase in "\\PC{0,40}") {
            let vocabulary = Vocabulary::of_phrases([&phrase]);
            let json = serde_json::to_string(&vocabulary).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Vocabulary>(&json).unwrap(), &vocabulary);
            let encoded = vocabulary.encode(&phrase, 80).unwrap();
            prop_assert!(encoded.unknown.is_empty());
            prop_assert!(encoded.tokens.iter().all(|&token| (token as usize) < vocabulary.size()));
        }
    }
}
