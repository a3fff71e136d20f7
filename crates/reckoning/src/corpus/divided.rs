//! How a data set is divided into what is trained on and what is not.

use std::collections::BTreeMap;

use crate::config::DataConfig;
use crate::data::{DataError, DataFile, Dataset, KnowledgeSet, Split, split_by_id};
use crate::fingerprint::Fingerprint;
use crate::history::TrainedFile;

/// What is trained on, and the other splits.
pub(super) struct Divided {
    pub(super) training: Vec<KnowledgeSet>,
    pub(super) tests: BTreeMap<Split, Vec<KnowledgeSet>>,
    /// The files of each of `tests`; of a part that is held out, those that it is a part of.
    pub(super) files: BTreeMap<Split, Vec<Fingerprint>>,
    pub(super) trained_on: Vec<TrainedFile>,
}

/// The share of the training data that is validated on where there is no split for it.
pub(super) fn validated(config: &DataConfig) -> f64 {
    config.held_out.min(0.05)
}

impl Divided {
    /// Keeps splits as they are; holds out a part of the training data where there is nothing else to test on.
    pub(super) fn new(config: &DataConfig, dataset: Dataset) -> Result<Self, DataError> {
        let Dataset { splits: mut tests, files, .. } = dataset;
        let files = files.into_iter().map(|(split, files)| (split, DataFile::contents(&files)));
        let mut files: BTreeMap<Split, Vec<Fingerprint>> = files.collect();
        let of_training = match tests.len() {
            1 => tests.keys().next().expect("a data set is never empty").clone(),
            _ => Split::Train,
        };
        let Some(training) = tests.remove(&of_training) else {
            let names: Vec<String> = tests.keys().map(Split::to_string).collect();
            let problem = format!(
                "there is no training split among {}; give the file to train on, or call it train",
                names.join(", ")
            );
            return Err(DataError::Configuration { field: "data", problem });
        };
        let of_training = files.remove(&of_training).unwrap_or_default();
        let validated =
            if tests.contains_key(&Split::Validation) { 0.0 } else { validated(config) };
        let trained_on = |held_out| {
            let (split_seed, validated) = (config.split_seed, Some(validated));
            let file = |&content| TrainedFile { content, held_out, split_seed, validated };
            of_training.iter().map(file).collect()
        };
        if tests.keys().any(|split| *split != Split::Validation) {
            let trained_on = trained_on(0.0);
            return Ok(Self { training, tests, files, trained_on });
        }
        let (training, test) = split_by_id(training, config.held_out, config.split_seed);
        tests.insert(Split::Test, test);
        let trained_on = trained_on(config.held_out);
        files.insert(Split::Test, of_training);
        Ok(Self { training, tests, files, trained_on })
    }
}
