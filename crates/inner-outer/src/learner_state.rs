//! What a [`MetaLearner`](crate::MetaLearner) keeps from one run to the next, as bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder, RecorderError};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Device, Element};
use serde::{Deserialize, Serialize};

use crate::tensors::{Tensors, parameter_shapes};
use crate::{Error, Result};

/// Everything that learning changes.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub step: usize,
    pub outer: StoredModule,
    pub rates: StoredModule,
    pub outer_optimizer: StoredOptimizer,
    pub rates_optimizer: StoredOptimizer,
}

/// An optimiser's state as a Burn record in bytes, with the optimiser it is of: Burn reads one as the other.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredOptimizer {
    pub optimizer: String,
    #[serde(with = "serde_bytes")]
    pub record: Vec<u8>,
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
        refuse_other_precision(&Tensors::of(module), unwritten)?;
        let record = Recorder::<B>::record(&recorder(), module.clone().into_record(), ());
        Ok(Self { parameters: parameter_shapes(module), record: record.map_err(unwritten)? })
    }

    /// `module` with the values that are stored.
    ///
    /// # Errors
    /// [`Error::State`] if they belong to another module, with the first parameter that differs.
    pub fn load_into<B: Backend, M: Module<B>>(self, module: M, device: &Device<B>) -> Result<M> {
        refuse_other_parameters(&self.parameters, &parameter_shapes(&module))?;
        refuse_other_precision(&Tensors::of(&module), unread)?;
        Ok(module.load_record(decoded(self.record, |bytes| {
            Recorder::<B>::load(&recorder(), bytes, device)
        })?))
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

/// What `load` makes of a record: Burn's recorder of bytes panics on those that it cannot read.
///
/// # Errors
/// [`Error::State`] for damaged bytes.
pub(crate) fn decoded<R>(
    bytes: Vec<u8>,
    load: impl FnOnce(Vec<u8>) -> std::result::Result<R, RecorderError>,
) -> Result<R> {
    match catch_unwind(AssertUnwindSafe(|| load(bytes))) {
        Ok(loaded) => loaded.map_err(unread),
        Err(_) => Err(unread("a record in it is damaged")),
    }
}

/// `error` makes an error of the first parameter in another precision, or of one that records would round.
fn refuse_other_precision<B: Backend>(
    parameters: &Tensors<B>,
    error: impl FnOnce(String) -> Error,
) -> Result<()> {
    let own = B::FloatElem::dtype();
    if own == DType::F64 {
        let cause = "records keep single precision, and the backend's own is double: learn on one of single precision";
        return Err(error(cause.into()));
    }
    match parameters.0.iter().map(|tensor| tensor.dtype()).find(|dtype| *dtype != own) {
        Some(dtype) => {
            Err(error(format!("a parameter is {dtype:?}, and the backend's precision is {own:?}")))
        }
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
