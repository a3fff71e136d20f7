//! Where tests find the published data, which is not part of the repository, and what one of its rows looks like.

use std::path::{Path, PathBuf};

/// The path of `file` inside the folder of published data, or `None` (with a message) where there is none.
///
/// The folder is named by the variable `RECKONING_DATA`, or is `shared/data` beside or above the crate.
pub(super) fn published(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RECKONING_DATA").map(PathBuf::from).or_else(|| {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        above.map(|folder| folder.join("shared/data")).find(|folder| folder.is_dir())
    });
    let path = folder.map(|folder| folder.join(file)).filter(|path| path.exists());
    if path.is_none() {
        eprintln!(
            "skipped: {file} is not there; set RECKONING_DATA to the folder of published data"
        );
    }
    path
}

/// The head of a table of CLUTRR.
pub(crate) const CLUTRR_HEAD: &str =
    "id,query,target,story_edges,edge_types,genders,query_edge,task_name,proof_state,story";
/// A row below it.
pub(crate) const CLUTRR_ROW: &str = r#"7,"('Ann', 'Cas')",neice,"[(0, 1), (1, 2)]","['brother', 'daughter']","Ann:female,Bob:male,Cas:female","(0, 2)",task_1.2,,"[Bob] is here.  [Ann] is his sister. [Cas] is [Bob]'s child.""#;
