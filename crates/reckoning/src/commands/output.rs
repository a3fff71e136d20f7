//! Files that subcommands write.

use std::fs;
use std::path::Path;

use anyhow::Context;
use experiment::atomic::write_atomically;
use experiment::cli::{Failure, OrFailure};

/// Writes a file, and its folder where that is not there.
///
/// # Errors
/// Bad input: a folder that cannot be made. Failed: writing.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let refused = || {
        format!(
            "cannot write {}: check the path, its permissions and the space left",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(refused).bad_input()?;
    }
    write_atomically(path, text.as_bytes()).with_context(refused).failed()
}
