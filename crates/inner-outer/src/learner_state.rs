//! What a [`MetaLearner`](crate::MetaLearner) keeps from one run to the next, as bytes.

use burn::module::Module;
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Element};
use serde::{Deserialize, Serialize};

use crate::tensors::{Tensors, parameter_shapes};
use crate::{Error, Result};

/// Everything that learning changes. Optimisers are Burn records in bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub step: usize,
    pub outer: StoredModule,
    pub rates: StoredModule,
    #[serde(with = "serde_bytes")]
    pub outer_optimizer: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub rates_optimizer: Vec<u8>,
}

/// A module as a Burn record in bytes, with the paths and shapes of its parameters: Burn does not compare them, and
/// panics on a list of another length.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredModule {
    parameters: Vec<(String, Vec<usize>)>,
    #[serde(with = "serde_bytes")]
    record: Vec<u8>,
}

impl StoredModule {
    /// # Errors
    /// [`Error::State`] if the record cannot be written, or a parameter is not in the backend's own precision.
    pub fn of<B: Backend, M: Module<B>>(module: &M) -> Result<Self> {
        refuse_other_precision(&Tensors::of(module))?;
        let record = Recorder::<B>::record(&recorder(), module.clone().into_record(), ());
        Ok(Self { parameters: parameter_shapes(module), record: record.map_err(unwritten)? })
    }

    /// `module` with the values that are stored.
    ///
    /// # Errors
    /// [`Error::State`] if they belong to another module, with the first parameter that differs.
    pub fn load_into<B: Backend, M: Module<B>>(self, module: M, device: &Device<B>) -> Result<M> {
        refuse_other_parameters(&self.parameters, &parameter_shapes(&module))?;
        let record = Recorder::<B>::load(&recorder(), self.record, device).map_err(unread)?;
        Ok(module.load_record(record))
    }
}

fn refuse_other_parameters(
    stored: &[(String, Vec<usize>)],
    expected: &[(String, Vec<usize>)],
) -> Result<()> {
    let describe = |parameter: Option<&(String, Vec<usize>)>| match parameter {
        Some((path, shape)) => format!("`{path}` of shape {shape:?}"),
        None => "missing".into(),
    };
    let count = stored.len().max(expected.len());
    match (0..count).find(|&index| stored.get(index) != expected.get(index)) {
        Some(index) => Err(unread(format!(
            "parameter {index} is {} in the state and {} in the module",
            describe(stored.get(index)),
            describe(expected.get(index))
        ))),
        None => Ok(()),
    }
}

fn refuse_other_precision<B: Backend>(parameters: &Tensors<B>) -> Result<()> {
    let own = B::FloatElem::dtype();
    match parameters.0.iter().map(|tensor| tensor.dtype()).find(|dtype| *dtype != own) {
        Some(dtype) => Err(unwritten(format!(
            "a parameter is {dtype:?}, and the backend's precision is {own:?}"
        ))),
        None => Ok(()),
    }
}

pub(crate) fn recorder() -> BinBytesRecorder<FullPrecisionSettings> {
    BinBytesRecorder::default()
}

pub(crate) fn unwritten(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "write", reason: reason.to_string() }
}

pub(crate) fn unread(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "read", reason: reason.to_string() }
}
