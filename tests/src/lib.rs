//! What cross-crate tests share: golden values, which independent implementations wrote into `golden/`, the programs of the
//! workspace, and what their runs leave behind.

pub mod program;
pub mod run_folder;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use safetensors::{Dtype, SafeTensors};

/// A file of `golden/`, with numbers as double precision and token ids as 64-bit integers.
pub struct Golden {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Golden {
    /// Reads `golden/<path>`, such as `implicit/ridge.safetensors`.
    ///
    /// # Errors
    /// If the file cannot be read or is no safetensors file.
    pub fn open(path: &str) -> Result<Self> {
        let path = folder().join(path);
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        SafeTensors::deserialize(&bytes).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path, bytes })
    }

    /// The doubles of tensor `name`, in row-major order, and its shape.
    ///
    /// # Errors
    /// If there is no such tensor, or it holds something else.
    pub fn doubles(&self, name: &str) -> Result<(Vec<f64>, Vec<usize>)> {
        let (bytes, shape) = self.tensor(name, Dtype::F64)?;
        Ok((bytes.into_iter().map(f64::from_le_bytes).collect(), shape))
    }

    /// The values of tensor `name` alone.
    ///
    /// # Errors
    /// As [`Self::doubles`].
    pub fn values(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.doubles(name)?.0)
    }

    /// The integers of tensor `name`, in row-major order, and its shape.
    ///
    /// # Errors
    /// If there is no such tensor, or it holds something else.
    pub fn integers(&self, name: &str) -> Result<(Vec<i64>, Vec<usize>)> {
        let (bytes, shape) = self.tensor(name, Dtype::I64)?;
        Ok((bytes.into_iter().map(i64::from_le_bytes).collect(), shape))
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> Result<(Vec<[u8; 8]>, Vec<usize>)> {
        let whereabouts = || format!("`{name}` of {}", self.path.display());
        let file = SafeTensors::deserialize(&self.bytes)?;
        let view = file.tensor(name).with_context(whereabouts)?;
        ensure!(view.dtype() == dtype, "{} is {:?} and not {dtype:?}", whereabouts(), view.dtype());
        let (entries, _) = view.data().as_chunks::<8>();
        Ok((entries.to_vec(), view.shape().to_vec()))
    }
}

/// The text of `golden/<path>`.
///
/// # Errors
/// If the file cannot be read.
pub fn golden_text(path: &str) -> Result<String> {
    let path = folder().join(path);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The Python of the variable `PYTHON`, or `python3`, if it has `version` of the package `package`. Where it has not, a line on
/// standard error says that the test is skipped, and why.
pub fn python_with(package: &str, version: &str) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    let print = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let found = match Command::new(&python).args(["-c", &print]).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => String::new(),
    };
    if found == version {
        return Some(python);
    }
    let has =
        if found.is_empty() { "no such package".to_owned() } else { format!("version {found}") };
    eprintln!(
        "skipped: {} has {has}; install `{package}=={version}` and name its interpreter in PYTHON",
        python.display()
    );
    None
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Panics unless `|found - expected| <= tolerance |expected|` in the Euclidean norm.
#[track_caller]
pub fn assert_close(label: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{label}: as many numbers as expected");
    let error: f64 = found.iter().zip(expected).map(|(a, b)| (a - b) * (a - b)).sum();
    let size: f64 = expected.iter().map(|x| x * x).sum();
    let error = if size > 0.0 { (error / size).sqrt() } else { error.sqrt() };
    assert!(
        error <= tolerance,
        "{label}: relative error {error:.2e} above {tolerance:.0e}\nfound    {found:?}\nexpected {expected:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_without_the_package_is_none() {
        assert_eq!(python_with("no-such-package", "1.0"), None);
        assert_eq!(python_with("pip", "0.0.0"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(Golden::open("no/such.safetensors").is_err());
        let ridge = Golden::open("implicit/ridge.safetensors").unwrap();
        assert!(format!("{:#}", ridge.values("weights").unwrap_err()).contains("`weights`"));
        assert!(ridge.integers("solution").unwrap_err().to_string().contains("F64"));
        assert_eq!(ridge.doubles("features").unwrap().1, [10, 3]);
    }
}
