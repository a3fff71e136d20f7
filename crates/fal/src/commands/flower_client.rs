//! `fal flower-client`: one client of a federation whose server is Flower's.

use std::path::PathBuf;

use experiment::cli::{Failure, OrFailure, SettingsArguments, print_line, print_note};
use experiment::interrupt::Interrupt;

use super::configured;
use crate::config::ExperimentConfig;
use crate::flower::{Event, Options, join};
use crate::flower_node::{FlowerNode, settings_of_the_strategy};

/// Arguments of `flower-client`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Number of the client, from 0: whose share of the images it trains on
    #[arg(long, value_name = "NUMBER")]
    client: usize,
    /// Folder with the files of the configuration's set; four idx files of any set if that one needs no folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Joins, trains and evaluates whenever the ServerApp asks, until Ctrl-C.
///
/// # Errors
/// Bad input: the configuration, the data, the client's number, the options or their files. Failed: the federation cannot be joined or is lost.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = &arguments.settings;
    let config = configured(settings, &ExperimentConfig::default(), arguments.data.clone())?;
    config.check().bad_input()?;
    let options = &arguments.options;
    options.check().bad_input()?;
    let interrupt = Interrupt::install().failed()?;
    let tell = |event: &Event| {
        let line = match settings.json {
            true => serde_json::to_string(event).unwrap_or_else(|_| event.to_string()),
            false => event.to_string(),
        };
        // Where nobody reads the output any more, the work goes on.
        let _ = print_line(line);
    };
    experiment::on_device!(settings.device, B => {
        let mut node = FlowerNode::<B>::new(&config, arguments.client, &Default::default()).bad_input()?;
        note_settings_of_the_server(&config);
        match join(options, &mut node, &interrupt, &tell) {
            Err(mistake) if mistake.is_of_options() => Err(mistake).bad_input(),
            joined => joined.failed(),
        }
    })
}

/// Tells of settings that a training in one process would heed, and a node does not or only if the ServerApp has them, too.
fn note_settings_of_the_server(config: &ExperimentConfig) {
    let (rounds, warm_up) = (config.rounds, config.adversary.warm_up);
    if warm_up > 0.0 && !config.adversary.is_idle() {
        let grown = (warm_up * rounds as f64).ceil();
        print_note(format!(
            "the adversary grows over the first {grown} of `rounds = {rounds}`, which must be as many as the ServerApp runs"
        ));
    }
    let settings = settings_of_the_strategy(config);
    if !settings.is_empty() {
        print_note(format!(
            "settings without effect on a node, because the strategy of the ServerApp decides them: {}",
            settings.join(", ")
        ));
    }
}
