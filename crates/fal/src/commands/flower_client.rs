//! `fal flower-client`: one client of a federation whose server is Flower's.

use std::path::PathBuf;

use experiment::cli::{CommonArguments, Failure, OrFailure, print_line};
use experiment::interrupt::Interrupt;

use crate::config::ExperimentConfig;
use crate::flower::{Event, Options, join};
use crate::flower_node::FlowerNode;

/// Arguments of `flower-client`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Number of the client, from 0: whose share of the images it trains on
    #[arg(long, value_name = "NUMBER")]
    client: usize,
    /// Address of the SuperLink's Fleet API, such as flower.example.org:8000
    #[arg(long, value_name = "HOST:PORT")]
    superlink: String,
    /// Certificates in PEM of the authorities to trust, instead of those of the operating system
    #[arg(long, value_name = "FILE")]
    root_certificates: Option<PathBuf>,
    /// Speak plain HTTP: everybody on the way can then read and change the weights
    #[arg(long)]
    insecure: bool,
    /// The node's key, made at the first start; without one it is a new node each time
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Seconds between heartbeats
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    heartbeat_interval: f64,
    /// Seconds between questions for work
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    poll_interval: f64,
}

/// Joins, trains and evaluates whenever the ServerApp asks, until Ctrl-C.
///
/// # Errors
/// Bad input: the configuration, the data, the client's number or the options. Failed: the federation cannot be joined or is lost.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_resume()?;
    let mut config: ExperimentConfig =
        common.configuration(&ExperimentConfig::default()).bad_input()?;
    config.seed = common.seed.unwrap_or(config.seed);
    config.check().bad_input()?;
    let options = Options {
        root_certificates: arguments.root_certificates.clone(),
        insecure: arguments.insecure,
        key: arguments.key.clone(),
        heartbeat_interval: arguments.heartbeat_interval,
        poll_interval: arguments.poll_interval,
        ..Options::new(arguments.superlink.clone())
    };
    options.check().bad_input()?;
    let interrupt = Interrupt::install().failed()?;
    let tell = |event: &Event| {
        let line = match common.json {
            true => serde_json::to_string(event).unwrap_or_else(|_| event.to_string()),
            false => event.to_string(),
        };
        // Where nobody reads the output any more, the work goes on.
        let _ = print_line(line);
    };
    experiment::on_device!(common.device, B => {
        let mut node = FlowerNode::<B>::new(&config, arguments.client, &Default::default()).bad_input()?;
        join(&options, &mut node, &interrupt, &tell).failed()
    })
}
