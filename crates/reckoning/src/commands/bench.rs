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
mod workload;

use std::path::Path;

use clap::ValueEnum;
use experiment::cli::{
    CommonArguments, Failure, OrFailure, print_line, require_writable, write_file,
};
use experiment::seed::Seed;

pub use results::{Benchmark, BreakEven, MemoryUse, Seconds, Setting};
use workload::Workload;

use crate::config::{ExperimentConfig, Method};
use crate::figures::benchmark_figures;

/// The results in the folder of a benchmark.
pub(crate) const BENCH_FILE: &str = "bench.json";

/// Arguments of `bench`. --out names the folder for bench.json and its figures, runs/bench by default; `report` shows them.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
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
/// Bad input: a size of zero, or a configuration that contradicts itself. Failed: an inner loss that is not finite, a
/// process that cannot be started, a system that does not tell its memory.
pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    arguments.common.refuse_resume()?;
    for counts in
        [&mut arguments.questions, &mut arguments.inner_steps, &mut arguments.memory_steps]
    {
        counts.sort_unstable();
        counts.dedup();
    }
    let config = configuration(&arguments)?;
    if let Some(steps) = arguments.meta_step {
        let used = experiment::on_device!(arguments.common.device, B => {
            memory::of_one_meta_step::<B>(&arguments, &config, steps)
        })?;
        return print_line(serde_json::to_string(&used).failed()?);
    }
    let folder = arguments.common.out.clone().unwrap_or_else(|| "runs/bench".into());
    require_writable(&folder)?;
    let measured = measured(&arguments, &config)?;
    save(&measured, &folder)?;
    if arguments.common.json {
        return print_line(serde_json::to_string(&measured).failed()?);
    }
    measured.lines().into_iter().try_for_each(print_line)?;
    print_line(folder.join(BENCH_FILE).display())
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
        arguments.common.configuration(&ExperimentConfig::default()).bad_input()?;
    config.seed = arguments.common.seed.unwrap_or(config.seed);
    config.method = Method::Reckoning;
    config.model.vocabulary = config.model.vocabulary.max(64);
    let told = facts.checked_mul(fact_tokens);
    let Some(read) = told.and_then(|told| told.checked_add(question_tokens)) else {
        let cause = anyhow::anyhow!(
            "{facts} facts of {fact_tokens} tokens and a question of {question_tokens} are more than can be counted; give fewer or shorter ones"
        );
        return Err(Failure::BadInput(cause));
    };
    config.model.context = config.model.context.max(read);
    config.check().map_err(anyhow::Error::msg).bad_input()?;
    config.model.check().map_err(anyhow::Error::msg).bad_input()?;
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
        device: arguments.common.device,
    };
    let seconds = match wanted(Part::Seconds) {
        true => experiment::on_device!(arguments.common.device, B => {
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
}
