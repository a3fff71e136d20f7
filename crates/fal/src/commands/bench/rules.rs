//! The server's rules beside those of Flower's strategies, on the same updates.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::backend::Flex;
use experiment::cli::{Failure, OrFailure};
use experiment::peer::Python;
use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::case::{CLASSES, Net, SHAPE};
use super::check::{relative_distance, wave};
use crate::network::Network;
use crate::server::parameters::flatten;
use crate::server::{AggregatorChoice, Update, Weighting};

/// It travels in the program, so that `fal bench` needs no source folder.
const SCRIPT: &str = include_str!("../../../benches/flower_peer/rules.py");
/// Share of bad clients that rules are to withstand, where there are enough others.
const SHARE: f64 = 0.2;
/// The largest relative difference that counts as equal: Flower adds up in single precision. In a few of a hundred thousand
/// coordinates the median lies, to that precision, in the middle of the last value that Bulyan takes on one side of it and the first
/// that it leaves on the other, and each side may take another one.
fn tolerance(rule: &str) -> f64 {
    match rule {
        "bulyan" => 1e-3,
        _ => 1e-5,
    }
}

/// One rule on both sides.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Comparison {
    network: Net,
    /// Numbers of an update.
    parameters: usize,
    clients: usize,
    rule: &'static str,
    /// The fastest call.
    seconds: f64,
    /// Flower's; nothing where it is absent.
    peer_seconds: Option<f64>,
    /// How far the results are apart.
    relative_difference: Option<f64>,
}

/// The rules that both sides have, with as many bad clients as they can withstand among so many, a fifth at most.
fn rules(clients: usize) -> [(&'static str, AggregatorChoice); 6] {
    let [krum, bulyan] = withstood(clients);
    [
        ("mean", AggregatorChoice::Mean { weighting: Weighting::Samples }),
        ("median", AggregatorChoice::Median),
        ("trimmed-mean", AggregatorChoice::TrimmedMean { share: SHARE }),
        ("krum", AggregatorChoice::Krum { byzantine: krum }),
        ("multi-krum", AggregatorChoice::MultiKrum { byzantine: krum, keep: None }),
        ("bulyan", AggregatorChoice::Bulyan { byzantine: bulyan }),
    ]
}

/// Bad clients for Krum and for Bulyan.
fn withstood(clients: usize) -> [usize; 2] {
    let feared = (SHARE * clients as f64) as usize;
    [2, 4].map(|factor| feared.min(clients.saturating_sub(3) / factor))
}

/// The interpreter, if it has Flower.
///
/// # Errors
/// A message for the reader that says what is missing and how to get it.
pub(super) fn python() -> anyhow::Result<Python> {
    Python::with("flwr, numpy", "crates/fal/benches/flower_peer/requirements.txt")
}

/// Every rule on updates of `clients` clients that are as long as the network.
///
/// # Errors
/// Bad input: so few clients that a rule refuses them. Failed: the script, and results that are not the same.
pub(super) fn compare(
    network: Net,
    clients: usize,
    repeats: u16,
    python: Option<&Python>,
) -> Result<Vec<Comparison>, Failure> {
    let updates = updates(network, clients);
    let parameters = updates[0].delta.len();
    let ours: Vec<(f64, Vec<f32>)> = rules(clients)
        .iter()
        .map(|(_, choice)| fastest(choice, &updates, repeats))
        .collect::<Result<_, _>>()?;
    let folder = tempfile::tempdir().failed()?;
    let theirs = match python {
        Some(python) => of_flower(python, &updates, folder.path(), repeats).failed()?,
        None => Vec::new(),
    };
    let mut comparisons = Vec::new();
    for ((rule, _), (seconds, found)) in rules(clients).into_iter().zip(ours) {
        let peer = theirs.iter().find(|measured| measured.rule == rule);
        let relative_difference = match peer {
            Some(_) => Some(difference(rule, &found, folder.path()).failed()?),
            None => None,
        };
        comparisons.push(Comparison {
            network,
            parameters,
            clients,
            rule,
            seconds,
            peer_seconds: peer.map(|measured| measured.seconds),
            relative_difference,
        });
    }
    Ok(comparisons)
}

/// Updates that differ from one another as those of clients do: a common wave, and half as much of one of their own.
fn updates(network: Net, clients: usize) -> Vec<Update> {
    let device = Default::default();
    let network = Network::<Flex>::new(&network.choice(), SHAPE, CLASSES, &Seed::new(0), &device)
        .expect("a network for these images");
    let parameters = flatten(&network).len();
    let update = |client: usize| {
        let own = wave(parameters, client as f64, 0.7 + 0.013 * client as f64);
        let delta = wave(parameters, 0.0, 0.37).zip(own).map(|(all, own)| all + own / 2.0);
        Update { client, delta: delta.collect(), samples: 1, steps: 1, loss: 1.0 }
    };
    (0..clients).map(update).collect()
}

/// The fastest call of a rule, and its result.
fn fastest(
    rule: &AggregatorChoice,
    updates: &[Update],
    repeats: u16,
) -> Result<(f64, Vec<f32>), Failure> {
    let mut seconds = f64::INFINITY;
    let mut found = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        found = rule.aggregate(1, updates).bad_input()?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok((seconds, found))
}

/// A line of the script.
#[derive(Debug, Deserialize)]
struct Measured {
    rule: String,
    seconds: f64,
}

/// What Flower's rules take; their results are left in the folder.
fn of_flower(
    python: &Python,
    updates: &[Update],
    folder: &Path,
    repeats: u16,
) -> anyhow::Result<Vec<Measured>> {
    let bytes = updates.iter().flat_map(|update| &update.delta).flat_map(|x| x.to_le_bytes());
    fs::write(folder.join("updates"), bytes.collect::<Vec<u8>>())
        .context("cannot write the updates for Flower: make room for temporary files")?;
    let [krum, bulyan] = withstood(updates.len());
    let numbers = [
        ("clients", updates.len()),
        ("repeats", repeats.into()),
        ("krum", krum),
        ("bulyan", bulyan),
    ];
    let numbers = numbers.into_iter().map(|(name, value)| format!("--{name}={value}"));
    let others = [format!("--share={SHARE}"), format!("--folder={}", folder.display())];
    python.lines(SCRIPT, &numbers.chain(others).collect::<Vec<_>>())
}

/// How far a result is from that which Flower left in the folder.
fn difference(rule: &str, ours: &[f32], folder: &Path) -> anyhow::Result<f64> {
    let bytes = fs::read(folder.join(rule)).context("Flower's result is not there")?;
    let theirs: Vec<f32> =
        bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let found = relative_distance(ours, &theirs);
    ensure!(
        ours.len() == theirs.len() && found <= tolerance(rule),
        "the {rule} is not that of Flower: {found:.1e} apart"
    );
    Ok(found)
}

/// All comparisons as Markdown.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let mut lines = vec![
        "| rule | clients | parameters | s | Flower | ratio | apart |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(comparisons.iter().map(|comparison| {
        let Comparison { rule, clients, parameters, seconds, .. } = comparison;
        let told = comparison.peer_seconds.zip(comparison.relative_difference);
        let of_peer =
            told.map(|(peer, apart)| format!("{peer:.4} | {:.3} | {apart:.0e}", seconds / peer));
        let of_peer = of_peer.unwrap_or_else(|| " | | ".to_owned());
        format!("| {rule} | {clients} | {parameters} | {seconds:.4} | {of_peer} |")
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_measured_with_any_number_of_clients() {
        for clients in [5, 7, 50] {
            let found = compare(Net::Lenet, clients, 1, None).unwrap();
            assert_eq!(found.len(), 6);
            assert!(found.iter().all(|comparison| comparison.seconds > 0.0));
            let text = table(&found);
            assert!(text.contains(&format!("| bulyan | {clients} | 61706 | ")), "{text}");
        }
        let few = compare(Net::Lenet, 4, 1, None);
        assert!(matches!(few, Err(Failure::BadInput(_))), "a share of 0.2 is nobody");
        assert_eq!(withstood(50), [10, 10]);
        assert_eq!(withstood(5), [1, 0]);
    }

    #[test]
    fn another_result_than_flower_s_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let left = |values: &[f32]| {
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            fs::write(folder.path().join("krum"), bytes).unwrap();
            difference("krum", &[3.0, 4.0], folder.path())
        };
        assert!(left(&[3.0, 4.000_001]).unwrap() < 1e-6);
        for other in [&[3.0, 4.1][..], &[3.0], &[3.0, f32::NAN]] {
            assert!(left(other).unwrap_err().to_string().contains("not that of Flower"));
        }
    }
}
