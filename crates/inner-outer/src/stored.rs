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
pub fn save_selected<B: Backend, M: Module<B>>(
    module: &M,
    selection: &Selection,
) -> Result<Vec<u8>> {
    let mut collect = Collect { path: Vec::new(), selection, found: Vec::new() };
    module.visit(&mut collect);
    if collect.found.is_empty() {
        return Err(unwritten(format!(
            "{selection:?} selects none of {}",
            parameter_paths(module).join(", ")
        )));
    }
    let views = collect.found.iter().map(|(path, data)| {
        let precision = stored_precision(data.dtype);
        let precision =
            precision.ok_or_else(|| unwritten(format!("`{path}` is {:?}", data.dtype)))?;
        let view =
            TensorView::new(precision, data.shape.to_vec(), data.as_bytes()).map_err(unwritten)?;
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
        let precision =
            precision.ok_or_else(|| unread(format!("`{path}` is {:?}", view.dtype())))?;
        let data =
            TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), precision);
        stored.insert(path.to_owned(), data);
    }
    check(&module, &stored)?;
    Ok(module.map(&mut Replace { path: Vec::new(), stored }))
}

/// Every stored parameter must be in the module, with the same shape.
fn check<B: Backend, M: Module<B>>(
    module: &M,
    stored: &BTreeMap<String, TensorData>,
) -> Result<()> {
    let mut shapes: BTreeMap<_, _> = parameter_shapes(module).into_iter().collect();
    for (path, data) in stored {
        let Some(expected) = shapes.remove(path) else {
            return Err(Error::ParameterNames {
                path: path.clone(),
                state: "not part of the module",
            });
        };
        if data.shape.to_vec() != expected {
            return Err(Error::ShapeMismatch {
                path: path.clone(),
                expected,
                found: data.shape.to_vec(),
            });
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
        let value =
            Tensor::from_data(data.convert_dtype(old.dtype()), (&old.device(), old.dtype()));
        Param::initialized(parameter.id, value)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{Linear, LinearConfig};

    use super::*;
    use crate::Lora;
    use crate::tensors::{Tensors, to_f64};

    /// A layer with its change.
    #[derive(Module, Debug)]
    struct Adapted<B: Backend> {
        layer: Linear<B>,
        lora: Vec<Lora<B>>,
    }

    fn adapted(inputs: usize, dtype: DType) -> Adapted<Flex> {
        let device = Default::default();
        let module = Adapted {
            layer: LinearConfig::new(inputs, 2).init(&device),
            lora: vec![
                Lora::new([inputs, 2], 1, 1.0, &device),
                Lora::new([inputs, 2], 1, 1.0, &device),
            ],
        };
        let random = |tensor: &Tensor<Flex, 1>| {
            tensor.random_like(burn::tensor::Distribution::Uniform(-1.0, 1.0)).cast(dtype)
        };
        Tensors(Tensors::of(&module).0.iter().map(random).collect()).write(module)
    }

    fn lora() -> Selection {
        Selection::Named("lora".into())
    }

    fn values(module: &Adapted<Flex>) -> Vec<Vec<f64>> {
        Tensors::of(module).0.iter().map(to_f64).collect()
    }

    #[test]
    fn selected_parameters_come_back_and_others_stay() {
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let (saved, other) = (adapted(3, dtype), adapted(3, dtype));
            let bytes = save_selected(&saved, &lora()).unwrap();
            let names: Vec<_> = SafeTensors::deserialize(&bytes)
                .unwrap()
                .names()
                .into_iter()
                .map(str::to_owned)
                .collect();
            assert_eq!(names.len(), 4);
            assert!(names.contains(&"lora.1.b".to_owned()), "{names:?}");
            let loaded = load_selected(other.clone(), &bytes).unwrap();
            assert_eq!(values(&loaded)[2..], values(&saved)[2..], "{dtype:?}");
            assert_eq!(values(&loaded)[..2], values(&other)[..2]);
            assert!(Tensors::of(&loaded).0.iter().all(|tensor| tensor.dtype() == dtype));
        }
    }

    #[test]
    fn values_take_the_precision_of_the_module() {
        let saved = adapted(3, DType::F32);
        let bytes = save_selected(&saved, &Selection::All).unwrap();
        let loaded = load_selected(adapted(3, DType::F64), &bytes).unwrap();
        assert_eq!(values(&loaded), values(&saved));
        assert!(Tensors::of(&loaded).0.iter().all(|tensor| tensor.dtype() == DType::F64));
    }

    #[test]
    fn misfits_are_refused() {
        let bytes = save_selected(&adapted(3, DType::F32), &lora()).unwrap();
        let shape = load_selected(adapted(4, DType::F32), &bytes).unwrap_err();
        assert!(
            shape
                .to_string()
                .contains("`lora.0.a` is stored as [3, 1], but the module expects [4, 1]"),
            "{shape}"
        );
        assert!(matches!(shape, Error::ShapeMismatch { .. }));
        let device = Default::default();
        let names =
            load_selected(LinearConfig::new(3, 2).init::<Flex>(&device), &bytes).unwrap_err();
        assert!(names.to_string().contains("`lora.0.a` is not part of the module"), "{names}");
        assert!(matches!(names, Error::ParameterNames { .. }));
    }

    #[test]
    fn broken_files_are_refused() {
        let bytes = save_selected(&adapted(3, DType::F32), &lora()).unwrap();
        for broken in [&bytes[..bytes.len() - 1], &bytes[..4], b"no safetensors file"] {
            let error = load_selected(adapted(3, DType::F32), broken).unwrap_err();
            assert!(matches!(error, Error::State { action: "read", .. }));
        }
        let integers = TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
        let integers = safetensors::serialize([("lora.0.a", integers)], None).unwrap();
        let error = load_selected(adapted(3, DType::F32), &integers).unwrap_err();
        assert!(error.to_string().contains("`lora.0.a` is I64"), "{error}");
    }

    #[test]
    fn an_empty_selection_is_refused() {
        let error =
            save_selected(&adapted(3, DType::F32), &Selection::below(["head"])).unwrap_err();
        assert!(error.to_string().contains("layer.weight"), "{error}");
        assert!(matches!(error, Error::State { action: "write", .. }));
    }
}
