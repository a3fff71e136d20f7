//! Tensors by name, as safetensors files hold them: reading, writing, and the parameters of a module by their paths.
//!
//! Values keep the precision that they have: half, single or double, as Burn's backends know it.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Serialize;

use crate::learner_state::{unread, unwritten};
use crate::{Error, Result};

#[cfg(target_endian = "big")]
compile_error!("safetensors files are little-endian, and values are copied as they lie in memory");

/// The content of a file, whose tensors are taken out one by one, so that none can be forgotten.
#[derive(Debug)]
pub struct NamedTensors {
    content: Vec<u8>,
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    start: usize,
    left: BTreeSet<String>,
}

impl NamedTensors {
    /// Reads the content of a safetensors file.
    ///
    /// # Errors
    /// [`Error::State`] if it is cut off, changed, or of another kind.
    pub fn read(content: Vec<u8>) -> Result<Self> {
        let (header, metadata) = header(&content)?;
        let left = metadata.offset_keys().into_iter().collect();
        Ok(Self { metadata, start: size_of::<u64>() + header, content, left })
    }

    /// Names of the tensors not taken yet, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(String::as_str)
    }

    /// Whether there is a tensor `name` that was not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains(name)
    }

    /// Shape of the tensor `name`.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Takes the tensor `name`, which must be of `shape`, in the precision it is stored in.
    ///
    /// # Errors
    /// [`Error::ParameterNames`] if it is not there, [`Error::ShapeMismatch`], and [`Error::State`] if it holds no
    /// floating-point numbers.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<TensorData> {
        let path = name.to_owned();
        let Some(info) = self.metadata.info(name) else {
            return Err(Error::ParameterNames { path, state: "missing in the file" });
        };
        if info.shape != shape {
            let (found, expected) = (info.shape.clone(), shape.to_vec());
            return Err(Error::ShapeMismatch { path, expected, found });
        }
        let precision = loaded_precision(info.dtype).ok_or_else(|| {
            unread(format!(
                "`{name}` is stored as {:?}, so convert it to F16, BF16, F32 or F64",
                info.dtype
            ))
        })?;
        let (from, to) = info.data_offsets;
        let bytes = self.content[self.start + from..self.start + to].to_vec();
        self.left.remove(name);
        Ok(TensorData::from_bytes_vec(bytes, shape.to_vec(), precision))
    }

    /// Lets go of tensors that no parameter needs.
    pub fn ignore(&mut self, is_ignored: impl Fn(&str) -> bool) {
        self.left.retain(|name| !is_ignored(name));
    }

    /// Refuses a file with tensors that nobody took.
    ///
    /// # Errors
    /// [`Error::ParameterNames`] with the first of them.
    pub fn finish(mut self) -> Result<()> {
        match self.left.pop_first() {
            Some(path) => Err(Error::ParameterNames { path, state: "not part of the module" }),
            None => Ok(()),
        }
    }
}

/// The content of a safetensors file.
///
/// # Errors
/// [`Error::State`] for a tensor that is not of half, single or double precision.
pub fn write(tensors: &[(String, TensorData)]) -> Result<Vec<u8>> {
    let view = |(name, data): &'_ (String, TensorData)| {
        let precision = stored_precision(data.dtype)
            .ok_or_else(|| unwritten(format!("`{name}` is {:?}", data.dtype)))?;
        Ok((name.clone(), precision, data.shape.to_vec()))
    };
    let described = tensors.iter().map(view).collect::<Result<Vec<_>>>()?;
    let views = described.into_iter().zip(tensors).map(|((name, precision, shape), (_, data))| {
        let view = TensorView::new(precision, shape, data.as_bytes()).map_err(unwritten)?;
        Ok((name, view))
    });
    safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(unwritten)
}

/// The content of a safetensors file with `metadata` in place of its own. [`safetensors::serialize`] would write the keys of
/// metadata in another order each time, so that the same model would be another file.
///
/// # Errors
/// [`Error::State`] if `content` is no whole safetensors file.
pub fn with_metadata(content: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Header<'a> {
        #[serde(rename = "__metadata__")]
        metadata: &'a BTreeMap<String, String>,
        #[serde(flatten)]
        tensors: BTreeMap<String, &'a TensorInfo>,
    }
    let (length, header) = header(content)?;
    let values = &content[size_of::<u64>() + length..];
    let header = Header { metadata, tensors: header.tensors().into_iter().collect() };
    let mut header = serde_json::to_vec(&header).map_err(unwritten)?;
    // Values begin at a multiple of a number's length, as the format asks for.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    let length = (header.len() as u64).to_le_bytes();
    Ok([&length, header.as_slice(), values].concat())
}

/// What a safetensors file says of itself in its metadata.
///
/// # Errors
/// What is wrong with the file: cut off, changed, or of another kind.
pub fn metadata(content: &[u8]) -> Result<BTreeMap<String, String>, SafeTensorError> {
    let (_, header) = SafeTensors::read_metadata(content)?;
    Ok(header.metadata().clone().into_iter().flatten().collect())
}

/// The length of a file's header, and what it says.
fn header(content: &[u8]) -> Result<(usize, Metadata)> {
    SafeTensors::read_metadata(content)
        .map_err(|problem| unread(format!("not a whole safetensors file ({problem})")))
}

/// Every float parameter of `module` with its path, in visiting order.
pub fn parameters<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, TensorData)> {
    let mut found = Vec::new();
    visit(module, |path, value| found.push((path.to_owned(), value())));
    found
}

/// Calls `see` with the path of every float parameter of `module`, in visiting order, and with a function that copies its
/// values.
pub fn visit<B: Backend, M: Module<B>>(module: &M, see: impl FnMut(&str, &dyn Fn() -> TensorData)) {
    module.visit(&mut Visitor { path: Vec::new(), see });
}

/// Which precision a parameter gets with a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// That of the value.
    OfValue,
    /// The one that the parameter had.
    OfParameter,
}

/// `module` with the values that `value` gives for paths and shapes; where it gives none, a parameter stays as it is.
///
/// # Errors
/// The first one of `value`.
pub fn with_values<B: Backend, M: Module<B>, E>(
    module: M,
    precision: Precision,
    value: impl FnMut(&str, &[usize]) -> Result<Option<TensorData>, E>,
) -> Result<M, E> {
    let mut mapper = Mapper { path: Vec::new(), precision, value, failure: None };
    let module = module.map(&mut mapper);
    mapper.failure.map_or(Ok(module), Err)
}

fn stored_precision(precision: DType) -> Option<Dtype> {
    match precision {
        DType::F64 => Some(Dtype::F64),
        DType::F32 | DType::Flex32 => Some(Dtype::F32),
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

struct Visitor<F> {
    path: Vec<String>,
    see: F,
}

impl<B: Backend, F: FnMut(&str, &dyn Fn() -> TensorData)> ModuleVisitor<B> for Visitor<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        (self.see)(&self.path.join("."), &|| parameter.val().to_data());
    }
}

struct Mapper<F, E> {
    path: Vec<String>,
    precision: Precision,
    value: F,
    failure: Option<E>,
}

impl<B: Backend, E, F> ModuleMapper<B> for Mapper<F, E>
where
    F: FnMut(&str, &[usize]) -> Result<Option<TensorData>, E>,
{
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if self.failure.is_some() {
            return parameter;
        }
        // Not its lazy shape, which for a column-major layer is that of the file of a Burn record.
        match (self.value)(&self.path.join("."), parameter.shape().as_slice()) {
            Ok(None) => parameter,
            // Whether it is learned, and how Burn's records write it, stay as they are.
            Ok(Some(data)) => parameter.map(|old| {
                let precision = match self.precision {
                    Precision::OfValue => data.dtype,
                    Precision::OfParameter => old.dtype(),
                };
                let options = (&old.device(), precision);
                let value = Tensor::from_data(data.convert_dtype(precision), options);
                value.set_require_grad(old.is_require_grad())
            }),
            Err(failure) => {
                self.failure = Some(failure);
                parameter
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{Linear, LinearConfig};

    use super::*;

    fn example() -> Vec<(String, TensorData)> {
        let halves = TensorData::from([1.0f32, -2.0]).convert_dtype(DType::BF16);
        vec![("a".into(), TensorData::from([[0.1f64, f64::NAN]])), ("b".into(), halves)]
    }

    fn file() -> NamedTensors {
        NamedTensors::read(write(&example()).unwrap()).unwrap()
    }

    #[test]
    fn values_come_back_in_their_precision() {
        let mut file = file();
        assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b"]);
        for (name, data) in example() {
            assert!(file.has(&name));
            let taken = file.take(&name, &data.shape).unwrap();
            assert_eq!((taken.as_bytes(), taken.dtype), (data.as_bytes(), data.dtype));
            assert!(!file.has(&name));
        }
        file.finish().unwrap();
    }

    #[test]
    fn a_file_with_metadata_is_the_same_each_time() {
        let plain = write(&example()).unwrap();
        let metadata = |last: &str| {
            let of = |key: &str| (key.to_owned(), format!("\"{key}\\"));
            ["c", "a", "d", last].map(of).into_iter().collect::<BTreeMap<_, _>>()
        };
        let first = with_metadata(&plain, &metadata("b")).unwrap();
        for _ in 0..16 {
            assert_eq!(with_metadata(&plain, &metadata("b")).unwrap(), first);
        }
        assert_eq!(header(&first).unwrap().0 % size_of::<u64>(), 0);
        assert_eq!(super::metadata(&first).unwrap(), metadata("b"));
        assert!(super::metadata(&plain).unwrap().is_empty());
        let other = with_metadata(&plain, &metadata("e")).unwrap();
        assert_eq!(with_metadata(&first, &metadata("e")).unwrap(), other);
        let mut file = NamedTensors::read(first).unwrap();
        for (name, data) in example() {
            assert_eq!(file.take(&name, &data.shape).unwrap().as_bytes(), data.as_bytes());
        }
        file.finish().unwrap();
        assert!(with_metadata(&plain[..plain.len() - 1], &metadata("b")).is_err());
    }

    #[test]
    fn every_misfit_is_named() {
        let mut file = file();
        let missing = file.take("c", &[1]).unwrap_err().to_string();
        assert!(missing.contains("`c` is missing in the file"), "{missing}");
        let shape = file.take("a", &[2, 1]).unwrap_err().to_string();
        assert!(
            shape.contains("`a` is stored as [1, 2], but the module expects [2, 1]"),
            "{shape}"
        );
        file.ignore(|name| name == "a");
        let more = file.finish().unwrap_err().to_string();
        assert!(more.contains("`b` is not part of the module"), "{more}");
    }

    #[test]
    fn whole_numbers_are_no_parameters() {
        let view = TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
        let content = safetensors::serialize([("tokens", view)], None).unwrap();
        let error = NamedTensors::read(content).unwrap().take("tokens", &[1]).unwrap_err();
        assert!(error.to_string().contains("`tokens` is stored as I64"), "{error}");
        assert!(write(&[("tokens".into(), TensorData::from([1i64]))]).is_err());
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = write(&example()).unwrap();
        for length in 0..whole.len() {
            let error = NamedTensors::read(whole[..length].to_vec()).unwrap_err();
            assert!(matches!(error, Error::State { action: "read", .. }), "{length}: {error}");
        }
    }

    #[test]
    fn only_named_parameters_are_replaced_and_the_first_failure_stays() {
        let layer: Linear<Flex> = LinearConfig::new(2, 1).init(&Default::default());
        let before = parameters(&layer);
        let new = || TensorData::from([0.5f64]);
        let only_bias = |precision| {
            let value = |path: &str, _: &[usize]| Ok::<_, Error>((path == "bias").then(new));
            with_values(layer.clone(), precision, value).unwrap()
        };
        let (single, double) = (only_bias(Precision::OfParameter), only_bias(Precision::OfValue));
        let after = parameters(&single);
        assert_eq!((&after[0], after[1].1.dtype), (&before[0], DType::F32));
        assert_eq!(parameters(&double)[1], ("bias".into(), new()));
        let refused = with_values(layer, Precision::OfValue, |path, _| Err(path.to_owned()));
        assert_eq!(refused.unwrap_err(), "weight");
    }
}
