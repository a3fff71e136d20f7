//! Temporaries that nobody writes any more.
//!
//! A process holds the lock of a temporary while it writes it. The system gives the lock back when the process ends, also by a
//! kill, so a temporary whose lock is free has been left. Unlike the number of a process, a lock says so of processes in other
//! containers too, and on other machines where the file system is shared and its locks are. Some have locks that hold on one machine
//! alone: in a folder that others may write to, a temporary must not have been written to for a while either.

use std::fs;
#[cfg(unix)]
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::{UNFINISHED, temporaries};

/// Longer than a file is written without a byte of it reaching the disk.
pub(super) const A_WHILE: Duration = Duration::from_secs(600);

/// A new temporary in `folder` that is this process's until it is dropped or persisted.
#[cfg(unix)]
pub(super) fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let temporary = temporaries().tempfile_in(folder)?;
        match temporary.as_file().try_lock() {
            // Where files cannot be locked, no lock is found free.
            Err(TryLockError::Error(_)) => return Ok(temporary),
            Ok(()) if temporary.path().try_exists().unwrap_or(true) => return Ok(temporary),
            // Between its making and its locking somebody took it for left.
            Ok(()) | Err(TryLockError::WouldBlock) => {}
        }
    }
}

/// Other systems have locks that keep readers away as well.
#[cfg(not(unix))]
pub(super) fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    temporaries().tempfile_in(folder)
}

/// Removes the files that killed processes left unfinished in `folder`, of which `age` is how long none was written to. One that
/// cannot be removed stays: nobody reads it.
pub(super) fn remove_older(folder: &Path, age: Duration) {
    for entry in entries(folder).filter(|entry| is_unfinished(entry) && is_file(entry)) {
        if is_older(&entry, age) {
            remove_if_left(&entry.path());
        }
    }
}

/// Those in a folder that no other process writes to.
pub(crate) fn remove_leftovers(folder: &Path) {
    remove_older(folder, Duration::ZERO);
}

/// As [`remove_leftovers`], in `folder` and all folders below it that are finished.
pub(crate) fn remove_leftovers_below(folder: &Path) {
    remove_leftovers(folder);
    for entry in entries(folder).filter(|entry| is_folder(entry) && !is_unfinished(entry)) {
        remove_leftovers_below(&entry.path());
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_unfinished(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

/// Of times to come, by the clock of another machine, nothing is known.
fn is_older(entry: &fs::DirEntry, age: Duration) -> bool {
    let since = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
    age.is_zero() || since().is_some_and(|since| since >= age)
}

/// Not so for a link to one.
fn is_file(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_file())
}

/// Not so for a link to one, which may lead round in a circle.
fn is_folder(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

#[cfg(unix)]
fn remove_if_left(path: &Path) {
    // Some shared file systems lock only for those who may write, and a read-only file is opened by its reader alone.
    let opened = File::options().write(true).open(path).or_else(|_| File::open(path));
    if let Ok(file) = opened
        && file.try_lock().is_ok()
    {
        let _ = fs::remove_file(path);
    }
}

/// Without locks nothing says whether somebody writes it.
#[cfg(not(unix))]
fn remove_if_left(_path: &Path) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::atomic::write_atomically;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            entries(folder).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_is_left_goes_when_a_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomically(&path, b"old").unwrap();
        for (name, seconds) in [(".unfinished-old", 601), (".unfinished-new", 60)] {
            let left = File::create(folder.path().join(name)).unwrap();
            let then = std::time::SystemTime::now() - Duration::from_secs(seconds);
            left.set_modified(then).unwrap();
        }
        fs::write(folder.path().join("unfinished"), "mine").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(names(folder.path()), [".unfinished-new", "state", "unfinished"]);
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_cannot_be_written_to_is_left_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".unfinished-abc");
        fs::write(&left, "ne").unwrap();
        let mut permissions = fs::metadata(&left).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&left, permissions).unwrap();
        remove_leftovers(folder.path());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_somebody_writes_stays_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = temporary_in(folder.path()).unwrap();
        remove_leftovers(folder.path());
        assert!(temporary.path().exists());
        let left = temporary.into_temp_path().keep().unwrap();
        assert!(left.exists());
        // A process that another test starts has it open, with its lock, until its own program begins.
        for _ in 0..500 {
            remove_leftovers(folder.path());
            if !left.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody has it open any more");
    }

    #[test]
    fn folders_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (below, other) = (folder.path().join("below"), folder.path().join("other"));
        let unfinished = folder.path().join(".unfinished-step");
        for made in [&below, &other, &unfinished] {
            fs::create_dir(made).unwrap();
            fs::write(made.join(".unfinished-abc"), "").unwrap();
        }
        std::os::unix::fs::symlink(&other, below.join("link")).unwrap();
        std::os::unix::fs::symlink("absent", folder.path().join(".unfinished-link")).unwrap();
        remove_leftovers_below(&below);
        assert_eq!(names(&below), ["link"]);
        assert_eq!(names(&other), [".unfinished-abc"]);
        remove_leftovers_below(folder.path());
        assert!(names(&other).is_empty());
        assert_eq!(names(&unfinished), [".unfinished-abc"], "a checkpoint is removed as a whole");
        assert_eq!(
            names(folder.path()),
            [".unfinished-link", ".unfinished-step", "below", "other"]
        );
    }

    /// Each of the writers looks for leftovers while the others write theirs.
    #[test]
    fn writers_of_one_folder_leave_each_other_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = folder.path().join(format!("state-{writer}"));
                scope.spawn(move || {
                    for round in 0..30 {
                        write_atomically(&path, format!("{writer} {round}").as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(folder.path()), ["state-0", "state-1", "state-2", "state-3"]);
        assert_eq!(fs::read_to_string(folder.path().join("state-2")).unwrap(), "2 29");
    }
}
