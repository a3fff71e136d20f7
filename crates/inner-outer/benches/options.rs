//! The command line.

use std::fmt;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use inner_outer::Threads;

use crate::gpt::Size;
use crate::setting::Engine;

/// Time and memory of exact second-order meta-gradients of a GPT with 3.7 million weights, beside PyTorch's.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Numbers of inner steps.
    #[arg(long, value_delimiter = ',', default_values_t = [1_usize, 2, 4, 8])]
    inner_steps: Vec<usize>,
    /// Meta-gradients to take the median of, after one to warm up.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
    /// Curvature engines.
    #[arg(long, value_delimiter = ',', default_values_t = Engine::value_variants().to_vec())]
    engines: Vec<Engine>,
    /// Tasks of the meta-batch.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
    /// Threads, here and in PyTorch; all cores by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Leave PyTorch out.
    #[arg(long)]
    no_peers: bool,
    /// A tiny model, one inner step, once, without peers: checks that everything runs.
    #[arg(long)]
    quick: bool,
    /// Compare the numbers with PyTorch's on equal weights and tokens instead of the time.
    #[arg(long)]
    pub check: bool,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    /// Measure in this process: engine and inner steps.
    #[arg(long, hide = true)]
    pub worker: Option<Worker>,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    pub engine: Engine,
    pub inner_steps: usize,
}

impl Options {
    /// Whether this is a check that everything runs; also when Cargo runs benchmarks as tests.
    fn quick(&self) -> bool {
        self.quick || !self.bench
    }

    pub fn size(&self) -> Size {
        if self.quick() { Size::SMALL } else { Size::FULL }
    }

    pub fn repeats(&self) -> u16 {
        if self.quick() { 1 } else { self.repeats }
    }

    pub fn inner_steps(&self) -> &[usize] {
        if self.quick() { &[1] } else { &self.inner_steps }
    }

    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    pub fn tasks(&self) -> u16 {
        self.tasks
    }

    pub fn threads(&self) -> Threads {
        self.threads.map_or_else(Threads::default, Threads::new)
    }

    pub fn peers(&self) -> bool {
        !self.no_peers && !self.quick()
    }

    /// The command line of a process for one measurement.
    pub fn for_worker(&self, worker: Worker) -> Vec<String> {
        let mut arguments = vec![
            format!("--worker={worker}"),
            format!("--repeats={}", self.repeats),
            format!("--tasks={}", self.tasks),
            format!("--threads={}", self.threads().get()),
        ];
        arguments.extend(self.quick.then(|| "--quick".to_string()));
        arguments.extend(self.bench.then(|| "--bench".to_string()));
        arguments
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no engine is hidden");
        formatter.write_str(value.get_name())
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{},{}", self.engine, self.inner_steps)
    }
}

impl FromStr for Worker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (engine, steps) = text.split_once(',').ok_or("expected ENGINE,STEPS")?;
        let inner_steps = steps.parse().map_err(|error| format!("{steps}: {error}"))?;
        Ok(Self { engine: Engine::from_str(engine, false)?, inner_steps })
    }
}
