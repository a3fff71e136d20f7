//! `reckoning bench`: after how many questions on one set of facts is it cheaper to have encoded them, and how much
//! memory does training need?
//!
//! The protocol follows the paper's run-time table (section 4.4): random text of about a thousand tokens cut into
//! facts, one answer token a question. RECKONING pays the inner loop once and then reads only questions; in-context
//! reading pays for the facts with every question, or once where keys and values are cached. Neither times nor memory
//! depend on what the weights have learned, so the model is a random one.

mod memory;
mod results;
mod seconds;
mod size;
mod workload;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use experiment::cli::{
    Failure, OrFailure, SettingsArguments, print_line, require_not_among, require_writable,
    write_file,
};
use experiment::seed::Seed;

pub use results::{Benchmark, BreakEven, MemoryUse, Seconds, Setting};
use workload::Workload;

use super::reading;
use crate::config::{ExperimentConfig, Method};
use crate::figures::benchmark_figures;

/// The results in the folder of a benchmark.
pub(crate) const BENCH_FILE: &str = "bench.json";

/// Arguments of `bench`. --out names the folder for bench.json and its figures, runs/bench by default; `report` shows them.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder to write the results and figures to
    #[arg(long, value_name = "DIR", default_value = "runs/bench")]
    out: PathBuf,
    /// Facts in the set
    #[arg(long, default_value_t = 8)]
    facts: usize,
    /// Tokens of a fact
    #[arg(long, default_value_t = 127)]
    fact_tokens: usize,
    /// Tokens of a question
    #[arg(long, default_value_t = 7)]
    question_tokens: usize,
    /// Inner steps to measure the seconds of, with commas between them
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    inner_steps: Vec<usize>,
    /// Numbers of questions to measure the seconds of, with commas between them
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,12,18")]
    questions: Vec<usize>,
    /// Measurements of each; the median counts
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Inner steps to measure the memory of, with commas between them, each in a process of its own
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4,5,6,7,8")]
    memory_steps: Vec<usize>,
    /// Measure one of the two only
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Replace the results of an earlier benchmark in --out
    #[arg(long)]
    overwrite: bool,
    /// Take one meta-step of this many inner steps and tell what it needed: what the processes of the memory part do
    #[arg(long, hide = true)]
    meta_step: Option<usize>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Seconds over questions, with the break-even
    Seconds,
    /// Peak memory of a meta-step over inner steps
    Memory,
}

/// Measures, prints, and writes `bench.json` and the figures.
///
/// # Errors
/// Bad input: a size of zero or beyond any machine, a configuration that contradicts itself, or results that are there already.
/// Failed: an inner loss that is not finite, a process that cannot be started, a system that does not tell its memory.
pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    for counts in
        [&mut arguments.questions, &mut arguments.inner_steps, &mut arguments.memory_steps]
    {
        counts.sort_unstable();
        counts.dedup();
    }
    let config = configuration(&arguments)?;
    if let Some(steps) = arguments.meta_step {
        let used = experiment::on_device!(arguments.settings.device, B => {
            memory::of_one_meta_step::<B>(&arguments, &config, steps)
        })?;
        return print_line(serde_json::to_string(&used).failed()?);
    }
    let folder = &arguments.out;
    let results = folder.join(BENCH_FILE);
    let read: Vec<&Path> = arguments.settings.config.as_deref().into_iter().collect();
    require_not_among(&results, &read, |_| false)?;
    reading::refuse_to_replace(&results, arguments.overwrite)?;
    require_writable(folder)?;
    let measured = measured(&arguments, &config)?;
    save(&measured, folder)?;
    if arguments.settings.json {
        return print_line(serde_json::to_string(&measured).failed()?);
    }
    measured.lines().into_iter().try_for_each(print_line)?;
    print_line(results.display())
}

/// The configuration of a random model that reads the bench's text.
fn configuration(arguments: &Arguments) -> Result<ExperimentConfig, Failure> {
    let Arguments { facts, fact_tokens, question_tokens, repeats, .. } = *arguments;
    let lists = [&arguments.questions, &arguments.inner_steps, &arguments.memory_steps];
    let sizes = [facts, repeats].into_iter().chain(lists.into_iter().flatten().copied());
    if sizes.min() == Some(0) || fact_tokens.min(question_tokens) < 2 {
        let cause = anyhow::anyhow!(
            "facts, questions, steps and repeats must be at least 1, and tokens at least 2"
        );
        return Err(Failure::BadInput(cause));
    }
    let mut config: ExperimentConfig =
        arguments.settings.configuration(&ExperimentConfig::default()).bad_input()?;
    config.seed = arguments.settings.seed.unwrap_or(config.seed);
    config.method = Method::Reckoning;
    config.model.vocabulary = config.model.vocabulary.max(64);
    let read = size::tokens(arguments).map_err(anyhow::Error::msg).bad_input()?;
    config.model.context = config.model.context.max(read);
    config.check().map_err(anyhow::Error::msg).bad_input()?;
    config.model.check().map_err(anyhow::Error::msg).bad_input()?;
    size::check(arguments, &config).map_err(anyhow::Error::msg).bad_input()?;
    Ok(config)
}

fn measured(arguments: &Arguments, config: &ExperimentConfig) -> Result<Benchmark, Failure> {
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let Arguments { facts, fact_tokens, question_tokens, repeats, .. } = *arguments;
    let setting = Setting {
        facts,
        fact_tokens,
        question_tokens,
        repeats,
        model: config.model.clone(),
        device: arguments.settings.device,
    };
    let seconds = match wanted(Part::Seconds) {
        true => experiment::on_device!(arguments.settings.device, B => {
            seconds::measure(&workload::<B>(arguments, config), arguments, config)
        })?,
        false => Vec::new(),
    };
    let memory = match wanted(Part::Memory) {
        true => memory::measure(arguments, config)?,
        false => Vec::new(),
    };
    Ok(Benchmark {
        setting,
        break_even: seconds::break_evens(arguments, &seconds),
        seconds,
        memory,
    })
}

fn workload<B: burn::tensor::backend::Backend>(
    arguments: &Arguments,
    config: &ExperimentConfig,
) -> Workload<B> {
    let Arguments { facts, fact_tokens, question_tokens, .. } = *arguments;
    let mut random = Seed::new(config.seed).child("bench").rng();
    let sizes = workload::Sizes { facts, fact_tokens, question_tokens };
    Workload::new(sizes, &config.model, &mut random, &Default::default())
}

fn save(measured: &Benchmark, folder: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(measured).failed()?;
    write_file(&folder.join(BENCH_FILE), &text)?;
    for figure in benchmark_figures(measured).failed()? {
        write_file(&folder.join(format!("{}.svg", figure.name)), &figure.svg)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn text_beyond_all_counting_is_refused() {
        let context = |sizes: [&str; 3]| {
            let [facts, tokens, question] = sizes;
            let sizes = ["--facts", facts, "--fact-tokens", tokens, "--question-tokens", question];
            let program = Program::parse_from(["bench"].iter().chain(&sizes));
            configuration(&program.arguments).map(|config| config.model.context)
        };
        assert_eq!(context(["8", "127", "7"]).unwrap(), 8 * 127 + 7);
        let most = usize::MAX.to_string();
        let most = most.as_str();
        for sizes in [[most, "2", "7"], ["2", most, "7"], ["8", "127", most]] {
            let Err(Failure::BadInput(cause)) = context(sizes) else { panic!("{sizes:?}") };
            assert!(cause.to_string().contains("fewer or shorter"), "{cause}");
        }
    }

    /// Why the defaults with `given` arguments are refused.
    fn refusal(given: &[&str]) -> String {
        let program = Program::parse_from(["bench"].iter().chain(given));
        match configuration(&program.arguments) {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("{given:?}: {other:?}"),
        }
    }

    #[test]
    fn what_no_machine_could_hold_is_refused_by_argument_and_limit() {
        for (given, named) in [
            (["--questions", "1,1000000000000000000"], "--questions"),
            (["--facts", "7000"], "--facts"),
            (["--inner-steps", "1,1000000000000000"], "--inner-steps"),
            (["--memory-steps", "1000000000000000"], "--memory-steps"),
            (["--meta-step", "1000000000000000"], "--meta-step"),
            (["--set", "model.width=1000000"], "model.width"),
            (["--set", "model.vocabulary=1000000000000"], "model.vocabulary"),
        ] {
            let refused = refusal(&given);
            assert!(refused.contains(named) && refused.contains("at most"), "{refused}");
        }
        let large = ["model.width=2048", "model.layers=24"].map(|set| ["--set", set]).concat();
        let kept = refusal(&[&large[..], &["--memory-steps", "1000"]].concat());
        assert!(kept.contains("--memory-steps") && kept.contains("1e11"), "{kept}");
    }

    #[test]
    fn results_that_are_there_are_replaced_only_where_that_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join(BENCH_FILE), "mine").unwrap();
        let given = ["bench", "--out", out];
        let refused = run(Program::parse_from(given).arguments);
        match refused {
            Err(Failure::BadInput(cause)) => {
                assert!(cause.to_string().contains("pass --overwrite"), "{cause}");
            }
            other => panic!("{other:?}"),
        }
        let kept = std::fs::read_to_string(folder.path().join(BENCH_FILE)).unwrap();
        assert_eq!(kept, "mine");
        assert!(Program::parse_from([&given[..], &["--overwrite"]].concat()).arguments.overwrite);
    }
}
