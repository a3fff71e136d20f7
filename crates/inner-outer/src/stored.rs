//! Selected parameters as safetensors bytes: a LoRA or a last layer, without the model it belongs to.
//!
//! A file holds one tensor for each selected parameter, under its path (`"blocks.0.lora.a"`), in the precision the
//! parameter has.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::tensors::{parameter_paths, parameter_shapes};
use crate::{Error, Result, Selection};

/// The selected float parameters of `module` as the bytes of a safetensors file.
///
/// # Errors
/// [`Error::State`] if nothing is selected, or a parameter is not of half, single or double precision.
pub fn save_selected<B: Backend, M: Module<B>>(module: &M, selection: &Selection) -> Result<Vec<u8>> {
    let mut collect = Collect { path: Vec::new(), selection, found: Vec::new() };
    module.visit(&mut collect);
    if collect.found.is_empty() {
        return Err(unwritten(format!("{selection:?} selects none of {}", parameter_paths(module).join(", "))));
    }
    let views = collect.found.iter().map(|(path, data)| {
        let precision = stored_precision(data.dtype);
        let precision = precision.ok_or_else(|| unwritten(format!("`{path}` is {:?}", data.dtype)))?;
        let view = TensorView::new(precision, data.shape.to_vec(), data.as_bytes()).map_err(unwritten)?;
        Ok((path.as_str(), view))
    });
    safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(unwritten)
}

/// `module` with the parameters that [`save_selected`] stored in `bytes`; all others stay as they are. Values are
/// converted to the precision that the parameter has.
///
/// # Errors
/// [`Error::State`] if the bytes are no safetensors file of floats, [`Error::ParameterNames`] if a stored
/// parameter is not part of the module, [`Error::ShapeMismatch`] if it has another shape there.
pub fn load_selected<B: Backend, M: Module<B>>(module: M, bytes: &[u8]) -> Result<M> {
    let file = SafeTensors::deserialize(bytes).map_err(unread)?;
    let mut stored = BTreeMap::new();
    for (path, view) in file.iter() {
        let precision = loaded_precision(view.dtype());
        let precision = precision.ok_or_else(|| unread(format!("`{path}` is {:?}", view.dtype())))?;
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), precision);
        stored.insert(path.to_owned(), data);
    }
    check(&module, &stored)?;
    Ok(module.map(&mut Replace { path: Vec::new(), stored }))
}

/// Every stored parameter must be in the module, with the same shape.
fn check<B: Backend, M: Module<B>>(module: &M, stored: &BTreeMap<String, TensorData>) -> Result<()> {
    let mut shapes: BTreeMap<_, _> = parameter_shapes(module).into_iter().collect();
    for (path, data) in stored {
        let Some(expected) = shapes.remove(path) else {
            return Err(Error::ParameterNames { path: path.clone(), state: "not part of the module" });
        };
        if data.shape.to_vec() != expected {
            return Err(Error::ShapeMismatch { path: path.clone(), expected, found: data.shape.to_vec() });
        }
    }
    Ok(())
}

fn stored_precision(precision: DType) -> Option<Dtype> {
    match precision {
        DType::F64 => Some(Dtype::F64),
        DType::F32 => Some(Dtype::F32),
        DType::F16 => Some(Dtype::F16),
        DType::BF16 => Some(Dtype::BF16),
        _ => None,
    }
}

fn loaded_precision(precision: Dtype) -> Option<DType> {
    match precision {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn unwritten(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "write", reason: reason.to_string() }
}

fn unread(reason: impl std::fmt::Display) -> Error {
    Error::State { action: "read", reason: reason.to_string() }
}

struct Collect<'s> {
    path: Vec<String>,
    selection: &'s Selection,
    found: Vec<(String, TensorData)>,
}

impl<B: Backend> ModuleVisitor<B> for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let path = self.path.join(".");
        if self.selection.contains(&path) {
            self.found.push((path, parameter.val().to_data()));
        }
    }
}

struct Replace {
    path: Vec<String>,
    stored: BTreeMap<String, TensorData>,
}

impl<B: Backend> ModuleMapper<B> for Replace {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(data) = self.stored.remove(&self.path.join(".")) else { return parameter };
        let old = parameter.val();
        let value = Tensor::from_data(data.convert_dtype(old.dtype()), (&old.device(), old.dtype()));
        Param::initialized(parameter.id, value)
    }
}
