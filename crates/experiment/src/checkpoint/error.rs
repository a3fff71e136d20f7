//! What can go wrong with checkpoints, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::run_directory::RunError;

/// A checkpoint that cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// No checkpoint would be kept.
    #[error("keeping 0 checkpoints leaves nothing to resume from: keep at least 1")]
    KeepNone,
    /// A file with a name that a folder cannot hold.
    #[error(
        "a checkpoint cannot have a file named `{0}`: use distinct plain names, without folders or a leading dot"
    )]
    Name(String),
    /// There is no such checkpoint.
    #[error("{} has no checkpoint of step {step}; it has {}", folder.display(), listed(steps))]
    Absent {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// The step that was asked for.
        step: u64,
        /// The steps that are there.
        steps: Vec<u64>,
    },
    /// A checkpoint has no such file.
    #[error(
        "the checkpoint of step {step} has no file `{name}`: it was saved by another program or version"
    )]
    NoFile {
        /// The checkpoint's step.
        step: u64,
        /// The file that was asked for.
        name: String,
    },
    /// A checkpoint is damaged.
    #[error("the checkpoint {} is damaged: {reason}; delete it to go on from {}", folder.display(), or_the_start(previous))]
    Corrupt {
        /// The damaged folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The last earlier checkpoint that is whole.
        previous: Option<u64>,
    },
    /// The file system refused.
    #[error("cannot use {}: check its permissions and the space left", path.display())]
    FileSystem {
        /// The file or folder in question.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The run directory cannot be written to.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn listed(steps: &[u64]) -> String {
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    if steps.is_empty() {
        "none".to_owned()
    } else {
        format!("those of steps {}", steps.join(", "))
    }
}

fn or_the_start(previous: &Option<u64>) -> String {
    previous.map_or("the start".to_owned(), |step| format!("step {step}"))
}
