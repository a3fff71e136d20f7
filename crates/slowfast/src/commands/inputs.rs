//! What a run is about, written down so that it is not resumed with something else.

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure, write_file};
use experiment::fingerprint::Fingerprint;
use experiment::run_directory::RunDirectory;

use crate::autoencoder::Autoencoder;
use crate::clip::ClipSet;
use crate::inverse_dynamics::InverseDynamics;
use crate::memory::of_module;
use crate::video_model::VideoModel;

const INPUTS_FILE: &str = "inputs.txt";

/// Which clips these are.
pub fn of_clips(clips: &ClipSet) -> String {
    clips.index().description.fingerprint()
}

/// Which autoencoder this is.
pub fn of_autoencoder<B: Backend>(autoencoder: &Autoencoder<B>) -> String {
    of_module(autoencoder, &[]).to_string()
}

/// Which model this is.
///
/// # Errors
/// Bad input: a model that cannot be used.
pub fn of_model<B: Backend>(model: &VideoModel<B>) -> Result<String, Failure> {
    let world = model.world(Default::default(), None).bad_input()?;
    let parts = [world.fingerprint(), of_module(&model.autoencoder, &[])];
    Ok(Fingerprint::of_all(&parts).to_string())
}

/// Which inverse dynamics these are.
pub fn of_inverse<B: Backend>(inverse: &InverseDynamics<B>) -> String {
    of_module(&inverse.network, &[]).to_string()
}

/// Writes down what a run is about, or checks that it is about the same as before.
///
/// # Errors
/// Bad input: other inputs than before. Failed: a file that cannot be written.
pub fn require(run: &RunDirectory, inputs: &[String]) -> Result<(), Failure> {
    let (path, text) = (run.path().join(INPUTS_FILE), inputs.join("\n"));
    match std::fs::read_to_string(&path) {
        Ok(before) if before == text => Ok(()),
        Ok(_) => Err(Failure::BadInput(anyhow::anyhow!(
            "the run in {} was begun with other clips, another model or other inverse dynamics: give the same ones, or choose another --out",
            run.path().display()
        ))),
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
        let inputs =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        require(&run, &inputs(&["a", "b"])).unwrap();
        require(&run, &inputs(&["a", "b"])).unwrap();
        let other = require(&run, &inputs(&["a"])).unwrap_err();
        assert!(matches!(other, Failure::BadInput(cause) if cause.to_string().contains("--out")));
    }
}
