//! Writes a safetensors file in half precision: how the model in `models/` is made small.
//!
//! ```sh
//! cargo run --release -p slowfast --example half -- FROM.safetensors TO.safetensors
//! ```
//!
//! Learned rates keep their precision, the metadata is the same, and whoever reads the file computes in single precision.

use std::error::Error;

use burn::tensor::DType;
use inner_outer::named_tensors::{NamedTensors, metadata, with_metadata, write};

/// What the names of learned rates begin with.
const RATES: &str = "fast_rates.";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("give the file to read and the file to write".into());
    };
    let content = std::fs::read(from)?;
    let metadata = metadata(&content)?;
    let mut file = NamedTensors::read(content)?;
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let shape = file.shape(&name).unwrap_or_default().to_vec();
        let tensor = file.take(&name, &shape)?;
        let kept = if name.starts_with(RATES) { tensor.dtype } else { DType::F16 };
        tensors.push((name, tensor.convert_dtype(kept)));
    }
    std::fs::write(to, with_metadata(&write(&tensors)?, &metadata)?)?;
    Ok(())
}
