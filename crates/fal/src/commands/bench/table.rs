//! The comparison as Markdown.

use super::peer::Peer;
use super::{Bystanders, Comparison, Report};

const MEBIBYTE: f64 = (1 << 20) as f64;

/// A table of all cases, and a line about memory.
pub(super) fn table(report: &Report) -> String {
    let titles = [
        "network",
        "clients",
        "batch",
        "s / round",
        "PyTorch, 1 process",
        "PyTorch, process a core",
        "ratio to the faster",
        "peak MiB",
        "PyTorch's",
        "ratio",
    ];
    let mut lines = vec![row(&titles.map(String::from)), row(&titles.map(|_| "---".into()))];
    lines.extend(report.comparisons.iter().map(of_case));
    lines.extend(
        report.bystanders.iter().map(|bystanders| format!("\n{}", of_bystanders(bystanders))),
    );
    lines.join("\n")
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn of_case(comparison: &Comparison) -> String {
    let Comparison { case, ours, peers } = comparison;
    let find = |wanted: Peer| peers.iter().find(|(peer, _)| *peer == wanted);
    let seconds =
        |wanted| find(wanted).map_or_else(String::new, |(_, m)| format!("{:.3}", m.seconds));
    let faster = peers.iter().map(|(_, peer)| peer).min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let of_faster = |text: &dyn Fn(f64, f64) -> String| {
        faster.map_or_else(String::new, |peer| text(peer.seconds, peer.peak_bytes as f64))
    };
    let memory = ours.peak_bytes as f64;
    row(&[
        case.network.to_string(),
        case.clients.to_string(),
        case.batch.to_string(),
        format!("{:.3}", ours.seconds),
        seconds(Peer::OneProcess),
        seconds(Peer::ProcessPerCore),
        of_faster(&|time, _| format!("{:.2}", ours.seconds / time)),
        format!("{:.0}", memory / MEBIBYTE),
        of_faster(&|_, bytes| format!("{:.0}", bytes / MEBIBYTE)),
        of_faster(&|_, bytes| format!("{:.2}", memory / bytes)),
    ])
}

fn of_bystanders(Bystanders { few, many }: &Bystanders) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    let told = [few, many].map(|(case, measured)| {
        let of_round = measured.round_bytes.map_or(f64::NAN, mebibytes);
        let peak = mebibytes(measured.peak_bytes);
        format!(
            "{peak:.0} MiB at most, {of_round:.0} for the rounds, with {} clients",
            case.clients
        )
    });
    format!("{} at work in each round: {}.", few.0.participants, told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, Net};
    use super::super::measurement::Measurement;
    use super::*;

    fn measured(seconds: f64, mebibytes: u64) -> Measurement {
        let bytes = mebibytes << 20;
        Measurement { seconds, peak_bytes: bytes, round_bytes: Some(bytes / 2) }
    }

    #[test]
    fn ratios_are_those_to_the_faster_peer() {
        let case = Case::full(Net::Cnn, 5, 32, 4);
        let peers = vec![
            (Peer::OneProcess, measured(4.0, 100)),
            (Peer::ProcessPerCore, measured(2.0, 400)),
        ];
        let bystanders =
            Bystanders { few: (case, measured(1.0, 80)), many: (case, measured(1.0, 90)) };
        let alone = Comparison { case, ours: measured(1.0, 50), peers: vec![] };
        let beside = Comparison { peers, ..alone.clone() };
        let report = Report {
            checks: Vec::new(),
            comparisons: vec![beside, alone],
            bystanders: Some(bystanders),
        };
        let text = table(&report);
        for line in [
            "| cnn | 5 | 32 | 1.000 | 4.000 | 2.000 | 0.50 | 50 | 400 | 0.12 |",
            "| cnn | 5 | 32 | 1.000 |  |  |  | 50 |  |  |",
            "5 at work in each round: 80 MiB at most, 40 for the rounds, with 5 clients; 90 MiB",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
