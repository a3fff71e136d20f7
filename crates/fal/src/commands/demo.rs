//! `fal demo`: what adversarial training buys, in half a minute on built-in data.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{Device, Failure, OrFailure, print_line, seeds};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;

use super::report;
use super::train::Experiment;
use crate::adversary::AdversaryConfig;
use crate::config::{ExperimentConfig, PopulationConfig};
use crate::finished::Group;
use crate::partition::PartitionChoice;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of the runs and the report; an interrupted demo goes on there
    #[arg(long, value_name = "DIR", default_value = "runs/fal-demo")]
    out: PathBuf,
    /// Rounds of communication
    #[arg(long, default_value_t = 150)]
    rounds: u64,
    /// Seed of every random choice
    #[arg(long, default_value_t = 0, value_parser = seeds())]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Trains five clients with unlike digits, plainly and adversarially, attacks both networks and writes the report.
///
/// # Errors
/// Bad input: a folder with a demo of other settings. Failed: training. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let page = arguments.out.join("report.html");
    let groups = experiment::on_device!(arguments.device, B => demo::<B>(&arguments, &page))?;
    if arguments.json {
        return report::print_json(&page, &groups);
    }
    print_line("\n360 handwritten digits, pixels changed by at most 0.15 (95 % interval):")?;
    report::print_table(&groups)?;
    print_line(format!("\nCurves and pictures: {}", page.display()))?;
    let network = arguments.out.join("adversarial");
    print_line(format!("Go on: fal attack --network {}", network.display()))
}

fn demo<B: Backend>(arguments: &Arguments, page: &Path) -> Result<Vec<Group>, Failure> {
    let interrupt = Interrupt::install().failed()?;
    let mut folders = Vec::new();
    for (name, config) in [("plain", plain(arguments)), ("adversarial", adversarial(arguments))] {
        if !arguments.json {
            print_line(format!("Training: {name}"))?;
        }
        let folder = arguments.out.join(name);
        let run = RunDirectory::create_or_resume(&folder, &config).bad_input()?;
        Experiment::<B>::new(config)?.train(&run, None, &interrupt)?;
        folders.push(folder);
    }
    report::write_page(&folders, page, None)
}

fn adversarial(arguments: &Arguments) -> ExperimentConfig {
    let partition = PartitionChoice::Dirichlet { alpha: 0.5, capped: false, minimum: 20 };
    let mut config = ExperimentConfig {
        seed: arguments.seed,
        rounds: arguments.rounds,
        clients: PopulationConfig { partition, ..PopulationConfig::default() },
        adversary: AdversaryConfig { radius: 0.15, step: 0.04, ..AdversaryConfig::default() },
        ..ExperimentConfig::default()
    };
    config.evaluation.radius = config.adversary.radius;
    config
}

fn plain(arguments: &Arguments) -> ExperimentConfig {
    ExperimentConfig { adversary: AdversaryConfig::none(), ..adversarial(arguments) }
}
