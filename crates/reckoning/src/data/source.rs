//! The texts behind a path: one file, the entries of a zip archive, or everything in a folder.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::DataError;

/// The largest file or archive entry that is read, in bytes: a guard against archives made to fill the memory.
const LARGEST: u64 = 4 << 30;

/// A file, or an entry of an archive.
#[derive(Debug)]
pub(super) struct Source {
    /// For messages: the path, with the entry after the archive.
    pub(super) name: String,
    /// File name without folders and extension, which may name the split.
    pub(super) stem: String,
    /// The text without a byte order mark, or where it stops being UTF-8.
    pub(super) text: Result<String, String>,
}

/// What a path stands for.
#[derive(Debug)]
pub(super) struct Sources {
    /// In order of their names.
    pub(super) sources: Vec<Source>,
    /// Whether they come from an archive or folder, where files of other purposes may lie between the data.
    pub(super) is_collection: bool,
}

/// Reads everything behind `path`.
pub(super) fn read_sources(path: &Path) -> Result<Sources, DataError> {
    let mut sources = Vec::new();
    let is_collection = collect(path, &mut sources)?;
    Ok(Sources { sources, is_collection })
}

fn collect(path: &Path, sources: &mut Vec<Source>) -> Result<bool, DataError> {
    let access = |source| DataError::Access { path: path.to_owned(), source };
    if path.is_dir() {
        let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(access)?.collect();
        let mut paths: Vec<_> =
            entries.map_err(access)?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| !is_hidden(path)) {
            collect(path, sources)?;
        }
        return Ok(true);
    }
    let bytes = fs::read(path).map_err(access)?;
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        collect_archive(&path.display().to_string(), bytes, sources)?;
        return Ok(true);
    }
    sources.push(source(path.display().to_string(), path, bytes));
    Ok(false)
}

fn collect_archive(name: &str, bytes: Vec<u8>, sources: &mut Vec<Source>) -> Result<(), DataError> {
    let broken = |file: &str, problem: &dyn std::fmt::Display| DataError::Archive {
        file: file.to_owned(),
        problem: problem.to_string(),
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(name, &error))?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(String::from)).collect();
    let mut entries: Vec<(String, usize)> =
        names.map_err(|error| broken(name, &error))?.into_iter().zip(0..).collect();
    entries.sort();
    for (entry, at) in
        entries.iter().filter(|(entry, _)| !entry.ends_with('/') && !is_hidden(Path::new(entry)))
    {
        let whole_name = format!("{name}/{entry}");
        let mut content = Vec::new();
        let file = archive.by_index(*at).map_err(|error| broken(&whole_name, &error))?;
        file.take(LARGEST + 1)
            .read_to_end(&mut content)
            .map_err(|error| broken(&whole_name, &error))?;
        if content.len() as u64 > LARGEST {
            return Err(broken(&whole_name, &format!("it unpacks to more than {LARGEST} bytes")));
        }
        sources.push(source(whole_name, Path::new(entry), content));
    }
    Ok(())
}

/// Hidden files, and what some systems put beside the files of an archive.
fn is_hidden(path: &Path) -> bool {
    let starts_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    path.file_name().is_none_or(starts_hidden)
        || path.components().any(|part| part.as_os_str() == "__MACOSX")
}

fn source(name: String, path: &Path, bytes: Vec<u8>) -> Source {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        format!("bytes that are not UTF-8 text on line {line}")
    });
    let text = text.map(|text| text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text));
    Source { name, stem, text }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    /// A zip archive of the given entries.
    pub(in crate::data) fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_folder_is_read_with_its_archives_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.txt"), "\u{feff}second").unwrap();
        fs::write(folder.path().join("a.zip"), archive(&[("y/two.csv", "2"), ("one.csv", "1")]))
            .unwrap();
        fs::write(folder.path().join(".hidden"), "no").unwrap();
        let found = read_sources(folder.path()).unwrap();
        assert!(found.is_collection);
        let texts: Vec<_> = found
            .sources
            .iter()
            .map(|source| (source.stem.as_str(), source.text.as_deref()))
            .collect();
        assert_eq!(texts, [("one", Ok("1")), ("two", Ok("2")), ("b", Ok("second"))]);
        assert!(found.sources[1].name.ends_with("a.zip/y/two.csv"));
    }

    #[test]
    fn a_missing_path_is_named() {
        let error = read_sources(Path::new("no/such/file")).unwrap_err();
        assert!(error.to_string().contains("no/such/file"), "{error}");
    }

    #[test]
    fn a_cut_archive_is_refused_wherever_it_is_cut() {
        let whole = archive(&[("a.csv", &"some text, ".repeat(200)), ("b.csv", "more")]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.zip");
        for length in (4..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            let error = read_sources(&path).unwrap_err();
            assert!(matches!(error, DataError::Archive { .. }), "{length} bytes: {error}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_told_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin.csv");
        fs::write(&path, b"one\ntwo\nthr\xe9e\n").unwrap();
        let found = read_sources(&path).unwrap();
        assert!(!found.is_collection);
        assert!(found.sources[0].text.as_ref().unwrap_err().contains("line 3"));
    }
}
