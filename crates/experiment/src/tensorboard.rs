//! Scalars for TensorBoard, written beside the metrics.
//!
//! The record framing and the messages are tensorboard-rs's. Its own writer is not used: it writes on a thread that
//! panics when the disk is full.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use protobuf::Message;
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_rs::record_writer::RecordWriter;
use tensorboard_rs::summary::scalar;

const PREFIX: &str = "events.out.tfevents.";

/// A new event file, after those of earlier processes of the same run.
pub(crate) struct EventFile {
    path: PathBuf,
    records: RecordWriter<File>,
}

impl EventFile {
    /// Starts a file in `folder`. TensorBoard reads a run's files in the order of their names and forgets what earlier
    /// ones say of steps from `first_step` on.
    pub(crate) fn create(folder: &Path, first_step: u64) -> io::Result<Self> {
        let number = next_number(folder)?;
        let path = folder.join(format!("{PREFIX}{number:06}"));
        let records = RecordWriter::new(File::create_new(&path)?);
        let mut events = Self { path, records };

        let mut version = Event::new();
        version.set_file_version("brain.Event:2".to_owned());
        events.write(version, 0)?;
        let mut start = SessionLog::new();
        start.set_status(SessionLog_SessionStatus::START);
        let mut restart = Event::new();
        restart.set_session_log(start);
        events.write(restart, first_step)?;
        Ok(events)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one point of the curve `name`, which is rounded to single precision.
    pub(crate) fn scalar(&mut self, step: u64, name: &str, value: f64) -> io::Result<()> {
        let mut event = Event::new();
        event.set_summary(scalar(name, value as f32));
        self.write(event, step)
    }

    fn write(&mut self, mut event: Event, step: u64) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |elapsed| elapsed.as_secs_f64());
        event.set_wall_time(now);
        event.set_step(i64::try_from(step).unwrap_or(i64::MAX));
        let bytes = event.write_to_bytes().map_err(io::Error::other)?;
        self.records.write(&bytes)
    }
}

/// One more than the largest number of an event file in `folder`, whichever of them were deleted since.
fn next_number(folder: &Path) -> io::Result<u64> {
    let mut next = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_string_lossy().strip_prefix(PREFIX).and_then(|rest| rest.parse().ok());
        next = next.max(number.map_or(0, |number: u64| number + 1));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the records of a file apart: length, its check sum, the message, its check sum.
    fn read(path: &Path) -> Vec<Event> {
        let bytes = std::fs::read(path).unwrap();
        let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            events.push(Event::parse_from_bytes(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn a_file_tells_its_version_where_it_starts_and_the_scalars() {
        let folder = tempfile::tempdir().unwrap();
        EventFile::create(folder.path(), 0).unwrap();
        let mut events = EventFile::create(folder.path(), 7).unwrap();
        events.scalar(8, "loss", 0.25).unwrap();

        let events = read(&folder.path().join("events.out.tfevents.000001"));
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].get_file_version(), "brain.Event:2");
        assert_eq!(events[1].get_session_log().get_status(), SessionLog_SessionStatus::START);
        assert_eq!(events[1].get_step(), 7);
        let value = &events[2].get_summary().get_value()[0];
        assert_eq!(
            (events[2].get_step(), value.get_tag(), value.get_simple_value()),
            (8, "loss", 0.25)
        );
        assert!(events[2].get_wall_time() > 1e9);

        // A file that somebody cleared away is no reason to write over a later one.
        std::fs::remove_file(folder.path().join("events.out.tfevents.000000")).unwrap();
        EventFile::create(folder.path(), 9).unwrap();
        assert!(folder.path().join("events.out.tfevents.000002").is_file());
    }
}
