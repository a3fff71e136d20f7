//! `fal bench`: seconds a round and peak memory of federated adversarial training, beside PyTorch's; and the server's rules
//! beside Flower's.
//!
//! Every measurement is a process of its own: a round to warm up, then the fastest of some, so that what else the machine
//! does counts as little as possible. The two sides take turns. PyTorch is measured with all cores for one client after
//! the other, and with a process a core for the clients; the faster one counts.

mod case;
mod check;
mod measurement;
mod peer;
mod rules;
mod table;

use std::num::NonZeroUsize;

use anyhow::anyhow;
use clap::value_parser;
use experiment::cli::{Failure, OrFailure, print_line, print_note};
use inner_outer::Threads;
use serde::Serialize;
use serde_json::json;

use case::{Case, Net};
use experiment::peer::Python;
use measurement::Measurement;
use peer::Peer;

/// Images of the federations whose memory is compared, whatever the number of clients.
const IMAGES: usize = 32_000;
/// Images of a federation beyond which they would take more than three GB.
const MOST_IMAGES: usize = 1_000_000;
/// Clients that take part in a round of theirs.
const PARTICIPANTS: usize = 50;

/// Arguments of `bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Networks, with commas between them
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Net::Mlp, Net::Cnn])]
    network: Vec<Net>,
    /// Numbers of clients, with commas between them
    #[arg(long, value_delimiter = ',', default_values_t = [5, 50], value_parser = value_parser!(u16).range(1..))]
    clients: Vec<u16>,
    /// Samples of a local step, with commas between them
    #[arg(long, value_delimiter = ',', default_values_t = [32, 64], value_parser = value_parser!(u16).range(1..))]
    batch: Vec<u16>,
    /// Local steps of a client in a round
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u16).range(1..))]
    steps: u16,
    /// Rounds of a measurement, after one to warm up
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..))]
    repeats: u16,
    /// Measurements of each side, in turn
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..))]
    turns: u16,
    /// Threads, here and in PyTorch; all cores by default
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Leave PyTorch, or Flower, out
    #[arg(long)]
    no_peers: bool,
    /// Only compare one client's update with PyTorch's
    #[arg(long, conflicts_with = "no_peers")]
    check: bool,
    /// In place of rounds, measure the server's rules on updates that are as long as the networks, beside Flower's
    #[arg(long, conflicts_with_all = ["check", "batch", "steps", "turns", "threads", "no_memory"])]
    rules: bool,
    /// Leave the comparison of 1,000 with 100 clients out
    #[arg(long)]
    no_memory: bool,
    /// Print the result as JSON instead of text
    #[arg(long)]
    json: bool,
    /// Measure this case in this process
    #[arg(long, hide = true, value_name = "JSON")]
    worker: Option<String>,
}

/// One case on both sides.
#[derive(Clone, Debug, Serialize)]
struct Comparison {
    case: Case,
    ours: Measurement,
    /// PyTorch in one process, and with one a core; nothing where it is absent.
    peers: Vec<(Peer, Measurement)>,
}

/// The same number of clients at work in a small and in a large federation.
#[derive(Clone, Debug, Serialize)]
struct Bystanders {
    few: (Case, Measurement),
    many: (Case, Measurement),
}

/// How far one client's update is from PyTorch's, relative to its length.
#[derive(Clone, Debug, Serialize)]
struct Check {
    network: Net,
    relative_difference: f64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
struct Report {
    /// Nothing where PyTorch is absent.
    checks: Vec<Check>,
    comparisons: Vec<Comparison>,
    bystanders: Option<Bystanders>,
}

/// Measures and prints a Markdown table.
///
/// # Errors
/// Failed: a process that cannot be started or breaks off, and an update that is not that of PyTorch.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(case) = &arguments.worker {
        let case = serde_json::from_str(case).bad_input()?;
        let measurement = measurement::here(&case, arguments.repeats, arguments.threads())?;
        return print_line(serde_json::to_string(&measurement).failed()?);
    }
    if arguments.rules {
        return arguments.measure_rules();
    }
    arguments.require_memory()?;
    // Known before the long part begins.
    let python = match (arguments.no_peers, peer::python()) {
        (true, _) => None,
        (false, Ok(python)) => Some(python),
        (false, Err(reason)) if arguments.check => return Err(Failure::BadInput(reason)),
        (false, Err(reason)) => {
            print_note(format!("PyTorch is left out: {reason:#}"));
            None
        }
    };
    let mut checks = Vec::new();
    if let Some(python) = &python {
        for network in &arguments.network {
            let relative_difference = check::relative_difference(*network, python)?;
            print_note(format!(
                "{network}: the update differs from PyTorch's by {relative_difference:.1e}"
            ));
            checks.push(Check { network: *network, relative_difference });
        }
    }
    if arguments.check {
        return match arguments.json {
            true => print_line(json!({ "checks": checks })),
            false => Ok(()),
        };
    }
    let report = arguments.measure(checks, python.as_ref())?;
    match arguments.json {
        true => print_line(serde_json::to_string(&report).failed()?),
        false => print_line(table::table(&report)),
    }
}

impl Arguments {
    fn threads(&self) -> Threads {
        self.threads.map_or_else(Threads::default, |threads| Threads::new(threads.get()))
    }

    /// Whether what is measured fits into a machine's memory.
    fn require_memory(&self) -> Result<(), Failure> {
        match self.cases().iter().find(|case| case.images > MOST_IMAGES) {
            Some(case) => Err(Failure::BadInput(anyhow!(
                "{case} need {} images, but at most {MOST_IMAGES} may; lower --clients, --batch or --steps",
                case.images
            ))),
            None => Ok(()),
        }
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &network in &self.network {
            for &clients in &self.clients {
                let case = |batch: &u16| {
                    Case::full(network, clients.into(), (*batch).into(), self.steps.into())
                };
                cases.extend(self.batch.iter().map(case));
            }
        }
        cases
    }

    fn measure_rules(&self) -> Result<(), Failure> {
        let python = match (self.no_peers, rules::python()) {
            (true, _) => None,
            (false, Ok(python)) => Some(python),
            (false, Err(reason)) => {
                print_note(format!("Flower is left out: {reason:#}"));
                None
            }
        };
        let mut comparisons = Vec::new();
        for &network in &self.network {
            for &clients in &self.clients {
                let measured =
                    rules::compare(network, clients.into(), self.repeats, python.as_ref())?;
                comparisons.extend(measured);
            }
        }
        match self.json {
            true => print_line(json!({ "rules": comparisons })),
            false => print_line(rules::table(&comparisons)),
        }
    }

    fn measure(&self, checks: Vec<Check>, python: Option<&Python>) -> Result<Report, Failure> {
        let threads = self.threads();
        let ours = |case: &Case| measurement::in_fresh_process(case, self.repeats, threads);
        let mut comparisons = Vec::new();
        for case in self.cases() {
            let (mut mine, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..self.turns {
                mine.push(ours(&case)?);
                if let Some(python) = python {
                    peers.push(peer::measure(python, &case, self.repeats, threads)?);
                }
            }
            comparisons.push(Comparison {
                case,
                ours: Measurement::best(mine),
                peers: Peer::best(peers),
            });
        }
        let bystanders = match self.no_memory {
            true => None,
            false => {
                let federation = |clients| Case {
                    participants: PARTICIPANTS,
                    images: IMAGES,
                    ..Case::full(Net::Mlp, clients, 32, self.steps.into())
                };
                let [few, many] = [100, 1000].map(federation);
                Some(Bystanders { few: (few, ours(&few)?), many: (many, ours(&many)?) })
            }
        };
        Ok(Report { checks, comparisons, bystanders })
    }
}
