//! The comparison as one Markdown table.

use crate::measurement::Measurement;

/// A quantity that is compared: its title, its value, and how the value is written.
type Column = (&'static str, fn(&Measurement) -> f64, usize);

const MEBIBYTE: f64 = (1 << 20) as f64;

const COLUMNS: [Column; 3] = [
    ("seconds", |measurement| measurement.seconds, 2),
    ("peak MiB", |measurement| measurement.peak_bytes as f64 / MEBIBYTE, 0),
    ("above baseline MiB", |measurement| measurement.working_bytes() as f64 / MEBIBYTE, 0),
];

/// All measurements by inner steps; after each of our values its ratio to each peer's and to that of the faster peer.
pub fn table(ours: &[Measurement], peers: &[Measurement]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for peer in peers {
        if !names.contains(&peer.name.as_str()) {
            names.push(&peer.name);
        }
    }
    let mut steps: Vec<usize> = ours.iter().map(|measurement| measurement.inner_steps).collect();
    steps.sort_unstable();
    steps.dedup();

    let mut rows = vec![header(&names)];
    for steps in steps {
        let at_step = |measurement: &&Measurement| measurement.inner_steps == steps;
        let rivals: Vec<_> = peers.iter().filter(at_step).collect();
        let faster = rivals.iter().copied().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let find = |name: &&str| rivals.iter().copied().find(|rival| rival.name == **name);
        let mut compared: Vec<Option<&Measurement>> = names.iter().map(find).collect();
        if !names.is_empty() {
            compared.push(faster);
        }
        rows.extend(ours.iter().filter(at_step).map(|measurement| row(measurement, &compared)));
        let nothing = vec![None; compared.len()];
        rows.extend(rivals.into_iter().map(|rival| row(rival, &nothing)));
    }
    let rule = vec!["---".to_string(); rows[0].len()];
    rows.insert(1, rule);
    rows.iter().map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

fn header(peers: &[&str]) -> Vec<String> {
    let mut cells = vec!["inner steps".to_string(), "engine or peer".to_string()];
    for (title, _, _) in COLUMNS {
        cells.push(title.into());
        cells.extend(peers.iter().map(|peer| format!("/ {peer}")));
        if !peers.is_empty() {
            cells.push("/ faster peer".into());
        }
    }
    cells
}

fn row(measurement: &Measurement, compared: &[Option<&Measurement>]) -> Vec<String> {
    let mut cells = vec![measurement.inner_steps.to_string(), measurement.name.clone()];
    for (_, value, decimals) in COLUMNS {
        let mine = value(measurement);
        cells.push(format!("{mine:.decimals$}"));
        cells.extend(compared.iter().map(|rival| match rival {
            Some(rival) => format!("{:.2}", mine / value(rival)),
            None => String::new(),
        }));
    }
    cells
}
