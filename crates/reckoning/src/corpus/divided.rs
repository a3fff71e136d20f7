//! How a data set is divided into what is trained on and what is not.

use std::collections::BTreeMap;

use crate::config::DataConfig;
use crate::data::{DataError, Dataset, KnowledgeSet, Split, split_by_id};
use crate::fingerprint::Fingerprint;
use crate::history::TrainedFile;

/// What is trained on, and the other splits.
pub(super) struct Divided {
    pub(super) training: Vec<KnowledgeSet>,
    pub(super) tests: BTreeMap<Split, Vec<KnowledgeSet>>,
    pub(super) trained_on: Vec<TrainedFile>,
}

impl Divided {
    /// Keeps splits as they are; holds out a part of the training data where there is nothing else to test on.
    pub(super) fn new(config: &DataConfig, dataset: Dataset) -> Result<Self, DataError> {
        let Dataset { splits: mut tests, mut files, .. } = dataset;
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
        let files = files.remove(&of_training).unwrap_or_default();
        if tests.keys().any(|split| *split != Split::Validation) {
            let trained_on = trained_files(files, 0.0, config);
            return Ok(Self { training, tests, trained_on });
        }
        let (training, test) = split_by_id(training, config.held_out, config.split_seed);
        tests.insert(Split::Test, test);
        let trained_on = trained_files(files, config.held_out, config);
        Ok(Self { training, tests, trained_on })
    }
}

/// The files with how they were divided.
fn trained_files(
    files: impl IntoIterator<Item = Fingerprint>,
    held_out: f64,
    config: &DataConfig,
) -> Vec<TrainedFile> {
    let split_seed = config.split_seed;
    files.into_iter().map(|content| TrainedFile { content, held_out, split_seed }).collect()
}
