//! Selected parameters as safetensors bytes: a LoRA or a last layer, without the model it belongs to.
//!
//! A file holds one tensor for each selected parameter, under its path (`"blocks.0.lora.a"`), in the precision the
//! parameter has. Settings of modules are not parameters: a [`Lora`](crate::Lora) is to be loaded into a module made with the same alpha.

use burn::module::Module;
use burn::tensor::backend::Backend;

use crate::learner_state::unwritten;
use crate::named_tensors::{self, NamedTensors, Precision, with_values};
use crate::tensors::parameter_paths;
use crate::{Error, Result, Selection};

/// The selected float parameters of `module` as the bytes of a safetensors file.
///
/// # Errors
/// [`Error::State`](crate::Error::State) if nothing is selected, or a parameter is not of half, single or double precision,
/// [`Error::NothingThere`](crate::Error::NothingThere) for an entry of the selection that no parameter has.
pub fn save_selected<B: Backend, M: Module<B>>(
    module: &M,
    selection: &Selection,
) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    named_tensors::visit(module, |path, value| {
        if selection.contains(path) {
            found.push((path.to_owned(), value()));
        }
    });
    if found.is_empty() {
        return Err(unwritten(format!(
            "{selection:?} selects none of {}",
            parameter_paths(module).join(", ")
        )));
    }
    require_matched(module, selection)?;
    named_tensors::write(&found)
}

/// `module` with the parameters of `selection` as [`save_selected`] stored them in `bytes`; all others stay as they are. Values
/// are converted to the precision that the parameter has.
///
/// # Errors
/// [`Error::State`](crate::Error::State) if the bytes are no safetensors file of floats,
/// [`Error::ParameterNames`](crate::Error::ParameterNames) if a selected parameter is not stored or a stored one not selected,
/// [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if it has another shape there,
/// [`Error::NothingThere`](crate::Error::NothingThere) for an entry of the selection that no parameter has.
pub fn load_selected<B: Backend, M: Module<B>>(
    module: M,
    selection: &Selection,
    bytes: &[u8],
) -> Result<M> {
    require_matched(&module, selection)?;
    let mut file = NamedTensors::read(bytes.to_vec())?;
    let chosen = |path: &str| selection.contains(path);
    let module = with_values(module, Precision::OfParameter, |path, shape| match chosen(path) {
        true => file.take(path, shape).map(Some),
        false => Ok(None),
    })?;
    file.finish()?;
    Ok(module)
}

/// What is misspelt would be kept back, and come back as it was made.
fn require_matched<B: Backend, M: Module<B>>(module: &M, selection: &Selection) -> Result<()> {
    let paths = parameter_paths(module);
    match selection.unmatched(&paths) {
        Some(entry) => Err(Error::NothingThere { entry, available: paths.join(", ") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{Linear, LinearConfig, LinearLayout};
    use burn::tensor::{DType, Tensor};
    use safetensors::tensor::TensorView;
    use safetensors::{Dtype, SafeTensors};

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
            let loaded = load_selected(other.clone(), &lora(), &bytes).unwrap();
            assert_eq!(values(&loaded)[2..], values(&saved)[2..], "{dtype:?}");
            assert_eq!(values(&loaded)[..2], values(&other)[..2]);
            assert!(Tensors::of(&loaded).0.iter().all(|tensor| tensor.dtype() == dtype));
        }
    }

    #[test]
    fn values_take_the_precision_of_the_module() {
        let saved = adapted(3, DType::F32);
        let bytes = save_selected(&saved, &Selection::All).unwrap();
        let loaded = load_selected(adapted(3, DType::F64), &Selection::All, &bytes).unwrap();
        assert_eq!(values(&loaded), values(&saved));
        assert!(Tensors::of(&loaded).0.iter().all(|tensor| tensor.dtype() == DType::F64));
    }

    #[test]
    fn a_new_value_does_not_freeze_a_parameter() {
        type B = crate::Autodiff<Flex>;
        let fresh = || -> Linear<B> { LinearConfig::new(3, 2).init(&Default::default()) };
        let bytes = save_selected(&fresh(), &Selection::All).unwrap();
        let loaded = load_selected(fresh(), &Selection::All, &bytes).unwrap();
        assert!(loaded.weight.is_require_grad());
        let frozen = load_selected(fresh().no_grad(), &Selection::All, &bytes).unwrap();
        assert!(!frozen.weight.is_require_grad());
    }

    /// Burn keeps the weights of such a layer as `[outputs, inputs]` in its own records.
    #[test]
    fn layers_that_burn_stores_transposed_come_back() {
        let fresh = || -> Linear<Flex> {
            let config = LinearConfig::new(3, 2).with_bias(false);
            config.with_layout(LinearLayout::Col).init(&Default::default())
        };
        let saved = fresh();
        let bytes = save_selected(&saved, &Selection::All).unwrap();
        let loaded = load_selected(fresh(), &Selection::All, &bytes).unwrap();
        assert_eq!(to_f64(&loaded.weight.val()), to_f64(&saved.weight.val()));
        let again = fresh().load_record(loaded.into_record());
        assert_eq!(to_f64(&again.weight.val()), to_f64(&saved.weight.val()));
    }

    #[test]
    fn misfits_are_refused() {
        let bytes = save_selected(&adapted(3, DType::F32), &lora()).unwrap();
        let shape = load_selected(adapted(4, DType::F32), &lora(), &bytes).unwrap_err();
        assert!(
            shape
                .to_string()
                .contains("`lora.0.a` is stored as [3, 1], but the module expects [4, 1]"),
            "{shape}"
        );
        assert!(matches!(shape, Error::ShapeMismatch { .. }));
        let device = Default::default();
        let layer = || -> Linear<Flex> { LinearConfig::new(3, 2).init(&device) };
        let absent = load_selected(layer(), &lora(), &bytes).unwrap_err();
        assert!(
            matches!(&absent, Error::NothingThere { entry, .. } if entry == "lora"),
            "{absent}"
        );
        let names = load_selected(layer(), &Selection::All, &bytes).unwrap_err();
        assert!(matches!(names, Error::ParameterNames { .. }), "{names}");
        let misspelt = Selection::below(["lora", "layre"]);
        let refused = [
            save_selected(&adapted(3, DType::F32), &misspelt).unwrap_err(),
            load_selected(adapted(3, DType::F32), &misspelt, &bytes).unwrap_err(),
        ];
        for refused in refused {
            assert!(
                matches!(&refused, Error::NothingThere { entry, .. } if entry == "layre"),
                "{refused}"
            );
        }
        // A file of one layer's change is not one of both.
        let one = Selection::below(["lora.0"]);
        let half = save_selected(&adapted(3, DType::F32), &one).unwrap();
        load_selected(adapted(3, DType::F32), &one, &half).unwrap();
        let missing = load_selected(adapted(3, DType::F32), &lora(), &half).unwrap_err();
        assert!(missing.to_string().contains("`lora.1.a` is missing in the file"), "{missing}");
    }

    #[test]
    fn broken_files_are_refused() {
        let bytes = save_selected(&adapted(3, DType::F32), &lora()).unwrap();
        for broken in [&bytes[..bytes.len() - 1], &bytes[..4], b"no safetensors file"] {
            let error = load_selected(adapted(3, DType::F32), &lora(), broken).unwrap_err();
            assert!(matches!(error, Error::State { action: "read", .. }));
        }
        let integers = TensorView::new(Dtype::I64, vec![3, 1], &[0; 24]).unwrap();
        let integers = safetensors::serialize([("lora.0.a", integers)], None).unwrap();
        let error = load_selected(adapted(3, DType::F32), &lora(), &integers).unwrap_err();
        assert!(error.to_string().contains("`lora.0.a` is stored as I64"), "{error}");
    }

    #[test]
    fn an_empty_selection_is_refused() {
        let error =
            save_selected(&adapted(3, DType::F32), &Selection::below(["head"])).unwrap_err();
        assert!(error.to_string().contains("layer.weight"), "{error}");
        assert!(matches!(error, Error::State { action: "write", .. }));
    }
}
