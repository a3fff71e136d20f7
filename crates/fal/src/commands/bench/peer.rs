//! PyTorch, by the script in `benches/torch_peer` and the interpreter in the environment variable `PYTHON`, else `python3`.

use experiment::cli::{Failure, OrFailure, print_note};
use experiment::peer::Python;
use inner_outer::Threads;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::case::{Case, Net};
use super::measurement::Measurement;

/// It travels in the program, so that `fal bench` needs no source folder.
const SCRIPT: &str = include_str!("../../../benches/torch_peer/bench.py");

/// How PyTorch uses the cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// All of them for one client after the other.
    OneProcess,
    /// Each for clients of its own.
    ProcessPerCore,
}

impl Peer {
    const ALL: [Self; 2] = [Self::OneProcess, Self::ProcessPerCore];

    /// The best of several turns of each.
    pub(super) fn best(turns: Vec<[Measurement; 2]>) -> Vec<(Self, Measurement)> {
        let of = |(index, peer): (usize, Self)| {
            let measured: Vec<_> = turns.iter().map(|turn| turn[index]).collect();
            (!measured.is_empty()).then(|| (peer, Measurement::best(measured)))
        };
        Self::ALL.into_iter().enumerate().filter_map(of).collect()
    }
}

/// The interpreter, if it has what the script needs.
///
/// # Errors
/// A message for the reader that says what is missing and how to get it.
pub(super) fn python() -> anyhow::Result<Python> {
    Python::with("torch, numpy", "crates/fal/benches/torch_peer/requirements.txt")
}

/// Time and memory of the case, in the order of [`Peer::ALL`].
pub(super) fn measure(
    python: &Python,
    case: &Case,
    repeats: u16,
    threads: Threads,
) -> Result<[Measurement; 2], Failure> {
    let measure = |peer: Peer| -> Result<Measurement, Failure> {
        let (processes, threads) = match peer {
            Peer::OneProcess => (1, threads.get()),
            Peer::ProcessPerCore => (threads.get(), 1),
        };
        let numbers = [
            ("clients", case.clients),
            ("batch", case.batch),
            ("steps", case.steps),
            ("repeats", repeats.into()),
            ("processes", processes),
            ("threads", threads),
        ];
        let arguments: Vec<String> =
            numbers.iter().map(|(name, value)| format!("--{name}={value}")).collect();
        let measured: Measurement = script(python, case.network, &arguments)?;
        print_note(format!("PyTorch, {processes} x {threads} threads: {:.3} s", measured.seconds));
        Ok(measured)
    };
    let [one, each] = Peer::ALL;
    Ok([measure(one)?, measure(each)?])
}

/// What a client learns in PyTorch on the numbers of `check.rs`.
pub(super) fn update(python: &Python, network: Net) -> Result<Vec<f32>, Failure> {
    #[derive(Deserialize)]
    struct Learned {
        update: Vec<f32>,
    }
    let Learned { update } = script(python, network, &["--check".into()])?;
    Ok(update)
}

fn script<T: DeserializeOwned>(
    python: &Python,
    network: Net,
    arguments: &[String],
) -> Result<T, Failure> {
    let network = format!("--network={network}");
    python.value(SCRIPT, &[&[network], arguments].concat()).failed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_peers_are_left_out() {
        assert!(Peer::best(Vec::new()).is_empty());
        let measured = |seconds| Measurement { seconds, peak_bytes: 1, round_bytes: None };
        let best = Peer::best(vec![[measured(3.0), measured(2.0)], [measured(1.0), measured(4.0)]]);
        assert_eq!(
            best,
            [(Peer::OneProcess, measured(1.0)), (Peer::ProcessPerCore, measured(2.0))]
        );
    }
}
