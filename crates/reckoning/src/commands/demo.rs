//! `reckoning demo`: the whole story in a few minutes, on built-in data.

use std::io::{self, Write};
use std::path::PathBuf;

use burn::tensor::backend::Backend;
use experiment::cli::{Device, Failure, OrFailure, print_line, seeds};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;
use serde::Serialize;

use super::train::{SYSTEM_FOLDER, train};
use super::{reading, report};
use crate::config::{ExperimentConfig, Method};
use crate::evaluate::Accuracy;
use crate::system::System;
use crate::train::Trainer;

/// The story that is told and asked about.
const STORY: [&str; 2] = ["Alice son Bob .", "Bob daughter Carol ."];
const QUESTIONS: [&str; 1] = ["Alice ? Carol ."];
/// A step of a method without inner loop costs a fraction of one with it; this many are allowed for each.
const STEPS_WITHOUT_INNER_LOOP: usize = 8;
/// Steps of RECKONING: decades of them, and still a number that the others can have several times as many of.
const MOST_STEPS: usize = 1_000_000_000;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of the runs and the report; an interrupted demo goes on there
    #[arg(long, value_name = "DIR", default_value = "runs/demo")]
    out: PathBuf,
    /// Outer steps of RECKONING and of the controls with inner loop
    #[arg(long, default_value_t = 150, value_parser = counted_steps)]
    steps: usize,
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

/// What the demo found.
#[derive(Serialize)]
struct Outcome {
    accuracies: Vec<(String, Accuracy)>,
    story: Vec<String>,
    answers: Vec<(String, String, f64)>,
    report: PathBuf,
}

/// Trains RECKONING, the in-context baseline and the controls, writes the report, and asks about a story.
///
/// # Errors
/// Bad input: a folder with a demo of other settings. Failed: training. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let outcome = experiment::on_device!(arguments.device, B => demo::<B>(&arguments))?;
    if arguments.json {
        return print_line(serde_json::to_string(&outcome).failed()?);
    }
    print_line(
        "Accuracy on 1,000 knowledge sets of two facts, none of them trained on (95 % interval):",
    )?;
    for (name, accuracy) in &outcome.accuracies {
        print_line(format!("  {name:<13} {}", accuracy.overall.percent()))?;
    }
    print_line("\nA story, written into the weights and then forgotten:")?;
    outcome.story.iter().try_for_each(|fact| print_line(format!("  {fact}")))?;
    for (question, answer, probability) in &outcome.answers {
        print_line(format!("  {question}  ->  {answer} (probability {probability:.3})"))?;
    }
    print_line(format!("\nFigures: {}", outcome.report.display()))?;
    let system = arguments.out.join(name(Method::Reckoning)).join(SYSTEM_FOLDER);
    print_line(format!("Go on: reckoning chat --system {}", system.display()))
}

fn demo<B: Backend>(arguments: &Arguments) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::install().failed()?;
    let mut accuracies = Vec::new();
    let mut runs = Vec::new();
    for method in [
        Method::Reckoning,
        Method::InContext,
        Method::NoFacts,
        Method::NoQuestion,
        Method::RandomFacts,
    ] {
        let folder = arguments.out.join(name(method));
        announce(arguments, method);
        let config = config(arguments, method);
        let run = RunDirectory::create_or_resume(&folder, &config).bad_input()?;
        let trainer = Trainer::<B>::new(&config, &Default::default()).bad_input()?;
        let found = train(trainer, &run, &interrupt)?;
        accuracies.extend(found.into_iter().map(|accuracy| (name(method).to_owned(), accuracy)));
        runs.push(folder);
    }
    let report = arguments.out.join("report.html");
    report::write_page(&runs, &report)?;
    let system = System::<B>::load(&runs[0].join(SYSTEM_FOLDER), &Default::default()).failed()?;
    let story = STORY.map(String::from).to_vec();
    let memory = system.encode(&story).failed()?;
    let remembering = system.remember(&memory).failed()?;
    let mut answers = Vec::new();
    for question in QUESTIONS {
        for answer in remembering.ask(question, 1).failed()? {
            answers.push((question.to_owned(), answer.text, answer.log_probability.exp()));
        }
    }
    Ok(Outcome { accuracies, story, answers, report })
}

fn counted_steps(text: &str) -> Result<usize, String> {
    reading::count(text, 0..=MOST_STEPS)
}

/// On standard error, as all progress: a reader of the results that goes away must not end the training.
fn announce(arguments: &Arguments, method: Method) {
    if !arguments.json {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "training: {}", name(method));
    }
}

fn config(arguments: &Arguments, method: Method) -> ExperimentConfig {
    let mut config =
        ExperimentConfig { seed: arguments.seed, method, ..ExperimentConfig::default() };
    config.model.context = 32;
    config.objective.retention = 0.1;
    config.outer.rate = 2e-3;
    config.outer.steps = match method.has_inner_loop() {
        true => arguments.steps,
        false => arguments.steps * STEPS_WITHOUT_INNER_LOOP,
    };
    config
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Reckoning => "reckoning",
        Method::InContext => "in-context",
        Method::NoFacts => "no-facts",
        Method::NoQuestion => "no-question",
        Method::RandomFacts => "random-facts",
        Method::Language => "language",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn numbers_that_no_run_could_keep_are_refused() {
        let read = |name: &str, value: &str| Program::try_parse_from(["demo", name, value]);
        let most = u64::MAX.to_string();
        for name in ["--steps", "--seed"] {
            let refused = read(name, &most).err().expect("refused").to_string();
            assert!(refused.contains(name), "{refused}");
        }
        let longest = read("--steps", "1000000000").unwrap().arguments;
        for method in [Method::Reckoning, Method::InContext] {
            config(&longest, method).check().unwrap();
        }
    }
}
