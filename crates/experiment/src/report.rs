//! A report as one HTML page that needs nothing else: no network, no scripts, figures inside.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::markup::escape;

const STYLE: &str = include_str!("report/style.css");
/// What a page begins with.
const BEGINNING: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"experiment\">";

/// A page that is built from top to bottom.
///
/// ```
/// use experiment::report::Report;
///
/// let page = Report::new("Two hops")
///     .paragraph("Exact gradients reach 95 % of answers.")
///     .table(["method", "accuracy"], [["exact", "95.2 % [94.1, 96.3]"], ["first order", "48.0 % [45.2, 50.8]"]])
///     .to_html();
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    title: String,
    body: String,
}

impl Report {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// Begins a section.
    #[must_use]
    pub fn heading(self, text: &str) -> Self {
        self.element("h2", text)
    }

    /// Adds a paragraph of text.
    #[must_use]
    pub fn paragraph(self, text: &str) -> Self {
        self.element("p", text)
    }

    /// Adds text as it stands, such as a configuration or a command.
    #[must_use]
    pub fn code(self, text: &str) -> Self {
        self.element("pre", text)
    }

    /// Adds a table. Cells that begin as numbers do are set to the right.
    #[must_use]
    pub fn table<'a, Row>(
        mut self,
        header: impl IntoIterator<Item = impl Into<Cow<'a, str>>>,
        rows: impl IntoIterator<Item = Row>,
    ) -> Self
    where
        Row: IntoIterator,
        Row::Item: AsRef<str>,
    {
        let header: String =
            header.into_iter().map(|name| format!("<th>{}</th>", escape(&name.into()))).collect();
        // The box scrolls by itself where a wide table meets a narrow screen.
        self.body +=
            &format!("<div class=\"table\"><table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n");
        for row in rows {
            let cells: String = row.into_iter().map(|text| cell(text.as_ref())).collect();
            self.body += &format!("<tr>{cells}</tr>\n");
        }
        self.body += "</tbody>\n</table></div>\n";
        self
    }

    /// Adds a figure. The `svg` is taken as it is, so it must come from [`crate::figure`] or be as trustworthy.
    #[must_use]
    pub fn figure(mut self, svg: &str, caption: &str) -> Self {
        let caption = escape(caption);
        self.body += &format!("<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>\n");
        self
    }

    fn element(mut self, tag: &str, text: &str) -> Self {
        self.body += &format!("<{tag}>{}</{tag}>\n", escape(text));
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let (title, body) = (escape(&self.title), &self.body);
        format!(
            "{BEGINNING}\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

/// Whether the file is a report's page, which a new one may replace.
pub fn is_page(path: &Path) -> bool {
    // What is no file, such as a pipe, may have nothing to read for ever.
    if !fs::metadata(path).is_ok_and(|there| there.is_file()) {
        return false;
    }
    let mut beginning = [0; BEGINNING.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == *BEGINNING.as_bytes()
}

fn cell(text: &str) -> String {
    let unsigned = text.trim_start_matches(['-', '+', '−', '<', '>', '≈', ' ']);
    let class = if unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        " class=\"number\""
    } else {
        ""
    };
    format!("<td{class}>{}</td>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_caller_writes_is_escaped() {
        let evil = "<script>alert('&')</script>";
        let page = Report::new(evil)
            .heading(evil)
            .paragraph(evil)
            .code(evil)
            .table([evil], [[evil]])
            .figure("", evil);
        let page = page.to_html();
        assert!(!page.contains("<script"));
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;").count(), 8);
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let page = Report::new("alone").figure("<svg></svg>", "none").to_html();
        for reference in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert!(page.contains("<svg></svg>"), "figures stand in the page");
    }

    #[test]
    fn numbers_are_set_to_the_right() {
        for number in ["3", "-0.5", "97.3 % [96.1, 98.2]", "< 0.01"] {
            assert!(cell(number).contains("number"), "{number}");
        }
        assert_eq!(cell("first order"), "<td>first order</td>");
        assert_eq!(cell(""), "<td></td>");
    }
}
