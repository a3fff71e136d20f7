//! `reckoning data inspect`: what is in a data set, counted, and a few knowledge sets to read.

use std::path::PathBuf;

use experiment::cli::{Failure, OrFailure, print_line};
use serde_json::{Map, Value, json};

use super::generate::GeneratorArguments;
use super::telling::told;
use super::{Wording, counts};
use crate::commands::reading;
use crate::data::{Dataset, KnowledgeSet, Statistics, load};

/// Arguments of `data inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// File, archive or folder; without it the generator that --config and --set describe
    #[arg(conflicts_with = "GeneratorArguments")]
    path: Option<PathBuf>,

    #[command(flatten)]
    wording: Wording,

    #[command(flatten)]
    generator: GeneratorArguments,

    /// Knowledge sets to generate where no path is given
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1000,
        conflicts_with = "path",
        value_parser = reading::sets
    )]
    count: usize,

    /// Knowledge sets to print, evenly spread over the data
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    examples: usize,

    /// Print counts and examples as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Findings {
    kind: String,
    /// Knowledge sets with the name of their split.
    splits: Vec<(String, Vec<KnowledgeSet>)>,
    skipped: Vec<String>,
    remarks: Vec<String>,
}

/// Counts, and prints examples.
///
/// # Errors
/// Bad input: the path, its content or the configuration.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let findings = match &arguments.path {
        Some(path) => load(path, &arguments.wording.options()).bad_input()?.into(),
        None => Findings {
            kind: "generated".to_owned(),
            splits: vec![("generated".to_owned(), arguments.generator.generate(arguments.count)?)],
            skipped: Vec::new(),
            remarks: Vec::new(),
        },
    };
    match arguments.json {
        true => print_line(findings.to_json(arguments.examples)),
        false => print_line(findings.to_text(arguments.examples)),
    }
}

impl From<Dataset> for Findings {
    fn from(dataset: Dataset) -> Self {
        let splits = dataset.splits.into_iter().map(|(split, sets)| (split.to_string(), sets));
        Self {
            kind: dataset.kind.to_string(),
            splits: splits.collect(),
            skipped: dataset.skipped,
            remarks: dataset.remarks,
        }
    }
}

impl Findings {
    fn to_json(&self, examples: usize) -> Value {
        let splits: Map<String, Value> = self
            .splits
            .iter()
            .map(|(name, sets)| (name.clone(), counts(&Statistics::of(sets))))
            .collect();
        json!({ "kind": self.kind, "splits": splits, "skipped": self.skipped, "remarks": self.remarks, "examples": self.spread(examples) })
    }

    fn to_text(&self, examples: usize) -> String {
        let mut sections = vec![format!("kind            {}", self.kind)];
        for (name, sets) in &self.splits {
            sections.push(format!("split           {name}\n{}", Statistics::of(sets)));
        }
        if !self.skipped.is_empty() {
            sections.push(format!("passed over:\n  {}\n", self.skipped.join("\n  ")));
        }
        if !self.remarks.is_empty() {
            sections.push(format!("not told:\n  {}\n", self.remarks.join("\n  ")));
        }
        sections.extend(self.spread(examples).into_iter().map(told));
        sections.join("\n").trim_end().to_owned()
    }

    /// `count` sets that lie evenly over all of them.
    fn spread(&self, count: usize) -> Vec<&KnowledgeSet> {
        let sets: Vec<&KnowledgeSet> = self.splits.iter().flat_map(|(_, sets)| sets).collect();
        let count = count.min(sets.len());
        (0..count).map(|place| sets[place * sets.len() / count]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::kinship::{Chains, KinshipConfig, KinshipGenerator};

    fn findings(count: usize) -> Findings {
        let generator = KinshipGenerator::new(KinshipConfig::default()).unwrap();
        let sets = generator.knowledge_sets(Chains::Any, count).unwrap();
        let splits = vec![("train".to_owned(), sets)];
        Findings {
            kind: "native".to_owned(),
            splits,
            skipped: vec!["notes.txt: a text".to_owned()],
            remarks: vec!["a.csv: 2 edges".to_owned()],
        }
    }

    #[test]
    fn examples_lie_evenly_over_the_data_and_are_never_more_than_there_are() {
        let findings = findings(10);
        let ids = |count| -> Vec<String> {
            findings.spread(count).iter().map(|set| set.id.clone()).collect()
        };
        let id = |index: usize| format!("kinship-0-any-{index}");
        assert_eq!(ids(2), [id(0), id(5)]);
        assert_eq!(ids(99).len(), 10);
        assert!(ids(0).is_empty());
    }

    #[test]
    fn text_and_json_tell_the_same() {
        let findings = findings(4);
        let (text, json) = (findings.to_text(1), findings.to_json(1));
        assert!(text.contains("knowledge sets  4") && text.contains("notes.txt"), "{text}");
        assert_eq!(json["splits"]["train"]["sets"], 4);
        assert_eq!(json["examples"].as_array().unwrap().len(), 1);
        assert!(text.contains(json["examples"][0]["id"].as_str().unwrap()));
    }
}
