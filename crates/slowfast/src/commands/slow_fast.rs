//! `slowfast loop`: slow and fast learning together, so that the denoiser learns to use its memory.

mod settings;
mod training;

use std::path::PathBuf;

use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default};

use super::training::Place;
use super::{MODEL_FOLDER, model_files, no_memory_guidance};
use crate::slow::ChunkSource;
use settings::{LoopMethod, LoopRun};
use training::LoopTraining;

/// The run where none is named.
const USUAL_OUT: &str = "runs/loop";

/// Arguments of `loop`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips, instead of `data` in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder of the model to begin with, or of the run that trained it, instead of `model` in the configuration
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// Trains, and leaves the run directory with the model and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips, the model or the folder. Failed: training itself. Interrupted: after a
/// checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[
        ("--data", arguments.data.is_some()),
        ("--model", arguments.model.is_some()),
    ])?;
    let place = Place::of(common, USUAL_OUT)?;
    let out = place.out.clone();
    let config = place.config(|| configuration(&arguments))?;
    let read = [Some(&config.data), Some(&config.model), common.settings.config.as_ref()];
    place.require_apart(&model_files(), &read)?;
    let results = experiment::on_device!(common.settings.device, B => {
        let training = LoopTraining::<B>::new(config)?;
        let config = training.config.clone();
        let (training, run, interrupt) = place.train(training, &config, &config.pace)?;
        training.finish(run.path(), &interrupt)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!("{}\n{}", results.test, out.join(MODEL_FOLDER).display())),
    }
}

fn configuration(arguments: &Arguments) -> Result<LoopRun, Failure> {
    let common = &arguments.common;
    let mut config: LoopRun = common.settings.configuration(&LoopRun::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.data = arguments.data.clone().unwrap_or(config.data);
    config.model = arguments.model.clone().unwrap_or(config.model);
    let generates = ChunkSource::Generated;
    if !matches!(&config.method, LoopMethod::StopGradient { source, .. } if *source == generates) {
        let why = "only a `stop-gradient` loop whose `source` is `generated` samples with a memory";
        no_memory_guidance(&config.sampler, why)?;
    }
    Ok(config)
}
