//! Files that are either wholly the old one or wholly the new one, whatever happens in between.
//!
//! The order is the textbook's: write a temporary file beside the target, push its bytes to the disk, rename it
//! over the target, push the folder's entry to the disk. A kill or a power cut at any point leaves the old file or
//! the new one, and at worst a temporary that nobody reads.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::Builder;

/// What the names of unfinished files and folders begin with.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Replaces the file at `path` by `bytes`, so that a reader, or the next run after a kill, sees the old content or
/// the new one and never a mixture.
///
/// # Errors
/// Whatever the file system answers: no such folder, no space, no permission. The old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut temporary = temporaries().tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failure| failure.error)?;
    sync_folder(folder)
}

/// The folder that holds `path`, which is the working folder for a bare file name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Temporary files with the permissions of ordinary ones: a run's files are read by the user's other tools.
fn temporaries() -> Builder<'static, 'static> {
    with_permissions(0o666)
}

/// Temporary folders with the permissions of ordinary ones.
pub(crate) fn temporary_folders() -> Builder<'static, 'static> {
    with_permissions(0o777)
}

#[cfg(unix)]
fn with_permissions(mode: u32) -> Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = Builder::new();
    // The process's umask is taken off by the system, as for any file it creates.
    builder.prefix(UNFINISHED).permissions(std::fs::Permissions::from_mode(mode));
    builder
}

#[cfg(not(unix))]
fn with_permissions(_mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(UNFINISHED);
    builder
}

/// Makes renames and new entries in `folder` survive a power cut.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems, such as shared folders of virtual machines, have no such thing.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Other systems cannot open a folder to sync it; their renames are journalled.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes `bytes` to a `file` that is new, and waits until they are on the disk.
pub(crate) fn write_and_sync(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_last_write_wins_and_leaves_no_temporary(first: Vec<u8>, second: Vec<u8>) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state");
            for content in [&first, &second] {
                write_atomically(&path, content).unwrap();
                prop_assert_eq!(&std::fs::read(&path).unwrap(), content);
            }
            prop_assert_eq!(entries(folder.path()), 1);
        }
    }

    #[test]
    fn readers_see_the_old_or_the_new_content_while_a_writer_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let contents = [vec![b'a'; 100_000], vec![b'b'; 50_000]];
        write_atomically(&path, &contents[0]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..40 {
                    write_atomically(&path, &contents[round % 2]).unwrap();
                }
            });
            while !writer.is_finished() {
                assert!(contents.contains(&std::fs::read(&path).unwrap()));
            }
        });
    }

    #[test]
    fn a_failed_write_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomically(&path, b"old").unwrap();
        // Nothing can be renamed over a folder that is not empty.
        let occupied = folder.path().join("occupied");
        std::fs::create_dir_all(occupied.join("inside")).unwrap();
        assert!(write_atomically(&occupied, b"new").is_err());
        assert!(occupied.join("inside").is_dir());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), 2, "the temporary was removed");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let failure = write_atomically(&folder.path().join("absent/state"), b"new").unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let failure = write_and_sync(full, b"new").unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::StorageFull);
    }
}
