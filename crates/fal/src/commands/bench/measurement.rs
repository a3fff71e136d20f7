//! Time and memory on our side, each measurement in a process of its own.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::backend::Flex;
use experiment::cli::{Failure, OrFailure, print_note};
use experiment::memory::{peak_resident_bytes, resident_bytes};
use inner_outer::Threads;
use serde::{Deserialize, Serialize};

use super::case::Case;
use crate::algorithm::Federation;

/// What a case takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The fastest round.
    pub seconds: f64,
    /// The most physical memory that the process held, or its processes together; 0 where the system does not tell.
    pub peak_bytes: u64,
    /// The same less what it held before the first round: images, partition, network. Not known of PyTorch.
    #[serde(default)]
    pub round_bytes: Option<u64>,
}

impl Measurement {
    /// The fastest time and the least memory of several.
    pub fn best(of: Vec<Self>) -> Self {
        let better = |a: Self, b: Self| Self {
            seconds: a.seconds.min(b.seconds),
            peak_bytes: a.peak_bytes.min(b.peak_bytes),
            round_bytes: a.round_bytes.zip(b.round_bytes).map(|(a, b)| a.min(b)),
        };
        of.into_iter().reduce(better).expect("at least one turn")
    }
}

/// Measures in this process.
pub(super) fn here(case: &Case, repeats: u16, threads: Threads) -> Result<Measurement, Failure> {
    let images = case.images().failed()?;
    let mut federation =
        Federation::<Flex>::new(&case.config(), images, &Default::default()).failed()?;
    federation.threads = threads;
    let before = resident_bytes();
    let mut seconds = f64::INFINITY;
    federation.round().failed()?;
    for _ in 0..repeats {
        let start = Instant::now();
        federation.round().failed()?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    let peak = peak_resident_bytes();
    let round_bytes = peak.zip(before).map(|(peak, before)| peak.saturating_sub(before));
    Ok(Measurement { seconds, peak_bytes: peak.unwrap_or(0), round_bytes })
}

/// Measures in a fresh process.
pub(super) fn in_fresh_process(
    case: &Case,
    repeats: u16,
    threads: Threads,
) -> Result<Measurement, Failure> {
    let measure = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--worker", &serde_json::to_string(case)?]);
        command.args(["--repeats", &repeats.to_string(), "--threads", &threads.get().to_string()]);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.context("cannot start a process to measure in")?;
        ensure!(output.status.success(), "{case}: the process ended with {}", output.status);
        let measurement: Measurement = serde_json::from_slice(&output.stdout)?;
        print_note(format!("{case}: {:.3} s", measurement.seconds));
        Ok(measurement)
    };
    measure().failed()
}

#[cfg(test)]
mod tests {
    use super::super::case::Net;
    use super::*;

    #[test]
    fn a_small_federation_can_be_measured() {
        let case = Case::full(Net::Mlp, 2, 2, 1);
        let found = here(&case, 2, Threads::new(1)).expect("two rounds");
        assert!(found.seconds > 0.0 && found.seconds < 60.0, "{found:?}");
        let partial = Case { participants: 1, images: 8, ..case };
        let config = partial.config();
        config.check().expect("a valid configuration");
        assert_eq!(config.clients.participation.fraction, 0.5);
        assert_eq!(partial.images().unwrap().len(), 8);
    }

    #[test]
    fn the_best_is_the_least_of_each() {
        let measurement = |seconds, peak_bytes| Measurement {
            seconds,
            peak_bytes,
            round_bytes: Some(peak_bytes / 2),
        };
        let best = Measurement::best(vec![measurement(2.0, 10), measurement(1.0, 20)]);
        assert_eq!(best, measurement(1.0, 10));
    }
}
