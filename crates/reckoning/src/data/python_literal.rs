//! Python literals, which is how CLUTRR's tables write tuples, lists and dictionaries into their cells.

/// A value written as Python source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// An integer.
    Integer(i64),
    /// A string in either kind of quotes.
    Text(String),
    /// A list, tuple or set.
    Sequence(Vec<Literal>),
    /// A dictionary, in the order written.
    Dictionary(Vec<(Literal, Literal)>),
    /// `None`, `True` or `False`.
    Name(String),
}

/// Nesting beyond this is refused instead of exhausting the stack.
const DEEPEST: usize = 64;

impl Literal {
    /// Reads a whole cell; the error says what was expected and at which character, counted from 1.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text, whole: text };
        let value = reader.value(0)?;
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.expected("nothing more")),
        }
    }

    /// The elements of a list or tuple.
    pub(super) fn sequence(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(elements) => Some(elements),
            _ => None,
        }
    }

    /// The content of a string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that counts or numbers something.
    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Integer(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Reader<'_> {
    fn expected(&self, what: &str) -> String {
        let position = self.whole[..self.whole.len() - self.rest.len()].chars().count() + 1;
        format!("{what} at character {position}")
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.rest = &self.rest[character.len_utf8()..];
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        if depth > DEEPEST {
            return Err(self.expected("less nesting"));
        }
        match self.peek() {
            Some('[') => self.elements('[', ']', depth).map(Literal::Sequence),
            Some('(') => self.elements('(', ')', depth).map(Literal::Sequence),
            Some('{') => self.dictionary(depth),
            Some('\'' | '"') => self.string(),
            Some(c) if c == '-' || c == '+' || c.is_ascii_digit() => self.integer(),
            Some(c) if c.is_alphabetic() => {
                Ok(Literal::Name(self.run(char::is_alphanumeric).to_owned()))
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn elements(&mut self, open: char, close: char, depth: usize) -> Result<Vec<Literal>, String> {
        self.take(open);
        let mut elements = Vec::new();
        while !self.take(close) {
            if !elements.is_empty() && !self.take(',') {
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
            if self.take(close) {
                break;
            }
            elements.push(self.value(depth + 1)?);
        }
        Ok(elements)
    }

    fn dictionary(&mut self, depth: usize) -> Result<Literal, String> {
        self.take('{');
        let mut entries = Vec::new();
        while !self.take('}') {
            if !entries.is_empty() && !self.take(',') {
                return Err(self.expected("`,` or `}`"));
            }
            if self.take('}') {
                break;
            }
            let key = self.value(depth + 1)?;
            if !self.take(':') {
                return Err(self.expected("`:`"));
            }
            entries.push((key, self.value(depth + 1)?));
        }
        Ok(Literal::Dictionary(entries))
    }

    /// A string with the escapes that occur in names and sentences; other escapes stay as written.
    fn string(&mut self) -> Result<Literal, String> {
        let Some(quote) = self.peek() else { return Err(self.expected("a string")) };
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\'' | '"' | '\\'))) => text.push(escaped),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                _ if character == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Literal::Text(text));
                }
                _ => text.push(character),
            }
        }
        Err(self.expected(&format!("a string closed by {quote}")))
    }

    fn integer(&mut self) -> Result<Literal, String> {
        let expected = self.expected("an integer");
        let digits = self.run(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | '_' | 'e'));
        digits.parse().map(Literal::Integer).map_err(|_| expected)
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    #[test]
    fn the_cells_of_clutrr_are_read() {
        let pair = Literal::Sequence(vec![text("Donald"), text("O'Hara")]);
        assert_eq!(Literal::parse("('Donald', \"O'Hara\")"), Ok(pair.clone()));
        assert_eq!(Literal::parse(" [ 'Donald' ,'O\\'Hara', ] "), Ok(pair.clone()));
        let numbers = Literal::Sequence(vec![Literal::Integer(0), Literal::Integer(-12)]);
        assert_eq!(Literal::parse("(0, -12)"), Ok(numbers.clone()));
        assert_eq!(Literal::parse("[{(0, -12): ('Donald', \"O'Hara\")}]"), {
            Ok(Literal::Sequence(vec![Literal::Dictionary(vec![(numbers, pair)])]))
        });
        assert_eq!(Literal::parse("None"), Ok(Literal::Name("None".to_owned())));
        assert_eq!(Literal::parse("()"), Ok(Literal::Sequence(vec![])));
    }

    #[test]
    fn errors_say_what_and_where() {
        for (cell, error) in [
            ("", "a value at character 1"),
            ("(1, 2", "`,` or `)` at character 6"),
            ("[1 2]", "`,` or `]` at character 4"),
            ("{1 2}", "`:` at character 4"),
            ("('ä', 'b)", "a string closed by ' at character 7"),
            ("(1, 2) 3", "nothing more at character 8"),
            ("1.5", "an integer at character 1"),
            ("(,)", "a value at character 2"),
        ] {
            assert_eq!(Literal::parse(cell), Err(error.to_owned()), "{cell}");
        }
        assert!(Literal::parse(&"[".repeat(10_000)).unwrap_err().starts_with("less nesting"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(cell in "[\\[\\]\\(\\){}:,'\"\\\\ a0-]{0,40}") {
            let _ = Literal::parse(&cell);
        }
    }
}
