//! Parameters in safetensors files: [`named_tensors`](inner_outer::named_tensors) with the path in every message.

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use inner_outer::named_tensors::NamedTensors;

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
    /// The file is cut off, changed or of another kind, or its tensors are not those of the model.
    #[error("{}: {}", path.display(), misfit(cause))]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in the words of the core.
        cause: inner_outer::Error,
    },
}

/// What is wrong with a file, and what a user of the program can do about it.
fn misfit(cause: &inner_outer::Error) -> String {
    const REMEDY: &str = "use the file that belongs to the description beside it: copy the folder again, or train again";
    match cause {
        inner_outer::Error::ShapeMismatch { path, expected, found } => format!(
            "`{path}` is stored as {found:?}, but the model that is described has {expected:?}; {REMEDY}"
        ),
        inner_outer::Error::ParameterNames { path, state } => {
            format!("`{path}` is {}; {REMEDY}", state.replace("module", "model"))
        }
        inner_outer::Error::State { reason, .. } => format!("{reason}; {REMEDY}"),
        other => other.to_string(),
    }
}

/// A file whose tensors are taken out one by one, so that none can be forgotten.
pub(crate) struct ParameterFile {
    path: PathBuf,
    tensors: NamedTensors,
}

impl ParameterFile {
    pub(crate) fn open(path: &Path) -> Result<Self, ParameterFileError> {
        let path = path.to_owned();
        match std::fs::read(&path) {
            Ok(content) => match NamedTensors::read(content) {
                Ok(tensors) => Ok(Self { path, tensors }),
                Err(cause) => Err(ParameterFileError::Content { path, cause }),
            },
            Err(source) => Err(ParameterFileError::Access { path, source }),
        }
    }

    /// Names of the tensors not taken yet, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.names()
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.shape(name)
    }

    /// Takes the tensor `name`, which must be of `shape`, in the precision it is stored in.
    pub(crate) fn take(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<TensorData, ParameterFileError> {
        let taken = self.tensors.take(name, shape);
        taken.map_err(|cause| self.refused(cause))
    }

    /// Lets go of tensors that no parameter needs.
    pub(crate) fn ignore(&mut self, is_ignored: impl Fn(&str) -> bool) {
        self.tensors.ignore(is_ignored);
    }

    /// Refuses a file with tensors that nobody took.
    pub(crate) fn finish(self) -> Result<(), ParameterFileError> {
        let Self { path, tensors } = self;
        tensors.finish().map_err(|cause| ParameterFileError::Content { path, cause })
    }

    /// The error of this file.
    pub(crate) fn refused(&self, cause: inner_outer::Error) -> ParameterFileError {
        ParameterFileError::Content { path: self.path.clone(), cause }
    }
}

#[cfg(test)]
mod tests {
    use inner_outer::named_tensors::write;

    use super::*;

    #[test]
    fn every_message_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parameters.safetensors");
        let message = |error: ParameterFileError| {
            let text = error.to_string();
            assert!(text.contains("parameters.safetensors"), "{text}");
            assert!(!text.contains("module") && !text.contains("function"), "{text}");
            text
        };
        assert!(message(ParameterFile::open(&path).err().unwrap()).contains("cannot access"));
        std::fs::write(&path, "once upon a time").unwrap();
        message(ParameterFile::open(&path).err().unwrap());
        let content = write(&[("a".into(), TensorData::from([1.0f32]))]).unwrap();
        std::fs::write(&path, content).unwrap();
        let mut file = ParameterFile::open(&path).unwrap();
        assert_eq!(
            (file.names().collect::<Vec<_>>(), file.shape("a")),
            (vec!["a"], Some(&[1][..]))
        );
        assert!(message(file.take("b", &[1]).unwrap_err()).contains("`b` is missing"));
        assert!(message(file.take("a", &[2]).unwrap_err()).contains("`a` is stored as [1]"));
        let left = message(file.finish().unwrap_err());
        assert!(left.contains("`a` is not part of the model") && left.contains("copy the folder"));
    }
}
