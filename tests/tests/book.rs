//! The book and the README: what they link to and the files that they name are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What a page names.
#[derive(Default)]
struct Page {
    /// Where its headings can be linked to.
    anchors: BTreeSet<String>,
    /// Targets of its links and pictures.
    links: Vec<String>,
    /// Words of its code, in the text and in blocks.
    code: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut page, mut heading) = (Self::default(), None);
        let mut in_block = false;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors.extend(heading.take().map(|heading| anchor(&heading)));
                }
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Text(text) | Event::Code(text) if heading.is_some() => {
                    heading.as_mut().unwrap().push_str(&text);
                }
                Event::Code(code) => page.named(&code),
                Event::Text(code) if in_block => page.named(&code),
                _ => {}
            }
        }
        page
    }

    fn named(&mut self, code: &str) {
        self.code.extend(code.split_whitespace().map(str::to_owned));
    }
}

/// A heading as mdBook links to it.
fn anchor(heading: &str) -> String {
    let kept = |letter: char| match letter {
        _ if letter.is_whitespace() => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then(|| letter.to_ascii_lowercase()),
    };
    heading.trim().chars().filter_map(kept).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The README and the pages of the book.
fn pages() -> BTreeMap<PathBuf, Page> {
    let book = root().join("docs/src").read_dir().unwrap();
    let paths = book.map(|entry| entry.unwrap().path()).chain([root().join("README.md")]);
    let is_page = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "md");
    paths.filter(is_page).map(|path| (path.clone(), Page::read(&path))).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut checked = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => {
                    path.parent().unwrap().join(file).canonicalize().unwrap_or_else(|error| {
                        panic!("{} links to {link}: {error}", path.display())
                    })
                }
            };
            let there = anchor.is_empty() || pages[&target].anchors.contains(anchor);
            assert!(there, "{} links to {link}, and there is no such heading", path.display());
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} links");
}

#[test]
fn every_page_is_in_the_summary() {
    let pages = pages();
    let book = root().join("docs/src");
    let listed: BTreeSet<&str> =
        pages[&book.join("SUMMARY.md")].links.iter().map(String::as_str).collect();
    for page in pages.keys().filter(|path| path.starts_with(&book)) {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || listed.contains(name), "{name} is not in SUMMARY.md");
    }
}

/// Configurations, results, examples and scripts; patterns as far as their first star.
#[test]
fn files_that_are_named_are_there() {
    let mut checked = 0;
    for (path, page) in pages() {
        for word in &page.code {
            let word = word.trim_end_matches([',', ';', '.', ')']);
            let is_file =
                ["configs/", "docs/", "crates/", "tests/"].iter().any(|top| word.starts_with(top));
            if !is_file || word.contains(['{', '<', '|', '$']) {
                continue;
            }
            let fixed = word.split('*').next().unwrap();
            let found = match fixed == word {
                true => root().join(word).exists(),
                false => begins_a_name(&root().join(fixed)),
            };
            assert!(found, "{} names {word}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} names");
}

/// Whether a file in the same folder has a name that begins so.
fn begins_a_name(path: &Path) -> bool {
    let folder = if path.is_dir() { path } else { path.parent().unwrap() };
    let name = match path.is_dir() {
        true => "",
        false => path.file_name().unwrap().to_str().unwrap(),
    };
    let begins = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_str().unwrap().starts_with(name)
    };
    folder.read_dir().is_ok_and(|mut entries| entries.any(begins))
}
