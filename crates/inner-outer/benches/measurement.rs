//! Time and memory, each measurement in a process of its own.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use experiment::memory::{peak_resident_bytes, resident_bytes};
use serde::{Deserialize, Serialize};

use crate::options::{Options, Worker};
use crate::setting::Setting;

const UNTOLD: &str = "memory is only measured on Linux";

/// One line of the comparison; also what `torch_peer/bench.py` prints, less what is not compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// The curvature engine or the peer.
    #[serde(alias = "peer")]
    pub name: String,
    /// Inner steps.
    pub inner_steps: usize,
    /// Median time of a meta-gradient.
    pub seconds: f64,
    /// Largest resident memory of the process.
    pub peak_bytes: u64,
    /// Resident memory before the first meta-gradient.
    pub baseline_bytes: u64,
}

impl Measurement {
    /// Memory that the meta-gradient itself needs.
    pub fn working_bytes(&self) -> u64 {
        self.peak_bytes.saturating_sub(self.baseline_bytes)
    }
}

/// Measures in a fresh process.
pub fn in_fresh_process(options: &Options, worker: Worker) -> Result<Measurement> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(options.for_worker(worker)).stderr(Stdio::inherit());
    let output = command.output().context("cannot start a process to measure in")?;
    ensure!(
        output.status.success(),
        "{worker}: the measuring process ended with {}",
        output.status
    );
    let measurement: Measurement = serde_json::from_slice(&output.stdout)?;
    eprintln!("{worker}: {:.2} s", measurement.seconds);
    Ok(measurement)
}

/// Measures in this process and prints one JSON object.
pub fn here(options: &Options, worker: Worker) -> Result<()> {
    let setting = Setting::random(options.size(), options.tasks(), worker.inner_steps)?;
    let threads = options.threads();
    let baseline_bytes = resident_bytes().context(UNTOLD)?;
    let mut seconds = Vec::new();
    // The first is to warm up.
    for _ in 0..=options.repeats() {
        let start = Instant::now();
        setting.meta_gradient(worker.engine, threads)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let measurement = Measurement {
        name: worker.engine.to_string(),
        inner_steps: worker.inner_steps,
        seconds: median(seconds.split_off(1)),
        peak_bytes: peak_resident_bytes().context(UNTOLD)?,
        baseline_bytes,
    };
    println!("{}", serde_json::to_string(&measurement)?);
    Ok(())
}

/// The middle value; the mean of the two middle ones of an even number.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}
