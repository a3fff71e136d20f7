//! Trained inverse dynamics as one safetensors file, with the settings and the scenes they were trained on in the metadata.

use std::path::Path;

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::atomic::write_atomically;
use experiment::run_directory::file_or_of_run;
use experiment::seed::Seed;
use inner_outer::named_tensors::{NamedTensors, Precision, parameters, with_values};
use serde::{Deserialize, Serialize};

use super::{InverseDynamics, InverseDynamicsConfig, InverseDynamicsError};
use crate::described_file::{describe, described};
use crate::remedies;

/// What a run leaves behind.
pub const INVERSE_DYNAMICS_FILE: &str = "inverse-dynamics.safetensors";
/// Key of the file's metadata.
const DESCRIPTION: &str = "slowfast_inverse_dynamics";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    config: InverseDynamicsConfig,
    size: [usize; 2],
}

impl<B: Backend> InverseDynamics<B> {
    /// Writes one file, wholly or not at all.
    ///
    /// # Errors
    /// [`InverseDynamicsError::State`] and [`InverseDynamicsError::Access`].
    pub fn save(&self, path: &Path) -> Result<(), InverseDynamicsError> {
        let description = Description { config: self.config, size: self.size };
        let trained_on = self.trained_on.as_ref();
        let content = describe(&parameters(&self.network), DESCRIPTION, &description, trained_on)
            .map_err(InverseDynamicsError::State)?;
        let access = |source| InverseDynamicsError::Access { path: path.to_owned(), source };
        write_atomically(path, &content).map_err(access)
    }

    /// Reads a file that [`Self::save`] wrote, or that of a run's folder.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Access`], and [`InverseDynamicsError::Damaged`] for a file that is cut off or something
    /// else, or whose settings do not fit its tensors.
    pub fn load(path: &Path, device: &Device<B>) -> Result<Self, InverseDynamicsError> {
        let path = &file_or_of_run(path, INVERSE_DYNAMICS_FILE);
        let access = |source| InverseDynamicsError::Access { path: path.clone(), source };
        let content = std::fs::read(path).map_err(access)?;
        let damaged = |problem| InverseDynamicsError::Damaged { path: path.clone(), problem };
        let (description, trained_on) =
            described(&content, DESCRIPTION, "inverse dynamics").map_err(damaged)?;
        let read = filled(&description, content, device).map_err(damaged)?;
        Ok(Self { trained_on, ..read })
    }
}

/// What a file holds. The shapes come first: damaged settings can ask for more memory than there is.
fn filled<B: Backend>(
    description: &Description,
    content: Vec<u8>,
    device: &Device<B>,
) -> Result<InverseDynamics<B>, String> {
    let told = |error: inner_outer::Error| remedies::in_file(&error);
    let mut file = NamedTensors::read(content).map_err(told)?;
    check_shapes(&file, &description.config)?;
    let Description { config, size } = *description;
    let fresh = InverseDynamics::new(config, size, &Seed::new(0), device)
        .map_err(|error| format!("its settings cannot be used ({error})"))?;
    let value = |name: &str, shape: &[usize]| file.take(name, shape).map(Some);
    let network = with_values(fresh.network, Precision::OfParameter, value).map_err(told)?;
    file.finish().map_err(told)?;
    Ok(InverseDynamics { network, ..fresh })
}

fn check_shapes(file: &NamedTensors, config: &InverseDynamicsConfig) -> Result<(), String> {
    for (layer, expected) in config.layers() {
        let name = format!("{layer}.weight");
        let found = file.shape(&name).unwrap_or_default();
        if found != expected.as_slice() {
            return Err(format!("`{name}` is {found:?}, but its settings make it {expected:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::super::tests::untrained;
    use super::*;

    #[test]
    fn settings_that_do_not_fit_the_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(INVERSE_DYNAMICS_FILE);
        let refused = |change: fn(&mut InverseDynamics<Flex>)| {
            let mut inverse = untrained();
            change(&mut inverse);
            inverse.save(&path).unwrap();
            let refused = InverseDynamics::<Flex>::load(&path, &Default::default()).unwrap_err();
            assert!(matches!(refused, InverseDynamicsError::Damaged { .. }), "{refused}");
            refused.to_string()
        };
        let none = refused(|inverse| inverse.config.hidden = 0);
        assert!(none.contains("`first.weight` is [80, 16], but its settings make it [80, 0]"));
        let wide = refused(|inverse| inverse.config.hidden = usize::MAX);
        assert!(wide.contains("`first.weight`"), "{wide}");
        let fine = refused(|inverse| inverse.config.matching.blocks = usize::MAX);
        assert!(fine.contains("`first.weight`"), "{fine}");
        let deep = refused(|inverse| inverse.config.features = 1 << 62);
        assert!(deep.contains("`second.weight`"), "{deep}");
        let small = refused(|inverse| inverse.size = [2, 2]);
        assert!(small.contains("cannot be used (`blocks` is 4"), "{small}");
    }
}
