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
    /// else.
    pub fn load(path: &Path, device: &Device<B>) -> Result<Self, InverseDynamicsError> {
        let path = &file_or_of_run(path, INVERSE_DYNAMICS_FILE);
        let access = |source| InverseDynamicsError::Access { path: path.clone(), source };
        let content = std::fs::read(path).map_err(access)?;
        let damaged = |problem| InverseDynamicsError::Damaged { path: path.clone(), problem };
        let (Description { config, size }, trained_on) =
            described(&content, DESCRIPTION, "inverse dynamics").map_err(damaged)?;
        let fresh = Self::new(config, size, &Seed::new(0), device)?;
        let damaged = |problem: inner_outer::Error| InverseDynamicsError::Damaged {
            path: path.clone(),
            problem: problem.to_string(),
        };
        let mut file = NamedTensors::read(content).map_err(damaged)?;
        let value = |name: &str, shape: &[usize]| file.take(name, shape).map(Some);
        let network = with_values(fresh.network, Precision::OfParameter, value).map_err(damaged)?;
        file.finish().map_err(damaged)?;
        Ok(Self { trained_on, network, ..fresh })
    }
}
