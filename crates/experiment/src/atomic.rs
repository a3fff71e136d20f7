//! Files that are either wholly the old one or wholly the new one, whatever happens in between.
//!
//! The order is the textbook's: write a temporary file beside the target, push its bytes to the disk, rename it
//! over the target, push the folder's entry to the disk. A kill or a power cut at any point leaves the old file or
//! the new one, and at worst a temporary that nobody reads. On Unix it goes when a file in its folder is replaced ten minutes later or
//! more, or the run that it lies in is resumed; elsewhere it stays.

mod leftovers;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::Builder;

use leftovers::{A_WHILE, remove_older, temporary_in};
pub(crate) use leftovers::{remove_leftovers, remove_leftovers_below};

/// What the names of unfinished files and folders begin with.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// As many symbolic links in a row as Linux follows.
const LINKS_AT_MOST: usize = 40;

/// Replaces the file at `path` by `bytes`, so that a reader, or the next run after a kill, sees the old content or
/// the new one and never a mixture. Its permissions stay. A symbolic link stays, and what it points to is written. What is there and no file, such as
/// a pipe or a device, stays too and is written to as it is, as is a file that is open already and named so, such as
/// `/dev/stdout`.
///
/// # Errors
/// Whatever the file system answers: no such folder, no space, no permission. The old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Where the system cannot tell what is there, writing has its own, better error.
    let is_no_file = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
    match followed(path)? {
        Some(target) if !is_no_file => replace(&target, bytes),
        _ => File::options().append(true).open(path)?.write_all(bytes),
    }
}

/// Whether files can be made in `folder`; none is left there.
pub(crate) fn try_writing(folder: &Path) -> io::Result<()> {
    temporary_in(folder)?.close()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let replaced = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    if replaced.is_some() {
        // First, for they take space. Not for every new file, of which there may be thousands in a folder.
        remove_older(folder, A_WHILE);
    }
    let mut temporary = temporary_in(folder)?;
    temporary.write_all(bytes)?;
    if let Some(there) = replaced {
        temporary.as_file().set_permissions(there.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failure| failure.error)?;
    sync_folder(folder)
}

/// Where the symbolic links at `path` lead to, whether or not something is there. `None` for what a process has open: whoever
/// reads it there would not see a file that took its place.
fn followed(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_AT_MOST {
        match fs::read_link(&path) {
            Ok(_) if ["/proc", "/dev/fd"].iter().any(|open| path.starts_with(open)) => {
                return Ok(None);
            }
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(Some(path)),
        }
    }
    // For links in a circle the system has its own error.
    fs::metadata(&path).map(|_| Some(path))
}

/// The folder that holds `path`, which is the working folder for a bare file name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the folder `path` and those above it that are not there, to stay after a power cut.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    fs::create_dir_all(path)?;
    new.into_iter().rev().try_for_each(|folder| sync_folder(folder_of(folder)))
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
    builder.prefix(UNFINISHED).permissions(fs::Permissions::from_mode(mode));
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
        fs::read_dir(folder).unwrap().count()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_last_write_wins_and_leaves_no_temporary(first: Vec<u8>, second: Vec<u8>) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state");
            for content in [&first, &second] {
                write_atomically(&path, content).unwrap();
                prop_assert_eq!(&fs::read(&path).unwrap(), content);
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
                assert!(contents.contains(&fs::read(&path).unwrap()));
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_it_points_to_is_written() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, here) = (folder.path().join("elsewhere"), folder.path().join("here"));
        fs::create_dir(&elsewhere).unwrap();
        fs::create_dir(&here).unwrap();
        let (first, second) = (here.join("first"), here.join("second"));
        symlink("second", &first).unwrap();
        symlink("../elsewhere/state", &second).unwrap();
        // The links point to nothing, then to a file.
        for content in ["old", "new"] {
            write_atomically(&first, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(elsewhere.join("state")).unwrap(), content);
            for link in [&first, &second] {
                assert!(fs::symlink_metadata(link).unwrap().is_symlink(), "{}", link.display());
            }
        }
        assert_eq!((entries(&elsewhere), entries(&here)), (1, 2));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_not_read_stays_so() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomically(&path, b"old").unwrap();
        for mode in [0o600, 0o640, 0o444] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write_atomically(&path, b"new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_are_an_error_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("link", &link).unwrap();
        assert!(write_atomically(&link, b"new").is_err());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_stays_and_is_written_to() {
        use std::io::Read;
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        symlink("pipe", &link).unwrap();
        // With both ends open here, nobody waits for the other.
        let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
        for path in [&pipe, &link] {
            write_atomically(path, b"new").unwrap();
            assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
            assert!(fs::metadata(&link).unwrap().file_type().is_fifo());
            let mut content = [0; 3];
            reader.read_exact(&mut content).unwrap();
            assert_eq!(&content, b"new");
        }
        assert_eq!(entries(folder.path()), 2);
    }

    /// As with `--out /dev/stdout`, before a bar or after `>>`.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_open_is_written_through() {
        use std::os::fd::AsRawFd;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before, ").unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        write_atomically(Path::new(&path), b"after").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "before, after");
        let (reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        write_atomically(Path::new(&path), b"new").unwrap();
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), "new");
    }

    #[test]
    fn a_failed_write_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomically(&path, b"old").unwrap();
        // Nothing can be renamed over a folder that is not empty.
        let occupied = folder.path().join("occupied");
        fs::create_dir_all(occupied.join("inside")).unwrap();
        assert!(write_atomically(&occupied, b"new").is_err());
        assert!(occupied.join("inside").is_dir());
        assert_eq!(fs::read(&path).unwrap(), b"old");
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
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let failure = write_and_sync(full, b"new").unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::StorageFull);
    }
}
