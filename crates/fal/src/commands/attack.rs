//! `fal attack`: a trained network under attack.

use std::path::PathBuf;

use anyhow::anyhow;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoints;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, write_file};
use experiment::run_directory::RunDirectory;
use experiment::seed::Seed;

use super::train::{CHECKPOINTS_KEPT, Results, STATE_FILE, SURFACE_FILE};
use crate::algorithm::FederationState;
use crate::config::ExperimentConfig;
use crate::data::ImageSet;
use crate::finished::RESULTS_FILE;
use crate::judge::samples;
use crate::trained::{Description, NETWORK_FOLDER, Trained};

/// Arguments of `attack`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// A run of `fal train`, its network folder, or a safetensors file of the network that the configuration describes
    #[arg(long, value_name = "PATH")]
    network: PathBuf,
    /// The test images, as the configuration of a training names them; those of the run if it is one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Attacks, prints accuracy and checks, and writes `results.json` and the loss surface into `--out`.
///
/// # Errors
/// Bad input: the configuration, the network or the data. Failed: the attacks.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_resume()?;
    let mut config = configuration(&arguments)?;
    config.seed = common.seed.unwrap_or(config.seed);
    if let Some(folder) = arguments.data.clone() {
        config.data.in_folder(folder);
    }
    config.check().bad_input()?;
    let test = config.data.load().bad_input()?.test;
    let results = experiment::on_device!(common.device, B => {
        attack::<B>(&arguments, &config, &test)
    })?;
    if let Some(out) = &common.out {
        let text = serde_json::to_string_pretty(&results).failed()?;
        write_file(&out.join(RESULTS_FILE), &text)?;
        let surface = results.report.checks.surface.to_svg().failed()?;
        write_file(&out.join(SURFACE_FILE), &surface)?;
    }
    match common.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(results.report),
    }
}

/// The configuration of the run that is attacked, or the default, with what the arguments change.
fn configuration(arguments: &Arguments) -> Result<ExperimentConfig, Failure> {
    let of_run = match RunDirectory::open(&arguments.network) {
        Ok(run) => run.config().bad_input()?,
        Err(_) => ExperimentConfig::default(),
    };
    arguments.common.configuration(&of_run).bad_input()
}

/// The network with the rounds that it was trained for: of a file of weights, of a finished run or its folder `network`, or of
/// the last checkpoint of a run that is not finished.
fn network<B: Backend>(
    arguments: &Arguments,
    config: &ExperimentConfig,
    test: &ImageSet,
    device: &Device<B>,
) -> Result<(Trained<B>, Option<u64>), Failure> {
    let path = &arguments.network;
    if path.is_file() {
        let description = Description::new(config.network.clone(), test);
        let trained = Trained::with_weights(description, path, device);
        return Ok((trained.bad_input()?, None));
    }
    let Ok(run) = RunDirectory::open(path) else {
        return Ok((Trained::load(path, device).bad_input()?, None));
    };
    if path.join(NETWORK_FOLDER).is_dir() {
        return Ok((Trained::load(path, device).bad_input()?, Some(config.rounds)));
    }
    let checkpoints = Checkpoints::new(&run, CHECKPOINTS_KEPT).bad_input()?;
    let Some(round) = checkpoints.latest().bad_input()? else {
        let cause =
            anyhow!("{} has no checkpoint yet; train on, or name another run", path.display());
        return Err(Failure::BadInput(cause));
    };
    let checkpoint = checkpoints.load(round).bad_input()?;
    let state = FederationState::from_bytes(checkpoint.file(STATE_FILE).bad_input()?.to_vec());
    let description = Description::new(config.network.clone(), test);
    let trained = Trained::with_parameters(description, &state.bad_input()?.global, device);
    Ok((trained.bad_input()?, Some(round)))
}

fn attack<B: Backend>(
    arguments: &Arguments,
    config: &ExperimentConfig,
    test: &ImageSet,
) -> Result<Results, Failure> {
    let device = Default::default();
    let (trained, rounds) = network::<B>(arguments, config, test, &device)?;
    trained.description.require_fit(test).bad_input()?;
    let seed = Seed::new(config.seed).child("judgement");
    let samples = samples(test, config.evaluation.final_samples, &seed);
    let report = config.evaluation.judge(&trained.network, &samples, &seed, &device).failed()?;
    let warnings = report.checks.warnings();
    Ok(Results { rounds, samples: samples.len(), report, warnings })
}
