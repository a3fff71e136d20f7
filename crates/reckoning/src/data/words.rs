//! Splitting text into words and punctuation marks, shared by renaming, statistics and the word tokenizer.

use std::collections::HashSet;

/// Byte ranges of the words of `text`, in order.
///
/// A word is a run of letters and digits; a hyphen or underscore between two of them belongs to it
/// (`father-in-law`). An apostrophe that follows a letter starts a word of its own (`Gary's` is `Gary`, `'s`), so
/// that a name is the same word in every case. Every other visible character is a word by itself.
fn spans(text: &str) -> Vec<(usize, usize)> {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let ends_at = |index: usize| characters.get(index).map_or(text.len(), |(at, _)| *at);
    let is_letter = |index: usize| characters.get(index).is_some_and(|(_, c)| c.is_alphanumeric());
    let mut spans = Vec::new();
    let mut index = 0;
    while index < characters.len() {
        let (start, character) = characters[index];
        if character.is_whitespace() {
            index += 1;
            continue;
        }
        let is_suffix =
            character == '\'' && index > 0 && is_letter(index - 1) && is_letter(index + 1);
        index += 1;
        if character.is_alphanumeric() || is_suffix {
            while is_letter(index)
                || (matches!(characters.get(index), Some((_, '-' | '_'))) && is_letter(index + 1))
            {
                index += 1;
            }
        }
        spans.push((start, ends_at(index)));
    }
    spans
}

/// The words of `text`, in order: `"Bob is red."` gives `Bob`, `is`, `red`, `.`; see the module for what a word is.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    spans(text).into_iter().map(|(start, end)| &text[start..end])
}

/// `text` with every word replaced by what `replace` gives for it (`None` keeps the word); spacing is kept.
pub(super) fn replace_words<'a>(
    text: &'a str,
    mut replace: impl FnMut(&'a str) -> Option<&'a str>,
) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, end) in spans(text) {
        let word = &text[start..end];
        replaced.push_str(&text[copied..start]);
        replaced.push_str(replace(word).unwrap_or(word));
        copied = end;
    }
    replaced.push_str(&text[copied..]);
    replaced
}

/// The different ones of `names`, in order of first appearance.
pub(super) fn distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn punctuation_is_split_from_words_but_hyphens_are_not() {
        let found: Vec<&str> = words("[Bob]'s father-in-law isn't Gary's, - is he?").collect();
        let expected = [
            "[",
            "Bob",
            "]",
            "'",
            "s",
            "father-in-law",
            "isn",
            "'t",
            "Gary",
            "'s",
            ",",
            "-",
            "is",
            "he",
            "?",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn replacing_touches_whole_words_only() {
        let renamed = replace_words("A son Al .  A's", |word| (word == "A").then_some("Q"));
        assert_eq!(renamed, "Q son Al .  Q's");
    }

    proptest! {
        #[test]
        fn words_hold_every_visible_character(text in "\\PC{0,60}") {
            let visible: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(words(&text).collect::<String>(), visible);
        }

        #[test]
        fn replacing_nothing_changes_nothing(text in "\\PC{0,60}") {
            prop_assert_eq!(replace_words(&text, |_| None), text);
        }
    }
}
