//! What a run is about beside its configuration, written down so that it is not resumed with something else.

use experiment::cli::{Failure, OrFailure, write_file};
use experiment::fingerprint::Fingerprint;
use experiment::run_directory::RunDirectory;

const INPUTS_FILE: &str = "inputs.txt";

/// Writes down what a run is about, or checks that it is about the same as before.
///
/// # Errors
/// Bad input: other inputs than before. Failed: a file that cannot be written.
pub(super) fn require(run: &RunDirectory, inputs: &[Fingerprint]) -> Result<(), Failure> {
    let path = run.path().join(INPUTS_FILE);
    let text = inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    match std::fs::read_to_string(&path) {
        Ok(before) if before == text => Ok(()),
        Ok(_) => Err(anyhow::anyhow!(
            "the run in {} was begun with other images or another network: put back those that it began with, or begin again in another --out",
            run.path().display()
        ))
        .bad_input(),
        Err(_) => write_file(&path, &text),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_run_is_not_resumed_with_other_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunDirectory::create(&path, &BTreeMap::<String, u64>::new()).unwrap();
        let [one, other] = [b"one", b"two"].map(|bytes| Fingerprint::of_parts(&[bytes]));
        require(&run, &[one, other]).unwrap();
        require(&run, &[one, other]).unwrap();
        for changed in [vec![one], vec![other, one]] {
            let refused = require(&run, &changed).unwrap_err();
            assert!(
                matches!(refused, Failure::BadInput(cause) if cause.to_string().contains("--out"))
            );
        }
    }
}
