//! The numbers a run logs: one JSON object a line in `metrics.jsonl`, and the same scalars for TensorBoard.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::atomic::{sync_folder, write_atomically};
use crate::run_directory::RunError;
use crate::tensorboard::EventFile;

/// The name of the file in the run directory.
pub const FILE_NAME: &str = "metrics.jsonl";

/// The keys that every row has beside its values.
const RESERVED: [&str; 2] = ["step", "seconds"];

/// The log of one run. Every row is on its way to the disk when [`Metrics::log`] returns.
pub struct Metrics {
    path: PathBuf,
    file: File,
    events: EventFile,
    started: Instant,
    seconds_before: f64,
}

/// One row of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Row {
    /// The step of the outer loop that the values belong to.
    pub step: u64,
    /// Seconds of run time since the start, not counting the time between an interruption and its resumption.
    pub seconds: f64,
    /// The values by name.
    #[serde(flatten, deserialize_with = "numbers")]
    pub values: BTreeMap<String, f64>,
}

/// Metrics that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A name that a row cannot have.
    #[error(
        "a metric cannot be named `{0}`: give each value of a row its own name, other than step and seconds"
    )]
    Name(String),
    /// A row that is not one.
    #[error("{}, line {line}: {reason}: mend or delete that line", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
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

impl Metrics {
    /// Opens the metrics in `folder`, less the rows after `resume_from_step`, or all rows for `None`.
    pub(crate) fn open(folder: &Path, resume_from_step: Option<u64>) -> Result<Self, MetricsError> {
        let path = folder.join(FILE_NAME);
        let kept = match resume_from_step {
            Some(step) if path.exists() => keep_rows(&path, step)?,
            _ => Vec::new(),
        };
        if resume_from_step.is_none() {
            File::create(&path).map_err(refused(&path))?;
        }
        // Appending, so that a row that was taken back leaves no hole before the next.
        let file = File::options().append(true).create(true).open(&path).map_err(refused(&path))?;
        let first_step = resume_from_step.map_or(0, |step| step.saturating_add(1));
        let events = EventFile::create(folder, first_step).map_err(refused(folder))?;
        // Else a power cut could take the files with all the rows that were pushed to the disk.
        sync_folder(folder).map_err(refused(folder))?;
        let seconds_before = kept.last().map_or(0.0, |row| row.seconds);
        Ok(Self { path, file, events, started: Instant::now(), seconds_before })
    }

    /// Logs `values` by name for `step`, as one line. NaN and infinity are written as the texts `"NaN"`, `"inf"` and
    /// `"-inf"`, which JSON has no numbers for. Log a step before its checkpoint is saved: a run that resumes from
    /// the checkpoint keeps the rows up to its step.
    ///
    /// # Errors
    /// [`MetricsError::Name`] for a name that is given twice, or is `step` or `seconds`, and
    /// [`MetricsError::FileSystem`], after which the file ends with the last whole row; where the file of events for TensorBoard
    /// refuses, that is the row of `step`.
    pub fn log(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), MetricsError> {
        check_names(values)?;
        let seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        let mut line = serde_json::to_vec(&Line { step, seconds, values }).map_err(|failure| {
            MetricsError::FileSystem { path: self.path.clone(), source: failure.into() }
        })?;
        line.push(b'\n');
        self.append(&line).map_err(refused(&self.path))?;
        for (name, value) in values {
            let written = self.events.scalar(step, name, *value);
            written.map_err(refused(self.events.path()))?;
        }
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.file.write_all(line).inspect_err(|_| {
            // Half a row would spoil the next one. If this fails too there is no better answer than the first error.
            let _ = self.file.set_len(length);
        })
    }
}

/// The rows of a `metrics.jsonl`. A last line without its end, which a kill leaves behind, is passed over.
///
/// # Errors
/// [`MetricsError::FileSystem`] and, for a line that is no row, [`MetricsError::Corrupt`].
pub fn read(path: &Path) -> Result<Vec<Row>, MetricsError> {
    let bytes = fs::read(path).map_err(refused(path))?;
    whole_lines(&bytes).enumerate().map(|(index, line)| parse(path, index, line)).collect()
}

/// Rewrites the file with its rows up to `last_step`, byte for byte, and returns them.
fn keep_rows(path: &Path, last_step: u64) -> Result<Vec<Row>, MetricsError> {
    let bytes = fs::read(path).map_err(refused(path))?;
    let (mut rows, mut kept) = (Vec::new(), Vec::new());
    for (index, line) in whole_lines(&bytes).enumerate() {
        let row = parse(path, index, line)?;
        if row.step <= last_step {
            kept.extend_from_slice(line);
            rows.push(row);
        }
    }
    write_atomically(path, &kept).map_err(refused(path))?;
    Ok(rows)
}

fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"))
}

fn parse(path: &Path, index: usize, line: &[u8]) -> Result<Row, MetricsError> {
    serde_json::from_slice(line).map_err(|failure| MetricsError::Corrupt {
        path: path.to_owned(),
        line: index + 1,
        reason: failure.to_string(),
    })
}

fn check_names(values: &[(&str, f64)]) -> Result<(), MetricsError> {
    for (index, (name, _)) in values.iter().enumerate() {
        let repeated = values[..index].iter().any(|(earlier, _)| earlier == name);
        if repeated || RESERVED.contains(name) {
            return Err(MetricsError::Name((*name).to_owned()));
        }
    }
    Ok(())
}

/// A row as it is written: the values stand in the order in which the program gave them.
struct Line<'a> {
    step: u64,
    seconds: f64,
    values: &'a [(&'a str, f64)],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(RESERVED.len() + self.values.len()))?;
        map.serialize_entry("step", &self.step)?;
        map.serialize_entry("seconds", &self.seconds)?;
        for (name, value) in self.values {
            if value.is_finite() {
                map.serialize_entry(name, value)?;
            } else {
                map.serialize_entry(name, &value.to_string())?;
            }
        }
        map.end()
    }
}

/// Reads numbers, some of which are written as texts.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Text(String),
    }
    let number = |(name, number)| match number {
        Number::Finite(value) => Ok((name, value)),
        Number::Text(text) => match text.as_str() {
            "NaN" => Ok((name, f64::NAN)),
            "inf" => Ok((name, f64::INFINITY)),
            "-inf" => Ok((name, f64::NEG_INFINITY)),
            _ => Err(D::Error::custom(format!("`{name}` is \"{text}\", which is not a number"))),
        },
    };
    BTreeMap::<String, Number>::deserialize(deserializer)?.into_iter().map(number).collect()
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> MetricsError {
    let path = path.to_owned();
    move |source| MetricsError::FileSystem { path, source }
}

#[cfg(test)]
mod tests;
