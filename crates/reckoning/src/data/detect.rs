//! Loading whatever a path holds, recognised by its content.

use std::collections::BTreeMap;
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::excerpt;
use super::source::{Source, read_sources};
use super::{
    DataError, DataFile, Dataset, Kind, KnowledgeSet, Split, Surface, clutrr, clutrr_sg,
    json_records, letters, native, proofwriter,
};
use crate::fingerprint::Fingerprint;

/// How published data is put into words. Sets in our own format stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// Our wording of facts and questions; `None`, written `as-in-file`, keeps the words of the file.
    #[serde(with = "wording")]
    pub surface: Option<Surface>,
    /// What the people of kinship data are called. (ProofWriter keeps its names.)
    pub names: EntityNames,
    /// Seed for the choice of letters.
    pub seed: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { surface: Some(Surface::Compact), names: EntityNames::Letters, seed: 0 }
    }
}

/// TOML has no word for `None`.
mod wording {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::data::Surface;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Wording {
        Compact,
        Sentence,
        AsInFile,
    }

    pub fn serialize<S: Serializer>(
        surface: &Option<Surface>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let wording = match surface {
            Some(Surface::Compact) => Wording::Compact,
            Some(Surface::Sentence) => Wording::Sentence,
            None => Wording::AsInFile,
        };
        wording.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Surface>, D::Error> {
        Ok(match Wording::deserialize(deserializer)? {
            Wording::Compact => Some(Surface::Compact),
            Wording::Sentence => Some(Surface::Sentence),
            Wording::AsInFile => None,
        })
    }
}

/// What the people of kinship data are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntityNames {
    /// Random letters, different in each set; sets whose people are letters already stay as they are.
    #[default]
    Letters,
    /// The names of the file.
    Original,
}

impl LoadOptions {
    /// `set` with the wanted names.
    pub(super) fn with_names(
        &self,
        file: &str,
        line: usize,
        set: KnowledgeSet,
    ) -> Result<KnowledgeSet, DataError> {
        let pool = letters();
        if self.names == EntityNames::Original
            || set.entities.iter().all(|name| pool.contains(name))
        {
            return Ok(set);
        }
        let seed =
            Sha256::new_with_prefix(self.seed.to_le_bytes()).chain_update(&set.id).finalize();
        set.rename_entities(&mut ChaCha8Rng::from_seed(seed.into()), &pool).map_err(|_| {
            let expected = "no more people than there are letters to name them by; to keep the names of the file, set data.source.options.names = \"original\", or \
                            --original-names";
            DataError::malformed(file, line, expected, format!("{} people", set.entities.len()))
        })
    }
}

/// Loads a file, a zip archive or a folder, with all that it holds.
///
/// The kind of data is recognised by the content of each file, its [`Split`] by its name. In an archive or folder,
/// files of no known kind are passed over and listed in [`Dataset::skipped`]. What of a file could not be told is in
/// [`Dataset::remarks`].
///
/// # Errors
/// [`DataError::Access`] and [`DataError::Archive`] when something cannot be read, [`DataError::UnknownKind`] when nothing
/// is recognised, [`DataError::MixedKinds`] when there are several kinds, and [`DataError::Malformed`], with file and
/// line, for a record that does not have its kind's form.
pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let found = read_sources(path)?;
    let mut splits: BTreeMap<Split, Vec<KnowledgeSet>> = BTreeMap::new();
    let mut files: BTreeMap<Split, Vec<DataFile>> = BTreeMap::new();
    let mut places: BTreeMap<Split, native::Places> = BTreeMap::new();
    let (mut skipped, mut remarks) = (Vec::new(), Vec::new());
    let mut first: Option<(Kind, &str)> = None;
    for source in &found.sources {
        let kind = match recognise(source) {
            Ok(kind) => kind,
            Err(found) => {
                skipped.push(format!("{}: {found}", source.name));
                continue;
            }
        };
        let (expected, other) = *first.get_or_insert((kind, &source.name));
        if kind != expected {
            return Err(DataError::MixedKinds {
                first: format!("{other} ({expected})"),
                second: format!("{} ({kind})", source.name),
            });
        }
        let split = Split::of_file(&source.stem);
        let text = source.text.as_deref().unwrap_or_default();
        let content = Fingerprint::of_parts(&[text.as_bytes()]);
        let places = places.entry(split.clone()).or_default();
        let sets = read(kind, source, options, &mut remarks, places)?;
        files.entry(split.clone()).or_default().push(DataFile { content, sets: sets.len() });
        splits.entry(split).or_default().extend(sets);
    }
    match first {
        Some((kind, _)) if splits.values().any(|sets| !sets.is_empty()) => {
            Ok(Dataset { kind, splits, files, skipped, remarks })
        }
        Some((kind, name)) => {
            Err(DataError::malformed(name, 1, format!("records of {kind} data"), "none"))
        }
        None => {
            let found = match &skipped[..] {
                [] => "nothing in it".to_owned(),
                [only] if !found.is_collection => {
                    only.split_once(": ").map_or(only.clone(), |(_, found)| found.to_owned())
                }
                skipped => excerpt(&skipped.join("; ")),
            };
            Err(DataError::UnknownKind { file: path.display().to_string(), found })
        }
    }
}

/// The kind of a source, or what it looks like instead.
fn recognise(source: &Source) -> Result<Kind, String> {
    let text = source.text.as_ref().map_err(Clone::clone)?;
    if text.trim().is_empty() {
        return Err("an empty file".to_owned());
    }
    if clutrr::is_table(text) {
        return Ok(Kind::Clutrr);
    }
    let looks = || {
        format!(
            "it starts with `{}`",
            excerpt(text.trim_start().lines().next().unwrap_or_default())
        )
    };
    let Some(first) = json_records::first_value(text) else { return Err(looks()) };
    let is_text =
        |field: &str| first.get(field).and_then(|facts| facts.get(0)).is_none_or(Value::is_string);
    let has = |field: &str| first.get(field).is_some();
    if has("qa_pairs") || (has("triples") && has("rules")) {
        Ok(Kind::ProofWriter)
    } else if has("facts") && has("questions") {
        Ok(if is_text("facts") { Kind::Native } else { Kind::ClutrrSg })
    } else {
        Err(looks())
    }
}

fn read(
    kind: Kind,
    source: &Source,
    options: &LoadOptions,
    remarks: &mut Vec<String>,
    places: &mut native::Places,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let text = source.text.as_deref().unwrap_or_default();
    match kind {
        Kind::Clutrr => {
            let clutrr::Table { sets, untold } = clutrr::read(&source.name, text, options)?;
            if untold > 0 {
                remarks.push(format!(
                    "{}: {untold} edges of distractors have no relation there and are left out; the words of the file (data.source.options.surface = \"as-in-file\", or --original-words) tell them",
                    source.name
                ));
            }
            Ok(sets)
        }
        Kind::ClutrrSg => clutrr_sg::read(&source.name, text, options),
        Kind::ProofWriter => proofwriter::read(&source.name, text, options),
        Kind::Native => native::read_beside(&source.name, text, places),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::data::rules::{RuleConfig, RuleGenerator};
    use crate::data::source::tests::archive;

    const SG: &str =
        r#"{"facts": [["A B", "son"]], "questions": [["How is A related to B ?", "A B", "son"]]}"#;
    const CLUTRR: &str = "query,target,story_edges,edge_types,genders\n\"('Al', 'Bo')\",son,\"[(0, 1)]\",['son'],\"Al:male,Bo:male\"\n";
    const PROOFWRITER: &str = r#"{"facts": ["Bob is red."], "qa_pairs": [["Bob is red.", true]]}"#;
    const NATIVE: &str = r#"{"id": "1", "facts": ["A son B ."], "questions": [{"text": "A ? B .", "answer": "son"}]}"#;

    fn load_text(text: &str) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anything");
        fs::write(&path, text).unwrap();
        load(&path, &LoadOptions::default())
    }

    #[test]
    fn kinds_are_recognised_by_content() {
        for (text, kind) in [
            (SG, Kind::ClutrrSg),
            (CLUTRR, Kind::Clutrr),
            (PROOFWRITER, Kind::ProofWriter),
            (NATIVE, Kind::Native),
            (format!("[{NATIVE}]").as_str(), Kind::Native),
        ] {
            let marked = format!("\u{feff}\r\n{text}");
            for text in [text, &marked] {
                let dataset = load_text(text).unwrap();
                assert_eq!(dataset.kind, kind);
                assert_eq!(
                    dataset.splits.keys().next(),
                    Some(&Split::Other("anything".to_owned()))
                );
            }
        }
    }

    #[test]
    fn what_is_not_recognised_is_shown() {
        for (text, found) in [
            ("", "an empty file"),
            ("hello", "`hello`"),
            ("{\"a\": 1}", "`{"),
            ("[]", "`[]`"),
            ("a,b\n1,2", "`a,b`"),
        ] {
            let error = load_text(text).unwrap_err();
            assert!(matches!(error, DataError::UnknownKind { .. }), "{error}");
            assert!(error.to_string().contains(found), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(
            load(folder.path(), &LoadOptions::default())
                .unwrap_err()
                .to_string()
                .contains("nothing in it")
        );
        let header = CLUTRR.lines().next().unwrap();
        assert!(
            matches!(load_text(header), Err(DataError::Malformed { .. })),
            "a table without rows"
        );
    }

    #[test]
    fn a_zip_has_its_splits_and_leaves_out_what_is_no_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.zip");
        let entries = [
            ("1.2_test.csv", CLUTRR),
            ("1.10_test.csv", CLUTRR),
            ("1.2,1.3_train.csv", CLUTRR),
            ("config.json", "{}"),
        ];
        fs::write(&path, archive(&entries)).unwrap();
        let dataset = load(&path, &LoadOptions::default()).unwrap();
        let splits: Vec<String> = dataset.splits.keys().map(Split::to_string).collect();
        assert_eq!(splits, ["train", "test-2", "test-10"]);
        assert_eq!((dataset.skipped.len(), dataset.statistics().sets), (1, 3));
        let unpacked = load_text(CLUTRR).unwrap();
        assert_eq!(dataset.files[&Split::Train], unpacked.files[&Split::Other("anything".into())]);
    }

    #[test]
    fn every_file_of_a_split_has_its_own_sets() {
        let sets = RuleGenerator::new(RuleConfig::default()).unwrap().knowledge_sets(5).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let parts = [("a_train", &sets[..2]), ("b_train", &sets[2..]), ("test", &sets[1..2])];
        let expected = parts.map(|(name, sets)| {
            let path = folder.path().join(format!("{name}.jsonl"));
            native::write(fs::File::create(&path).unwrap(), sets).unwrap();
            (Fingerprint::of_parts(&[&fs::read(path).unwrap()]), sets)
        });
        let dataset = load(folder.path(), &LoadOptions::default()).unwrap();
        assert_eq!(dataset.by_file().collect::<Vec<_>>(), expected);
    }

    /// A set of one split may be one of another, too; in one split it would be asked twice and count as two.
    #[test]
    fn identifiers_are_of_one_set_of_a_split() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), NATIVE).unwrap();
        write("a_train.jsonl");
        write("test.jsonl");
        load(folder.path(), &LoadOptions::default()).unwrap();
        write("b_train.jsonl");
        let error = load(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("b_train.jsonl, line 1: expected an `id`"), "{error}");
        assert!(error.contains("a_train.jsonl, line 1"), "{error}");
    }

    #[test]
    fn several_kinds_and_errors_in_a_folder_name_the_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl"), SG).unwrap();
        fs::write(folder.path().join("b.jsonl"), PROOFWRITER).unwrap();
        let error = load(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(
            error.contains("a.jsonl (CLUTRR-SG)") && error.contains("b.jsonl (ProofWriter)"),
            "{error}"
        );
        fs::write(folder.path().join("b.jsonl"), format!("{SG}\n{{\"facts\": 3}}")).unwrap();
        let error = load(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("b.jsonl, line 2: expected "), "{error}");
    }

    #[test]
    fn generated_sets_are_loaded_as_they_were_written() {
        let sets = RuleGenerator::new(RuleConfig::default()).unwrap().knowledge_sets(20).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.jsonl");
        native::write(fs::File::create(&path).unwrap(), &sets).unwrap();
        let dataset = load(&path, &LoadOptions::default()).unwrap();
        assert_eq!((dataset.kind, &dataset.splits[&Split::Train]), (Kind::Native, &sets));
    }

    proptest! {
        #[test]
        fn damaged_files_are_loaded_or_refused(
            kind in 0_usize..4, at in 0_usize..400, length in 0_usize..30, inserted in "[\\[\\]{}\"',:0-9a\n]{0,4}",
        ) {
            let text = [SG, CLUTRR, PROOFWRITER, NATIVE][kind];
            let start = at % text.len();
            let end = (start + length).min(text.len());
            let damaged = format!("{}{inserted}{}", &text[..start], &text[end..]);
            match load_text(&damaged) {
                Ok(dataset) => prop_assert!(dataset.knowledge_sets().count() > 0),
                Err(error) => prop_assert!(error.to_string().contains("anything"), "{error}"),
            }
        }
    }
}
