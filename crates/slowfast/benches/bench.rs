//! What slow and fast learning cost: a training step beside PyTorch's, and a generated chunk with and without memory.
//!
//! ```text
//! cargo bench -p slowfast                                      needs an idle machine
//! cargo bench -p slowfast -- --no-peer                         our side only
//! PYTHON=path/to/python cargo bench -p slowfast -- --check     do both sides compute the same loss and gradient?
//! ```
//!
//! Every measurement is the fastest of some repeats in a process of its own, so that what else the machine does counts as
//! little as possible.

mod workload;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use experiment::cli::{Failure, OrFailure, print_line};
use experiment::peer::Python;
use inner_outer::Threads;
use serde::{Deserialize, Serialize};
use workload::{HEADS, PATCH, Workload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// It travels in the program.
const SCRIPT: &str = include_str!("torch_peer/bench.py");
/// Largest relative difference of losses and gradient norms in single precision.
const TOLERANCE: f64 = 1e-4;

#[derive(Parser)]
struct Options {
    /// Repeats of a measurement, after one to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
    /// Threads on both sides; all cores by default
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Leave PyTorch out
    #[arg(long)]
    no_peer: bool,
    /// Only compare loss and gradient with PyTorch's
    #[arg(long, conflicts_with = "no_peer")]
    check: bool,
    /// Measure this in this process
    #[arg(long, hide = true, value_enum)]
    worker: Option<Workload>,
    /// What Cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a workload takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Cost {
    /// The fastest repeat.
    seconds: f64,
    /// The most physical memory that the process held.
    peak_bytes: u64,
    /// Of a training step, so that two sides can be compared.
    #[serde(default)]
    loss: f64,
    /// Norm of its gradient before clipping.
    #[serde(default)]
    gradient_norm: f64,
}

fn main() -> ExitCode {
    experiment::cli::run(|| Options::parse().run())
}

impl Options {
    fn run(&self) -> Result<(), Failure> {
        if let Some(workload) = self.worker {
            let cost = workload.measure(self.repeats, self.threads()).failed()?;
            return print_line(serde_json::to_string(&cost).failed()?);
        }
        let python = Python::with(
            "torch, safetensors, numpy",
            "crates/slowfast/benches/torch_peer/requirements.txt",
        );
        let python = match python {
            _ if self.no_peer => None,
            Ok(python) => Some(python),
            Err(reason) if self.check => return Err(Failure::BadInput(reason)),
            Err(reason) => {
                eprintln!("PyTorch is left out: {reason:#}");
                None
            }
        };
        self.compare(python.as_ref()).failed()
    }

    fn compare(&self, python: Option<&Python>) -> Result<()> {
        let ours = self.in_fresh_process(Workload::Training)?;
        let theirs = python.map(|python| self.peer(python)).transpose()?;
        if let Some(theirs) = theirs {
            for (what, found, expected) in [
                ("loss", ours.loss, theirs.loss),
                ("gradient norm", ours.gradient_norm, theirs.gradient_norm),
            ] {
                let difference = (found - expected).abs() / expected.abs();
                eprintln!("{what}: {found} here, {expected} in PyTorch, {difference:.1e} apart");
                ensure!(difference <= TOLERANCE, "the two sides compute different things");
            }
        }
        if self.check {
            return Ok(());
        }
        println!("| | seconds | peak MiB |\n|---|---|---|");
        line("training step, 16 windows", ours);
        if let Some(theirs) = theirs {
            line("the same in PyTorch", theirs);
            println!(
                "| ratio | {:.2} | {:.2} |",
                ours.seconds / theirs.seconds,
                ours.peak_bytes as f64 / theirs.peak_bytes as f64
            );
        }
        line("chunk of 8 frames, no memory", self.in_fresh_process(Workload::Chunk)?);
        line("chunk of 8 frames, learned", self.in_fresh_process(Workload::LearnedChunk)?);
        Ok(())
    }

    fn threads(&self) -> Threads {
        self.threads.map_or_else(Threads::default, |threads| Threads::new(threads.into()))
    }

    fn in_fresh_process(&self, workload: Workload) -> Result<Cost> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--worker").arg(workload.to_string());
        command.args(["--repeats", &self.repeats.to_string()]);
        command.args(["--threads", &self.threads().get().to_string()]);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.context("cannot start a process to measure in")?;
        ensure!(output.status.success(), "{workload}: the process ended with {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn peer(&self, python: &Python) -> Result<Cost> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("training.safetensors");
        workload::write_for_peer(Path::new(&file))?;
        let mut arguments = vec![format!("--file={}", file.display())];
        let numbers = [
            ("heads", HEADS),
            ("patch", PATCH),
            ("threads", self.threads().get()),
            ("repeats", self.repeats.into()),
        ];
        arguments.extend(numbers.iter().map(|(name, value)| format!("--{name}={value}")));
        python.value(SCRIPT, &arguments)
    }
}

fn line(name: &str, cost: Cost) {
    println!("| {name} | {:.3} | {:.0} |", cost.seconds, cost.peak_bytes as f64 / (1 << 20) as f64);
}
