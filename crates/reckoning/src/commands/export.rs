//! `reckoning export`: a trained language model as Hugging Face saves a GPT-2.

use std::path::PathBuf;

use burn::backend::Flex;
use experiment::cli::{Failure, OrFailure, print_line};
use serde_json::json;

use crate::model::hugging_face;
use crate::system::System;
use crate::trained::TrainedSystem;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a trained system, such as runs/reckoning/system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Folder to write `config.json` and `model.safetensors` to; it must not be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes the model as it is before any facts. Inner rates and tokenizer stay behind: the format has no place for the first, and
/// the second is a file of the system.
///
/// # Errors
/// Bad input: the system, or a folder that is there already. Failed: a file that cannot be written.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { system, out, json } = arguments;
    if out.exists() {
        let cause = anyhow::anyhow!("{} is there already: name another --out", out.display());
        return Err(Failure::BadInput(cause));
    }
    let system = System::<Flex>::load(&system, &Default::default()).bad_input()?;
    let TrainedSystem { model, config, .. } = system.trained();
    hugging_face::save(model, config, &out).failed()?;
    if json {
        return print_line(json!({ "folder": out.to_string_lossy(), "model": config }));
    }
    print_line(format!("{}: GPT-2 of Hugging Face's format", out.display()))
}
