//! Parameters of modules as safetensors files.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::tensor::{Metadata, TensorView};
use safetensors::{Dtype, SafeTensorError, SafeTensors};

#[cfg(target_endian = "big")]
compile_error!("safetensors files are little-endian, and values are copied as they lie in memory");

/// A failure to read parameters from a file. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterFileError {
    /// The file system refused.
    #[error("cannot access {}: {source}; check that the path exists and may be used", path.display())]
    Access {
        /// The path asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is cut off, changed, or of another kind.
    #[error("{}: not a whole safetensors file ({problem}); copy, download or save it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A parameter of the model is not in the file.
    #[error(
        "{}: the tensor `{tensor}` is missing; use the file that was saved with this configuration",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor looked for.
        tensor: String,
    },
    /// A tensor of the file is not part of the model.
    #[error(
        "{}: the tensor `{tensor}` belongs to no parameter of the model; use the file that was saved with this configuration",
        path.display()
    )]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
    },
    /// A tensor has another shape than the parameter.
    #[error(
        "{}: the tensor `{tensor}` is {found:?}, but the configuration asks for {expected:?}; correct the configuration or use its own file",
        path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape of the parameter.
        expected: Vec<usize>,
    },
    /// A tensor does not hold floating-point numbers of a usual precision.
    #[error(
        "{}: the tensor `{tensor}` is stored as {found}; convert it to F16, BF16, F32 or F64",
        path.display()
    )]
    Precision {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The precision it has.
        found: String,
    },
}

/// A file whose tensors are taken out one by one, so that none can be forgotten.
pub(crate) struct ParameterFile {
    path: PathBuf,
    content: Vec<u8>,
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    start: usize,
    left: BTreeSet<String>,
}

impl ParameterFile {
    pub(crate) fn open(path: &Path) -> Result<Self, ParameterFileError> {
        let access = |source| ParameterFileError::Access { path: path.to_owned(), source };
        let content = std::fs::read(path).map_err(access)?;
        let malformed = |error: SafeTensorError| ParameterFileError::Malformed {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let (header, metadata) = SafeTensors::read_metadata(&content).map_err(malformed)?;
        let left = metadata.offset_keys().into_iter().collect();
        let start = size_of::<u64>() + header;
        Ok(Self { path: path.to_owned(), content, metadata, start, left })
    }

    /// Names of the tensors not taken yet, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(String::as_str)
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Takes the tensor `name`, which must be of `shape`, in the precision it is stored in.
    pub(crate) fn take(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<TensorData, ParameterFileError> {
        let (path, tensor) = (self.path.clone(), name.to_owned());
        let Some(info) = self.metadata.info(name) else {
            return Err(ParameterFileError::Missing { path, tensor });
        };
        if info.shape != shape {
            let (found, expected) = (info.shape.clone(), shape.to_vec());
            return Err(ParameterFileError::Shape { path, tensor, found, expected });
        }
        let Some(precision) = loaded_precision(info.dtype) else {
            return Err(ParameterFileError::Precision {
                path,
                tensor,
                found: format!("{:?}", info.dtype),
            });
        };
        let (from, to) = info.data_offsets;
        let bytes = self.content[self.start + from..self.start + to].to_vec();
        self.left.remove(name);
        Ok(TensorData::from_bytes_vec(bytes, shape.to_vec(), precision))
    }

    /// Lets go of tensors that no parameter needs.
    pub(crate) fn ignore(&mut self, is_ignored: impl Fn(&str) -> bool) {
        self.left.retain(|name| !is_ignored(name));
    }

    /// Refuses a file with tensors that nobody took.
    pub(crate) fn finish(mut self) -> Result<(), ParameterFileError> {
        match self.left.pop_first() {
            Some(tensor) => Err(ParameterFileError::Unexpected { path: self.path, tensor }),
            None => Ok(()),
        }
    }
}

/// The bytes of a safetensors file. Parameters must be of half, single or double precision, as Burn's backends have.
pub(crate) fn to_bytes(
    parameters: &[(String, TensorData)],
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, SafeTensorError> {
    let view = |(name, data): &'_ (String, TensorData)| {
        let precision = stored_precision(data.dtype).ok_or(SafeTensorError::TensorInvalidInfo)?;
        Ok((name.clone(), (precision, data.shape.to_vec())))
    };
    let described = parameters.iter().map(view).collect::<Result<Vec<_>, SafeTensorError>>()?;
    let views =
        described.into_iter().zip(parameters).map(|((name, (precision, shape)), (_, data))| {
            Ok((name, TensorView::new(precision, shape, data.as_bytes())?))
        });
    safetensors::serialize(views.collect::<Result<Vec<_>, SafeTensorError>>()?, metadata)
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

/// Every float parameter of `module` with its path, in visiting order.
pub(crate) fn parameters<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, TensorData)> {
    let mut found = Vec::new();
    visit_parameters(module, |path, data| found.push((path.to_owned(), data)));
    found
}

/// Calls `see` with the path and values of every float parameter of `module`, in visiting order.
pub(crate) fn visit_parameters<B: Backend, M: Module<B>>(
    module: &M,
    see: impl FnMut(&str, TensorData),
) {
    module.visit(&mut Visitor { path: Vec::new(), see });
}

/// `module` with the values that `read` gives for each path and shape, in the precision that they have.
pub(crate) fn with_parameters<B: Backend, M: Module<B>, E>(
    module: M,
    read: impl FnMut(&str, &[usize]) -> Result<TensorData, E>,
) -> Result<M, E> {
    let mut mapper = Mapper { path: Vec::new(), read, failure: None };
    let module = module.map(&mut mapper);
    mapper.failure.map_or(Ok(module), Err)
}

struct Visitor<F> {
    path: Vec<String>,
    see: F,
}

impl<B: Backend, F: FnMut(&str, TensorData)> ModuleVisitor<B> for Visitor<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        (self.see)(&self.path.join("."), parameter.val().to_data());
    }
}

struct Mapper<F, E> {
    path: Vec<String>,
    read: F,
    failure: Option<E>,
}

impl<B: Backend, E, F> ModuleMapper<B> for Mapper<F, E>
where
    F: FnMut(&str, &[usize]) -> Result<TensorData, E>,
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
        match (self.read)(&self.path.join("."), parameter.lazy_shape().as_slice()) {
            Ok(data) => {
                let options = (&parameter.lazy_device(), data.dtype);
                Param::initialized(parameter.id, Tensor::from_data(data, options))
            }
            Err(failure) => {
                self.failure = Some(failure);
                parameter
            }
        }
    }
}

#[cfg(test)]
mod tests;
