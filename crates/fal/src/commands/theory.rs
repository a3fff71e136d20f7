//! `fal theory`: the convergence theorem in simulation, in a run directory that can be killed and resumed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::{fs, io};

use anyhow::Context;
use burn::tensor::backend::Backend;
use clap::ValueEnum;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::report::Report;
use experiment::run_directory::RunDirectory;
use experiment::seed::Seed;
use inner_outer::Threads;
use inner_outer::parallel::in_order;
use serde::Serialize;

use crate::finished::RESULTS_FILE;
use crate::theory::{
    Comparison, Finished, Ledger, Simulation, Sweep, TheoryConfig, TheorySettings,
    least_loss_chart, simulate, width_chart,
};

const LEDGER_FILE: &str = "simulations.jsonl";
/// The sweeps that were begun in a folder, so that `--resume` need not be told.
const SWEEPS_FILE: &str = "sweeps.json";
/// The run where none is named.
const USUAL_OUT: &str = "runs/fal-theory";

/// Arguments of `theory`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// What to vary: all where nothing is said, and with --resume what was begun
    #[arg(long, value_enum)]
    sweep: Option<Choice>,
}

/// One sweep or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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

/// A run directory with what is to be simulated there.
#[derive(Debug)]
struct Work {
    run: RunDirectory,
    config: TheoryConfig,
    sweeps: Vec<Sweep>,
}

/// Simulates what is not in the run's ledger yet, and leaves the run directory with tables, figures and a report.
///
/// # Errors
/// Bad input: the configuration or the folder. Failed: a simulation. Interrupted: before the folder is made, or after the
/// simulation in progress.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let interrupt = Interrupt::install().failed()?;
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| USUAL_OUT.into());
    let asked = arguments.sweep.map(Choice::sweeps);
    let Work { run, config, sweeps } = match common.resumed(&out)? {
        Some(run) => go_on(run, asked, &interrupt)?,
        None => begin(&out, configuration(common)?, asked.unwrap_or(&Sweep::ALL), &interrupt)?,
    };
    let comparisons = experiment::on_device!(common.settings.device, B => {
        compare::<B>(run.path(), &config, &sweeps, &interrupt)
    })?;
    match common.settings.json {
        true => {
            let results = Results { config: &config, sweeps: &comparisons };
            print_line(serde_json::to_string(&results).failed()?)
        }
        false => comparisons.iter().try_for_each(print_line),
    }
}

/// Begins a run of `sweeps` in the folder `out`.
fn begin(
    out: &Path,
    config: TheoryConfig,
    sweeps: &[Sweep],
    interrupt: &Interrupt,
) -> Result<Work, Failure> {
    // Before the folder is made, so that a corrected command finds it free.
    require_places(&config.simulations(sweeps), interrupt)?;
    let run = RunDirectory::create(out, &config).bad_input()?;
    keep(run.path(), sweeps)?;
    Ok(Work { run, config, sweeps: sweeps.to_vec() })
}

/// Goes on with a run: with the sweeps that are asked for, which are then among those that were begun, or else with the latter.
fn go_on(
    run: RunDirectory,
    asked: Option<&[Sweep]>,
    interrupt: &Interrupt,
) -> Result<Work, Failure> {
    let config: TheoryConfig = run.config().bad_input()?;
    let begun = begun(run.path())?;
    let sweeps = asked.or(begun.as_deref()).unwrap_or(&Sweep::ALL).to_vec();
    let ledger = Ledger::open(&run.path().join(LEDGER_FILE)).failed()?;
    require_places(&pending(&config, &sweeps, &ledger), interrupt)?;
    // A folder that does not tell what was begun there still does not tell it when something is added.
    if begun.is_some() || ledger.is_empty() {
        let begun = begun.unwrap_or_default();
        let all = Sweep::ALL.into_iter();
        let all = all.filter(|sweep| begun.contains(sweep) || sweeps.contains(sweep));
        keep(run.path(), &all.collect::<Vec<_>>())?;
    }
    Ok(Work { run, config, sweeps })
}

/// The sweeps that were begun in the folder of a run; none where an earlier version began it, which did not keep them.
fn begun(folder: &Path) -> Result<Option<Vec<Sweep>>, Failure> {
    let path = folder.join(SWEEPS_FILE);
    let refused = || {
        format!(
            "cannot read {}, which says what was begun: delete it, and say it with --sweep",
            path.display()
        )
    };
    match fs::read(&path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(None),
        read => {
            let bytes = read.with_context(refused).bad_input()?;
            serde_json::from_slice(&bytes).map(Some).with_context(refused).bad_input()
        }
    }
}

fn keep(folder: &Path, sweeps: &[Sweep]) -> Result<(), Failure> {
    write_file(&folder.join(SWEEPS_FILE), serde_json::to_string(sweeps).failed()?)
}

/// Simulates what is missing of `sweeps`, and writes all files: about these and whichever other sweeps the ledger has
/// in full from before.
fn compare<B: Backend>(
    folder: &Path,
    config: &TheoryConfig,
    sweeps: &[Sweep],
    interrupt: &Interrupt,
) -> Result<Vec<Comparison>, Failure> {
    let mut ledger = Ledger::open(&folder.join(LEDGER_FILE)).failed()?;
    let pending = pending(config, sweeps, &ledger);
    simulate_all::<B>(&pending, &mut ledger, interrupt)?;
    let finished =
        Sweep::ALL.iter().filter(|sweep| self::pending(config, &[**sweep], &ledger).is_empty());
    let comparisons = finished.map(|sweep| Comparison::new(config, *sweep, &ledger));
    let comparisons: Vec<Comparison> = comparisons.collect::<Result<_, _>>().failed()?;
    write_all(folder, &Results { config, sweeps: &comparisons })?;
    Ok(comparisons)
}

fn configuration(common: &CommonArguments) -> Result<TheoryConfig, Failure> {
    let mut config: TheoryConfig =
        common.settings.configuration(&TheoryConfig::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.check().bad_input()?;
    Ok(config)
}

/// Whether the points of all `simulations` find a place: no setting says that before they are drawn.
///
/// # Errors
/// Bad input: there is no place. Interrupted: between two draws.
fn require_places(simulations: &[Simulation], interrupt: &Interrupt) -> Result<(), Failure> {
    let mut drawn = BTreeSet::new();
    for Simulation { settings, seed } in simulations {
        let TheorySettings { clients, points, dimension, separation, .. } = *settings;
        if !drawn.insert((clients * points, dimension, separation.to_bits(), seed)) {
            continue;
        }
        interrupt.heed()?;
        settings.draw_points(&Seed::new(*seed)).bad_input()?;
    }
    Ok(())
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
    let refusal = OnceLock::new();
    let ended = in_order(
        pending,
        Threads::default(),
        |_, simulation| {
            // What could not be kept need not be found.
            if interrupt.requested() || refusal.get().is_some() {
                return Err(Failure::Interrupted);
            }
            let Simulation { settings, seed } = *simulation;
            let device = Default::default();
            let course = simulate::<B>(settings, seed, Threads::new(1), &device).failed()?;
            Ok(Finished { simulation: *simulation, course })
        },
        |_, finished| {
            if refusal.get().is_none()
                && let Err(cause) = ledger.add(&finished)
            {
                refusal.get_or_init(|| cause);
            }
            progress.advance(1);
        },
    );
    if let Some(cause) = refusal.into_inner() {
        return Err(cause).failed();
    }
    ended?;
    progress.finish();
    Ok(())
}

/// `results.json`, a figure or two for each sweep, and `report.html`.
fn write_all(folder: &Path, results: &Results<'_>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(results).failed()?;
    write_file(&folder.join(RESULTS_FILE), &text)?;
    let mut report = Report::new("Federated adversarial learning: the theorem in simulation")
        .paragraph(&summary(results.config));
    for comparison in results.sweeps {
        let name = comparison.sweep.name();
        report = report.heading(title(comparison.sweep)).paragraph(meaning(comparison.sweep));
        let mut charts =
            vec![(format!("{name}.svg"), least_loss_chart(comparison).failed()?, LOSS_CAPTION)];
        if comparison.sweep == Sweep::Width {
            match width_chart(comparison).failed()? {
                Some(chart) => charts.push(("drift-and-gap.svg".to_owned(), chart, WIDTH_CAPTION)),
                None => report = report.paragraph(NOTHING_MOVED),
            }
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
    write_file(&folder.join("report.html"), report.to_html())
}

const LOSS_CAPTION: &str = "Means over seeds with 95 % intervals. The robust loss is that at the worst points which \
    several projected ascents found, so it is a lower bound.";
const WIDTH_CAPTION: &str = "Geometric means over seeds with 95 % intervals.";
const NOTHING_MOVED: &str =
    "At every width some network has no neuron that is active at any point, and never moves.";

fn summary(config: &TheoryConfig) -> String {
    let TheorySettings { clients, points, dimension, width, rounds, adversary, .. } = config.base;
    format!(
        "{clients} clients with {points} points each in {dimension} dimensions, targets of -1 and 1 drawn at random, \
         perturbations of at most {}, {width} neurons and {rounds} rounds where nothing else is said; {} seeds, the same \
         for every value of a sweep. The theorem's widths and rounds are beyond reach: what is shown are directions.",
        adversary.radius, config.seeds
    )
}

fn title(sweep: Sweep) -> &'static str {
    match sweep {
        Sweep::Width => "Width",
        Sweep::Separation => "Separation",
        Sweep::LocalSteps => "Local steps",
        Sweep::Heterogeneity => "Heterogeneity",
    }
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

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::theory::SweepValues;

    fn config() -> TheoryConfig {
        let mut config = TheoryConfig { seeds: 2, ..TheoryConfig::default() };
        config.sweep = SweepValues { width: vec![8, 16], ..config.sweep };
        config.base.rounds = 2;
        config.base.measurement.every = 1;
        config
    }

    fn width(folder: &Path, interrupt: &Interrupt) -> Result<Vec<Comparison>, Failure> {
        compare::<Flex>(folder, &config(), &[Sweep::Width], interrupt)
    }

    fn read(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join(file)).unwrap()
    }

    #[test]
    fn what_is_done_is_kept_and_what_is_missing_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let comparisons = width(folder, &Interrupt::new()).unwrap();
        assert_eq!(comparisons[0].rows.len(), 2);
        for figure in ["width.svg", "drift-and-gap.svg"] {
            assert!(read(folder, figure).starts_with("<svg"));
            assert_eq!(read(folder, "report.html").matches("<figure>").count(), 2);
        }
        let (ledger, results) = (read(folder, LEDGER_FILE), read(folder, RESULTS_FILE));
        assert_eq!(ledger.lines().count(), 4);
        let first: Vec<&str> = ledger.lines().take(1).collect();
        fs::write(folder.join(LEDGER_FILE), first.join("\n")).unwrap();
        width(folder, &Interrupt::new()).unwrap();
        assert_eq!(read(folder, LEDGER_FILE), ledger);
        assert_eq!(read(folder, RESULTS_FILE), results);
        // Whoever asks again gets the answer at once, even if no simulation may begin.
        let interrupted = Interrupt::new();
        interrupted.request();
        width(folder, &interrupted).unwrap();
    }

    #[test]
    fn a_second_sweep_keeps_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config();
        config.sweep.local_steps = vec![1];
        let compare = |sweep| compare::<Flex>(folder.path(), &config, &[sweep], &Interrupt::new());
        compare(Sweep::Width).unwrap();
        let both = compare(Sweep::LocalSteps).unwrap();
        let sweeps: Vec<Sweep> = both.iter().map(|comparison| comparison.sweep).collect();
        assert_eq!(sweeps, [Sweep::Width, Sweep::LocalSteps]);
        let report = read(folder.path(), "report.html");
        assert!(report.contains("Width") && report.contains("Local steps"));
    }

    #[test]
    fn what_was_begun_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (out, interrupt) = (folder.path().join("run"), Interrupt::new());
        let go_on = |asked: Option<&[Sweep]>| {
            let run = RunDirectory::resume(&out).unwrap();
            go_on(run, asked, &interrupt).map(|work| work.sweeps)
        };
        drop(begin(&out, config(), &[Sweep::LocalSteps], &interrupt).unwrap());
        assert_eq!(go_on(None).unwrap(), [Sweep::LocalSteps]);
        assert_eq!(go_on(Some(&[Sweep::Width])).unwrap(), [Sweep::Width]);
        assert_eq!(go_on(None).unwrap(), [Sweep::Width, Sweep::LocalSteps]);
        fs::write(out.join(SWEEPS_FILE), "[\"depth\"]").unwrap();
        let Err(Failure::BadInput(refused)) = go_on(None) else { panic!("no such sweep") };
        assert!(refused.to_string().contains("--sweep"), "{refused}");
        // As a process leaves it that is stopped in between.
        fs::remove_file(out.join(SWEEPS_FILE)).unwrap();
        for asked in [Some(&Sweep::ALL[..1]), None] {
            assert_eq!(go_on(asked).unwrap(), Sweep::ALL[..1]);
        }
        fs::remove_file(out.join(SWEEPS_FILE)).unwrap();
        assert_eq!(go_on(None).unwrap(), Sweep::ALL);
    }

    #[test]
    fn a_sweep_without_room_for_its_points_is_not_added_to_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let (out, interrupt) = (folder.path().join("run"), Interrupt::new());
        let mut config = config();
        config.sweep.separation = vec![1.7];
        drop(begin(&out, config, &[Sweep::Width], &interrupt).unwrap());
        let run = RunDirectory::resume(&out).unwrap();
        let full = go_on(run, Some(&[Sweep::Separation]), &interrupt);
        assert!(matches!(full, Err(Failure::BadInput(_))), "{full:?}");
        assert_eq!(begun(&out).unwrap(), Some(vec![Sweep::Width]));
    }

    #[test]
    fn places_are_looked_for_until_an_interruption() {
        let mut config = config();
        let interrupt = Interrupt::new();
        require_places(&config.simulations(&Sweep::ALL), &interrupt).unwrap();
        config.base.separation = 1.7;
        let simulations = config.simulations(&[Sweep::Width]);
        let full = require_places(&simulations, &interrupt);
        assert!(matches!(full, Err(Failure::BadInput(_))), "{full:?}");
        interrupt.request();
        let ended = require_places(&simulations, &interrupt);
        assert!(matches!(ended, Err(Failure::Interrupted)), "{ended:?}");
    }

    #[test]
    fn an_interrupted_comparison_says_so_and_writes_no_results() {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        interrupt.request();
        assert!(matches!(width(folder.path(), &interrupt), Err(Failure::Interrupted)));
        assert!(!folder.path().join(RESULTS_FILE).exists());
    }

    #[test]
    fn a_ledger_that_cannot_be_written_ends_the_simulations() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("absent/file")).unwrap();
        let pending = pending(&config(), &[Sweep::Width], &ledger);
        let ended = simulate_all::<Flex>(&pending, &mut ledger, &Interrupt::new());
        assert!(matches!(ended, Err(Failure::Failed(_))), "{ended:?}");
        let kept = |simulation: &&Simulation| ledger.course(simulation).is_some();
        assert_eq!(pending.iter().filter(kept).count(), 1);
    }

    #[test]
    fn every_choice_names_its_sweep() {
        for sweep in Sweep::ALL {
            assert_eq!(Choice::from_str(sweep.name(), false).unwrap().sweeps(), [sweep]);
        }
        assert_eq!(Choice::All.sweeps(), Sweep::ALL);
    }
}
