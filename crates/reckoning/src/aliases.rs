//! Letters that stand for names which a closed vocabulary does not have.
//!
//! A small model knows people as letters, as the CLUTRR-SG data does. Names that it does not know are replaced, in
//! order of appearance, by letters that the texts do not use, and put back into answers.

use std::collections::HashSet;

use crate::data::{letters, words};
use crate::tokenizer::Tokenizer;

/// Which letter stands for which name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// Finds the capitalised words of `texts` that `tokenizer` does not know. A pretrained tokeniser knows every word.
    pub fn of<T: AsRef<str>>(texts: &[T], tokenizer: &Tokenizer) -> Self {
        let Tokenizer::Word(known) = tokenizer else { return Self::default() };
        let all = || texts.iter().flat_map(|text| words(text.as_ref()));
        let used: HashSet<&str> = all().collect();
        let free =
            |letter: &String| known.token(letter).is_some() && !used.contains(letter.as_str());
        let mut letters = letters().into_iter().filter(free);
        let mut found: Vec<(String, String)> = Vec::new();
        for word in
            all().filter(|word| word.starts_with(char::is_uppercase) && known.token(word).is_none())
        {
            if found.iter().any(|(name, _)| name == word) {
                continue;
            }
            let Some(letter) = letters.next() else { break };
            found.push((word.to_owned(), letter));
        }
        Self(found)
    }

    /// A word of `question` that is the letter of a name, though nobody is called so: the texts of [`Self::of`] do not use it.
    pub fn stranger<'q>(&self, question: &'q str) -> Option<&'q str> {
        words(question).find(|word| self.0.iter().any(|(_, letter)| letter == word))
    }

    /// `text` with letters for names.
    pub fn hide(&self, text: &str) -> String {
        self.replace(text, |(name, letter)| (name.as_str(), letter.as_str()))
    }

    /// `text` with names for letters.
    pub fn show(&self, text: &str) -> String {
        self.replace(text, |(name, letter)| (letter.as_str(), name.as_str()))
    }

    fn replace(&self, text: &str, pair: impl Fn(&(String, String)) -> (&str, &str)) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let exchange = |word: &str| {
            let found = self.0.iter().map(&pair).find(|(from, _)| *from == word);
            found.map_or_else(|| word.to_owned(), |(_, to)| to.to_owned())
        };
        words(text).map(exchange).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::WordTokenizer;

    fn tokenizer() -> Tokenizer {
        let vocabulary = letters().into_iter().chain(["son", "The", "."].map(String::from));
        Tokenizer::Word(WordTokenizer::from_words(vocabulary).unwrap())
    }

    #[test]
    fn unknown_names_get_free_letters_and_come_back() {
        let texts = ["Alice son A .", "The son Bob ."];
        let names = Aliases::of(&texts, &tokenizer());
        assert_eq!(names.hide("Alice son Bob ."), "B son C .");
        assert_eq!(names.show("B son C ."), "Alice son Bob .");
        assert_eq!(names.hide("A son Carol ."), "A son Carol .");
        assert_eq!((names.stranger("Alice ? A ."), names.stranger("A ? C .")), (None, Some("C")));
    }

    #[test]
    fn known_and_lower_case_words_are_no_names() {
        assert_eq!(Aliases::of(&["The cousin A ."], &tokenizer()), Aliases::default());
    }
}
