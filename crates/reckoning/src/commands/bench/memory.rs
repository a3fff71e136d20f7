//! Peak memory of one meta-step, by the number of inner steps.
//!
//! A process never gives back all that it took, so every measurement is a process of its own: this program, started
//! again with `--meta-step`, which takes a single step and tells what the operating system counted.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::memory::{peak_resident_bytes, resident_bytes};
use inner_outer::HypergradientChoice;
use serde_json::Value;

use super::results::MemoryUse;
use super::{Arguments, workload};
use crate::LearningError;
use crate::config::ExperimentConfig;
use crate::train::learner;

const FIRST_ORDER: &str = "first-order";

/// The configured hypergradient, and the first-order one to compare with, at every number of inner steps.
pub(super) fn measure(
    arguments: &Arguments,
    config: &ExperimentConfig,
) -> Result<Vec<MemoryUse>, Failure> {
    let mut kinds = vec![None];
    if name(&config.inner.hypergradient) != FIRST_ORDER {
        kinds.push(Some(FIRST_ORDER));
    }
    let mut measured = Vec::new();
    for kind in kinds {
        for &steps in &arguments.memory_steps {
            measured.push(in_a_process(arguments, steps, kind)?);
        }
    }
    Ok(measured)
}

/// The configuration with another number of inner steps.
pub(super) fn with_steps(config: &ExperimentConfig, steps: usize) -> ExperimentConfig {
    let mut config = config.clone();
    config.inner.steps = steps;
    config
}

/// Takes a meta-step of one knowledge set, with the outer optimiser's part of it, in this process.
pub(super) fn of_one_meta_step<B: Backend>(
    arguments: &Arguments,
    config: &ExperimentConfig,
    steps: usize,
) -> Result<MemoryUse, Failure> {
    let config = with_steps(config, steps);
    let untold =
        "this system does not tell how much memory a process holds; measure with --only seconds";
    let told = |bytes: Option<u64>| bytes.context(untold).failed();
    let work = workload::<B>(arguments, &config);
    let learner = learner(&config, &config.settings(None), work.model, &work.task);
    let mut learner = learner.map_err(LearningError::from).failed()?;
    let before_bytes = told(resident_bytes())?;
    let start = Instant::now();
    let step = learner.step(std::slice::from_ref(&work.task));
    step.map_err(LearningError::from).failed()?;
    Ok(MemoryUse {
        hypergradient: name(&config.inner.hypergradient),
        inner_steps: steps,
        before_bytes,
        peak_bytes: told(peak_resident_bytes())?,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The same in a process of its own; `kind` replaces the configured hypergradient.
fn in_a_process(
    arguments: &Arguments,
    steps: usize,
    kind: Option<&str>,
) -> Result<MemoryUse, Failure> {
    let program = std::env::current_exe().context("cannot find this program").failed()?;
    let mut command = Command::new(program);
    command.args(process_arguments(arguments, steps, kind)).stderr(Stdio::piped());
    let output = command.output().context("cannot start this program again").failed()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.trim().trim_start_matches("error: ");
        return Err(Failure::Failed(anyhow::anyhow!(
            "the meta-step of {steps} inner steps failed: {reason}"
        )));
    }
    serde_json::from_slice(&output.stdout)
        .context("a meta-step did not tell what it needed")
        .failed()
}

fn process_arguments(arguments: &Arguments, steps: usize, kind: Option<&str>) -> Vec<String> {
    let Arguments { settings, facts, fact_tokens, question_tokens, .. } = arguments;
    let mut given = vec!["bench".to_owned()];
    let mut give = |name: &str, value: String| given.extend([format!("--{name}"), value]);
    give("meta-step", steps.to_string());
    give("facts", facts.to_string());
    give("fact-tokens", fact_tokens.to_string());
    give("question-tokens", question_tokens.to_string());
    give("device", settings.device.to_string());
    if let Some(path) = &settings.config {
        give("config", path.display().to_string());
    }
    if let Some(seed) = settings.seed {
        give("seed", seed.to_string());
    }
    settings.set.iter().for_each(|set| give("set", set.clone()));
    if let Some(kind) = kind {
        give("set", format!("inner.hypergradient.kind={kind}"));
    }
    given
}

/// What configurations call a hypergradient.
fn name(hypergradient: &HypergradientChoice) -> String {
    let value = serde_json::to_value(hypergradient).unwrap_or_default();
    value.get("kind").and_then(Value::as_str).unwrap_or("hypergradient").to_owned()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(given: &[&str]) -> Arguments {
        Program::try_parse_from(std::iter::once(&"bench").chain(given)).unwrap().arguments
    }

    #[test]
    fn the_process_measures_what_was_asked_for() {
        let asked = arguments(&["--facts", "3", "--set", "model.width=16", "--seed", "5"]);
        let given = process_arguments(&asked, 4, Some(FIRST_ORDER));
        let given: Vec<&str> = given[1..].iter().map(String::as_str).collect();
        let process = arguments(&given);
        assert_eq!(
            (process.facts, process.meta_step, process.settings.seed),
            (3, Some(4), Some(5))
        );
        assert_eq!(
            process.settings.set,
            ["model.width=16", "inner.hypergradient.kind=first-order"]
        );
    }

    #[test]
    fn a_meta_step_tells_what_it_needed() {
        let asked = arguments(&[
            "--facts",
            "2",
            "--fact-tokens",
            "6",
            "--question-tokens",
            "3",
            "--set",
            "model.width=16",
            "--set",
            "model.layers=1",
        ]);
        let config = super::super::configuration(&asked).unwrap();
        let used = of_one_meta_step::<Flex>(&asked, &config, 2).unwrap();
        assert_eq!((used.hypergradient.as_str(), used.inner_steps), ("unrolled", 2));
        assert!(used.peak_bytes >= used.before_bytes && used.before_bytes > 0);
    }
}
