//! `fal theory`: the convergence theorem in simulation, in a run directory that can be killed and resumed.

use std::path::Path;

use burn::tensor::backend::Backend;
use clap::ValueEnum;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, write_file};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::report::Report;
use experiment::run_directory::RunDirectory;
use inner_outer::Threads;
use inner_outer::parallel::in_order;
use serde::Serialize;

use super::train::RESULTS_FILE;
use crate::theory::{
    Comparison, Finished, Ledger, Simulation, Sweep, TheoryConfig, TheorySettings,
    least_loss_chart, simulate, width_chart,
};

const LEDGER_FILE: &str = "simulations.jsonl";

/// Arguments of `theory`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// What to vary
    #[arg(long, value_enum, default_value_t)]
    sweep: Choice,
}

/// One sweep or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Neurons, m
    Width,
    /// The least distance between points, delta
    Separation,
    /// Local steps, K
    LocalSteps,
    /// The share of points dealt out sorted by target
    Heterogeneity,
    /// All of these
    #[default]
    All,
}

impl Choice {
    fn sweeps(self) -> &'static [Sweep] {
        match self {
            Self::Width => &[Sweep::Width],
            Self::Separation => &[Sweep::Separation],
            Self::LocalSteps => &[Sweep::LocalSteps],
            Self::Heterogeneity => &[Sweep::Heterogeneity],
            Self::All => &Sweep::ALL,
        }
    }
}

/// What the sweeps came to.
#[derive(Serialize)]
struct Results<'r> {
    config: &'r TheoryConfig,
    sweeps: &'r [Comparison],
}

/// Simulates what is not in the run's ledger yet, and leaves the run directory with tables, figures and a report.
///
/// # Errors
/// Bad input: the configuration or the folder. Failed: a simulation. Interrupted: after the simulation in progress.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| "runs/fal-theory".into());
    let (run, config) = match common.resumed(&out)? {
        Some(run) => {
            let config = run.config().bad_input()?;
            (run, config)
        }
        None => {
            let config = configuration(common)?;
            (RunDirectory::create(&out, &config).bad_input()?, config)
        }
    };
    let mut ledger = Ledger::open(&run.path().join(LEDGER_FILE)).failed()?;
    let sweeps = arguments.sweep.sweeps();
    let pending = pending(&config, sweeps, &ledger);
    let interrupt = Interrupt::install().failed()?;
    experiment::on_device!(common.device, B => {
        simulate_all::<B>(&pending, &mut ledger, &interrupt)
    })?;
    let mut comparisons = Vec::with_capacity(sweeps.len());
    for sweep in sweeps {
        comparisons.extend(Comparison::new(&config, *sweep, &ledger).failed()?);
    }
    let results = Results { config: &config, sweeps: &comparisons };
    write_all(run.path(), &results)?;
    match common.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => comparisons.iter().try_for_each(|comparison| print_line(comparison)),
    }
}

fn configuration(common: &CommonArguments) -> Result<TheoryConfig, Failure> {
    let mut config: TheoryConfig = common.configuration(&TheoryConfig::default()).bad_input()?;
    config.seed = common.seed.unwrap_or(config.seed);
    config.check().bad_input()?;
    Ok(config)
}

fn pending(config: &TheoryConfig, sweeps: &[Sweep], ledger: &Ledger) -> Vec<Simulation> {
    let all = config.simulations(sweeps).into_iter();
    all.filter(|simulation| ledger.course(simulation).is_none()).collect()
}

/// One simulation a thread: they are longer and more alike than the clients of a round.
fn simulate_all<B: Backend>(
    pending: &[Simulation],
    ledger: &mut Ledger,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let progress = Progress::new(pending.len() as u64, "simulations");
    let mut kept = Ok(());
    in_order(
        pending,
        Threads::default(),
        |_, simulation| {
            if interrupt.requested() {
                return Err(Failure::Interrupted);
            }
            let Simulation { settings, seed } = *simulation;
            let device = Default::default();
            let course = simulate::<B>(settings, seed, Threads::new(1), &device).failed()?;
            Ok(Finished { simulation: *simulation, course })
        },
        |_, finished| {
            if kept.is_ok() {
                kept = ledger.add(&finished);
            }
            progress.advance(1);
        },
    )?;
    progress.finish();
    kept.failed()
}

/// `results.json`, a figure or two for each sweep, and `report.html`.
fn write_all(folder: &Path, results: &Results<'_>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(results).failed()?;
    write_file(&folder.join(RESULTS_FILE), &text)?;
    let mut report = Report::new("Federated adversarial learning: the theorem in simulation")
        .paragraph(&summary(results.config));
    for comparison in results.sweeps {
        let name = comparison.sweep.name();
        report = report.heading(name).paragraph(meaning(comparison.sweep));
        let mut charts =
            vec![(format!("{name}.svg"), least_loss_chart(comparison).failed()?, LOSS_CAPTION)];
        if comparison.sweep == Sweep::Width {
            let chart = width_chart(comparison).failed()?;
            charts.push(("drift-and-gap.svg".to_owned(), chart, WIDTH_CAPTION));
        }
        for (file, chart, caption) in charts {
            let svg = chart.to_svg().failed()?;
            write_file(&folder.join(file), &svg)?;
            report = report.figure(&svg, caption);
        }
        report = report.table(comparison.header(), comparison.cells());
        if let Some(exponents) = &comparison.exponents {
            report = report.paragraph(&format!("{exponents}."));
        }
    }
    report.write(&folder.join("report.html")).failed()
}

const LOSS_CAPTION: &str = "Means over seeds with 95 % intervals. The robust loss is that at the worst points which \
    several projected ascents found, so it is a lower bound.";
const WIDTH_CAPTION: &str = "Geometric means over seeds with 95 % intervals.";

fn summary(config: &TheoryConfig) -> String {
    let TheorySettings { clients, points, dimension, width, rounds, adversary, .. } = config.base;
    format!(
        "{clients} clients with {points} points each in {dimension} dimensions, targets of -1 and 1 drawn at random, \
         perturbations of at most {}, {width} neurons and {rounds} rounds where nothing else is said; {} seeds, the same \
         for every value of a sweep. The theorem's widths and rounds are beyond reach: what is shown are directions.",
        adversary.radius, config.seeds
    )
}

fn meaning(sweep: Sweep) -> &'static str {
    match sweep {
        Sweep::Width => {
            "The wider the network, the less a neuron moves and the nearer the network stays to its pseudo-network, which is \
             linear in the weights: what the proof rests on."
        }
        Sweep::Separation => {
            "The farther apart the points, the larger gamma, at most delta (delta - 2 rho), and the fewer rounds the theorem \
             asks for."
        }
        Sweep::LocalSteps => {
            "The theorem holds for any number of local steps K with a local rate of 1/K: a round is as long, in finer steps."
        }
        Sweep::Heterogeneity => {
            "The theorem does not assume that clients are alike: points may be dealt out sorted by target."
        }
    }
}
