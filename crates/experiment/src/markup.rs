//! Text inside HTML and SVG.

/// `text` with the characters that mean something in markup written out, for element content and quoted attributes.
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_open_a_tag_or_close_an_attribute() {
        assert_eq!(escape("<b a='\"'>&amp; é"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;amp; é");
    }
}
